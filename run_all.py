"""The door: arguments in, exit status out. `python run_all.py` prints the short help; docs/command-line.md the long one."""

import sys

from benchmark.commands.run_all import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
