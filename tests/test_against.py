"""`--against`: rows of others' records beside one's own, and why a record is not taken."""

import csv
import json
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
from test_run_all import SMALL, records, run_all

pytestmark = pytest.mark.slow  # five runs stand behind every test here
MINE = """
from methods.baseline import Baseline

class Mine(Baseline):
    name = "mine"
    title = "Mine"
"""
SHORT = ["--set", "recipe.epochs=2", "--weights", "random", *SMALL]
ASKED = ["--table", "1", "--rates", "0.1", "--seeds", "0-4", "--precision", "fp32", *SHORT]


def drawn(results: Path, *more: str) -> subprocess.CompletedProcess:
    return run_all(*ASKED, "--results", str(results), "--out", str(results / "out"), *more)


def rows(results: Path) -> dict[str, dict[str, str]]:
    text = (results / "out" / "table1.csv").read_text()
    return {row["method"]: row for row in csv.DictReader(text.splitlines()) if row["dataset"] == "faces"}


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five seeds of the baseline, as others made them."""
    folder = tmp_path_factory.mktemp("theirs") / "runs"
    done = drawn(folder, "--methods", "baseline")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def ours(theirs: Path, tmp_path: Path) -> Path:
    """An empty results folder that has the decoded faces already."""
    shutil.copytree(theirs / "data", tmp_path / "ours" / "data")
    return tmp_path / "ours"


@pytest.fixture
def mine(tmp_path: Path) -> list[str]:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "mine.py").write_text(MINE)
    return ["--methods", "baseline", "mine", "--methods-path", str(tmp_path / "own")]


def test_only_a_method_of_ones_own_is_trained_and_ranked(theirs: Path, ours: Path, mine: list[str]) -> None:
    done = drawn(ours, *mine, "--against", str(theirs))
    assert done.returncode == 0, done.stderr
    assert {record["spec"]["method"] for record in records(ours).values()} == {"mine"} and len(records(ours)) == 5
    assert "against runs: 5 runs are taken from there" in done.stderr and "not taken" not in done.stderr
    found = rows(ours)
    assert found["baseline"]["against"] == "runs" and found["mine"]["against"] == ""
    assert all(
        (row["rank_low"], row["rank_high"]) == ("1", "2") for row in (found["mine"], found["baseline"])
    )  # the same method twice, on the same seeds
    text = (ours / "out" / "table1.md").read_text()
    line = {
        name: next(row for row in text.splitlines() if row.startswith(f"| {name}")) for name in ("Baseline", "Mine")
    }
    assert "‡" in line["Baseline"] and "‡" not in line["Mine"]
    assert "‡ Not all runs were made here: records of runs, which agree in" in text
    (line,) = [row for row in (ours / "out" / "table1.tex").read_text().splitlines() if row.startswith("Baseline")]
    assert "ddag" in line or "daggerdbl" in line


def test_as_many_seeds_as_ranks_need_where_none_are_named(theirs: Path, ours: Path, mine: list[str]) -> None:
    unnamed = [word for word in ASKED if word not in ("--seeds", "0-4")]
    done = run_all(*unnamed, *mine, "--results", str(ours), "--against", str(theirs), "--plan")
    assert "10 jobs at demo scale, 5 done, 5 to run" in done.stdout, done.stdout + done.stderr


def test_a_zip_is_read_and_the_plan_counts_it_as_done(theirs: Path, ours: Path, tmp_path: Path) -> None:
    packed = tmp_path / "theirs.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in theirs.glob("??/*.*"):
            archive.write(path, path.relative_to(theirs))
        archive.writestr("../../escaped.json", "{}")
        archive.writestr("ab/" + "ab" * 10 + ".json", "{}")
    done = drawn(ours, "--methods", "baseline", "--against", str(packed), "--plan")
    assert "5 done, 0 to run" in done.stdout
    assert "refused: ab/" in done.stderr
    assert not list(tmp_path.rglob("escaped.json")) and not records(ours)
    done = drawn(ours, "--methods", "baseline", "--against", str(packed), "--draw")
    assert done.returncode == 0 and rows(ours)["baseline"]["n"] == "5"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--precision", "bf16"], "precision is fp32 there, bf16 here"),
        (["--scale", "small"], "scale.name is demo there, small here"),
        (["--rates", "0.2"], "noise.rate is 0.1 there, 0.2 here"),
        (["--noise", "symmetric"], "noise.kind is asymmetric there, symmetric here"),
        (["--seeds", "5-9"], "the seed is not there"),
        (["--set", "faces.test=310"], "data.fingerprint is "),
        (["--set", "recipe.lr=0.001"], "overrides.recipe.optimiser.lr is None there, 0.001 here"),
    ],
)
def test_what_cannot_be_compared_says_which_field_differs(theirs: Path, ours: Path, more: list[str], said: str) -> None:
    done = drawn(ours, "--methods", "baseline", *more, "--against", str(theirs), "--plan")
    assert done.returncode == 0, done.stderr
    assert "against runs: 0 runs are taken from there" in done.stderr
    assert f"5 runs of baseline on faces are not taken: {said}" in done.stderr
    assert "0 done, 5 to run" in done.stdout


def test_another_resolved_recipe_and_damage_are_no_match(theirs: Path, ours: Path, tmp_path: Path) -> None:
    from results.schema import content_hash

    copied = tmp_path / "copied"
    shutil.copytree(theirs, copied, ignore=shutil.ignore_patterns("data"))
    first, second, *_ = sorted(copied.glob("??/*.json"))
    record = json.loads(first.read_text())
    record["resolved"]["recipe"]["batch_size"] = 7
    first.write_text(json.dumps(record | {"hash": content_hash(record)}))
    second.with_suffix(".npz").write_bytes(b"damaged")
    done = drawn(ours, "--methods", "baseline", "--against", str(copied), "--plan")
    assert "1 run of baseline on faces is not taken: recipe.batch_size is 7 there, 64 here" in done.stderr
    assert "refused:" in done.stderr and second.stem in done.stderr
    assert "3 done, 2 to run" in done.stdout


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--against", "nowhere"], "--against: nowhere is neither 'reference' nor a folder or zip of records"),
        (["--against", ".", "--force"], "--force runs everything again"),
        (["--against", str(Path(__file__).parent)], "--against: tests holds no records; give the folder that was "),
    ],
)
def test_what_cannot_be_read_ends_with_one_line(ours: Path, given: list[str], said: str) -> None:
    done = drawn(ours, "--methods", "baseline", *given)
    assert done.returncode == 2 and said in done.stderr and len(done.stderr.strip().splitlines()) <= 2
