"""The form of a record, and the one validator that says whether a file is one.

Planning, drawing, import and the exit status all ask `check_record`. What lies beside a record as arrays is held against the
hash that the record was kept with (`results.records`).
"""

import json
import re
from math import isfinite
from pathlib import Path
from typing import Any

from results.job import Job, json_digest

SCHEMA = 1
ID = re.compile(r"[0-9a-f]{20}")
RULES = {
    "last": "last epoch",
    "best": "best epoch on the test set",
    "last5": "mean of the last five epochs",
    "noisy_val": "epoch chosen on 10 % of the training images with their noisy labels",
}
ENOUGH_SEEDS = 5  # for ranks, findings and verdicts
LAST_EPOCHS = 5  # of 'last5'
# Numbers that every record holds, and the largest that can be.
MEASURED: dict[str, float] = {
    **{f"metrics.{rule}": 1.0 for rule in ("last", "best", "last5")},
    "noise.realised": 1.0,
    "times.total": 1e9,
    "peak_memory": 1e15,
}
# Fields that planning and drawing read, with their types.
SHAPE = {
    "spec.seed": int,
    "spec.method": str,
    "spec.data.name": str,
    "spec.data.fingerprint": str,
    "spec.noise.kind": str,
    "spec.overrides": dict,
    "spec.scale": dict,
    "resolved.recipe": dict,
    "resolved.weights": dict,
    "resolved.data.class_names": list,
    "resolved.scale_notes": list,
    "noise": dict,
    "history": dict,
    "times": dict,
    "cost": dict,
    "provenance": dict,
}
WORDS = {dict: "a section", str: "a text", int: "a whole number", list: "a list"}


class Refused(ValueError):
    """A record that is not what its name says; the message is one line."""


def content_hash(record: dict[str, Any]) -> str:
    """The hash of all of a record but the hash itself, as it is read back from JSON."""
    return json_digest({key: value for key, value in record.items() if key != "hash"})


def check_record(text: str | bytes, job_id: str, path: Path) -> dict[str, Any]:
    """A record as parsed JSON; raises Refused where it is broken, lacks something, or is not what it or its name says."""
    try:
        record = json.loads(text)
        complaint = find_fault(record, job_id)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        complaint = f"not a whole record ({type(error).__name__}: {error})"
    if complaint:
        raise Refused(f"{path}: {complaint}; the job has to run again")
    return record


def find_fault(record: dict[str, Any], job_id: str) -> str | None:
    """Why a parsed record cannot be used, None where it can."""
    if record["id"] != job_id or json_digest(record["spec"]) != job_id:
        return "field 'spec' does not hash to the record's name"
    if content_hash(record) != record.get("hash"):
        return "its content does not hash to its field 'hash' (edited?)"
    if record["schema"] != SCHEMA or record["status"] != "ok":
        return f"schema {record['schema']!r}, status {record['status']!r}; expected {SCHEMA} and 'ok'"
    try:
        Job(**record["spec"])
    except TypeError as error:
        return f"field 'spec' is not that of a job ({error})"
    for field_path, kind in SHAPE.items():
        value = read_field(record, field_path)
        if type(value) is not kind:
            return f"field '{field_path}' is {'missing' if value is None else f'{value!r:.40}'}, expected {WORDS[kind]}"
    for field_path, largest in MEASURED.items():
        value = read_field(record, field_path)
        if type(value) not in (int, float) or not isfinite(value) or not 0 <= value <= largest:
            return f"field '{field_path}' is {value!r:.40}, expected a number from 0 to {largest:g}"
    for name in ("noisy_val", "held_out"):
        share = record["metrics"].get(name)
        if share is not None and not (type(share) in (int, float) and 0 <= share <= 1):
            return f"field 'metrics.{name}' is {share!r:.40}, expected a number from 0 to 1"
    if not all(isinstance(value, str) for value in record["spec"]["overrides"].values()):
        return "field 'spec.overrides' holds something else than texts"
    left_out_names = read_field(record, "slim.without")
    if "slim" in record and not (
        isinstance(left_out_names, list) and all(isinstance(name, str) for name in left_out_names)
    ):
        return f"field 'slim.without' is {left_out_names!r:.40}, expected a list of names of arrays"
    return None


def read_field(record: dict[str, Any], field_path: str) -> Any:
    """The value at 'metrics.last', None where there is none."""
    value: Any = record
    for name in field_path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def changed_settings(record: dict[str, Any]) -> dict[str, str]:
    """What was set about a run beyond the settings that its method declares for the scale: {'scn.beta': '0.8'}.

    'published' stands for a declared setting that was put back.
    """
    overrides = record["spec"]["overrides"]
    chosen_settings = record["resolved"].get("chosen_settings", {})
    changed_values = {key: value for key, value in overrides.items() if chosen_settings.get(key) != value}
    return changed_values | {key: "published" for key in chosen_settings if key not in overrides}


def record_seed(record: dict[str, Any]) -> int:
    return record["spec"]["seed"]


def realised_rate(record: dict[str, Any]) -> float:
    """Share of the training labels that the noise made wrong."""
    return record["noise"]["realised"]


def class_names(record: dict[str, Any]) -> list[str]:
    return [str(name) for name in record["resolved"]["data"]["class_names"]]


def data_title(record: dict[str, Any]) -> str:
    """The data set's name in tables."""
    return str(record["resolved"]["data"].get("title", record["spec"]["data"]["name"]))
