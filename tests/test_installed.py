"""`pip install .`: a wheel, in an environment of its own and a folder that is no checkout, trains and draws."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from benchmark.source_code import hash_code
from methods.baseline import Baseline

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("benchmark", "methods", "noise", "results", "reports", "performance")
NOT_READ = {".md", ".pyc"}  # files of the packages that nothing reads

pytestmark = pytest.mark.slow


CLEAN = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "FER_DATA")}


def pip(folder: Path, *words: str) -> None:
    """Run in a folder without a checkout, which pip would take for the project installed."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *words]
    done = subprocess.run(command, cwd=folder, env=CLEAN, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from the files of the packages as they are, aside, so that nothing of an earlier build is in it."""
    source, into = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE", "run_all.py"):
        shutil.copy2(ROOT / name, source)
    for name in PACKAGES:
        aside = shutil.ignore_patterns("__pycache__", "reference", "search", "runs", "out")
        shutil.copytree(ROOT / name, source / name, ignore=aside)
    pip(into, "wheel", "--no-deps", "--wheel-dir", str(into), str(source))
    (built,) = into.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a fresh environment with the wheel; torch and the other packages are those of this one."""
    place = tmp_path_factory.mktemp("environment")
    venv.create(place, with_pip=False)
    python = place / "bin" / "python"
    pip(place, "--python", str(python), "install", "--no-deps", str(wheel))
    (packages,) = place.glob("lib/python*/site-packages")
    (packages / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python


def run(python: Path, folder: Path, *words: str) -> subprocess.CompletedProcess:
    command = [str(python), "-m", *words]
    return subprocess.run(command, cwd=folder, env=CLEAN, capture_output=True, text=True, timeout=280)


def test_a_wheel_holds_every_file_that_the_packages_read(wheel: Path) -> None:
    held = set(zipfile.ZipFile(wheel).namelist())
    files = [
        path for name in PACKAGES for path in (ROOT / name).rglob("*") if path.is_file() and path.suffix not in NOT_READ
    ]
    aside = {"out", "runs", "reference", "search", "__pycache__"}
    needed = {path.relative_to(ROOT).as_posix() for path in files if not aside & set(path.relative_to(ROOT).parts)}
    assert {"results/paper/table1_asymmetric.csv", "reports/table.html", "performance/faulty/specks.py"} <= needed
    assert sorted(needed - held) == []
    assert {name.partition("/")[0] for name in held if ".dist-info" not in name} == {*PACKAGES, "run_all.py"}


def test_a_tiny_table_is_trained_and_drawn_outside_the_checkout(installed: Path, tmp_path: Path) -> None:
    faulty = next(installed.parents[1].glob("lib/python*/site-packages/performance/faulty"))
    line = ["run_all", "--table", "1", "--methods", "baseline", "--datasets", "specks", "--methods-path", str(faulty)]
    line += ["--scale", "demo", "--weights", "random", "--set", "recipe.epochs=1", "--seeds", "0"]
    done = run(installed, tmp_path, *line, "--rates", "0.1", "0.3", "--results", "runs", "--out", "out")
    assert done.returncode == 0, done.stderr
    drawn = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"table1.md", "table1.tex", "table1.html", "table1.png", "table1_rates.pdf"} <= drawn
    assert "70.38" in (tmp_path / "out" / "table1.csv").read_text() and "Specks" in done.stdout
    records = [json.loads(path.read_text()) for path in (tmp_path / "runs").glob("??/*.json")]
    assert [record["provenance"]["git"] for record in records] == [None, None]
    assert {record["code"] for record in records} == {hash_code(Baseline)}
    mine = subprocess.run(
        [installed, "-c", "import results; print(results.__file__)"], cwd=tmp_path, capture_output=True
    )
    assert str(installed.parents[1]) in mine.stdout.decode()


def test_what_is_not_installed_is_said_in_one_line(installed: Path, tmp_path: Path) -> None:
    done = run(installed, tmp_path, "run_all", "--table", "1", "--draw", "--against", "reference")
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert "--against reference" in done.stderr and "give a folder or zip of records" in done.stderr
