"""A results folder that ships: records, data without pictures, and proof that other code gives the same bits."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from benchmark.commands import arguments
from results.records import Records

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "results" / "reference"
QUICK = ["--set", "recipe.epochs=1", "--weights", "random", "--methods", "baseline", "--rates", "0.3"]


def run(*words: str, **more: str) -> subprocess.CompletedProcess:
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)} | more
    return subprocess.run([sys.executable, *words], cwd=ROOT, env=environment, capture_output=True, text=True)


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seeds measured in one folder, taken over into another that describes the data."""
    base = tmp_path_factory.mktemp("shipped")
    small = ["--set", "faces.train=300", "--set", "faces.test=100", "--out", str(base / "out")]
    made = run("run_all.py", "--table", "1", "--seeds", "0-3", *QUICK, *small, "--results", str(base / "runs"))
    assert made.returncode == 0, made.stderr
    taken = run("-m", "benchmark", "import", str(base / "runs"), "--results", str(base / "reference"), "--describe")
    assert taken.returncode == 0 and "imported 4 records" in taken.stdout, taken.stdout + taken.stderr
    return base


def draw(base: Path, *more: str) -> subprocess.CompletedProcess:
    small = ["--set", "faces.train=300", "--set", "faces.test=100", "--out", str(base / "out")]
    return run("run_all.py", "--table", "1", *QUICK, *small, "--results", str(base / "reference"), *more)


@pytest.mark.slow
def test_every_seed_that_is_there_is_drawn_without_pictures(shipped: Path) -> None:
    assert not list((shipped / "reference").rglob("*images.npy"))
    done = draw(shipped, "--draw")
    assert done.returncode == 0 and "n = 4 seeds" in done.stdout, done.stdout + done.stderr


def beside_a_card(folder: Path, capability: str) -> dict[str, str]:
    """The environment of a machine whose nvidia-smi lists a card of that capability."""
    answers = f"*query*) echo GPU-aaaaaaaa-2222-3333-4444-555555555555, {capability};;"
    (folder / "nvidia-smi").write_text(f'#!/bin/sh\ncase "$*" in {answers} esac\n')
    (folder / "nvidia-smi").chmod(0o755)
    found = {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}", "CUDA_VISIBLE_DEVICES": "0"}
    seen = run("-c", "from benchmark import hardware; print(hardware.find_gpus())", **found)
    assert f", {capability})" in seen.stdout, seen.stderr
    return found


@pytest.mark.slow
def test_the_precision_of_others_records_is_drawn_beside_any_card(shipped: Path, tmp_path: Path) -> None:
    (record,) = list(Records(shipped / "reference").records())[:1]
    card = beside_a_card(tmp_path, "7.5" if record["spec"]["precision"] == "bf16" else "9.0")  # which takes the other
    small = ["--set", "faces.train=300", "--set", "faces.test=100", "--out", str(tmp_path / "out")]
    words = [*QUICK, *small, "--draw", "--against", str(shipped / "reference"), "--results", str(tmp_path / "no")]
    done = run("run_all.py", "--table", "1", *words, **card)
    assert done.returncode == 0 and "n = 4 seeds" in done.stdout, done.stdout + done.stderr


@pytest.mark.slow
def test_a_gpu_changes_no_table_that_is_only_drawn(shipped: Path, tmp_path: Path) -> None:
    """There the default for real data is another scale, of which these records have none."""
    path = beside_a_card(tmp_path, "9.0")
    few = ["--datasets", "ferplus", "--methods", "baseline", "--rates", "0.3", "--seeds", "0"]
    words = ["--table", "1", "--draw", *few, "--results", str(REFERENCE), "--out", str(tmp_path / "out")]
    done = run("run_all.py", *words, **path)
    assert done.returncode == 0 and "demo scale" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize(
    "held, trained_here, scale",
    [
        ([["demo", "demo", "small"]], True, "demo"),
        ([["demo", "demo", "paper"]], True, "paper"),  # what the same command without --draw trains there
        ([["demo", "demo", "paper"]], False, "demo"),
        ([[], ["small", "small", "demo"]], False, "small"),
        ([["demo"], ["small", "small"]], False, "demo"),
        ([["of the future", "of the future", "small"]], False, "small"),
        ([["of the future"], []], False, "paper"),
    ],
)
def test_the_scale_that_is_drawn(
    monkeypatch: pytest.MonkeyPatch, held: list[list[str]], trained_here: bool, scale: str
) -> None:
    def records(folder: Path) -> SimpleNamespace:
        ours = [{"data": {"name": "faces"}, "scale": {"name": name}} for name in held[int(folder.name)]]
        others = [{"data": {"name": "not asked for"}, "scale": {"name": "paper"}}] * 9
        return SimpleNamespace(records=lambda: [{"spec": spec} for spec in ours + others])

    monkeypatch.setattr(arguments, "Records", records)
    monkeypatch.setattr(arguments, "described_data_sets", lambda folder: [] if trained_here else ["faces"])
    folders = [Path(str(number)) for number in range(len(held))]
    assert arguments.scale_of(folders, ["faces"], "paper") == scale


