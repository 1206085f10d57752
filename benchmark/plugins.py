"""Plug-ins: methods, noises, data sets and backbones, found by looking. A file that defines a class with a `name` is a new one.

Which files define what is read from their text, so that neither a script nor a broken file beside a method is ever imported
by chance. Then those files are imported. One's own files may import helpers that lie beside them.
"""

import ast
import hashlib
import importlib.util
import inspect
import re
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module, metadata
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from benchmark.datasets.base import DataSet
from benchmark.source_code import FOLLOWED, PLUGIN_FOLDERS, ROOT, follow_import, hash_own_file, parse_file
from benchmark.terminal import describe_unknown
from noise.base import Noise, NoiseError

if TYPE_CHECKING:
    from methods.base import Method
    from methods.support.backbones import Backbone

CONTRACTS = {"method": "Method", "noise": "Noise", "data set": "DataSet", "backbone": "Backbone"}  # base classes
CONTRACT_FILES = {kind: ROOT / folder / "base.py" for kind, folder in PLUGIN_FOLDERS.items()}
CONTRACT_FILES["backbone"] = ROOT / "methods" / "support" / "backbones.py"
RESERVED = ("recipe", "backbone")  # what --set calls something else
NAMEABLE = f"letters, digits, _ and -, not one of {', '.join(RESERVED)}"
IMPORTED_FOLDERS: set[Path] = set()  # folders of one's own from which something was imported

Folders = Iterable[str | Path]
Failures = dict[str, str]  # {name of a plug-in: why it cannot be imported}


class PluginError(ValueError):
    """A file of one's own that cannot be imported; the message names it and why."""


# What is found


def find_methods(folders: Folders = (), broken: Failures | None = None) -> "dict[str, type[Method]]":
    """Every method class by its name: the project's own, those in `folders`, and packages with a `fer_methods` entry.

    A file that cannot be imported raises PluginError, or is noted in `broken` where that is given.
    """
    from methods.base import Method

    method_classes = [*find_classes("method", Method, folders, broken), *find_packaged_methods(Method, broken)]
    return index_by_name("method", method_classes)


def find_data_sets(folders: Folders = (), broken: Failures | None = None) -> dict[str, type[DataSet]]:
    """Every data set class by its name; as `find_methods`."""
    return index_by_name("data set", find_classes("data set", DataSet, folders, broken))


def find_noises(folders: Folders = (), broken: Failures | None = None) -> dict[str, type[Noise]]:
    """Every kind of noise by its name; as `find_methods`, but raises NoiseError."""
    try:
        return index_by_name("noise", find_classes("noise", Noise, folders, broken))
    except ValueError as error:
        raise NoiseError(str(error)) from error


def find_method(name: str, folders: Folders = ()) -> "type[Method]":
    """One method; files beside it that cannot be imported do not matter. Raises PluginError where it is in one of them."""
    return find_named("method", name, find_methods, folders)


def find_named(kind: str, name: str, find_all: Callable[[Folders, Failures], dict[str, Any]], folders: Folders) -> Any:
    """One plug-in; raises PluginError with why it cannot be imported, or with the nearest name."""
    broken: Failures = {}
    plugins = find_all(folders, broken)
    if name not in plugins:
        raise PluginError(broken.get(name) or describe_unknown(kind, name, plugins))
    return plugins[name]


def make_noise(kind: str, folders: Folders = ()) -> Noise:
    """The noise that was typed, as `symmetric` or `file:PATH`; raises NoiseError with the nearest known name."""
    name, _, argument = kind.partition(":")
    try:
        noise = find_named("noise", name, find_noises, folders)
    except PluginError as error:
        raise NoiseError(str(error)) from error
    if noise.takes and not argument:
        raise NoiseError(f"noise '{name}' needs a {noise.takes.lower()}: write {name}:{noise.takes}.")
    if argument and not noise.takes:
        raise NoiseError(f"noise '{kind}': nothing can follow '{name}'; write {name}.")
    return noise(argument)


def find_backbones(folders: Folders = (), broken: Failures | None = None) -> "dict[str, type[Backbone]]":
    """Every backbone class by its name; as `find_methods`."""
    from methods.support.backbones import Backbone

    return index_by_name("backbone", find_classes("backbone", Backbone, folders, broken))


def make_backbone(name: str, channels: int, side: int, folders: Folders = ()) -> "Backbone":
    """A network at random weights, as `resnet18`, one's own or `timm/NAME`, measured; raises ValueError of one line."""
    from methods.support import libraries
    from methods.support.backbones import measure_backbone

    of_library = "/" in name
    backbone = (
        libraries.make_network(name, channels, side) if of_library else build_backbone(name, channels, side, folders)
    )
    try:
        measure_backbone(backbone, side)
    except ValueError as error:
        raise ValueError(f"{name} {error}") from error
    return backbone


