"""Methods, noises and data sets, found by looking: a file that defines a class with a `name` is a new one.

Which files define what is read from their text first (`benchmark.definitions`), so that neither a script nor a broken file
beside a method is ever imported by chance. One's own files may import helpers that lie beside them.
"""

import hashlib
import importlib.util
import inspect
import re
import sys
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from importlib import import_module, metadata
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from benchmark.datasets.base import DataSet
from benchmark.definitions import defined, definitions
from benchmark.source import FOLLOWED, HOMES, ROOT
from noise.base import Noise, NoiseError

if TYPE_CHECKING:
    from methods.base import Method

OWN: set[Path] = set()  # folders of one's own from which something was imported
TAKEN = ("recipe", "backbone")  # what --set calls something else
NAMEABLE = f"letters, digits, _ and -, not one of {', '.join(TAKEN)}"
PACKAGES = {"method": "methods", "noise": "noise", "data set": "benchmark.datasets"}


class Broken(ValueError):
    """A file of one's own that cannot be imported; the message names it and why."""


def methods(folders: Iterable[str | Path] = (), broken: dict[str, str] | None = None) -> "dict[str, type[Method]]":
    """Every method class by its name: the project's own, those in `folders`, and packages with a `fer_methods` entry.

    A file that cannot be imported raises Broken, or is noted in `broken` as {method name: why} where that is given.
    """
    from methods.base import Method

    return by_name("method", [*classes("method", Method, folders, broken), *packaged(Method, broken)])


def data_sets(folders: Iterable[str | Path] = (), broken: dict[str, str] | None = None) -> dict[str, type[DataSet]]:
    """Every data set class by its name; as `methods`."""
    return by_name("data set", classes("data set", DataSet, folders, broken))


def noises(folders: Iterable[str | Path] = (), broken: dict[str, str] | None = None) -> dict[str, type[Noise]]:
    """Every kind of noise by its name; as `methods`, but raises NoiseError."""
    try:
        return by_name("noise", classes("noise", Noise, folders, broken))
    except ValueError as error:
        raise NoiseError(str(error)) from error


def by_name(kind: str, found: Iterable[Any]) -> dict[str, Any]:
    """Raises ValueError where two classes have one name."""
    named: dict[str, Any] = {}
    for cls in found:
        other = named.setdefault(cls.name, cls)
        if other is not cls:
            where = inspect.getfile(other)
            raise ValueError(f"{inspect.getfile(cls)}: {kind} {cls.name!r} is already defined in {where}; rename one")
    return named


def method(name: str, folders: Iterable[str | Path] = ()) -> "type[Method]":
    """One method; files beside it that cannot be imported do not matter. Raises Broken where it is in one of them."""
    broken: dict[str, str] = {}
    known = methods(folders, broken)
    if name not in known:
        raise Broken(broken.get(name, f"there is no method {name!r}"))
    return known[name]


def looked_at(folders: Iterable[str | Path]) -> str:
    """What the folders of one's own define and which files define nothing, for who does not find a name there."""
    said = []
    for folder in map(Path, folders):
        files = [path for path in sorted(folder.glob("*.py")) if path.is_file()]
        names = [found.name for path in files for found in defined(path, path.stat().st_mtime_ns)]
        nothing = [path.name for path in files if not defined(path, path.stat().st_mtime_ns)]
        below = sorted({path.parent.name for path in folder.glob("*/*.py")})[:5]
        what = f"{folder} defines {', '.join(names) or 'nothing'}" if files else f"{folder} holds no .py file"
        what += f", and is not searched below (give {', '.join(below)} itself)" if below and not names else ""
        needs = "; a class at the top of a file is found that has a `name` and a base that leads to Method"
        said.append(what + (f" (nothing: {', '.join(nothing[:5])}{needs})" if nothing else ""))
    return "; ".join(said)


def noise(kind: str, folders: Iterable[str | Path] = ()) -> Noise:
    """The noise that was typed, as `symmetric` or `file:PATH`; raises NoiseError with the nearest known name."""
    name, _, argument = kind.partition(":")
    broken: dict[str, str] = {}
    known = noises(folders, broken)
    if name in broken and name not in known:
        raise NoiseError(broken[name])
    if name not in known:
        near = get_close_matches(name, known, 1)
        hint = f" (did you mean '{near[0]}'?)" if near else ""
        raise NoiseError(f"there is no noise '{name}'{hint}. Known: {', '.join(sorted(known))}.")
    takes = known[name].takes
    if takes and not argument:
        raise NoiseError(f"noise '{name}' needs a {takes.lower()}: write {name}:{takes}.")
    if argument and not takes:
        raise NoiseError(f"noise '{kind}': nothing can follow '{name}'; write {name}.")
    return known[name](argument)