@pytest.mark.slow
def test_tables_without_records_are_left_out_where_others_have_them(shipped: Path) -> None:
    done = draw(shipped, "--table", "clean", "--draw")
    assert done.returncode == 0, done.stderr
    assert "table clean: faces is left out, 0 % of its cells have records here" in done.stderr
    assert "Accuracy under asymmetric noise" in done.stdout and "without added noise" not in done.stdout


@pytest.mark.slow
def test_a_table_that_is_asked_for_by_data_set_or_alone_shows_its_gaps(shipped: Path) -> None:
    named = draw(shipped, "--table", "clean", "--draw", "--datasets", "faces")
    assert named.returncode == 1 and "jobs have not been run" in named.stderr
    alone = [word for word in QUICK if word not in ("--rates", "0.3")]
    small = ["--set", "faces.train=300", "--set", "faces.test=100", "--out", str(shipped / "out")]
    words = ["--table", "clean", *alone, *small, "--results", str(shipped / "reference"), "--draw"]
    done = run("run_all.py", *words)
    assert done.returncode == 1 and "left out" not in done.stderr


@pytest.mark.slow
def test_tables_of_which_little_is_measured_are_named_with_how_much(shipped: Path) -> None:
    quick = [word for word in QUICK if word not in ("--rates", "0.3")]
    small = ["--set", "faces.train=300", "--set", "faces.test=100", "--out", str(shipped / "out")]
    words = ["--table", "1", "--table", "clean", *quick, *small, "--results", str(shipped / "reference"), "--draw"]
    done = run("run_all.py", *words)
    assert done.returncode == 2 and "has too few records: table 1: faces is left out" in done.stderr, done.stderr
    assert "33 % of its cells" in done.stderr and "clean" not in done.stderr


@pytest.mark.slow
def test_all_seeds_and_tables_of_another_folder_are_drawn_from_there(shipped: Path) -> None:
    reference, nothing = str(shipped / "reference"), str(shipped / "empty")
    small = ["--set", "faces.train=300", "--set", "faces.test=100", "--out", str(shipped / "out")]
    words = ["--table", "1", "--table", "clean", *QUICK, *small, "--draw", "--against", reference, "--results", nothing]
    done = run("run_all.py", *words)
    assert done.returncode == 0 and "n = 4 seeds" in done.stdout, done.stdout + done.stderr
    assert "table clean: faces is left out" in done.stderr


@pytest.mark.slow
def test_more_seeds_are_trained_where_the_pictures_were_only_described(shipped: Path, tmp_path: Path) -> None:
    copied = shutil.copytree(shipped / "reference", tmp_path / "reference")
    (description,) = (copied / "data").glob("faces-*")
    before = json.loads((description / "card.json").read_text())
    small = ["--set", "faces.train=300", "--set", "faces.test=100"]
    words = [*QUICK, *small, "--out", str(tmp_path / "out"), "--results", str(copied)]
    done = run("run_all.py", "--table", "1", "--seeds", "0-4", *words)
    assert done.returncode == 0 and "n = 5 seeds" in done.stdout, done.stdout + done.stderr
    assert len(list(Records(copied).records())) == 5  # the four that were there count
    assert list((copied / "data").glob("faces-*")) == [description]
    assert before == json.loads((description / "card.json").read_text()) | {"described": True}
    images = np.load(description / "train_images.npy")
    (drawn,) = (shipped / "runs" / "data").glob("faces-*/train_images.npy")
    assert (images == np.load(drawn)).all()


@pytest.mark.slow
def test_a_list_of_noise_draws_the_pictures(shipped: Path, tmp_path: Path) -> None:
    copied = shutil.copytree(shipped / "reference", tmp_path / "reference")
    words = ["faces", "--set", "faces.train=300", "--set", "faces.test=100", "--results", str(copied)]
    done = run("-m", "benchmark", "noise-list", *words, "--out", str(tmp_path / "list.txt"))
    assert done.returncode == 0, done.stderr
    assert len((tmp_path / "list.txt").read_text().splitlines()) == 300


@pytest.mark.slow
def test_a_change_that_gives_the_same_bits_is_no_longer_warned_of(shipped: Path) -> None:
    from results.schema import content_hash

    runs = shipped / "runs"
    path = sorted(runs.glob("[0-9a-f][0-9a-f]/*.json"))[0]
    for other in runs.glob("[0-9a-f][0-9a-f]/*.json"):
        record = json.loads(other.read_text())
        record["code"] = "statements:00000000000000000000"
        record["hash"] = content_hash(record)
        other.write_text(json.dumps(record))
    arguments = ["--draw", "--results", str(runs), "--seeds", "0-3"]
    assert "has changed since 4 of these runs" in draw(shipped, *arguments).stderr
    again = run("-m", "benchmark", "reproduce", path.stem, "--results", str(runs))
    assert again.returncode == 0 and "the same bits" in again.stdout, again.stdout + again.stderr
    assert "has changed since" not in draw(shipped, *arguments).stderr
