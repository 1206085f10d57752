"""Which files define methods, noises and data sets, read from their text: nothing of them is run."""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from benchmark.source import HOMES, ROOT, source_of, tree


@dataclass(frozen=True)
class Definition:
    """A class with a `name`, as the text of its file says. kind: 'method', 'noise' or 'data set'."""

    kind: str
    name: str
    file: Path


def definitions(folders: Iterable[str | Path] = ()) -> list[Definition]:
    """What the project's own files and those of `folders` define, read from their text."""
    own = [path for home in HOMES.values() for path in sorted((ROOT / home).glob("*.py")) if path.stem != "__init__"]
    own += sorted(ROOT.glob("methods/*/__init__.py"))
    theirs = [path for folder in folders for path in sorted(Path(folder).resolve().glob("*.py")) if path.is_file()]
    return [found for path in own + theirs for found in defined(path, path.stat().st_mtime_ns)]


@lru_cache(maxsize=4096)
def defined(path: Path, changed: int) -> tuple[Definition, ...]:
    """The classes with a `name` in a file; changed: when it was, so that an edited file is read again."""
    return tuple(
        Definition(kind, name, path) for cls, name in named_classes(path) if (kind := kind_of(path, cls, frozenset()))
    )


def named_classes(path: Path) -> list[tuple[str, str]]:
    """(class, its `name`) of the classes that a file, or a package from its own files, gives to the outside."""
    found = []
    for node in statements(tree(path).body):
        if isinstance(node, ast.ClassDef):
            found += [(node.name, name) for line in node.body for name in names_given(line)]
        elif isinstance(node, ast.ImportFrom) and path.name == "__init__.py":
            inner = source_of(path, node)
            given = {alias.name for alias in node.names}
            found += [pair for pair in (named_classes(inner) if inner else []) if pair[0] in given]
    return found


def statements(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """What stands at the top of a file, under its `if` and `try` too."""
    for node in body:
        yield node
        if isinstance(node, ast.If | ast.Try):
            handlers = [line for handler in getattr(node, "handlers", ()) for line in handler.body]
            yield from statements([*node.body, *handlers, *node.orelse, *getattr(node, "finalbody", ())])


def names_given(line: ast.stmt) -> Iterator[str]:
    """What a statement of a class body makes its `name`; '' where the text does not tell."""
    if not isinstance(line, ast.Assign | ast.AnnAssign) or line.value is None:
        return
    for target in line.targets if isinstance(line, ast.Assign) else [line.target]:
        pairs = [(target, line.value)]
        if isinstance(target, ast.Tuple) and isinstance(line.value, ast.Tuple):
            pairs = list(zip(target.elts, line.value.elts))
        for part, value in pairs:
            if isinstance(part, ast.Name) and part.id == "name":
                yield str(value.value) if isinstance(value, ast.Constant) else ""


def kind_of(path: Path, cls: str, seen: frozenset[tuple[Path, str]]) -> str | None:
    """What a class is by its bases, followed from file to file; None where they lead to none of the contracts."""
    if (path, cls) in seen:
        return None
    for kind, contract in (("method", "Method"), ("noise", "Noise"), ("data set", "DataSet")):
        if cls == contract and path == ROOT / HOMES[kind] / "base.py":
            return kind
    module, _, name = cls.rpartition(".")
    for node in statements(tree(path).body):
        if isinstance(node, ast.ClassDef) and node.name == cls:
            for base in node.bases:
                if found := kind_of(path, ast.unparse(base).partition("[")[0], seen | {(path, cls)}):
                    return found
        elif isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == [cls]:
            return kind_of(path, ast.unparse(node.value), seen | {(path, cls)})
        elif isinstance(node, ast.Import | ast.ImportFrom):
            for alias in node.names:
                inner = source_of(path, node, alias.name)
                if inner and (alias.asname or alias.name) in (cls, module):
                    return kind_of(inner, name if module else alias.name, seen | {(path, cls)})
    return {"Method": "method", "Noise": "noise", "DataSet": "data set"}.get(name) if seen else None


def unreadable(folders: Iterable[str | Path]) -> dict[Path, str]:
    """{file: why} of the files of one's own that are no Python."""
    found = {}
    for path in [path for folder in folders for path in sorted(Path(folder).resolve().glob("*.py")) if path.is_file()]:
        try:
            compile(path.read_bytes(), path.name, "exec", dont_inherit=True)
        except (SyntaxError, ValueError, OSError) as error:
            found[path] = f"{type(error).__name__}: {error}"
    return found
