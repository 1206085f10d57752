"""The methods, one file each, found by looking: a new file with one `Method` subclass is a new method."""

import dataclasses
import hashlib
import importlib.util
import inspect
import sys
from collections.abc import Iterable
from functools import lru_cache
from importlib import import_module, metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from methods.base import Method

NOT_METHODS = {"__init__", "base", "backbones", "weights"}


def files(folders: Iterable[Path] = ()) -> list[Path]:
    """The files that may hold methods: this folder's own, then those of `folders`, in a fixed order."""
    own = [path for path in sorted(Path(__file__).parent.glob("*.py")) if path.stem not in NOT_METHODS]
    theirs = [path for folder in folders for path in sorted(Path(folder).resolve().glob("*.py"))]
    return own + [path for path in theirs if path.is_file()]


def packages() -> list[metadata.EntryPoint]:
    """The installed packages that declare methods."""
    return sorted(metadata.entry_points(group="fer_methods"), key=lambda entry: (entry.name, entry.value))


@lru_cache
def classes(folders: tuple[Path, ...] = ()) -> "dict[str, type[Method]]":
    """Every method class by its name: this folder's, those in `folders`, and packages with a `fer_methods` entry point."""
    from methods.base import Method

    modules = [load(path) for path in files(folders)]
    modules += [entry.load() for entry in packages()]
    found: dict[str, type[Method]] = {}
    for module in modules:
        here = [module] if inspect.isclass(module) else vars(module).values()
        for value in here:
            if not (inspect.isclass(value) and issubclass(value, Method) and "name" in vars(value)):
                continue
            if not inspect.isclass(module) and value.__module__ != module.__name__:
                continue  # imported from another file, where it is found
            if value.name in found and found[value.name] is not value:
                raise ValueError(
                    f"{inspect.getfile(value)}: the method name {value.name!r} is already taken; rename one"
                )
            found[value.name] = value
    return found


def load(path: Path) -> Any:
    """The module in a file; files of this folder are modules of the package, others are loaded under their own name."""
    if path.parent == Path(__file__).parent:
        return import_module(f"methods.{path.stem}")
    name = f"own_{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec and spec.loader  # a file that ends in .py has both
        sys.modules[name] = importlib.util.module_from_spec(spec)
        try:
            spec.loader.exec_module(sys.modules[name])
        except BaseException as error:
            del sys.modules[name]
            if isinstance(error, KeyboardInterrupt):
                raise
            raise ValueError(f"{path}: cannot be imported: {type(error).__name__}: {error}") from error
    return sys.modules[name]


def code(method: "type[Method]") -> str:
    """A hash of what a method's file says, and of the files beside it that carry its name (lanet_losses.py)."""
    return contents(Path(inspect.getfile(method)))


@lru_cache
def contents(file: Path) -> str:
    """Read once a process, so that a file changed later is not taken for the one that was imported."""
    text = hashlib.sha256()
    for path in [file, *sorted(file.parent.glob(f"{file.stem}_*.py"))]:
        text.update(path.read_bytes())
    return text.hexdigest()[:20]


def card(method: "type[Method]") -> dict[str, Any]:
    """What planning needs to know of a method, as plain data, so that planning need not import torch."""
    parameters = {
        f.name: {"default": f.default, "type": type(f.default).__name__, "scales": f.metadata.get("scales")}
        for f in dataclasses.fields(method.Parameters)
    }
    return {
        "name": method.name,
        "title": getattr(method, "title", method.name),
        "source": method.source,
        "version": method.version,
        "needs_landmarks": method.needs_landmarks,
        "recipe": plain(method.recipe),
        "as_published": plain(method.as_published) if method.as_published else None,
        "parameters": parameters,
        "demo": {key: list(value) for key, value in method.demo.items()},
        "file": Path(inspect.getfile(method)).name,
        "code": code(method),
    }


def plain(value: Any) -> Any:
    """A recipe as nested dictionaries; each remembers the name of its class under 'kind'."""
    if dataclasses.is_dataclass(value):
        fields = {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return {"kind": type(value).__name__, **fields}
    return list(value) if isinstance(value, tuple) else value


def rebuild(value: Any) -> Any:
    """The recipe that `plain` took apart."""
    from methods import base

    if isinstance(value, dict):
        fields = {key: rebuild(part) for key, part in value.items() if key != "kind"}
        return getattr(base, value["kind"])(**fields)
    return tuple(value) if isinstance(value, list) else value
