"""The page on a new column, table or figure: its edits are made in a copy of the program, and its commands draw them."""

import csv
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "new-table.md").read_text()
ROOMS = ("benchmark", "methods", "noise", "reports", "results")
SMALL = ["--methods", "baseline", "--rates", "0.3", "--seeds", "0", "--weights", "random", "--workers", "1"]
SMALL += ["--set", "faces.train=100", "--set", "faces.test=100", "--set", "recipe.epochs=1"]


def make_edits(root: Path) -> list[str]:
    """Makes every edit of the page below `root`, each in the file that was named last before it; returns these files."""
    files = []
    for place in re.finditer(r"```(diff|python)\n(.*?)```", PAGE, re.S):
        name = re.findall(r"`((?:reports|benchmark)/[\w/]+\.py)`", PAGE[: place.start()])[-1]
        path = root / name
        if place[1] == "python":
            assert not path.exists()
            path.write_text(place[2])
        else:
            lines = place[2].splitlines()
            old = "\n".join(line[1:] for line in lines if line[0] in " -")
            text = path.read_text()
            assert text.count(old) == 1, f"{name} has {text.count(old)} times: {old}"
            path.write_text(text.replace(old, "\n".join(line[1:] for line in lines if line[0] in " +")))
        files.append(name)
    return files


@pytest.fixture(scope="module")
def edited(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the program with the page's edits, and what it drew."""
    root = tmp_path_factory.mktemp("edited")
    for room in ROOMS:
        without = shutil.ignore_patterns("reference", "search", "runs", "out", "__pycache__")
        shutil.copytree(ROOT / room, root / room, ignore=without)
    shutil.copy(ROOT / "run_all.py", root)
    assert len(set(make_edits(root))) == 5
    command = [sys.executable, "run_all.py", "--table", "1", "--table", "heavy", "--figure", "seconds", *SMALL]
    environment = {key: value for key, value in os.environ.items() if key not in ("FER_DATA", "PYTHONPATH")}
    done = subprocess.run(command, capture_output=True, text=True, cwd=root, env=environment, timeout=280)
    assert done.returncode == 0, done.stderr
    return root / "reports" / "out"


def test_the_column_of_the_page_stands_beside_each_accuracy(edited: Path) -> None:
    table = (edited / "table1.md").read_text().splitlines()
    columns = next(line for line in table if line.startswith("| Method"))
    row = next(line for line in table if line.startswith("| Baseline"))
    assert [name.strip() for name in columns.split("|")[2:4]] == ["Faces (rendered)", "memorised"]
    assert 0 <= float(row.split("|")[3]) <= 100


def test_the_table_of_the_page_has_its_noise(edited: Path) -> None:
    rows = list(csv.DictReader((edited / "table_heavy.csv").open()))
    assert {row["noise"] for row in rows} == {"symmetric"}
    assert "Accuracy under heavy noise" in (edited / "table_heavy.md").read_text()


def test_the_figure_of_the_page_shows_what_its_csv_says(edited: Path) -> None:
    (point,) = csv.DictReader((edited / "figure_seconds.csv").open())
    (run,) = csv.DictReader((edited / "table1.csv").open().read().splitlines()[:2])
    assert float(point["seconds"]) > 0 and float(point["mean"]) == pytest.approx(float(run["mean"]), abs=1e-5)
    assert (edited / "figure_seconds.png").stat().st_size > 5000
