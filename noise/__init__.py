"""Kinds of label noise: every class with a `name` in this folder, or in a folder of one's own, is one."""

import pkgutil
import sys
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from hashlib import sha256
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from noise.base import Noise, NoiseError


def find(kind: str, folders: Iterable[str | Path] = ()) -> Noise:
    """The noise that was typed, as `symmetric` or `file:PATH`; raises NoiseError with the nearest known name."""
    name, _, argument = kind.partition(":")
    classes = _classes(folders)
    if name not in classes:
        near = get_close_matches(name, classes, 1)
        hint = f" (did you mean '{near[0]}'?)" if near else ""
        raise NoiseError(f"there is no noise '{name}'{hint}. Known: {', '.join(sorted(classes))}.")
    takes = classes[name].takes
    if takes and not argument:
        raise NoiseError(f"noise '{name}' needs a {takes.lower()}: write {name}:{takes}.")
    if argument and not takes:
        raise NoiseError(f"noise '{kind}': nothing can follow '{name}'; write {name}.")
    return classes[name](argument)


def known(folders: Iterable[str | Path] = ()) -> list[str]:
    """Names of all kinds, sorted."""
    return sorted(_classes(folders))


def _classes(folders: Iterable[str | Path]) -> dict[str, type[Noise]]:
    found: dict[str, type[Noise]] = {}
    for module in _modules(folders):
        for value in vars(module).values():
            own = isinstance(value, type) and issubclass(value, Noise) and value.__module__ == module.__name__
            if not own or not hasattr(value, "name"):
                continue
            if value.name in found:
                other = import_module(found[value.name].__module__).__file__
                raise NoiseError(f"{module.__file__}: noise '{value.name}' is already defined in {other}; rename one.")
            found[value.name] = value
    return found


def _modules(folders: Iterable[str | Path]) -> Iterator[ModuleType]:
    for entry in pkgutil.iter_modules(__path__):
        yield import_module(f"{__name__}.{entry.name}")
    for folder in folders:
        for path in sorted(Path(folder).glob("*.py")):
            # The folder may also hold methods and data sets; those need not be imported to list noises.
            if path.is_file() and "Noise" in path.read_text(encoding="utf-8", errors="replace"):
                yield _load(path.resolve())


def _load(path: Path) -> ModuleType:
    name = f"own_noise_{path.stem}_{sha256(str(path).encode()).hexdigest()[:8]}"
    if name not in sys.modules:
        spec = spec_from_file_location(name, path)
        assert spec and spec.loader  # a file that ends in .py has both
        sys.modules[name] = module = module_from_spec(spec)
        try:
            spec.loader.exec_module(module)
        except BaseException as error:  # sys.exit at import, too
            del sys.modules[name]
            if isinstance(error, KeyboardInterrupt):
                raise
            raise NoiseError(f"{path}: cannot be imported: {type(error).__name__}: {error}") from error
    return sys.modules[name]
