"""The page on the architecture: every room is in its table, imports only what the table allows, and every file named is there."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "architecture.md").read_text()
PACKAGES = ("benchmark", "methods", "noise", "results", "reports", "performance")


def read_rooms() -> dict[str, set[str] | None]:
    """{room: the rooms that it may import; None where the table does not list them}."""
    rows = re.findall(r"^\| `([\w/.*]+)` \| .* \| (.*?) ?\|$", PAGE.partition("## Where to look")[0], re.M)
    return {
        room.removesuffix("/*.py").rstrip("/"): None
        if allowed.startswith("all")
        else set(re.findall(r"`(.+?)`", allowed))
        for room, allowed in rows
    }


def room_of(path: str) -> str:
    """The room of a file or module, as `benchmark/plan/matrix`."""
    parts = path.split("/")
    inside = len(parts) > 1 and parts[0] == "benchmark" and (ROOT / parts[0] / parts[1]).is_dir()
    return "/".join(parts[: 2 if inside else 1])


def read_imports(path: Path) -> set[str]:
    """The rooms that a file imports, its own apart."""
    modules: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            modules |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            whole = (
                [f"{node.module}.{name.name}" for name in node.names]
                if node.module == "benchmark"
                else [node.module or ""]
            )
            modules |= set(whole)
    rooms = {room_of(name.replace(".", "/")) for name in modules if name.split(".")[0] in PACKAGES}
    return rooms - {room_of(str(path.relative_to(ROOT).with_suffix("")))}


def test_every_room_is_in_the_table_and_imports_only_what_it_may() -> None:
    allowed = read_rooms()
    found: dict[str, set[str]] = {"run_all.py": read_imports(ROOT / "run_all.py")}
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            room = room_of(str(path.relative_to(ROOT).with_suffix("")))
            found.setdefault(room, set()).update(read_imports(path))
    assert set(found) == set(allowed)
    for room, imports in found.items():
        may = allowed[room]
        assert may is None or imports <= may, f"{room} imports {imports - may}, which the table does not allow"
    assert "reports" not in found["performance"] and not {"benchmark/train"} & found["benchmark/plan"]


def test_every_file_that_the_page_names_is_there() -> None:
    named = re.findall(r"`([\w/]+/\w+\.py)`", PAGE)
    assert len(named) > 30 and [path for path in named if not (ROOT / path).exists()] == []


def test_imports_lead_one_way() -> None:
    pytest.importorskip("importlinter")
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env={"PYTHONPATH": str(ROOT), "PATH": ""})
    assert done.returncode == 0, done.stdout[-2000:]
