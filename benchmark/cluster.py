"""`--cluster ADDRESS`: the same tasks on the workers of a Dask cluster, through joblib (optional extra 'cluster').

A Dask worker supervises a child process of its own nursery, as a thread does on one machine. With a shared results
folder the record is on disk when the task returns; without one its bytes come back and are written here.
"""

from pathlib import Path
from typing import Any

from benchmark.dispatch import Outcome, supervise
from benchmark.settings import Usage
from benchmark.store import Store, check, write_bytes

ALLOWED_FAILURES = 1000  # Dask must never give a task up: joblib would wait for it for ever


def connect(address: str) -> dict[str, Any]:
    """joblib's settings for the cluster at `address`; one task at a time for each unit of the resource GPU, if there is one."""
    try:
        from distributed import Client
    except ImportError:
        raise Usage("--cluster: Dask is not installed; pip install -e '.[cluster]'") from None
    try:
        client = Client(address, timeout=30)
    except OSError as error:
        raise Usage(f"--cluster: no scheduler answers at {address} ({error}); start one with dask scheduler") from None
    client.run_on_scheduler(allow_failures)
    has_gpus = any("GPU" in worker.get("resources", {}) for worker in client.scheduler_info()["workers"].values())
    settings: dict[str, Any] = {"backend": "dask", "client": client, "n_jobs": -1}
    return settings | ({"resources": {"GPU": 1}} if has_gpus else {})


def allow_failures(dask_scheduler: Any) -> None:
    """Runs in the scheduler."""
    dask_scheduler.allowed_failures = ALLOWED_FAILURES


def supervise_there(request: dict[str, Any], limit: float | None) -> tuple[Outcome, dict[str, bytes]]:
    """Runs in a worker: supervise the task, and return the record's files for a client that cannot see them."""
    outcome = supervise(request, limit)
    store, job_id = Store(Path(request["results"])), request["id"]
    if request["task"] != "train" or not store.done(job_id):
        return outcome, {}
    paths = [store.path(job_id).with_suffix(".npz"), store.path(job_id)]
    return outcome, {path.name: path.read_bytes() for path in paths}


def receive(answer: tuple[Outcome, dict[str, bytes]], request: dict[str, Any]) -> Outcome:
    """Runs in the client: keep the record's files if they are not here already, after the usual checks."""
    outcome, files = answer
    store = Store(Path(request["results"]))
    if files and not store.done(outcome.id):
        path = store.path(outcome.id)
        check(files[path.name].decode(), outcome.id, path)
        write_bytes(path.with_suffix(".npz"), files[path.with_suffix(".npz").name])
        write_bytes(path, files[path.name])
    return outcome
