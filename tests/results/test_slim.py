"""Records that ship slim: sound, with everything that is drawn, and without what nothing draws."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_records import small_record

from benchmark.commands.import_records import import_records
from results import slim as slimming
from results.job import Job
from results.records import Records
from results.schema import content_hash
from results.store import Store

DATA = {"name": "faces", "fingerprint": "f" * 20, "landmarks": None}
JOB = Job("lanet", 1, DATA, {"kind": "none", "rate": None}, 0, "fp32", "comparison", {"name": "demo"}, "random")
RNG = np.random.default_rng(0)
ARRAYS = {
    "predictions": RNG.integers(0, 8, (18, 400)).astype(np.uint8),
    "distribution": RNG.random((400, 8)).astype(np.float16),
    "wrongness": RNG.random(400).astype(np.float32),
    "margin": RNG.random(400).astype(np.float16),
    "given": RNG.integers(0, 8, 400).astype(np.uint8),
    "test_labels": RNG.integers(0, 8, 400).astype(np.uint8),
}


def shipped(tmp_path: Path, kind: str, times: int = 1) -> tuple[Store, Records, str]:
    """The full record of a job under a noise, the folder that it ships in, and its id."""
    job = replace(JOB, noise={"kind": kind, "rate": "0.1" if kind == "symmetric" else None})
    full = Store(tmp_path / "runs")
    full.write(small_record(job, history={"test_accuracy": [0.5, 0.6]}), dict(ARRAYS))
    source = full.root
    for turn in range(times):
        target = tmp_path / f"reference{turn}"
        assert str(import_records(source, target, light=True)).startswith("imported 1 record")
        source = target
    return full, Records(source), job.id


@pytest.mark.parametrize("kind, votes", [("symmetric", False), ("none", True), ("votes", True)])
def test_it_holds_what_is_drawn_and_no_more(tmp_path: Path, kind: str, votes: bool) -> None:
    _, records, job = shipped(tmp_path, kind)
    arrays = records.arrays(job)
    expected = {"predictions", "test_labels"} | ({"distribution", "given"} if votes else set())
    assert arrays is not None and set(arrays) == expected
    assert all(np.array_equal(arrays[name], ARRAYS[name]) for name in expected)


def test_the_record_is_sound_and_says_what_it_was(tmp_path: Path) -> None:
    full, records, job = shipped(tmp_path, "symmetric")
    before, record = full.read(job), records.read(job)
    assert before is not None and record is not None
    records.need_arrays(record)
    assert record["slim"] == {"without": ["distribution", "given", "margin", "wrongness"], "arrays": before["arrays"]}
    sections = small_record(JOB)
    assert {key: record[key] for key in sections} == {key: before[key] for key in sections}
    assert len(records.path(job).read_bytes()) < len(full.path(job).read_bytes())


def test_slim_twice_is_slim_once(tmp_path: Path) -> None:
    _, once, job = shipped(tmp_path / "a", "symmetric")
    _, twice, _ = shipped(tmp_path / "b", "symmetric", times=2)
    for suffix in (".json", ".npz"):
        assert once.path(job).with_suffix(suffix).read_bytes() == twice.path(job).with_suffix(suffix).read_bytes()


def test_one_that_was_less_slim_becomes_so_and_keeps_the_hash_of_all_its_arrays(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(slimming, "DRAWN", (*slimming.DRAWN, "margin"))
    _, larger, job = shipped(tmp_path, "symmetric")
    monkeypatch.undo()
    assert larger.arrays(job, ("margin",)) is not None
    assert str(import_records(larger.root, tmp_path / "slimmer", light=True)).startswith("imported 1 record")
    _, once, _ = shipped(tmp_path / "b", "symmetric")
    for suffix in (".json", ".npz"):
        again = Records(tmp_path / "slimmer").path(job).with_suffix(suffix)
        assert again.read_bytes() == once.path(job).with_suffix(suffix).read_bytes()


def test_what_was_left_out_is_named_where_it_is_asked_for(tmp_path: Path) -> None:
    _, records, job = shipped(tmp_path, "symmetric")
    assert records.arrays(job, ("distribution",)) is None
    assert "ships without 'distribution'" in records.refused[job]


def test_arrays_of_another_record_are_not_taken_for_its_own(tmp_path: Path) -> None:
    _, records, job = shipped(tmp_path, "symmetric")
    record = json.loads(records.path(job).read_bytes())
    record["arrays"] = record["slim"]["arrays"]
    record["hash"] = content_hash(record)
    records.path(job).write_text(json.dumps(record))
    assert records.arrays(job) is None and job in records.refused


@pytest.mark.parametrize("slim", [None, 1, [], {}, {"without": None}, {"without": "distribution"}, {"without": [1]}])
def test_a_record_that_names_no_arrays_that_it_lacks_is_refused(tmp_path: Path, slim: object) -> None:
    _, records, job = shipped(tmp_path, "symmetric")
    record = json.loads(records.path(job).read_bytes()) | {"slim": slim}
    record["hash"] = content_hash(record)
    records.path(job).write_text(json.dumps(record))
    assert records.arrays(job, ("distribution",)) is None and "slim.without" in records.refused[job]
