"""`python -m benchmark COMMAND`: everything a person types beside `run_all.py`."""

import sys
from importlib import import_module

from benchmark.terminal import describe_unknown, make_printable

COMMANDS = {
    "data-card": "decode a data set, say what it is and whether it is the right one",
    "landmarks": "68 facial points for a data set that comes without",
    "noise-list": "a label noise as a list that other programs read",
    "noise-page": "what every kind of noise does to each class",
    "check": "does a method, noise, data set or backbone of your own keep its contract?",
    "import": "merge the records of others after checking them",
    "export": "the curves of finished runs, for TensorBoard",
    "reference": "draw the pages' tables, figures, findings and report anew from the records that ship",
    "reproduce": "run one job again and compare it with its record",
    "evaluate": "a kept network on any data set: accuracies, each class, one CSV row an image",
    "predict": "what a kept network sees in a folder of pictures",
    "tuning": "which settings a finished search chooses for the demo scale",
}
MODULES = {"import": "import_records"}


def main(arguments: list[str]) -> int:
    """Run a command; returns the exit status."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print("\n".join(f"python -m benchmark {name:<11} {text}" for name, text in COMMANDS.items()))
        print("python run_all.py              tables and figures; without options, its own short help")
        return 0
    name, *command_arguments = arguments
    if name not in COMMANDS:
        print(make_printable(f"python -m benchmark: {describe_unknown('command', name, COMMANDS)}"), file=sys.stderr)
        return 2
    module = import_module(f"benchmark.commands.{MODULES.get(name, name.replace('-', '_'))}")
    return module.main(command_arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