def build_backbone(name: str, channels: int, side: int, folders: Folders) -> "Backbone":
    """A network of the project or of one's own; raises ValueError of one line."""
    backbone = find_named("backbone", name, find_backbones, folders)
    try:
        return backbone(channels, side)
    except Exception as error:  # whatever an author's code raises
        reason = locate_error(error, Path(inspect.getfile(backbone)))
        fix_hint = "; write build(self, channels, side) in place of __init__" if "__init__" in vars(backbone) else ""
        raise ValueError(
            f"{name} cannot be built for {side} px and {channels} channel(s): {reason}{fix_hint}"
        ) from error


def find_backbone_files(folders: Folders = ()) -> dict[str, Path]:
    """{name: the file that defines it} of the backbones that are not a library's, by their text."""
    files: dict[str, Path] = {}
    for definition in find_definitions(folders):
        if definition.kind == "backbone":
            files.setdefault(definition.name, definition.file)
    return files


def hash_backbone(name: str, folders: Folders = ()) -> str | None:
    """A hash of the code of a backbone of one's own; None for the project's and for a library's."""
    file = find_backbone_files(folders).get(name)
    return hash_own_file(file) if file else None


def index_by_name(kind: str, classes: Iterable[Any]) -> dict[str, Any]:
    """Raises ValueError where two classes have one name."""
    by_name: dict[str, Any] = {}
    for cls in classes:
        other = by_name.setdefault(cls.name, cls)
        if other is not cls:
            file = inspect.getfile(cls)
            other_file = inspect.getfile(other)
            raise ValueError(f"{file}: {kind} {cls.name!r} is already defined in {other_file}; rename one")
    return by_name


def find_classes(kind: str, contract: type, folders: Folders, broken: Failures | None) -> Iterator[type]:
    """The classes of one kind, in the order of their files."""
    names_by_file: dict[Path, list[str]] = {}
    for definition in find_definitions(folders):
        if definition.kind == kind:
            names_by_file.setdefault(definition.file, []).append(definition.name)
    for file, names in names_by_file.items():
        try:
            module = import_file(file)
        except PluginError as error:
            if broken is None:
                raise
            broken.update(dict.fromkeys(names, str(error)))
            continue
        yield from keep_named(list_own_classes(module), contract, str(file), broken)


def list_own_classes(module: ModuleType) -> list[type]:
    """The classes that a file, or the files of a package, define."""
    classes = filter(inspect.isclass, vars(module).values())
    return [cls for cls in classes if f"{cls.__module__}.".startswith(f"{module.__name__}.")]


def find_packaged_methods(contract: type, broken: Failures | None = None) -> Iterator[type]:
    """The method classes of installed packages; an entry names a module or a class."""
    for entry in list_packages():
        try:
            loaded = entry.load()
        except (Exception, SystemExit) as error:
            reason = f"package {entry.value}: {explain_import_error(error)}"
            if broken is None:
                raise PluginError(reason) from error
            broken[entry.name] = reason
            continue
        classes = [loaded]
        if not inspect.isclass(loaded):
            module_name = getattr(loaded, "__name__", None)
            classes = [cls for cls in vars(loaded).values() if getattr(cls, "__module__", "") == module_name]
        yield from keep_named(filter(inspect.isclass, classes), contract, f"package {entry.value}", broken)


def keep_named(classes: Iterable[Any], contract: type, where: str, broken: Failures | None) -> Iterator[type]:
    """Those that keep a contract and have a name; one whose name cannot be typed raises PluginError, or is noted."""
    for cls in classes:
        if not issubclass(cls, contract) or "name" not in vars(cls):
            continue
        if is_nameable(cls.name):
            yield cls
            continue
        reason = f"{where}: {cls.__name__}.name is {cls.name!r}; expected {NAMEABLE}"
        if broken is None:
            raise PluginError(reason)
        broken[str(cls.name)] = reason


def is_nameable(name: Any) -> bool:
    """Whether a name can be typed, behind --set too, and stand in a file name."""
    return isinstance(name, str) and bool(re.fullmatch(r"\w[\w-]*", name)) and name not in RESERVED


def list_packages() -> list[metadata.EntryPoint]:
    """The installed packages that declare methods."""
    return sorted(metadata.entry_points(group="fer_methods"), key=lambda entry: (entry.name, entry.value))


