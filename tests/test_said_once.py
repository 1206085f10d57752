"""Every command says a thing once: no 'warning: warning:', no name of a program or a data set twice on end."""

import re
from pathlib import Path

import pytest

from benchmark.__main__ import main as command
from benchmark.commands.run_all import main as run_all

TWICE = re.compile(r"(?<!\S)([^\s:]+):\s*\1:", re.IGNORECASE)
OWN = """
import numpy as np
from benchmark.datasets.base import DataError, DataSet, Rows, Source

class Toy(DataSet):
    name, title, size, channels, needs_path = "toy", "Toy", 8, 1, True

    def stamp(self, path, options):
        return []

    def read(self, path, options):
        if path.name == "bad":
            raise DataError("error: toy: toy: nothing can be read here")
        rows = [Rows([f"{s}{i}" for i in range(4)], np.arange(4) % 2, lambda r, s=s: np.full((8, 8), 9 * r + s, np.uint8))
                for s in (0, 100)]
        return Source(("anger", "fear"), *rows, warnings=["warning: few images", "toy: Warning: grey", "small"])
"""


def asked(name: str, folder: Path, place: str) -> int:
    """The exit status of a command that opens the data set."""
    more = ["--methods-path", str(folder / "own"), "--results", str(folder / "runs")]
    if name == "run_all":
        what = ["--table", "clean", "--methods", "baseline", "--plan", "--data", f"toy={folder / place}"]
        return run_all([*what, *more])
    out = {"noise-list": folder / "list.txt", "data-card": folder / "out"}[name]
    kind = ["--kind", "symmetric", "--rate", "0.5"] if name == "noise-list" else []
    return command([name, "toy", "--data", str(folder / place), *kind, "--out", str(out), *more])


@pytest.mark.parametrize("name", ["data-card", "noise-list", "run_all"])
def test_what_a_data_set_says_stands_behind_its_name_once(
    tmp_path: Path, capsys: pytest.CaptureFixture, name: str
) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "toy.py").write_text(OWN)
    for place in ("good", "bad"):
        (tmp_path / place).mkdir()
    assert asked(name, tmp_path, "bad") == 2
    (line,) = said(capsys.readouterr().err)
    assert line.endswith(": toy: nothing can be read here") and not TWICE.search(line) and "error:" not in line
    assert asked(name, tmp_path, "good") == 0
    seen = capsys.readouterr()
    assert not TWICE.search(seen.out) and not TWICE.search(seen.err), seen.out + seen.err
    if name == "data-card":
        lines = [line.removeprefix("- warning: ") for line in seen.out.splitlines() if "warning" in line]
    else:
        lines = said(seen.err)
    assert lines[:3] == ["toy: few images", "toy: grey", "toy: small"]


def said(words: str) -> list[str]:
    return [line for line in words.splitlines() if not line.startswith("decoding images")]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["reproduce", "ab"], "benchmark reproduce: 'ab' is not a record id"),
        (["reproduce", "a" * 20], "benchmark reproduce: there is no record " + "a" * 20),
        (["import", "/nowhere"], "benchmark import: /nowhere is neither a folder nor a zip"),
        (["check", "/nowhere.py"], "benchmark check: "),
        (["data-card", "nowhere"], "benchmark data-card: NAME: there is no data set 'nowhere'"),
        (["noise-list", "faces", "--rate", "7"], "benchmark noise-list: --rate: 7 is not in 0..1 (0.1 is 10 %)"),
        (["landmarks", "faces", "--import", "/nowhere.npz"], "benchmark landmarks: "),
    ],
)
def test_a_command_names_itself_once_and_no_option_that_it_lacks(
    tmp_path: Path, capsys: pytest.CaptureFixture, arguments: list[str], words: str
) -> None:
    results = [] if arguments[0] == "check" else ["--results", str(tmp_path)]
    small = ["--set", "faces.train=20", "--set", "faces.test=20"] if "faces" in arguments else []
    assert command([*arguments, *results, *small]) == 2
    (line,) = said(capsys.readouterr().err)
    assert line.startswith(words) and not TWICE.search(line) and not re.search(r"--(reproduce|import): ", line)
