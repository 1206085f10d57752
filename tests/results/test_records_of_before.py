"""Records of the commit before the engine was parted into rooms: still done, still the same bits, nothing to warn of."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from small_records import has_our_bits

from results.records import Records

ROOT = Path(__file__).resolve().parents[2]
BEFORE = ROOT / "tests" / "golden" / "before_rooms"
COMMAND = (
    "--table 1 --datasets faces --methods baseline scn rul eac --rates 0.3 --seeds 0 --scale paper --precision fp32"
)
SETTINGS = (
    "recipe.epochs=1",
    "recipe.batch_size=20",
    "recipe.backbone=resnet10_w16",
    "faces.train=100",
    "faces.test=100",
)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return Path(shutil.copytree(BEFORE, tmp_path / "runs"))


def run_all(results: Path, *more: str) -> subprocess.CompletedProcess:
    own = ["--results", str(results)]
    own += ["--out", str(results.parent / "out"), *(word for text in SETTINGS for word in ("--set", text))]
    command = [sys.executable, str(ROOT / "run_all.py"), *COMMAND.split(), *own, *more]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, env=environment, cwd=results.parent, capture_output=True, text=True)


def test_they_are_all_done_for_the_same_command(results: Path) -> None:
    done = run_all(results, "--plan")
    assert done.returncode == 0 and "4 jobs at paper scale, 4 done, 0 to run" in done.stdout, done.stdout + done.stderr
    done = run_all(results, "--draw")
    assert done.returncode == 0, done.stderr
    assert "has changed since" not in done.stderr and "refused" not in done.stderr


def damaged(path: Path) -> Path:
    path.write_bytes(path.read_bytes()[:-7])
    return path


def edited(path: Path) -> Path:
    record = path.with_suffix(".json")
    record.write_text(record.read_text().replace('"seed": 0', '"seed": 0 '))
    record.write_text(record.read_text().replace('"schema": 1', '"schema": 1.5'))
    return record


def missing(path: Path) -> Path:
    path.with_suffix(".json").unlink()
    return path


@pytest.mark.slow
@pytest.mark.parametrize(("harm", "drawn_before"), [(damaged, True), (edited, True), (missing, False)])
def test_harm_ends_with_1_and_a_line(results: Path, harm, drawn_before: bool) -> None:
    if drawn_before:  # the arrays were once found sound, and that is remembered
        assert run_all(results, "--draw").returncode == 0
    path = sorted(results.glob("[0-9a-f][0-9a-f]/*.npz"))[0]
    named = harm(path)
    done = run_all(results, "--draw")
    assert done.returncode == 1
    assert named.name in done.stderr or (harm is missing and "1 job has not been run" in done.stderr), done.stderr


@pytest.mark.slow
def test_one_trained_again_has_the_same_bits(results: Path) -> None:
    before = Records(results)
    (old,) = [record for record in before.records() if record["spec"]["method"] == "baseline"]
    kept = before.arrays(old["id"])
    for path in results.glob(f"*/{old['id']}.*"):
        path.unlink()
    done = run_all(results)
    assert done.returncode == 0, done.stderr
    after = Records(results)
    new = after.read(old["id"])
    if not has_our_bits(old):
        assert new["metrics"]["last"] == pytest.approx(old["metrics"]["last"], abs=0.2)
        pytest.skip(f"recorded on {old['provenance']['hardware']} with torch {old['provenance']['torch']}")
    assert new["metrics"].items() >= old["metrics"].items() and new["noise"] == old["noise"]
    assert new["history"].items() >= old["history"].items()
    found = after.arrays(old["id"])
    assert all(np.array_equal(found[name], value) for name, value in kept.items())


@pytest.mark.slow
def test_a_method_changed_since_is_told_once(results: Path) -> None:
    for path in results.glob("[0-9a-f][0-9a-f]/*.json"):
        record = json.loads(path.read_text())
        if record["spec"]["method"] == "rul":
            from results.schema import content_hash

            record["resolved"]["parameters"]["clamp"] = 1e-7
            record["hash"] = content_hash(record)
            path.write_text(json.dumps(record))
    done = run_all(results, "--draw")
    assert [line for line in done.stderr.splitlines() if "has changed since" in line] != []
    assert done.stderr.count("has changed since") == 1 and "rul.py has changed since 1 of these runs" in done.stderr