def list_package_files(entry: metadata.EntryPoint) -> list[Path]:
    """The Python files of the installed package that an entry names, wherever they lie; nothing of it is run."""
    spec = importlib.util.find_spec(entry.module.partition(".")[0])
    if spec is None or (spec.origin is None and not spec.submodule_search_locations):
        return []
    folders = spec.submodule_search_locations
    return [path for folder in folders for path in Path(folder).rglob("*.py")] if folders else [Path(str(spec.origin))]


# What files define, by their text


@dataclass(frozen=True)
class Definition:
    """A class with a `name`, as the text of its file says."""

    kind: str  # 'method', 'noise', 'data set' or 'backbone'
    name: str
    file: Path


def find_definitions(folders: Folders = ()) -> list[Definition]:
    """What the project's own files and those of `folders` define, read from their text."""
    project_files: list[Path] = []
    for folder in PLUGIN_FOLDERS.values():
        project_files += [path for path in sorted((ROOT / folder).glob("*.py")) if path.stem != "__init__"]
    project_files += sorted(ROOT.glob("methods/*/__init__.py"))
    files = project_files + list_own_files(folders)
    return [definition for path in files for definition in read_definitions(path, path.stat().st_mtime_ns)]


def list_own_files(folders: Folders) -> list[Path]:
    """The Python files that lie in folders of one's own, but not below them."""
    paths = [path for folder in folders for path in sorted(Path(folder).resolve().glob("*.py"))]
    return [path for path in paths if path.is_file()]


@lru_cache(maxsize=4096)
def read_definitions(path: Path, changed: int) -> tuple[Definition, ...]:
    """The classes with a `name` in a file; changed: when it was, so that an edited file is read again."""
    kinds = [(find_kind(path, cls, frozenset()), name) for cls, name in find_named_classes(path)]
    return tuple(Definition(kind, name, path) for kind, name in kinds if kind)


def find_named_classes(path: Path) -> list[tuple[str, str]]:
    """(class, its `name`) of the classes that a file, or a package from its own files, gives to the outside."""
    named_classes = []
    for node in iterate_statements(parse_file(path).body):
        if isinstance(node, ast.ClassDef):
            named_classes += [(node.name, name) for line in node.body for name in read_names(line)]
        elif isinstance(node, ast.ImportFrom) and path.name == "__init__.py":
            inner_file = follow_import(path, node)
            imported = {alias.name for alias in node.names}
            named_classes += [
                pair for pair in (find_named_classes(inner_file) if inner_file else []) if pair[0] in imported
            ]
    return named_classes


