"""Reading records: sound ones are given, everything else is refused in one line."""

import numpy as np
import pytest
from records import rewrite, write_record

from results.job import json_digest
from results.records import Records


def test_a_sound_record_and_its_arrays_are_read(tmp_path):
    record_id = write_record(tmp_path, method="eac", accuracy=0.5)
    records = Records(tmp_path)
    assert records.get(record_id)["spec"]["method"] == "eac"
    assert records.arrays(record_id, ["predictions"])["predictions"].shape == (2, 200)
    assert not records.refused


def test_the_id_is_the_hash_of_canonical_json():
    assert json_digest({"b": 1, "a": "é"}) == json_digest({"a": "é", "b": 1})
    assert json_digest({"a": 1}) == "015abd7f5cc57a2dd94b"


def test_an_id_that_was_never_run_is_absent_not_refused(tmp_path):
    records = Records(tmp_path)
    assert records.get("0" * 20) is None
    assert not records.refused


@pytest.mark.parametrize("record_id", ["../../etc/passwd", "x" * 20, "", "A" * 20])
def test_what_is_not_an_id_is_never_opened(tmp_path, record_id):
    records = Records(tmp_path)
    assert records.get(record_id) is None
    assert "not a record id" in records.refused[record_id]


@pytest.mark.parametrize(
    ("edit", "complaint"),
    [
        (lambda r: r["spec"].update(seed=7), "does not hash"),
        (lambda r: r.update(id="0" * 20), "does not hash"),
        (lambda r: r.update(status="failed"), "status 'failed'"),
        (lambda r: r.update(schema=99), "schema 99"),
        (lambda r: r["metrics"].update(last="<script>"), "metrics.last"),
        (lambda r: r["metrics"].update(last=float("nan")), "metrics.last"),
        (lambda r: r["metrics"].update(best=80.0), "metrics.best"),
        (lambda r: r["metrics"].pop("last5"), "metrics.last5"),
        (lambda r: r.pop("noise"), "'noise' is missing"),
        (lambda r: r["noise"].update(realised="<b>"), "noise.realised"),
        (lambda r: r["resolved"].update(recipe="x"), "resolved.recipe"),
        (lambda r: r["resolved"].update(data=[]), "resolved.data.class_names"),
        (lambda r: r.update(history=[]), "'history' is [], expected a section"),
        (lambda r: r.pop("metrics"), "metrics.last"),
    ],
)
def test_a_changed_record_is_refused_in_one_line(tmp_path, edit, complaint):
    record_id = write_record(tmp_path)
    rewrite(tmp_path, record_id, edit)
    records = Records(tmp_path)
    assert records.get(record_id) is None
    assert complaint in records.refused[record_id]
    assert "\n" not in records.refused[record_id]


def test_an_accuracy_edited_by_hand_is_refused(tmp_path):
    record_id = write_record(tmp_path)
    rewrite(tmp_path, record_id, lambda record: record["metrics"].update(last=0.99), rehash=False)
    records = Records(tmp_path)
    assert records.get(record_id) is None
    assert "edited?" in records.refused[record_id]


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 100_000])
def test_half_a_record_is_refused(tmp_path, text):
    record_id = write_record(tmp_path)
    (tmp_path / record_id[:2] / f"{record_id}.json").write_text(text)
    records = Records(tmp_path)
    assert records.get(record_id) is None
    assert "not a whole record" in records.refused[record_id]


def test_arrays_that_are_not_the_record_s_own_are_refused(tmp_path):
    record_id = write_record(tmp_path)
    np.savez(tmp_path / record_id[:2] / f"{record_id}.npz", predictions=np.zeros((1, 4), np.uint8))
    records = Records(tmp_path)
    assert records.arrays(record_id, ["predictions"]) is None
    assert "not the one the record was kept with" in records.refused[record_id]


def test_pickled_arrays_are_never_loaded(tmp_path):
    record_id = write_record(tmp_path, arrays={"wrongness": np.array([{}], dtype=object)})
    records = Records(tmp_path)
    assert records.arrays(record_id, ["wrongness"]) is None
    assert "allow_pickle" in records.refused[record_id]


def test_a_data_set_name_cannot_leave_the_results_folder(tmp_path):
    (tmp_path / "results" / "data").mkdir(parents=True)
    (tmp_path / f"secret-{'ab' * 6}").mkdir()
    record_id = write_record(tmp_path / "results", dataset="../../secret")
    records = Records(tmp_path / "results")
    assert records.data_folder(records.get(record_id)) is None
