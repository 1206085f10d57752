"""The door: arguments in, exit status out. `--help` lists every option; docs/command-line.md says more."""

import sys

from benchmark.commands.run_all import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
