"""The page on the architecture names every file of the rooms, and nothing that is not there."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "architecture.md").read_text()
NAMED_BY_FOLDER = {"methods", "noise", "performance", "reports"}  # one file a method, a noise, a script, a drawing


def rooms() -> dict[str, set[str]]:
    """{room: files named below its heading}, as the page says."""
    found: dict[str, set[str]] = {}
    room = ""
    for line in PAGE.partition("## The rooms")[2].partition("## Three walks")[0].splitlines():
        if heading := re.match(r"`([\w/]+/)`[,:]", line):
            room = heading[1]
        inner = re.match(r"- `(\w+/)`:", line)
        at = f"{room}{inner[1]}" if inner and not line.startswith("- `paper/`") else room
        found.setdefault(at, set()).update(re.findall(r"`(\w+\.py)`", line))
    return found


def files(room: str) -> set[str]:
    return {path.name for path in (ROOT / room).glob("*.py")} - {"__init__.py"}


def test_every_file_of_a_room_is_named_and_every_name_is_a_file() -> None:
    named = rooms()
    there = {str(path.parent.relative_to(ROOT)) + "/" for path in (ROOT / "benchmark").rglob("*.py")}
    there |= {"results/", "methods/support/"}
    assert {room for room in named if room.startswith("benchmark/")} | {"results/", "methods/support/"} == there
    for room in there:
        missing, wrong = files(room) - named[room] - {"__main__.py"}, named[room] - files(room)
        assert not missing and not wrong, f"{room}: not on the page: {missing}; not a file: {wrong}"


def test_every_file_of_the_walks_is_there() -> None:
    walked = re.findall(r"`([\w/]+\.py)`", PAGE.partition("## Three walks")[2].partition("## What is checked")[0])
    assert len(walked) > 20
    assert [path for path in walked if not (ROOT / path).exists()] == []


def test_imports_lead_one_way() -> None:
    pytest.importorskip("importlinter")
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env={"PYTHONPATH": str(ROOT), "PATH": ""})
    assert done.returncode == 0, done.stdout[-2000:]
