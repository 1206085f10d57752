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
    wrong_count = 0
    for cls in find_contracts(load_module(path)):
        print(f"{path.name}: {contract_kind(cls)} '{vars(cls)['name']}' (class {cls.__name__})")
        for finding in run_checks(cls, args.data):
            print(finding, flush=True)
            wrong_count += finding.status == "wrong"
    print("the contract is kept" if not wrong_count else f"{wrong_count} of the checks above are wrong")
    return 1 if wrong_count else 0


def file_of(name: str, plugin_folders: tuple[Path, ...]) -> Path:
    """The file that was typed, or that defines the name that was typed; raises Usage."""
    path = Path(name).resolve()
    if name.endswith(".py") or path.is_file():
        if not path.is_file() or path.suffix != ".py":
            raise Usage(f"{path}: expected a Python file")
        return path
    file_by_name = {definition.name: definition.file for definition in plugins.find_definitions(plugin_folders)}
    return file_by_name[one_of("FILE|NAME", "method, noise, data set, backbone or file", name, file_by_name)]


def load_module(path: Path) -> ModuleType:
    """The module in a file; raises Usage where it cannot be imported."""
    try:
        return plugins.import_file(path)
    except plugins.PluginError as error:
        raise Usage(f"{path.name}: cannot be imported: {describe_error(error.__cause__ or error, path)}") from error


def find_contracts(module: ModuleType) -> list[type]:
    """The methods, noises, data sets and backbones that a module defines; raises Usage where there is none."""
    from methods.base import Backbone, Method

    own_classes = [
        v for v in vars(module).values() if inspect.isclass(v) and f"{v.__module__}.".startswith(f"{module.__name__}.")
    ]
    own_classes = [v for v in own_classes if issubclass(v, Method | Noise | DataSet | Backbone)]
    named_classes = [v for v in own_classes if "name" in vars(v)]
    if not named_classes:
        hint = (
            f"class {own_classes[0].__name__} has no `name`; give it one" if own_classes else "see docs/new-method.md"
        )
        file_name = Path(str(module.__file__)).name
        base_classes = "Method, Noise, DataSet or Backbone"
        raise Usage(f"{file_name}: no class derived from {base_classes} with a name; {hint}")
    return named_classes


def contract_kind(cls: type) -> str:
    from methods.base import Backbone

    kinds = {Noise: "noise", DataSet: "data set", Backbone: "backbone"}
    return next((word for contract, word in kinds.items() if issubclass(cls, contract)), "method")


def run_checks(cls: type, data: Path | None = None, name_part: str = "") -> Iterator[Finding]:
    """The checks of a class, one after the other; only: those with these words in their names."""
    if issubclass(cls, Noise):
        from benchmark.check.noises import noise_checks

        all_checks = noise_checks(cls, data)
    elif issubclass(cls, DataSet):
        from benchmark.check.data_sets import data_set_checks

        all_checks = data_set_checks(cls, data)
    elif contract_kind(cls) == "backbone":
        from benchmark.check.backbones import backbone_checks

        all_checks = backbone_checks(cls, data)  # type: ignore[arg-type]
    else:
        from benchmark.check.methods import method_checks

        all_checks = method_checks(cls, data)  # type: ignore[arg-type]  # what is neither of the others
    return collect_findings([c for c in all_checks if name_part in c.name], Path(inspect.getfile(cls)))


def collect_findings(checks: Iterable[Check], file: Path) -> Iterator[Finding]:
    for check in checks:
        try:
            check.run()
        except Wrong as error:
            yield Finding("wrong", check.name, str(error))
        except Skipped as error:
            yield Finding("note", check.name, str(error))
        except Exception as error:  # whatever an author's code raises is a finding
            yield Finding("wrong", check.name, describe_error(error, file))
        else:
            yield Finding("ok", check.name)


def describe_error(error: BaseException, file: Path) -> str:
    """An error in one line, with the last line of the author's file that it passed through."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename) == file]
    first_line = str(error).strip().splitlines()[0] if str(error).strip() else ""
    return f"{type(error).__name__}: {first_line}" + (f" ({file.name}, line {lines[-1]})" if lines else "")
