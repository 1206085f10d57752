"""The text of methods, noises and data sets: parsed without being run, followed along imports, and hashed."""

import ast
import hashlib
import inspect
import sys
import warnings
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
HOMES = {"method": "methods", "noise": "noise", "data set": "benchmark/datasets"}
STATEMENTS = "statements:"  # before a hash of this kind; those without it were of a method's own file alone
FOLLOWED = ("methods", "noise", "benchmark")  # packages of the project that such files may import


def source_of(path: Path, node: ast.Import | ast.ImportFrom, name: str = "") -> Path | None:
    """The project's file, or the file beside `path`, that an import leads to; None for other packages."""
    dotted = (node.module or "") if isinstance(node, ast.ImportFrom) else name
    inside = f"{dotted}.{name}".strip(".") if isinstance(node, ast.ImportFrom) else dotted
    home = path.parent if getattr(node, "level", 0) or path.parent not in own_folders() else None
    for start in [ROOT, home] if not getattr(node, "level", 0) else [home]:
        for words in (inside, dotted):
            if start and words:
                base = start.joinpath(*words.split("."))
                for candidate in (base.with_suffix(".py"), base / "__init__.py"):
                    if candidate.is_file() and (start != ROOT or words.split(".")[0] in FOLLOWED):
                        return candidate
    return None


def own_folders() -> set[Path]:
    return {ROOT / home for home in HOMES.values()}


@lru_cache(maxsize=4096)
def parsed(path: Path, changed: int) -> ast.Module:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of somebody's string escapes
            return ast.parse(path.read_bytes())
    except (SyntaxError, ValueError, OSError):
        return ast.Module([], [])


def tree(path: Path) -> ast.Module:
    """The syntax of a file; empty where it is none."""
    return parsed(path, path.stat().st_mtime_ns)


def code(cls: type) -> str:
    """A hash of what a class is made of: the statements of every project file that its file imports or inherits from.

    Files are read once a process, so that one changed later is not taken for the one that was imported. Formatting,
    comments, docstrings, and the files that statements lie in do not count.
    """
    return contents(tuple(sorted({Path(inspect.getfile(part)) for part in cls.__mro__ if mine(part)})))


def own_code(cls: type) -> str | None:
    """The same of a class that is defined outside the project's folders, its own files only; None for the project's.

    It belongs into the key of what such a class makes: nobody raises the version of a file that is still being written.
    """
    starts = {Path(inspect.getfile(part)) for part in cls.__mro__ if mine(part)}
    if all(is_projects(path) for path in starts):
        return None
    return contents(tuple(sorted(starts)), own=True)


def is_projects(path: Path) -> bool:
    """Whether a file is one of the project's own packages, which raise a version where they change a result."""
    return path.is_relative_to(ROOT) and path.relative_to(ROOT).parts[0] in FOLLOWED


def mine(cls: type) -> bool:
    """Whether a class is the project's or an author's, and not a library's."""
    try:
        return is_mine(Path(inspect.getfile(cls)))
    except (TypeError, OSError):
        return False


def is_mine(path: Path) -> bool:
    return (path.is_relative_to(ROOT) and "site-packages" not in path.parts) or str(path.parent) in sys.path


@lru_cache
def contents(start: tuple[Path, ...], own: bool = False) -> str:
    """A hash of the statements of these files and of those that they import; own: without the project's."""
    seen = {path for path in reached(start) if not (own and is_projects(path))}
    statements = {
        words(node) for path in seen if is_projects(path) for node in map(bare, tree(path).body) if node is not None
    }
    statements |= {whole(path) for path in seen if not is_projects(path)}
    return STATEMENTS + hashlib.sha256("\n".join(sorted(statements)).encode()).hexdigest()[:20]


def reached(start: Iterable[Path]) -> set[Path]:
    """These files and those that they import, of the project or beside them."""
    waiting, seen = list(start), set()
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Import | ast.ImportFrom):
                waiting += [found for alias in node.names if (found := source_of(path, node, alias.name))]
    return seen


def whole(path: Path) -> str:
    """A file of one's own in its order and with what it imports under which name: both change what it makes."""
    imports = (ast.Import, ast.ImportFrom)
    return "\n".join(
        words(node)
        for node in (part if isinstance(part, imports) else bare(part) for part in tree(path).body)
        if node is not None
    )


def words(node: Any) -> str:
    """A syntax tree as Python 3.11's `ast.dump` writes it; later ones name more fields or fewer, and a hash would differ."""
    if isinstance(node, list):
        return f"[{', '.join(map(words, node))}]"
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = [(name, getattr(node, name, None)) for name in node._fields]
    if isinstance(node, ast.JoinedStr):  # 3.12.1 ends a format that ends in a field with an empty text
        fields = [("values", [part for part in node.values if getattr(part, "value", None) != ""])]
    kept = [(name, value) for name, value in fields if not left_out(node, name, value)]
    return f"{type(node).__name__}({', '.join(f'{name}={words(value)}' for name, value in kept)})"


def left_out(node: ast.AST, name: str, value: Any) -> bool:
    """Whether 3.11 writes nothing of a field: one that may be missing and is, or one that 3.11 does not know."""
    if name == "type_params":  # since 3.12; where there are some, they count
        return not value
    return value is None and getattr(type(node), name, ...) is None


def bare(node: ast.stmt) -> ast.stmt | None:
    """A statement without its docstrings; None for imports and loose texts."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        return None
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return None
    node = ast.parse(ast.unparse(node)).body[0]  # a copy: the tree is shared
    for part in ast.walk(node):
        body = getattr(part, "body", None)
        if not isinstance(body, list) or len(body) < 2 or not isinstance(body[0], ast.Expr):
            continue
        if isinstance(body[0].value, ast.Constant) and isinstance(body[0].value.value, str):
            del body[0]
    return node
