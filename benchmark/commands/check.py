"""`python -m benchmark check my_method.py`: does a method, noise, data set or backbone of one's own keep its contract?

Prints one line a check and ends with status 0 if all is well, 1 if something is wrong, 2 if there is nothing to check.
"""

import argparse
import inspect
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from types import ModuleType

from benchmark import plugins
from benchmark.check.contract import Skipped, Wrong
from benchmark.commands.command_line import command_parser, run_command
from benchmark.commands.named_data import own_folders
from benchmark.datasets.base import DataSet
from benchmark.terminal import Usage, one_of
from noise.base import Noise

# {kind: where its checks are}; of these modules only the one that is needed is imported
ROOMS = {"method": "methods", "noise": "noises", "data set": "data_sets", "backbone": "backbones"}


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
    parser = command_parser("check", __doc__)
    name_help = "a Python file with a method, noise, data set or backbone, or its name"
    parser.add_argument("name", metavar="FILE|NAME", help=name_help)
    parser.add_argument("--data", type=Path, metavar="PATH", help="where the data lies that a data set reads")
    parser.add_argument("--methods-path", action="append", default=[], metavar="DIR", help="where a NAME is looked for")
    return run_command(parser, check_plugin_file, arguments)


def check_plugin_file(args: argparse.Namespace) -> int:
    path = file_of(args.name, own_folders(args))
    module, findings = import_watched(path)
    wrong_count = 0
    for finding in findings:
        print(f"{path.name}: {finding}")
        wrong_count += finding.status == "wrong"
    for cls in find_contracts(module):
        print(f"{path.name}: {contract_kind(cls)} '{vars(cls)['name']}' (class {cls.__name__})")
        shown_at: dict[str, str] = {}
        for finding in run_checks(cls, args.data):
            first_name = shown_at.setdefault(finding.text, finding.name)
            is_repeated = finding.status == "wrong" and first_name != finding.name
            print(replace(finding, text=f"as in '{first_name}'") if is_repeated else finding, flush=True)
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
        reason = plugins.locate_error(error.__cause__ or error, path)
        raise Usage(f"{path.name}: cannot be imported: {reason}") from error


def import_watched(path: Path) -> tuple[ModuleType, list[Finding]]:
    """The module in a file, and a finding for what its import changes for the whole process; raises Usage."""
    import methods.base  # noqa: F401  what libraries change when the project imports them is not the file's
    from benchmark.check.process_state import list_changes, read_seeds, read_settings

    state_before = read_settings() | read_seeds()
    module = load_module(path)
    grave_names, harmless_names = list_changes(state_before, read_settings() | read_seeds())
    findings = [state_finding("imported", grave_names)] if grave_names else []
    if harmless_names:
        text = f"changes {', '.join(harmless_names)}; if this is the file's own doing and no library's, leave it out"
        findings.append(Finding("note", "imported", text))
    return module, findings


def state_finding(name: str, changed_names: list[str]) -> Finding:
    """That a file changed something for the whole process, and what to do about it."""
    what = f"changes {', '.join(changed_names)} for all that runs in the process, other methods too"
    return Finding("wrong", name, f"{what}; leave that out, or put it back afterwards")


def find_contracts(module: ModuleType) -> list[type]:
    """The methods, noises, data sets and backbones that a module defines; raises Usage where there is none."""
    from methods.base import Backbone, Method

    contracts = (Method, Noise, DataSet, Backbone)
    own_classes = [cls for cls in plugins.list_own_classes(module) if issubclass(cls, contracts)]
    named_classes = [cls for cls in own_classes if "name" in vars(cls)]
    if not named_classes:
        hint = "see docs/new-method.md"
        if own_classes:
            hint = f"class {own_classes[0].__name__} has no `name`; give it one"
        file_name = Path(str(module.__file__)).name
        raise Usage(f"{file_name}: no class derived from Method, Noise, DataSet or Backbone with a name; {hint}")
    return named_classes


def contract_kind(cls: type) -> str:
    from methods.base import Backbone

    kinds = {Noise: "noise", DataSet: "data set", Backbone: "backbone"}
    return next((word for contract, word in kinds.items() if issubclass(cls, contract)), "method")


def run_checks(cls: type, data: Path | None = None, name_part: str = "") -> Iterator[Finding]:
    """The checks of a class in turn; name_part: those with these words in their names."""
    from benchmark.check.process_state import list_changes, read_settings

    kind = contract_kind(cls)
    arguments = (cls, data) if kind == "data set" else (cls,)
    for name, check in import_module(f"benchmark.check.{ROOMS[kind]}").CHECKS.items():
        if name_part not in name:
            continue
        state_before = read_settings()
        try:
            check(*arguments)
        except Wrong as error:
            yield Finding("wrong", name, str(error))
        except Skipped as error:
            yield Finding("note", name, str(error))
        except Exception as error:  # whatever an author's code raises is a finding
            yield Finding("wrong", name, explain_error(error, cls))
        else:
            yield Finding("ok", name)
        changed_names, _ = list_changes(state_before, read_settings())  # libraries change what is harmless at first use
        if changed_names:
            yield state_finding(name, changed_names)


def explain_error(error: Exception, cls: type) -> str:
    """An error of an author's code in one line, with what to do where that is known."""
    if isinstance(error, NotImplementedError) and not str(error):
        hook = traceback.extract_tb(error.__traceback__)[-1].name
        return f"{cls.__name__} has no {hook}; write it"
    text = plugins.locate_error(error, Path(inspect.getfile(cls)))
    if "NVIDIA driver" in text or "not compiled with CUDA" in text:
        return f"{text.partition('. Please')[0]}; leave out .cuda(), the engine moves all to the device"
    if "Batch' object" in text or "Batch object" in text:
        return f"{text}; take batch.images, batch.labels, batch.index"
    return text