def iterate_statements(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """What stands at the top of a file, under its `if` and `try` too."""
    for node in body:
        yield node
        if isinstance(node, ast.If | ast.Try):
            handlers = [line for handler in getattr(node, "handlers", ()) for line in handler.body]
            yield from iterate_statements([*node.body, *handlers, *node.orelse, *getattr(node, "finalbody", ())])


def read_names(line: ast.stmt) -> Iterator[str]:
    """What a statement of a class body makes its `name`; '' where the text does not tell."""
    if not isinstance(line, ast.Assign | ast.AnnAssign) or line.value is None:
        return
    for target in line.targets if isinstance(line, ast.Assign) else [line.target]:
        pairs = [(target, line.value)]
        if isinstance(target, ast.Tuple) and isinstance(line.value, ast.Tuple):
            pairs = list(zip(target.elts, line.value.elts))
        for variable, value in pairs:
            if isinstance(variable, ast.Name) and variable.id == "name":
                yield str(value.value) if isinstance(value, ast.Constant) else ""


def find_kind(path: Path, cls: str, seen: frozenset[tuple[Path, str]]) -> str | None:
    """What a class is by its bases, followed from file to file; None where they lead to none of the contracts."""
    if (path, cls) in seen:
        return None
    for kind, contract in CONTRACTS.items():
        if cls == contract and path == CONTRACT_FILES[kind]:
            return kind
    module, _, name = cls.rpartition(".")
    for node in iterate_statements(parse_file(path).body):
        if isinstance(node, ast.ClassDef) and node.name == cls:
            for base in node.bases:
                kind_of_base = find_kind(path, ast.unparse(base).partition("[")[0], seen | {(path, cls)})
                if kind_of_base:
                    return kind_of_base
        elif isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == [cls]:
            return find_kind(path, ast.unparse(node.value), seen | {(path, cls)})
        elif isinstance(node, ast.Import | ast.ImportFrom):
            for alias in node.names:
                inner_file = follow_import(path, node, alias.name)
                if inner_file and (alias.asname or alias.name) in (cls, module):
                    return find_kind(inner_file, name if module else alias.name, seen | {(path, cls)})
    # A base that cannot be followed, as of an installed package, is known by its name.
    by_contract = {contract: kind for kind, contract in CONTRACTS.items()}
    return by_contract.get(name) if seen else None


def find_unreadable(folders: Folders) -> dict[Path, str]:
    """{file: why} of the files of one's own that are no Python."""
    reasons = {}
    for path in list_own_files(folders):
        try:
            content = path.read_bytes()
            if b"\0" in content:
                raise ValueError("holds null bytes; save it as UTF-8")  # UTF-16, as some shells redirect
            compile(content, path.name, "exec", dont_inherit=True)
        except (SyntaxError, ValueError, OSError) as error:
            reasons[path] = f"{type(error).__name__}: {error}"
    return reasons


def describe_folders(folders: Folders) -> str:
    """What the folders of one's own define and which files define nothing, for who does not find a name there."""
    sentences = []
    for folder in map(Path, folders):
        defined = {path: read_definitions(path, path.stat().st_mtime_ns) for path in list_own_files([folder])}
        names = [definition.name for definitions in defined.values() for definition in definitions]
        empty_files = [path.name for path, definitions in defined.items() if not definitions]
        sentence = f"{folder} defines {', '.join(names) or 'nothing'}" if defined else f"{folder} holds no .py file"
        inner_folders = sorted({path.parent.name for path in folder.glob("*/*.py")})[:5]
        if inner_folders and not names:
            sentence += f", and is not searched below (give {', '.join(inner_folders)} itself)"
        if empty_files:
            bases = "Method, Noise, DataSet or Backbone"
            rule = f"a class at the top of a file is found that has a `name` and a base that leads to {bases}"
            sentence += f" (nothing: {', '.join(empty_files[:5])}; {rule})"
        sentences.append(sentence)
    return "; ".join(sentences)


# Importing them


def import_file(path: Path) -> ModuleType:
    """The module in a file; raises PluginError. The project's files are modules of their packages, others stand alone."""
    for folder in PLUGIN_FOLDERS.values():
        if path.is_relative_to(ROOT / folder):
            inner_parts = path.relative_to(ROOT / folder).with_suffix("").parts
            return import_module(".".join([*folder.split("/"), *(part for part in inner_parts if part != "__init__")]))
    name = f"own_{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec and spec.loader  # a file that ends in .py has both
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    folder = str(path.parent)
    forget_namesakes(path.parent)
    sys.path[:] = [folder, *(entry for entry in sys.path if entry != folder)]  # its helpers first, while it is read
    try:
        spec.loader.exec_module(module)
    except BaseException as error:  # sys.exit at import, too
        del sys.modules[name]
        if isinstance(error, KeyboardInterrupt):
            raise
        raise PluginError(f"{path}: {explain_import_error(error)}") from error
    finally:
        sys.path[:] = [*(entry for entry in sys.path if entry != folder), folder]
    return module


def explain_import_error(error: BaseException) -> str:
    """What a file of one's own ended with when it was imported, and what to do about it."""
    fix = ""
    if isinstance(error, SystemExit):
        fix = " (it ends the program; put what runs it below `if __name__ == '__main__':`)"
    elif "relative import" in str(error):
        fix = " (a helper beside it is imported by its name: `from helper import ...`)"
    elif isinstance(error, ModuleNotFoundError) and (error.name or "").partition(".")[0] in FOLLOWED:
        fix = " (what a method is made of is imported from methods.base)"  # the project's own is no package to install
    elif isinstance(error, ModuleNotFoundError):
        fix = f" (pip install it into {sys.prefix})"
    return f"cannot be imported: {type(error).__name__}: {error}{fix}"


def locate_error(error: BaseException, file: Path) -> str:
    """An error in one line, with the last line of the author's file that it passed through, unless it says that itself."""
    message = str(error).strip().partition("\n")[0]
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename) == file]
    where = f"{file.name}, line {lines[-1]}" if lines else file.name
    return f"{type(error).__name__}: {message}" + ("" if where in message else f" ({where})")


def forget_namesakes(folder: Path) -> None:
    """Let files of this folder import their own helpers, where those of another folder have the same names."""
    IMPORTED_FOLDERS.add(folder)
    for name, module in list(sys.modules.items()):
        top_name = name.partition(".")[0]
        if not ((folder / f"{top_name}.py").is_file() or (folder / top_name / "__init__.py").is_file()):
            continue
        file = getattr(module, "__file__", None)
        if not file or Path(file).is_relative_to(folder):
            continue
        if any(Path(file).is_relative_to(other) for other in IMPORTED_FOLDERS):
            del sys.modules[name]
