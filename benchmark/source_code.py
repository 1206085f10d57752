"""The text of plug-ins: parsed without being run, followed along imports, and hashed.

This file imports nothing of the project: tests run it alone under Pythons that the project itself does not run on.
"""

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
PLUGIN_FOLDERS = {
    "method": "methods",
    "noise": "noise",
    "data set": "benchmark/datasets",
    "backbone": "methods/support",
}
STATEMENTS = "statements:"  # before a hash of this kind; those without it were of a method's own file alone
FOLLOWED = ("methods", "noise", "benchmark")  # packages of the project that plug-ins may import


@lru_cache(maxsize=4096)
def parse_version(path: Path, changed: int) -> ast.Module:
    """The syntax of a file; changed: when it was, so that an edited file is parsed again."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of somebody's string escapes
            return ast.parse(path.read_bytes())
    except (SyntaxError, ValueError, OSError):
        return ast.Module([], [])


def parse_file(path: Path) -> ast.Module:
    """The syntax of a file; empty where it is not Python."""
    return parse_version(path, path.stat().st_mtime_ns)


def follow_import(path: Path, node: ast.Import | ast.ImportFrom, name: str = "") -> Path | None:
    """The project's file, or the file beside `path`, that an import leads to; None for other packages.

    name: the imported name that is followed, which may be a module of the package that the statement names.
    """
    is_relative = bool(getattr(node, "level", 0))
    if isinstance(node, ast.ImportFrom):
        package = node.module or ""
        inner_module = f"{package}.{name}".strip(".")
    else:
        package = inner_module = name
    # Files in the project's plug-in folders import by full names: a neighbour called like a library is not meant.
    own_folder = path.parent if is_relative or path.parent not in plugin_folders() else None
    for start in [own_folder] if is_relative else [ROOT, own_folder]:
        for module in (inner_module, package):
            if not start or not module:
                continue
            if start == ROOT and module.split(".")[0] not in FOLLOWED:
                continue
            base = start.joinpath(*module.split("."))
            for candidate in (base.with_suffix(".py"), base / "__init__.py"):
                if candidate.is_file():
                    return candidate
    return None


def plugin_folders() -> set[Path]:
    return {ROOT / folder for folder in PLUGIN_FOLDERS.values()}


def follow_imports(start: Iterable[Path]) -> set[Path]:
    """These files and all that they import, of the project or beside them."""
    waiting_files = list(start)
    reached_files = set()
    while waiting_files:
        path = waiting_files.pop()
        if path in reached_files:
            continue
        reached_files.add(path)
        for node in ast.walk(parse_file(path)):
            if isinstance(node, ast.Import | ast.ImportFrom):
                followed = [follow_import(path, node, alias.name) for alias in node.names]
                waiting_files += [imported for imported in followed if imported]
    return reached_files


def hash_code(cls: type) -> str:
    """A hash of what a class is made of: the statements of every project file that its file imports or inherits from.

    Files are read once a process, so that one changed later is not taken for the one that was imported. Formatting,
    comments, docstrings, and the files that statements lie in do not count.
    """
    return hash_statements(authored_files(cls))


def hash_own_code(cls: type) -> str | None:
    """The same of a class that is defined outside the project's folders, its own files only; None for the project's.

    It belongs into the key of what such a class makes: nobody raises the version of a file that is still being written.
    """
    files = authored_files(cls)
    if all(is_project_file(path) for path in files):
        return None
    return hash_statements(files, own_only=True)


def hash_own_file(path: Path) -> str | None:
    """The same of a class that is known by its file, which then need not be imported."""
    return None if is_project_file(path) else hash_statements((path,), own_only=True)


def authored_files(cls: type) -> tuple[Path, ...]:
    """The files of a class and of its bases, without those of libraries, sorted."""
    return tuple(sorted({Path(inspect.getfile(base)) for base in cls.__mro__ if is_authored_class(base)}))


def is_project_file(path: Path) -> bool:
    """Whether a file is one of the project's own packages, which raise a version where they change a result."""
    return path.is_relative_to(ROOT) and path.relative_to(ROOT).parts[0] in FOLLOWED


def is_authored_class(cls: type) -> bool:
    """Whether a class is the project's or an author's, and not a library's."""
    try:
        return is_authored_file(Path(inspect.getfile(cls)))
    except (TypeError, OSError):
        return False


def is_authored_file(path: Path) -> bool:
    in_checkout = path.is_relative_to(ROOT) and "site-packages" not in path.parts
    return in_checkout or is_project_file(path) or str(path.parent) in sys.path


@lru_cache
def hash_statements(start: tuple[Path, ...], own_only: bool = False) -> str:
    """A hash of the statements of these files and of those that they import; own_only: without the project's."""
    statements = set()
    for path in follow_imports(start):
        if not is_project_file(path):
            statements.add(write_file(path))
        elif not own_only:
            statements |= {write_tree(node) for node in map(strip_docstrings, parse_file(path).body) if node}
    return STATEMENTS + hashlib.sha256("\n".join(sorted(statements)).encode()).hexdigest()[:20]


def write_file(path: Path) -> str:
    """A file of one's own in its order and with what it imports under which name: both change what it makes."""
    imports = (ast.Import, ast.ImportFrom)
    nodes = [node if isinstance(node, imports) else strip_docstrings(node) for node in parse_file(path).body]
    return "\n".join(write_tree(node) for node in nodes if node)


def write_tree(node: Any) -> str:
    """A syntax tree as Python 3.11's `ast.dump` writes it; later ones name more fields or fewer, and a hash would differ."""
    if isinstance(node, list):
        return f"[{', '.join(map(write_tree, node))}]"
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = [(name, getattr(node, name, None)) for name in node._fields]
    if isinstance(node, ast.JoinedStr):  # 3.12.1 ends a format that ends in a field with an empty text
        fields = [("values", [value for value in node.values if getattr(value, "value", None) != ""])]
    field_texts = [f"{name}={write_tree(value)}" for name, value in fields if not is_left_out(node, name, value)]
    return f"{type(node).__name__}({', '.join(field_texts)})"


def is_left_out(node: ast.AST, name: str, value: Any) -> bool:
    """Whether 3.11 writes nothing of a field: one that may be missing and is, or one that 3.11 does not know."""
    if name == "type_params":  # since 3.12; where there are some, they count
        return not value
    return value is None and getattr(type(node), name, ...) is None


def strip_docstrings(node: ast.stmt) -> ast.stmt | None:
    """A statement without its docstrings; None for imports and loose texts."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        return None
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return None
    node = ast.parse(ast.unparse(node)).body[0]  # a copy: the tree is shared
    for inner in ast.walk(node):
        body = getattr(inner, "body", None)
        if not isinstance(body, list) or len(body) < 2 or not isinstance(body[0], ast.Expr):
            continue
        if isinstance(body[0].value, ast.Constant) and isinstance(body[0].value.value, str):
            del body[0]
    return node
