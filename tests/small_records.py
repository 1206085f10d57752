"""A whole record of a job that nobody trained, and whether one was trained on a machine like this."""

from typing import Any

import torch

from benchmark.hardware import has_bf16
from benchmark.train.provenance import processor_name
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


def has_our_bits(record: dict[str, Any]) -> bool:
    """Whether the record was made on this kind of processor with this torch."""
    made, here = record["provenance"], processor_name()
    # Until December 2026 records had no more than a name that several kinds share; what ships was made where bf16 is.
    same_kind = made["hardware"] == here or (made["hardware"] == here.partition(" (")[0] and has_bf16("cpu"))
    return same_kind and made["torch"] == torch.__version__
