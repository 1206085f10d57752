"""`--cluster ADDRESS`: the same tasks on the workers of a Dask cluster, through joblib (optional extra 'cluster').

A Dask worker supervises a child process of its own nursery, as a thread does on one machine. With a shared results
folder the record is on disk when the task returns; without one its bytes come back and are written here.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmark import hardware
from benchmark.launch.children import CHILDREN
from benchmark.launch.supervise import supervise
from benchmark.task import Outcome, Task
from benchmark.terminal import Usage
from results.files import digest_bytes, write_bytes
from results.schema import Refused, check
from results.store import Store

ALLOWED_FAILURES = 1000  # Dask must never give a task up: joblib would wait for it for ever


def connect(address: str) -> dict[str, Any]:
    """joblib's settings for the cluster at `address`; one task at a time for each unit of the resource GPU, if there is one."""
    try:
        from distributed import Client
    except ImportError:
        raise Usage("--cluster: Dask is not installed; pip install -e '.[cluster]'") from None
    try:
        client = Client(address, timeout=30)
    except (OSError, ValueError) as error:
        raise Usage(f"--cluster: no scheduler answers at {address} ({error}); start one with dask scheduler") from None
    has_gpus = client.run_on_scheduler(prepare)
    settings: dict[str, Any] = {"backend": "dask", "client": client, "n_jobs": -1}
    return settings | ({"resources": {"GPU": 1}} if has_gpus else {})


def prepare(dask_scheduler: Any) -> bool:
    """Runs in the scheduler; whether its workers count GPUs."""
    dask_scheduler.allowed_failures = ALLOWED_FAILURES
    return any("GPU" in worker.resources for worker in dask_scheduler.workers.values())


def supervise_there(task: Task) -> tuple[Outcome, dict[str, Any]]:
    """Runs in a worker: supervise the task on this machine's GPUs.

    Returns what a client that does not see this machine's disk has to write: {'.npz': bytes, '.json': bytes}, or
    {'failure': ...}.
    """
    CHILDREN.open()
    if task.slots and task.place:
        uuids = [uuid for uuid, _ in hardware.cards()]
        task = replace(task, slots=hardware.slots(uuids, task.place["jobs_on_card"]))
    outcome = supervise(task)
    store, job_id = Store(Path(task.results)), task.id
    if outcome.status in ("ok", "cached"):
        path = store.path(job_id)
        return outcome, {suffix: path.with_suffix(suffix).read_bytes() for suffix in (".npz", ".json")}
    return outcome, {"failure": store.failure(job_id)}


def receive(answer: tuple[Outcome, dict[str, Any]], tasks: dict[str, Task]) -> Outcome:
    """Runs in the client: keep what came back if it is not here already, after the usual checks; never raises."""
    outcome, files = answer
    store = Store(Path(tasks[outcome.id].results))
    path = store.path(outcome.id)
    try:
        if files.get("failure") and not store.failure(outcome.id):
            store.fail(outcome.id, files["failure"]["attempt"], files["failure"])
        if ".json" in files and not store.done(outcome.id):
            record = check(files[".json"], outcome.id, path)
            if digest_bytes(files[".npz"]) != record["arrays"]:
                raise Refused(f"{path.with_suffix('.npz')}: does not hash to the record's field 'arrays'")
            write_bytes(path.with_suffix(".npz"), files[".npz"])
            write_bytes(path, files[".json"])
    except (Refused, OSError) as error:
        return Outcome(outcome.id, "error", outcome.seconds, f"its record came back but could not be kept: {error}")
    return outcome
