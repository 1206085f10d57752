"""A whole record of a job that nobody trained."""

from typing import Any

from results.job import Job
from results.schema import SCHEMA


def small_record(job: Job, **more: Any) -> dict[str, Any]:
    """Every section that a record has, with as little in it as is read; more: sections in their place."""
    record = {
        "schema": SCHEMA,
        "id": job.id,
        "status": "ok",
        "spec": job.spec,
        "resolved": {"recipe": {}, "weights": {}, "scale_notes": [], "data": {"class_names": []}},
        "noise": {"realised": 0.1},
        "metrics": {"last": 0.5, "best": 0.6, "last5": 0.5},
        "history": {},
        "times": {"total": 1.0},
        "peak_memory": 1,
        "cost": {},
        "provenance": {},
    }
    return record | more
