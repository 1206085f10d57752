"""What was measured, on disk: one file a run, written whole or not at all, never changed.

<root>/ab/<id>.json, .npz      the record and its arrays
<root>/ab/<id>.safetensors, .network.json   the trained network, where it was asked for, and what it is
<root>/failures/<id>-<n>.json  why attempt n failed
<root>/attempts/<id>/<n>       made before attempt n starts; holds the launch that started it
<root>/checkpoints/<id>.pt     where an interrupted run goes on
<root>/locks/<id>              locked (flock) by the one process that trains the job; the lock ends with it
<root>/noise/<hash>.npz        flipped labels, shared by all methods of a cell
<root>/env/<hash>.txt          the packages that were installed, shared by all records made with them
"""

import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np

from results.files import arrays_bytes, digest_bytes, write_bytes, write_json
from results.records import NETWORK, NETWORK_INFO, Records
from results.schema import Refused, content_hash

KEPT = (".json", ".npz", NETWORK, NETWORK_INFO)  # what one run leaves


class Store(Records):
    """The records under one folder, and what making them needs. codes: {job id: hash of the code that made it}."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.codes: dict[str, str | None] = {}

    def checkpoint(self, job_id: str) -> Path:
        return self.root / "checkpoints" / f"{job_id}.pt"

    def log(self, job_id: str) -> Path:
        return self.root / "logs" / f"{job_id}.log"

    def network(self, job_id: str) -> Path:
        """The trained network of a record; what it is lies beside it."""
        return self.path(job_id).with_suffix(NETWORK)

    def has_network(self, job_id: str) -> bool:
        """Whether the trained network was kept."""
        return all(self.path(job_id).with_suffix(suffix).exists() for suffix in (NETWORK, NETWORK_INFO))

    def lock(self, job_id: str) -> Path:
        return self.root / "locks" / job_id

    def done(self, job_id: str) -> bool:
        """Whether a sound record with its arrays is there; why a file is not taken for one is kept in `refused`."""
        if job_id in self.codes:  # seen before, and records do not change
            return True
        try:
            record = self.read(job_id)
            if record is None:
                return False
            self.need_arrays(record)
        except Refused as error:
            self.refused[job_id] = str(error)
            return False
        self.codes[job_id] = record.get("code")
        return True

    def write(self, record: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        """Keep a finished run: arrays first, so that a record never stands without them.

        A sound record stays as it is; one that was refused is kept under another name.
        """
        if self.done(record["id"]):
            return
        path = self.path(record["id"])
        if path.exists():
            self.set_aside(record["id"])
        content = arrays_bytes(arrays)
        record["arrays"] = digest_bytes(content)
        record["hash"] = content_hash(json.loads(json.dumps(record)))
        write_bytes(path.with_suffix(".npz"), content)
        write_json(path, record)

    def set_aside(self, job_id: str) -> None:
        """Move a record out of the way (`--force`); what was measured stays on disk under another name."""
        self.codes.pop(job_id, None)
        for path in (self.path(job_id).with_suffix(suffix) for suffix in KEPT):
            if path.exists():
                os.replace(path, path.with_name(f"{path.name}.{time.time_ns()}.old"))

    def begin_attempt(self, job_id: str, launch: str = "") -> int:
        """Count an attempt before it starts; returns its number, from 1."""
        folder = self.root / "attempts" / job_id
        folder.mkdir(parents=True, exist_ok=True)
        n = self.attempts(job_id) + 1
        while True:
            try:
                with open(folder / str(n), "x") as file:
                    file.write(launch)
                return n
            except FileExistsError:
                n += 1

    def attempts(self, job_id: str) -> int:
        folder = self.root / "attempts" / job_id
        return len(list(folder.iterdir())) if folder.is_dir() else 0

    def kills(self, job_id: str, launch: str) -> int:
        """Attempts that were killed: those that say so, and those of this launch that ended without a word.

        An attempt of another launch without a word is no evidence against the job: its launcher was interrupted.
        """
        count = 0
        for path in (self.root / "attempts" / job_id).glob("[0-9]*"):
            failure = self.failure_of(job_id, int(path.name))
            count += failure["class"] == "killed" if failure else path.read_text() == launch
        return count

    def fail(self, job_id: str, attempt: int, failure: dict[str, Any]) -> None:
        write_json(self.root / "failures" / f"{job_id}-{attempt}.json", {"id": job_id, "attempt": attempt, **failure})

    def failure_of(self, job_id: str, attempt: int) -> dict[str, Any] | None:
        """Why one attempt failed; None if it did not, or its failure record cannot be read."""
        try:
            failure = json.loads((self.root / "failures" / f"{job_id}-{attempt}.json").read_bytes())
            return failure if isinstance(failure["class"], str) else None
        except (ValueError, OSError, KeyError, TypeError):
            return None

    def failure(self, job_id: str) -> dict[str, Any] | None:
        """The latest failure of a job, None if it never failed."""
        numbers = [path.stem.split("-")[1] for path in (self.root / "failures").glob(f"{job_id}-*.json")]
        for number in sorted((int(n) for n in numbers if n.isdigit()), reverse=True):
            failure = self.failure_of(job_id, number)
            if failure:
                return failure
        return None

    def sweep(self, job_id: str) -> None:
        """Remove what a killed attempt had half written; only for who holds the job's lock."""
        for path in (*(self.path(job_id).with_suffix(suffix) for suffix in KEPT), self.checkpoint(job_id)):
            for leftover_file in path.parent.glob(f".{path.name}.*"):
                leftover_file.unlink(missing_ok=True)

    def finish(self, job_id: str) -> None:
        """Remove what only a run in progress needs; only for who holds the job's lock."""
        self.checkpoint(job_id).unlink(missing_ok=True)
        self.lock(job_id).unlink(missing_ok=True)

    def forget_failures(self, job_id: str) -> None:
        """Start counting anew (`--retry-failed`); the failure records stay under another name."""
        for path in (self.root / "failures").glob(f"{job_id}-*.json"):
            os.replace(path, path.with_suffix(f".{time.time_ns()}.old"))
        for path in (self.root / "attempts" / job_id).glob("*"):
            path.unlink(missing_ok=True)
