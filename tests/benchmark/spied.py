"""A job on forty specks whose method (`spy/`) writes down what it is given."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark import scale
from benchmark.cache import lookup
from benchmark.task import Place
from benchmark.train import loop
from methods.support.recipe import Recipe, recipe_to_dict
from performance.faulty.specks import Specks
from results.job import Job

JOB = Job(
    method="spy",
    method_version=1,
    data={"name": "specks", "fingerprint": "", "landmarks": None},
    noise={"kind": "asymmetric", "rate": "0.3", "version": 1},
    seed=0,
    precision="fp32",
    preset="comparison",
    scale={"name": "demo", "version": scale.DEMO.version},
    weights="random",
)


@dataclass
class Told:
    """A finished run: its record, its arrays, and what the spy noted."""

    record: dict[str, Any]
    arrays: dict[str, np.ndarray]
    notes: list[dict[str, Any]]
    results: Path

    def of(self, what: str) -> list[dict[str, Any]]:
        return [note for note in self.notes if note["what"] == what]


def train_spy(folder: Path, job: Job, recipe: Recipe, resolved: dict[str, Any] | None = None, **place: Any) -> Told:
    """Train a job; its results lie in a folder of their own in `folder`, beside the data. place: fields of it."""
    data = lookup.open_data(Specks(), None, Specks.Options(), folder / "data")
    results = folder / f"run{len(list(folder.iterdir()))}"
    notes = results.with_suffix(".txt")
    resolved = {"recipe": recipe_to_dict(recipe), "parameters": {}, "method_title": "?", "scale_notes": ["a note"]} | (
        resolved or {}
    )
    resolved |= {"data": {"title": "Specks"}, "weights": {"text": "random weights"}}
    own = str(Path(__file__).parent / "spy")
    where = Place(**{"results": str(results), "data": str(data.folder), "methods_path": (own,)} | place)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPY", str(notes))
        job = replace(job, data=job.data | {"fingerprint": data.fingerprint})
        record, arrays = loop.train_job(job, resolved, where)
    return Told(record, arrays, [json.loads(line) for line in notes.read_text().splitlines()], results)
