"""Nothing fails after training: what draws is tried first, and a person's settings of matplotlib change no picture."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import reports
from benchmark.commands import run_all
from benchmark.commands.run_all import main

ROOT = Path(__file__).resolve().parent.parent
SPECKS = ["--table", "1", "--methods", "baseline", "--datasets", "specks", "--rates", "0.3", "--seeds", "0"]
SPECKS += ["--scale", "demo", "--weights", "random", "--methods-path", str(ROOT / "performance" / "faulty")]

DRAW = """
import sys
from pathlib import Path
from reports.pictures.drawing import Drawing, new_figure

def render():
    figure = new_figure(2, 1)
    figure.subplots().plot([1, 2], [1, 2], label="a line")
    return figure

Drawing("figure_a", "A", "A line.", render).write(Path(sys.argv[1]))
"""
OWN_SETTINGS = "backend: NoSuch\nfont.size: 40\naxes.facecolor: red\nfigure.dpi: 3\nsavefig.pad_inches: 2\n"


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many jobs each call would have trained."""
    counts: list[int] = []

    def run_jobs(plan, todo, options) -> dict:
        counts.append(len(todo))
        return {}

    monkeypatch.setattr(run_all, "run_jobs", run_jobs)
    return counts


@pytest.mark.parametrize("package", ["matplotlib", "jinja2"])
def test_an_installation_that_cannot_draw_trains_nothing(package: str, trained, tmp_path, monkeypatch, capsys) -> None:
    line = [*SPECKS, "--results", str(tmp_path / "runs"), "--out", str(tmp_path / "out")]
    assert main(line) == 1 and trained == [1]  # it can, and the one job is missing since none was run here
    left = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert not [name for name in left if "trial" in name]
    for name in list(sys.modules):  # imported anew, but for the error that the command knows by its class
        if name.startswith((f"{package}.", "reports.")) and name != "reports.asked":
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    capsys.readouterr()
    assert main(line) == 2 and trained == [1]
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith("run_all.py: nothing could be drawn after training: ") and package in said


def test_a_table_that_may_not_be_replaced_is_named_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "notes.txt").touch()
    (tmp_path / "table1.md").touch()
    monkeypatch.setattr(reports.os, "access", lambda path, mode: path.suffix not in (".md", ".txt"))
    with pytest.raises(reports.ReportError, match=r"--out: \S+table1\.md may not be replaced; choose another folder"):
        reports.try_drawing(tmp_path)
    (tmp_path / "table1.md").unlink()
    reports.try_drawing(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_pictures_are_the_same_whatever_mplbackend_and_a_matplotlibrc_say(tmp_path: Path) -> None:
    pictures = []
    for name, backend in {"plain": None, "own": "module://no_such_inline.backend_inline"}.items():
        folder = tmp_path / name
        folder.mkdir()
        environment = {key: value for key, value in os.environ.items() if key != "MPLBACKEND"}
        environment |= {"PYTHONPATH": str(ROOT), "MPLCONFIGDIR": str(tmp_path / "config")}
        if backend:
            environment["MPLBACKEND"] = backend
            (folder / "matplotlibrc").write_text(OWN_SETTINGS)
        command = [sys.executable, "-c", DRAW, str(folder)]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=200)
        assert done.returncode == 0, done.stderr
        pictures.append([(folder / f"figure_a.{suffix}").read_bytes() for suffix in ("png", "pdf")])
    assert pictures[0] == pictures[1]
