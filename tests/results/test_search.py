"""The search that ships: whole, drawn by a clone, and what the page says of it."""

import re
from pathlib import Path

import pytest

from benchmark.__main__ import main as benchmark
from benchmark.commands.run_all import main
from results.records import Records
from results.schema import record_seed

ROOT = Path(__file__).resolve().parents[2]
SEARCH = ROOT / "results" / "search"


def test_every_draw_of_every_seed_is_there_and_sound() -> None:
    records, runs = Records(SEARCH), {}
    for record in records.records():
        records.need_arrays(record)
        runs.setdefault(record["spec"]["method"], []).append(record_seed(record))
        assert 0 < record["metrics"]["held_out"] < 1
    assert not records.refused
    assert {method: len(found) for method, found in runs.items()} == {
        "baseline": 5,
        **dict.fromkeys(("scn", "rul", "eac", "lanet"), 80),
    }
    assert all(sorted(set(found)) == [100, 101, 102, 103, 104] for found in runs.values())


def test_the_page_s_table_is_what_a_clone_draws(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--table", "tuned", "--tune", "own", "--seeds", "100-104", "--draw", "--out", str(tmp_path)]
    assert main([*words, "--results", str(SEARCH)]) == 0
    drawn = re.findall(
        r"^\| ([\w-]+) \| ([\d.±]+) \| \**([\d.±]+)\** \| .* \| \*([\d.±]+)\* \|", capsys.readouterr().out, re.M
    )
    page = (ROOT / "docs" / "tuning.md").read_text()
    said = re.findall(r"^\| ([\w-]+) \| (\d[\d.±]+) \| ([\d.±]+) \| ([\d.±]+) \|$", page, re.M)
    assert len(said) == 5 and said == drawn


def test_the_command_gives_the_choice_that_was_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tried = tmp_path / "tried.csv"
    assert benchmark(["tuning", "--results", str(SEARCH), "--csv", str(tried)]) == 0
    assert tried.read_text() == (SEARCH / "tried.csv").read_text()
    assert "LA-Net, faces, asymmetric 0.3: draw 7, lanet.confidence=0.733" in capsys.readouterr().out
