"""What is kept of jobs beside their records, and what is read back: failures, attempts, arrays, printed accuracies."""

import hashlib
import json
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_records import small_record

from results import published
from results.files import write_json
from results.job import Job, json_digest, number_text, stream_seed
from results.records import Records
from results.schema import Refused, class_names, content_hash, data_title, realised_rate, record_seed
from results.store import Store

DATA = {"name": "faces", "fingerprint": "0123456789abcdef", "landmarks": None}
JOB = Job("lanet", 1, DATA, {"kind": "votes", "rate": None}, 4, "fp32", "comparison", {"name": "demo"}, "random")
ARRAYS = {"predictions": np.arange(10, dtype=np.uint8), "margin": np.ones(3, np.float16)}


def record(job: Job = JOB, **more: Any) -> dict[str, Any]:
    found = small_record(job, noise={"realised": 0.25})
    found["resolved"]["data"]["class_names"] = ["fear", "joy"]
    return found | more


def kept(folder: Path, **more: Any) -> Store:
    store = Store(folder)
    store.write(record(**more), dict(ARRAYS))
    return store


def test_a_record_is_one_indented_text_beside_its_arrays(tmp_path: Path) -> None:
    store = kept(tmp_path)
    path = tmp_path / JOB.id[:2] / f"{JOB.id}.json"
    assert store.path(JOB.id) == path and path.read_text().startswith('{\n "schema": 1,\n "id": ')
    assert sorted(p.name for p in path.parent.iterdir()) == [f"{JOB.id}.json", f"{JOB.id}.npz"]
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "x.json", float("nan"))
    assert not (tmp_path / "x.json").exists()