def classes(
    kind: str, base: type, folders: Iterable[str | Path], broken: dict[str, str] | None = None
) -> Iterator[type]:
    """The classes of one kind, in the order of their files."""
    for file in dict.fromkeys(found.file for found in definitions(folders) if found.kind == kind):
        try:
            module = load(file)
        except Broken as error:
            if broken is None:
                raise
            broken |= {found.name: str(error) for found in definitions(folders) if found.file == file}
            continue
        for value in vars(module).values():
            ours = inspect.isclass(value) and f"{value.__module__}.".startswith(f"{module.__name__}.")
            if ours and issubclass(value, base) and "name" in vars(value):
                if nameable(value.name):
                    yield value
                    continue
                unusable(value, str(file), broken)


def unusable(cls: Any, where: str, broken: dict[str, str] | None) -> None:
    """Raises Broken for a class whose name cannot be typed, or notes it."""
    why = f"{where}: {cls.__name__}.name is {cls.name!r}; expected {NAMEABLE}"
    if broken is None:
        raise Broken(why)
    broken[str(cls.name)] = why


def nameable(name: Any) -> bool:
    """Whether a name can be typed, behind --set too, and stand in a file name."""
    return isinstance(name, str) and bool(re.fullmatch(r"\w[\w-]*", name)) and name not in TAKEN


def packaged(base: type, broken: dict[str, str] | None = None) -> Iterator[type]:
    """The method classes of installed packages; an entry names a module or a class."""
    for entry in packages():
        try:
            loaded = entry.load()
        except (Exception, SystemExit) as error:
            why = f"package {entry.value}: cannot be imported: {type(error).__name__}: {error}{hint(error)}"
            if broken is None:
                raise Broken(why) from error
            broken[entry.name] = why
            continue
        for value in [loaded] if inspect.isclass(loaded) else vars(loaded).values():
            own = value is loaded or getattr(value, "__module__", "") == getattr(loaded, "__name__", None)
            if own and inspect.isclass(value) and issubclass(value, base) and "name" in vars(value):
                if nameable(vars(value)["name"]):
                    yield value
                else:
                    unusable(value, f"package {entry.value}", broken)


def packages() -> list[metadata.EntryPoint]:
    """The installed packages that declare methods."""
    return sorted(metadata.entry_points(group="fer_methods"), key=lambda entry: (entry.name, entry.value))


def package_files(entry: metadata.EntryPoint) -> list[Path]:
    """The Python files of the installed package that an entry names, wherever they lie; nothing of it is run."""
    spec = importlib.util.find_spec(entry.module.partition(".")[0])
    if spec is None or (spec.origin is None and not spec.submodule_search_locations):
        return []
    folders = spec.submodule_search_locations
    return [p for folder in folders for p in Path(folder).rglob("*.py")] if folders else [Path(str(spec.origin))]


def load(path: Path) -> ModuleType:
    """The module in a file; raises Broken. The project's files are modules of their packages, others stand alone."""
    for kind, home in HOMES.items():
        if path.is_relative_to(ROOT / home):
            parts = path.relative_to(ROOT / home).with_suffix("").parts
            return import_module(".".join([PACKAGES[kind], *(part for part in parts if part != "__init__")]))
    name = f"own_{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec and spec.loader  # a file that ends in .py has both
    sys.modules[name] = module = importlib.util.module_from_spec(spec)
    folder = str(path.parent)
    forget_namesakes(path.parent)
    sys.path[:] = [folder, *(entry for entry in sys.path if entry != folder)]  # its helpers first, while it is read
    try:
        spec.loader.exec_module(module)
    except BaseException as error:  # sys.exit at import, too
        del sys.modules[name]
        if isinstance(error, KeyboardInterrupt):
            raise
        raise Broken(f"{path}: cannot be imported: {type(error).__name__}: {error}{hint(error)}") from error
    finally:
        sys.path[:] = [*(entry for entry in sys.path if entry != folder), folder]
    return module


def hint(error: BaseException) -> str:
    """What to do about what a file of one's own ended with when it was imported."""
    if isinstance(error, SystemExit):
        return " (it ends the program; put what runs it below `if __name__ == '__main__':`)"
    if "relative import" in str(error):
        return " (a helper beside it is imported by its name: `from helper import ...`)"
    if not isinstance(error, ModuleNotFoundError):
        return ""
    if (error.name or "").partition(".")[0] in FOLLOWED:  # the project's own, so no package to install
        return " (what a method is made of is imported from methods.base)"
    return f" (pip install it into {sys.prefix})"


def forget_namesakes(folder: Path) -> None:
    """Let files of this folder import their own helpers, where those of another folder have the same names."""
    OWN.add(folder)
    for name, module in list(sys.modules.items()):
        top, file = name.partition(".")[0], getattr(module, "__file__", None)
        here = (folder / f"{top}.py").is_file() or (folder / top / "__init__.py").is_file()
        theirs = (
            file and any(Path(file).is_relative_to(other) for other in OWN) and not Path(file).is_relative_to(folder)
        )
        if here and theirs:
            del sys.modules[name]
