"""`python -m benchmark check my_method.py`: does a method, noise, data set or backbone of one's own keep its contract?

Prints one line a check and ends with status 0 if all is well, 1 if something is wrong, 2 if there is nothing to check.
"""

import argparse
import inspect
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from benchmark import plugins
from benchmark.check.contract import Check, Skipped, Wrong
from benchmark.commands.errors import handle_errors
from benchmark.commands.named_data import own_folders
from benchmark.datasets.base import DataSet
from benchmark.terminal import Usage, one_of
from noise.base import Noise


@dataclass(frozen=True)
class Finding:
    """What came of a check. status: 'ok', 'wrong' or 'note'."""

    status: str
    name: str
    text: str = ""

    def __str__(self) -> str:
        return f"{self.status:<6} {self.name}" + (f": {self.text}" if self.text else "")


def main(arguments: list[str]) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser("python -m benchmark check", description=__doc__.splitlines()[0])
    parser.add_argument(
        "name", metavar="FILE|NAME", help="a Python file with a method, noise, data set or backbone, or its name"
    )
    parser.add_argument("--data", type=Path, metavar="PATH", help="where the data lies that a data set reads")
    parser.add_argument("--methods-path", action="append", default=[], metavar="DIR", help="where a NAME is looked for")
    args = parser.parse_args(arguments)
    return handle_errors("benchmark check", lambda: check_plugin_file(args))


def check_plugin_file(args: argparse.Namespace) -> int:
    path = file_of(args.name, own_folders(args))
    wrong = 0
    for cls in find_contracts(load_module(path)):
        print(f"{path.name}: {contract_kind(cls)} '{vars(cls)['name']}' (class {cls.__name__})")
        for finding in run_checks(cls, args.data):
            print(finding, flush=True)
            wrong += finding.status == "wrong"
    print("the contract is kept" if not wrong else f"{wrong} of the checks above are wrong")
    return 1 if wrong else 0


def file_of(name: str, own: tuple[Path, ...]) -> Path:
    """The file that was typed, or that defines the name that was typed; raises Usage."""
    path = Path(name).resolve()
    if name.endswith(".py") or path.is_file():
        if not path.is_file() or path.suffix != ".py":
            raise Usage(f"{path}: expected a Python file")
        return path
    known = {found.name: found.file for found in plugins.find_definitions(own)}
    return known[one_of("FILE|NAME", "method, noise, data set, backbone or file", name, known)]


def load_module(path: Path) -> ModuleType:
    """The module in a file; raises Usage where it cannot be imported."""
    try:
        return plugins.import_file(path)
    except plugins.PluginError as error:
        raise Usage(f"{path.name}: cannot be imported: {describe_error(error.__cause__ or error, path)}") from error


def find_contracts(module: ModuleType) -> list[type]:
    """The methods, noises, data sets and backbones that a module defines; raises Usage where there is none."""
    from methods.base import Backbone, Method

    own = [
        v for v in vars(module).values() if inspect.isclass(v) and f"{v.__module__}.".startswith(f"{module.__name__}.")
    ]
    own = [v for v in own if issubclass(v, Method | Noise | DataSet | Backbone)]
    found = [v for v in own if "name" in vars(v)]
    if not found:
        hint = f"class {own[0].__name__} has no `name`; give it one" if own else "see docs/new-method.md"
        file, expected = Path(str(module.__file__)).name, "Method, Noise, DataSet or Backbone"
        raise Usage(f"{file}: no class derived from {expected} with a name; {hint}")
    return found


def contract_kind(cls: type) -> str:
    from methods.base import Backbone

    kinds = {Noise: "noise", DataSet: "data set", Backbone: "backbone"}
    return next((word for contract, word in kinds.items() if issubclass(cls, contract)), "method")


def run_checks(cls: type, data: Path | None = None, only: str = "") -> Iterator[Finding]:
    """The checks of a class, one after the other; only: those with these words in their names."""
    if issubclass(cls, Noise):
        from benchmark.check.noises import noise_checks as of_noise

        asked = of_noise(cls, data)
    elif issubclass(cls, DataSet):
        from benchmark.check.data_sets import data_set_checks as of_data_set

        asked = of_data_set(cls, data)
    elif contract_kind(cls) == "backbone":
        from benchmark.check.backbones import backbone_checks as of_backbone

        asked = of_backbone(cls, data)  # type: ignore[arg-type]
    else:
        from benchmark.check.methods import method_checks as of_method

        asked = of_method(cls, data)  # type: ignore[arg-type]  # what is neither of the others
    return collect_findings([c for c in asked if only in c.name], Path(inspect.getfile(cls)))


def collect_findings(checks: Iterable[Check], file: Path) -> Iterator[Finding]:
    for one in checks:
        try:
            one.run()
        except Wrong as error:
            yield Finding("wrong", one.name, str(error))
        except Skipped as error:
            yield Finding("note", one.name, str(error))
        except Exception as error:  # whatever an author's code raises is a finding
            yield Finding("wrong", one.name, describe_error(error, file))
        else:
            yield Finding("ok", one.name)


def describe_error(error: BaseException, file: Path) -> str:
    """An error in one line, with the last line of the author's file that it passed through."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename) == file]
    first = str(error).strip().splitlines()[0] if str(error).strip() else ""
    return f"{type(error).__name__}: {first}" + (f" ({file.name}, line {lines[-1]})" if lines else "")
