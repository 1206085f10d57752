"""`python -m benchmark.check my_method.py`: does a method, a noise or a data set of one's own keep its contract?

Prints one line a check and ends with status 0 if all is well, 1 if something is wrong, 2 if there is nothing to check.
"""

import argparse
import importlib.util
import inspect
import random
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np

from benchmark.datasets.base import DataSet
from benchmark.settings import Usage
from noise.base import Noise

ROOT = Path(__file__).resolve().parent.parent


class Wrong(Exception):
    """A part of the contract that is not kept; the message says what was found and what to do."""


class Skipped(Exception):
    """A check that cannot be made here; the message says why."""


@dataclass(frozen=True)
class Check:
    """One part of a contract. run: raises Wrong, Skipped or any error."""

    name: str
    run: Callable[[], None]


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
    parser = argparse.ArgumentParser("python -m benchmark.check", description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path, help="a Python file with a method, a noise or a data set")
    parser.add_argument("--data", type=Path, metavar="PATH", help="where the data lies that a data set reads")
    args = parser.parse_args(arguments)
    try:
        found = contracts(load(args.file))
    except Usage as error:
        print(f"benchmark.check: {error}", file=sys.stderr)
        return 2
    wrong = 0
    for cls in found:
        print(f"{args.file.name}: {kind(cls)} '{cls.name}' (class {cls.__name__})")
        for finding in check(cls, args.data):
            print(finding, flush=True)
            wrong += finding.status == "wrong"
    print("the contract is kept" if not wrong else f"{wrong} of the checks above are wrong")
    return 1 if wrong else 0


def load(path: Path) -> ModuleType:
    """The module in a file; raises Usage where it cannot be imported."""
    path = path.resolve()
    if not path.is_file() or path.suffix != ".py":
        raise Usage(f"{path}: expected a Python file")
    name = f"checked_{path.stem}_{sha256(str(path).encode()).hexdigest()[:8]}"
    if path.is_relative_to(ROOT) and (path.parent / "__init__.py").exists():
        return import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    spec = importlib.util.spec_from_file_location(name, path)
    sys.modules[name] = module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise Usage(f"{path.name}: cannot be imported: {described(error, path)}") from error
    return module


def contracts(module: ModuleType) -> list[type]:
    """The methods, noises and data sets that a module defines; raises Usage where there is none."""
    from methods.base import Method

    own = [v for v in vars(module).values() if inspect.isclass(v) and v.__module__ == module.__name__]
    own = [v for v in own if issubclass(v, Method | Noise | DataSet)]
    found = [v for v in own if "name" in vars(v)]
    if not found:
        hint = f"class {own[0].__name__} has no `name`; give it one" if own else "see docs/new-method.md"
        raise Usage(f"{Path(module.__file__).name}: no class derived from Method, Noise or DataSet with a name; {hint}")
    return found


def kind(cls: type) -> str:
    return "noise" if issubclass(cls, Noise) else "data set" if issubclass(cls, DataSet) else "method"


def check(cls: type, data: Path | None = None, only: str = "") -> Iterator[Finding]:
    """The checks of a class, one after the other; only: those with these words in their names."""
    if issubclass(cls, Noise):
        from benchmark.check_noise import checks
    elif issubclass(cls, DataSet):
        from benchmark.check_data_set import checks
    else:
        from benchmark.check_method import checks
    return findings([c for c in checks(cls, data) if only in c.name], Path(inspect.getfile(cls)))


def findings(checks: Iterable[Check], file: Path) -> Iterator[Finding]:
    for one in checks:
        try:
            one.run()
        except Wrong as error:
            yield Finding("wrong", one.name, str(error))
        except Skipped as error:
            yield Finding("note", one.name, str(error))
        except Exception as error:  # whatever an author's code raises is a finding
            yield Finding("wrong", one.name, described(error, file))
        else:
            yield Finding("ok", one.name)


def described(error: Exception, file: Path) -> str:
    """An error in one line, with the last line of the author's file that it passed through."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename) == file]
    first = str(error).strip().splitlines()[0] if str(error).strip() else ""
    return f"{type(error).__name__}: {first}" + (f" ({file.name}, line {lines[-1]})" if lines else "")


def require(true: bool, text: str) -> None:
    if not true:
        raise Wrong(text)


def global_generators() -> tuple[object, bytes, int]:
    """The states of Python's and numpy's global generators, to be compared."""
    _, keys, position, *_ = np.random.get_state()
    return random.getstate(), keys.tobytes(), position


def check_name(name: object) -> None:
    """A name that can be typed and stand in a file name."""
    good = isinstance(name, str) and name.isascii() and name.isidentifier() and name == name.lower()
    require(good, f"name is {name!r}; use lower-case letters, digits and underscores")


if __name__ == "__main__":
    from benchmark.check import main as run  # so that Wrong is the class that the checks raise

    sys.exit(run(sys.argv[1:]))
