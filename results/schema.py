"""The form of a record, and the one validator that says whether a file is one."""

import json
from pathlib import Path
from typing import Any

from results.job import Job, digest

# Numbers that every record holds, and the largest that can be.
MEASURED: dict[str, float] = {
    **{f"metrics.{rule}": 1.0 for rule in ("last", "best", "last5")},
    "noise.realised": 1.0,
    "times.total": 1e9,
    "peak_memory": 1e15,
}
SCHEMA = 1


class Refused(ValueError):
    """A record that is not what its name says; the message is one line."""


def content_hash(record: dict[str, Any]) -> str:
    """The hash of all of a record but the hash itself, as it is read back from JSON."""
    return digest({key: value for key, value in record.items() if key != "hash"})


def check(text: str | bytes, job_id: str, path: Path) -> dict[str, Any]:
    """A record as parsed JSON; raises Refused where it is broken, or is not what it or its name says."""
    try:
        record = json.loads(text)
        spec, status = record["spec"], record["status"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Refused(
            f"{path}: not a whole record ({type(error).__name__}: {error}); the job has to run again"
        ) from None
    if record.get("id") != job_id or digest(spec) != job_id:
        raise Refused(f"{path}: field 'spec' does not hash to the record's name; the job has to run again")
    if content_hash(record) != record.get("hash"):
        raise Refused(f"{path}: its content does not hash to its field 'hash' (edited?); the job has to run again")
    if status != "ok" or record.get("schema") != SCHEMA:
        raise Refused(f"{path}: schema {record.get('schema')!r}, status {status!r}; expected {SCHEMA} and 'ok'")
    return record


def incomplete(record: dict[str, Any]) -> str | None:
    """What somebody else's record lacks that planning and drawing count on; None where it is whole."""
    try:
        job = Job(**record["spec"])
        if not (isinstance(job.method, str) and type(job.seed) is int and isinstance(job.data["name"], str)):
            return "field 'spec' is not that of a job"
        job.noise["kind"].partition(":")
    except (TypeError, KeyError, AttributeError) as error:
        return f"field 'spec' is not that of a job ({error})"
    for where, most in MEASURED.items():
        value: Any = record
        for name in where.split("."):
            value = value.get(name) if isinstance(value, dict) else None
        if type(value) not in (int, float) or not 0 <= value <= most:
            return f"field '{where}' is {value!r:.40}, expected a number from 0 to {most:g}"
    return None