def test_places_of_a_job_have_its_name(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert store.checkpoint("ab") == tmp_path / "checkpoints" / "ab.pt"
    assert store.log("ab") == tmp_path / "logs" / "ab.log" and store.lock("ab") == tmp_path / "locks" / "ab"


def test_what_made_a_record_is_remembered_and_why_one_is_refused(tmp_path: Path) -> None:
    store = kept(tmp_path, code="statements:1")
    other = Store(tmp_path)
    assert other.done(JOB.id) and other.codes == {JOB.id: "statements:1"}
    store.path(JOB.id).with_suffix(".npz").write_bytes(b"other")
    assert other.done(JOB.id)  # seen before
    again = Store(tmp_path)
    assert not again.done(JOB.id) and not again.done("a" * 20)
    assert list(again.refused) == [JOB.id] and "damaged: it is not the file" in again.refused[JOB.id]


def test_setting_aside_moves_record_and_arrays(tmp_path: Path) -> None:
    store = kept(tmp_path)
    store.set_aside(JOB.id)
    names = sorted(p.name for p in store.path(JOB.id).parent.iterdir())
    assert len(names) == 2 and all(name.startswith(f"{JOB.id}.") and name.endswith(".old") for name in names)
    assert [name.split(".")[1] for name in names] == ["json", "npz"]
    store.set_aside(JOB.id)  # nothing is there
    store.write(record(), dict(ARRAYS))
    assert store.done(JOB.id)
    store.set_aside(JOB.id)
    assert not store.done(JOB.id)  # seen before, and gone
    store.write(record(), dict(ARRAYS))
    assert store.done(JOB.id)


def test_a_network_lies_beside_its_record_and_goes_with_it(tmp_path: Path) -> None:
    store = kept(tmp_path)
    assert not store.has_network(JOB.id)
    store.network(JOB.id).touch()
    assert not store.has_network(JOB.id)  # half of one
    store.path(JOB.id).with_suffix(".network.json").write_text("{}")
    assert store.has_network(JOB.id) and store.network(JOB.id).name == f"{JOB.id}.safetensors"
    assert [found["id"] for found in store.records()] == [JOB.id] and store.refused == {}
    left = store.network(JOB.id).with_name(f".{JOB.id}.safetensors.half")
    left.touch()
    store.sweep(JOB.id)
    assert not left.exists() and store.has_network(JOB.id)
    store.set_aside(JOB.id)
    assert not store.has_network(JOB.id) and len(list(store.path(JOB.id).parent.glob("*.old"))) == 4


def test_a_record_of_damaged_arrays_makes_room_for_another(tmp_path: Path) -> None:
    store = kept(tmp_path)
    store.path(JOB.id).with_suffix(".npz").write_bytes(b"other")
    fresh = Store(tmp_path)
    fresh.write(record(), dict(ARRAYS))
    assert fresh.done(JOB.id) and len(list(tmp_path.rglob("*.old"))) == 2


def test_failures_are_told_latest_first_and_kept_when_forgotten(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert store.failure("ab") is None and store.failure_of("ab", 1) is None
    for attempt in (1, 2, 10):
        store.fail("ab", attempt, {"class": "error", "message": f"number {attempt}"})
    store.fail("abc", 11, {"class": "oom"})
    first = {"id": "ab", "attempt": 1, "class": "error", "message": "number 1"}
    assert json.loads((tmp_path / "failures" / "ab-1.json").read_text()) == first == store.failure_of("ab", 1)
    assert store.failure("ab")["message"] == "number 10"
    (tmp_path / "failures" / "ab-10.json").write_text("{")
    assert store.failure_of("ab", 10) is None and store.failure("ab")["message"] == "number 2"
    (tmp_path / "failures" / "ab-2.json").write_text('{"class": 3}')
    assert store.failure_of("ab", 2) is None and store.failure("ab")["message"] == "number 1"
    (tmp_path / "failures" / "ab-x.json").write_text("{}")  # not an attempt's
    assert store.failure("ab")["message"] == "number 1"
    store.begin_attempt("ab")
    store.forget_failures("ab")
    assert store.failure("ab") is None and store.attempts("ab") == 0 and store.failure("abc") is not None
    old = [p.name for p in (tmp_path / "failures").glob("ab-*")]
    assert len(old) == 4 and all(re.fullmatch(r"ab-\w+\.\d+\.old", name) for name in old)
    store.forget_failures("nothing")


def test_attempts_hold_their_launch_and_kills_count_those_without_a_word(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert store.attempts("ab") == store.kills("ab", "mine") == 0
    assert [store.begin_attempt("ab", launch) for launch in ("mine", "theirs", "mine", "theirs")] == [1, 2, 3, 4]
    assert store.attempts("ab") == 4
    assert (tmp_path / "attempts" / "ab" / "2").read_text() == "theirs"
    assert store.kills("ab", "mine") == store.kills("ab", "theirs") == 2 and store.kills("ab", "other") == 0
    store.fail("ab", 1, {"class": "error"})
    assert store.kills("ab", "mine") == 1  # the first one said why
    store.fail("ab", 2, {"class": "killed"})
    assert store.kills("ab", "mine") == 2 and store.kills("ab", "other") == 1
    (tmp_path / "attempts" / "ab" / "2").unlink()
    assert store.begin_attempt("ab") == 5  # three are left, but the fourth is taken
    assert (tmp_path / "attempts" / "ab" / "5").read_text() == ""


def test_sweeping_takes_what_is_half_written_and_finishing_what_a_run_needs(tmp_path: Path) -> None:
    store = kept(tmp_path)
    path = store.path(JOB.id)
    for folder in ("checkpoints", "locks"):
        (tmp_path / folder).mkdir()
    left = [path.parent / f".{path.name}.1", path.parent / f".{JOB.id}.npz.2", tmp_path / f"checkpoints/.{JOB.id}.pt.3"]
    others = [path.parent / ".other.json.1", store.checkpoint(JOB.id), store.lock(JOB.id)]
    for each in (*left, *others):
        each.write_bytes(b"")
    store.sweep(JOB.id)
    assert not any(each.exists() for each in left) and all(each.exists() for each in others)
    store.finish(JOB.id)
    store.finish(JOB.id)  # what is gone is gone
    assert not store.checkpoint(JOB.id).exists() and not store.lock(JOB.id).exists() and store.done(JOB.id)


def test_every_sound_record_comes_in_the_order_of_names(tmp_path: Path) -> None:
    jobs = [replace(JOB, seed=n) for n in range(4)]
    store = Store(tmp_path)
    for job in jobs:
        store.write(record(job), dict(ARRAYS))
    broken = sorted(job.id for job in jobs)[1]
    store.path(broken).write_text("{}")
    read = Records(tmp_path)
    assert [r["id"] for r in read.records()] == [name for name in sorted(j.id for j in jobs) if name != broken]
    assert list(read.refused) == [broken] and "not a whole record" in read.refused[broken]
    assert read.get(broken) is None and read.get(jobs[0].id) != {} and read.get("b" * 20) is None
    store.path(jobs[0].id).unlink()
    assert jobs[0].id == broken or read.get(jobs[0].id) is not None  # read once


def test_a_record_that_lies_elsewhere_is_read_from_there(tmp_path: Path) -> None:
    kept(tmp_path / "theirs")
    read = Records(tmp_path / "ours", {JOB.id: tmp_path / "theirs"})
    assert read.get(JOB.id)["spec"] == JOB.spec and read.arrays(JOB.id) is not None
    assert Records(tmp_path / "ours").get(JOB.id) is None


def test_named_arrays_are_read_and_what_ships_without_one_says_so(tmp_path: Path) -> None:
    store = kept(tmp_path)
    read = Records(tmp_path)
    assert list(read.arrays(JOB.id, ["margin"])) == ["margin"] and set(read.arrays(JOB.id)) == set(ARRAYS)
    assert read.arrays("b" * 20) is None and read.refused == {}
    assert read.arrays(JOB.id, ["distribution"]) is None and "distribution" in read.refused[JOB.id]
    held = json.loads(store.path(JOB.id).read_text()) | {"slim": {"without": ["distribution"]}}
    held["hash"] = content_hash(held)
    store.path(JOB.id).write_text(json.dumps(held))
    slim = Records(tmp_path)
    assert slim.arrays(JOB.id, ["margin"]) is not None and slim.arrays(JOB.id, ["margin", "distribution"]) is None
    npz = store.path(JOB.id).with_suffix(".npz")
    words = "it ships without 'distribution', which is drawn under other noises only; the job has to run again"
    assert slim.refused == {JOB.id: f"{npz}: {words}"}
    npz.write_bytes(npz.read_bytes() + b"0")
    other = Records(tmp_path)
    assert other.arrays(JOB.id) is None and "is not the one the record was kept with" in other.refused[JOB.id]


def test_arrays_are_hashed_once_and_again_when_their_file_is_another(tmp_path: Path) -> None:
    store = kept(tmp_path)
    npz = store.path(JOB.id).with_suffix(".npz")
    with store.remembering():
        store.need_arrays(store.read(JOB.id))
    stat = npz.stat()
    assert json.loads((tmp_path / "checked.json").read_text()) == {JOB.id: [stat.st_size, stat.st_mtime_ns]}
    whole = npz.read_bytes()
    npz.write_bytes(bytes(len(whole)))
    os.utime(npz, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    later = Records(tmp_path)
    with later.remembering():
        later.need_arrays(store.read(JOB.id))  # the same size and time
    os.utime(npz, ns=(1, 1))
    with later.remembering(), pytest.raises(Refused, match="damaged"):
        later.need_arrays(store.read(JOB.id))
    with pytest.raises(Refused, match="damaged"):
        Records(tmp_path).need_arrays(store.read(JOB.id))  # nothing is remembered
    npz.unlink()
    with pytest.raises(Refused, match=r"No such file or directory; the job has to run again$"):
        Records(tmp_path).need_arrays(store.read(JOB.id))
    (tmp_path / "checked.json").write_text("[1]")
    with later.remembering():
        assert later.ledger == {}


def test_code_that_gave_the_same_bits_is_kept(tmp_path: Path) -> None:
    read = Records(tmp_path)
    assert read.proved() == {}
    read.note_proved("scn", "a", "a")
    assert read.proved() == {} and not (tmp_path / "reproduced.json").exists()
    read.note_proved("scn", "a", "b")
    read.note_proved("scn", "a", "b")
    read.note_proved("scn", "a", "c")
    read.note_proved("rul", "d", "e")
    assert Records(tmp_path).proved() == {"scn": {"a": ["b", "c"]}, "rul": {"d": ["e"]}}
    (tmp_path / "reproduced.json").write_text("[]")
    assert read.proved() == {}


def test_what_was_proved_step_by_step_is_proved_both_ways_and_of_one_method(tmp_path: Path) -> None:
    read = Records(tmp_path)
    for before, now in (("a", "b"), ("b", "c"), ("x", "c"), ("d", "e")):
        read.note_proved("scn", before, now)
    assert read.same_bits("scn", "a", "c") and read.same_bits("scn", "c", "a") and read.same_bits("scn", "a", "x")
    assert not read.same_bits("scn", "a", "d") and not read.same_bits("rul", "a", "b")
    assert read.same_bits("rul", "a", "a")


def test_the_data_of_a_record_are_found_by_a_name_that_cannot_lead_elsewhere(tmp_path: Path) -> None:
    read = Records(tmp_path)
    assert read.data_folder(record()) is None
    folder = tmp_path / "data" / "faces-0123456789ab"
    folder.mkdir(parents=True)
    assert read.data_folder(record()) == folder
    for wrong in ({"name": "../faces"}, {"fingerprint": "0123456789a/"}, {"fingerprint": "0123456789a"}):
        assert read.data_folder({"spec": {"data": DATA | wrong}}) is None
    (tmp_path / "data" / "Faces_2-ffffffffffff").mkdir()
    assert read.data_folder({"spec": {"data": {"name": "Faces_2", "fingerprint": "f" * 40}}}) is not None
    assert read.data_folder({"spec": {"data": {"name": "Faces_2", "fingerprint": "F" * 40}}}) is None


CHANGES: list[tuple[str, Any, str]] = [
    ("schema", 2, "schema 2, status 'ok'; expected 1 and 'ok'"),
    ("status", "bad", "schema 1, status 'bad'; expected 1 and 'ok'"),
    ("metrics.noisy_val", 1.5, "field 'metrics.noisy_val' is 1.5, expected a number from 0 to 1"),
    ("metrics.noisy_val", "1", "field 'metrics.noisy_val' is '1', expected a number from 0 to 1"),
    ("metrics.noisy_val", -0.1, "field 'metrics.noisy_val' is -0.1"),
    ("metrics.best", None, "field 'metrics.best' is None, expected a number from 0 to 1"),
    ("metrics.last5", True, "field 'metrics.last5' is True"),
    ("noise.realised", 1.01, "field 'noise.realised' is 1.01"),
    ("times.total", 1e10, "field 'times.total' is 10000000000.0, expected a number from 0 to 1e+09"),
    ("peak_memory", -1, "field 'peak_memory' is -1, expected a number from 0 to 1e+15"),
    ("history", [], "field 'history' is [], expected a section"),
    ("resolved.scale_notes", None, "field 'resolved.scale_notes' is missing, expected a list"),
    ("resolved.data.class_names", "x" * 50, "field 'resolved.data.class_names' is 'xxxxxxxxx"),
    ("provenance", None, "field 'provenance' is missing, expected a section"),
]


@pytest.mark.parametrize(("where", "value", "complaint"), CHANGES)
def test_a_record_with_one_wrong_field_is_refused_by_its_name(
    tmp_path: Path, where: str, value: Any, complaint: str
) -> None:
    store = kept(tmp_path)
    held = json.loads(store.path(JOB.id).read_text())
    *parents, leaf = where.split(".")
    part = held
    for name in parents:
        part = part[name]
    part[leaf] = value
    held["hash"] = content_hash(held)
    store.path(JOB.id).write_text(json.dumps(held))
    with pytest.raises(Refused) as refused:
        store.read(JOB.id)
    assert complaint in str(refused.value) and str(refused.value).endswith("; the job has to run again")
    assert str(refused.value).startswith(f"{store.path(JOB.id)}: ")


def test_largest_and_smallest_numbers_and_what_may_be_missing_are_sound(tmp_path: Path) -> None:
    edge = {"metrics": {"last": 0, "best": 1, "last5": 1.0, "noisy_val": 1}, "noise": {"realised": 0}}
    store = kept(tmp_path, **edge, times={"total": 1e9}, peak_memory=10**15)
    found = store.read(JOB.id)
    assert found["metrics"]["noisy_val"] == 1 and found["peak_memory"] == 10**15
    held = json.loads(store.path(JOB.id).read_text())
    held["metrics"]["last"] = 0.123
    store.path(JOB.id).write_text(json.dumps(held))
    with pytest.raises(Refused, match=r": its content does not hash to its field 'hash' \(edited\?\); the job"):
        store.read(JOB.id)


def test_what_cannot_be_read_and_what_is_another_s_is_named(tmp_path: Path) -> None:
    store = kept(tmp_path, metrics={"last": 0.5, "best": 0.5, "last5": 0.5, "noisy_val": 0.25})
    path = store.path(JOB.id)
    assert store.read(JOB.id)["metrics"]["noisy_val"] == 0.25
    whole = json.loads(path.read_text())
    whole["spec"]["overrides"] = {"a.b": 1}
    whole["id"] = json_digest(whole["spec"])
    whole["hash"] = content_hash(whole)
    other = store.path(whole["id"])
    other.parent.mkdir(exist_ok=True)
    other.write_text(json.dumps(whole))
    words = "field 'spec.overrides' holds something else than texts; the job has to run again"
    with pytest.raises(Refused, match=rf"^{other}: {words}$"):
        store.read(whole["id"])
    path.write_text(json.dumps(whole))
    with pytest.raises(Refused, match=r": field 'spec' does not hash to the record's name; the job has to run again$"):
        store.read(JOB.id)
    path.write_text("[]")
    with pytest.raises(Refused, match=rf"^{path}: not a whole record \(TypeError: "):
        store.read(JOB.id)
    path.unlink()
    path.mkdir()
    with pytest.raises(Refused, match=rf"^{path}: Is a directory$"):
        store.read(JOB.id)


def test_fields_that_reports_draw(tmp_path: Path) -> None:
    found = record()
    assert (record_seed(found), realised_rate(found), class_names(found), data_title(found)) == (
        4,
        0.25,
        ["fear", "joy"],
        "faces",
    )
    found["resolved"]["data"]["title"] = "Faces"
    assert data_title(found) == "Faces"


def test_a_job_is_named_by_its_spec_and_told_in_a_few_words() -> None:
    assert JOB.text == "lanet faces votes seed 4" and hash(JOB) == hash(JOB.id) and {JOB, replace(JOB)} == {JOB}
    more = replace(JOB, noise={"kind": "symmetric", "rate": "0.1"}, overrides={"a.b": "1", "c.d": "x"}, part="correct")
    assert more.text == "lanet faces symmetric 0.1 a.b=1 c.d=x correct labels only seed 4"
    assert "weights2" not in JOB.spec and replace(JOB, weights2="random").spec["weights2"] == "random"
    assert number_text(1e-7) == "1e-07" and number_text("2") == "2" and number_text(1 / 3) == "0.333333333333"
    digits = hashlib.sha256(b'["augment","faces","0","1"]').hexdigest()
    assert stream_seed("augment", "faces", 0, 1) == int(digits[:16], 16) // 2


@pytest.mark.parametrize(
    ("cell", "text", "classes"),
    [
        (("asymmetric", "0.1", "baseline", "rafdb"), "80.93±0.49", None),
        (("asymmetric", "0.1", "baseline", "affectnet"), "57.05±0.26", None),
        (("symmetric", "0.1", "baseline", "ferplus"), "83.29", None),
        (("symmetric", "0.1", "scn", "ferplus"), None, 8),
        (("none", None, "eac", "ferplus"), None, 7),
    ],
)
def test_a_printed_accuracy_is_found_by_its_cell(cell: tuple, text: str | None, classes: int | None) -> None:
    found = published.find_published(*cell)
    assert found is not None and found.classes == classes and found.source == ""
    if text:
        assert found.text == text
    rows = published.rows_of(published.FILES[cell[0]])
    named = [
        r for r in rows if (r["method"], r["dataset"]) == (published.METHODS[cell[2]], published.DATASETS[cell[3]])
    ]
    assert f"{found.mean:.2f}" in {r.get("mean") or r.get("accuracy") for r in named if r.get("rate") == cell[1]}


def test_what_was_not_printed_is_not_found_and_of_class_sets_the_asked_or_the_larger() -> None:
    assert published.find_published("asymmetric", "0.5", "baseline", "rafdb") is None
    assert published.find_published("asymmetric", "0.1", "mine", "rafdb") is None
    assert published.find_published("asymmetric", "0.1", "baseline", "faces") is None
    chosen = [published.find_published("none", None, "lanet", "affectnet", wanted) for wanted in (None, 7, 8, 5)]
    assert [(found.classes, found.mean) for found in chosen if found] == [
        (8, 64.24),
        (7, 67.09),
        (8, 64.24),
        (8, 64.24),
    ]


def test_every_row_of_later_methods_is_found_with_its_source() -> None:
    for row in published.rows_of("later_methods.csv"):
        names = [name for name, printed in published.LATER.items() if printed == row["method"]]
        data = [
            n
            for n, printed in published.DATASETS.items()
            if row["dataset"] in (printed, f"{printed}-7", f"{printed}-8")
        ]
        if names and data:
            rate = None if row["noise_type"] == "none" else row["rate"]
            found = published.later_accuracies()[row["noise_type"], rate, row["method"], published.DATASETS[data[0]]]
            assert published.find_published(row["noise_type"], rate, names[0], data[0]) in found
            source = f"{row['method']} ({row['rule'] or 'epoch rule not stated'}), {row['source']}"
            std, classes = (
                kind(row[field]) if row[field] else None for field, kind in (("std", float), ("classes", int))
            )
            assert published.Published(float(row["mean"]), std, classes, source) in found


def test_facts_of_the_supplement_are_read_by_name() -> None:
    assert published.supplement_facts()["temperature_grid"] == "0.05;0.07;0.1;0.15;0.2"
    assert published.Published(1.0, 0.5).text == "1.00±0.50" and published.Published(2.345).text == "2.35"
