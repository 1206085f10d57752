"""Nothing measured is lost or changed; what is not sound is refused in one line."""

import json
import os
import threading
from pathlib import Path

import numpy as np
import pytest
from small_records import small_record
from test_job import JOB

from benchmark.commands.import_records import import_records
from results.job import json_digest
from results.schema import Refused
from results.store import Store

ARRAYS = {"predictions": np.zeros((2, 5), np.uint8)}


def record(accuracy: float = 0.5) -> dict:
    return small_record(JOB, metrics={"last": accuracy, "best": accuracy, "last5": accuracy})


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert store.read(JOB.id) is None and not store.done(JOB.id)
    store.write(record(), ARRAYS)
    assert store.done(JOB.id)
    assert store.read(JOB.id)["metrics"]["last"] == 0.5
    with np.load(store.path(JOB.id).with_suffix(".npz")) as arrays:
        assert np.array_equal(arrays["predictions"], ARRAYS["predictions"])


def test_a_finished_record_is_never_written_over(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.write(record(0.5), ARRAYS)
    store.write(record(0.9), ARRAYS)
    assert store.read(JOB.id)["metrics"]["last"] == 0.5


def test_force_keeps_the_old_record_under_another_name(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.write(record(0.5), ARRAYS)
    store.set_aside(JOB.id)
    assert not store.done(JOB.id)
    assert [json.loads(p.read_text())["metrics"]["last"] for p in tmp_path.rglob("*.json.*.old")] == [0.5]


def test_a_half_written_or_edited_record_is_refused_and_run_again(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.write(record(), ARRAYS)
    path = store.path(JOB.id)
    whole = path.read_text()
    path.write_text(whole[: len(whole) // 2])
    with pytest.raises(Refused, match="not a whole record"):
        store.read(JOB.id)
    path.write_text(whole.replace('"seed": 0', '"seed": 1'))
    with pytest.raises(Refused, match="does not hash"):
        store.read(JOB.id)
    assert not store.done(JOB.id)
    store.write(record(), ARRAYS)
    assert store.done(JOB.id)


def test_a_record_without_its_arrays_does_not_count(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.write(record(), ARRAYS)
    store.path(JOB.id).with_suffix(".npz").unlink()
    assert not store.done(JOB.id)


def test_a_full_disk_leaves_no_half_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path)

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        store.write(record(), ARRAYS)
    monkeypatch.undo()
    assert not store.done(JOB.id)
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


def test_attempts_are_counted_once_each_by_many_launchers(tmp_path: Path) -> None:
    numbers: list[int] = []
    threads = [threading.Thread(target=lambda: numbers.append(Store(tmp_path).begin_attempt("ab"))) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(numbers) == list(range(1, 17))


def test_import_takes_sound_records_and_names_the_others(tmp_path: Path) -> None:
    theirs, ours = Store(tmp_path / "theirs"), tmp_path / "ours"
    theirs.write(record(), ARRAYS)
    edited = dict(JOB.spec, seed=9)
    broken = theirs.root / "aa" / ("a" * 20 + ".json")
    broken.parent.mkdir()
    broken.write_text(json.dumps(record() | {"id": "a" * 20, "spec": edited}))
    text = str(import_records(theirs.root, ours))
    assert "imported 1 record" in text and "1 refused" in text and "does not hash" in text
    assert Store(ours).done(JOB.id)
    assert "imported 0 records, 1 here already" in str(import_records(theirs.root, ours))


def test_import_refuses_changed_arrays_and_other_protocols(tmp_path: Path) -> None:
    theirs = Store(tmp_path / "theirs")
    theirs.write(record(), ARRAYS)
    theirs.path(JOB.id).with_suffix(".npz").write_bytes(b"something else")
    assert "does not hash to the record's field 'arrays'" in str(import_records(theirs.root, tmp_path / "ours"))
    spec = dict(JOB.spec, protocol=99)
    other = Store(tmp_path / "other")
    other.write(record() | {"id": json_digest(spec), "spec": spec}, ARRAYS)
    assert "protocol 99" in str(import_records(other.root, tmp_path / "ours"))
    assert list(Store(tmp_path / "ours").records()) == []
