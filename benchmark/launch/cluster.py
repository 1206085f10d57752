"""`--cluster ADDRESS`: the same tasks on the workers of a Dask cluster (optional extra 'cluster').

A Dask worker supervises a child process of its own fork server, as a thread does on one machine. With a shared results
folder the record is on disk when the task returns; without one its bytes come back and are written here.
"""

import json
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from benchmark import hardware
from benchmark.launch.children import CHILDREN
from benchmark.launch.supervise import run_in_child
from benchmark.task import Outcome, Task
from benchmark.terminal import Usage
from results.compare import differing_parts
from results.files import digest_bytes, write_bytes
from results.records import NETWORK, NETWORK_INFO
from results.schema import Refused, check_record
from results.store import Store

NETWORKS = (NETWORK, NETWORK_INFO)  # files of a trained network
ALLOWED_FAILURES = 1000  # Dask blames every task that a worker had for its death; here one is told which


def connect_cluster(address: str) -> Callable[[list[Task]], Iterator[Outcome]]:
    """What runs tasks on the cluster at `address`: one at a time for each unit of the resource GPU, if there is one."""
    client = open_client(address)
    try:
        has_gpus = client.run_on_scheduler(prepare_scheduler)
    except (ImportError, AttributeError) as error:
        reason = f"the scheduler at {address} has no or another version of this project ({error})"
        fix_hint = "start it and its workers where `import benchmark` finds this one"
        raise Usage(f"--cluster: {reason}; {fix_hint}") from None
    return partial(run_on_workers, client=client, resources={"GPU": 1} if has_gpus else {})


def open_client(address: str) -> Any:
    """A connection to the scheduler; raises Usage where none answers."""
    try:
        from distributed import Client
    except ImportError:
        raise Usage("--cluster: Dask is not installed; pip install -e '.[cluster]'") from None
    try:
        return Client(address, timeout=30)
    except (OSError, ValueError) as error:
        raise Usage(f"--cluster: no scheduler answers at {address} ({error}); start one with dask scheduler") from None


def run_on_workers(tasks: list[Task], client: Any, resources: dict[str, int]) -> Iterator[Outcome]:
    """Supervise tasks on the workers, in their order; yields outcomes as they come."""
    from distributed import as_completed

    tasks_by_future = {
        client.submit(supervise_on_worker, task, pure=False, priority=-task_position, resources=resources): task
        for task_position, task in enumerate(tasks)
    }
    waiting_ids = [task.id for task in tasks]
    try:
        for future in as_completed(tasks_by_future):
            outcome = keep_result(future.result(), tasks_by_future[future])
            waiting_ids.remove(outcome.id)
            yield outcome
            future.release()  # with the record's bytes
    except CancelledError:
        logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what follows is said below, a line a job
        client.close(timeout=1)  # it would try for half a minute to find its scheduler again
        for task_id in waiting_ids:
            yield Outcome(task_id, "stopped", message="the scheduler is gone; start it and its workers again")


def prepare_scheduler(dask_scheduler: Any) -> bool:
    """Runs in the scheduler; whether its workers count GPUs."""
    dask_scheduler.allowed_failures = ALLOWED_FAILURES
    return any("GPU" in worker.resources for worker in dask_scheduler.workers.values())


def supervise_on_worker(task: Task) -> tuple[Outcome, dict[str, Any]]:
    """Runs in a worker: supervise the task on this machine's GPUs.

    Returns what a client that does not see this machine's disk has to write: {'.npz': bytes, '.json': bytes}, or
    {'failure': ...}.
    """
    CHILDREN.open()
    if task.slots and task.place:
        gpu_uuids = [uuid for uuid, _ in hardware.find_gpus()]
        task = replace(task, slots=hardware.list_slots(gpu_uuids, task.place["jobs_on_gpu"]))
    outcome = run_in_child(task)
    store = Store(Path(task.results))
    job_id = task.id
    if outcome.status in ("ok", "cached"):
        record_path = store.path(job_id)
        network_suffixes = NETWORKS if task.place.get("keep_weights") else ()
        return outcome, {
            suffix: record_path.with_suffix(suffix).read_bytes() for suffix in (".npz", ".json", *network_suffixes)
        }
    return outcome, {"failure": store.failure(job_id)}


def keep_result(worker_result: tuple[Outcome, dict[str, Any]], task: Task) -> Outcome:
    """Runs in the client: keep what came back if it is not here already, after the usual checks; never raises."""
    outcome, result_files = worker_result
    store = Store(Path(task.results))
    record_path = store.path(outcome.id)
    try:
        if result_files.get("failure") and not store.failure(outcome.id):
            store.fail(outcome.id, result_files["failure"]["attempt"], result_files["failure"])
        if ".json" in result_files and not store.done(outcome.id):
            record = check_record(result_files[".json"], outcome.id, record_path)
            if digest_bytes(result_files[".npz"]) != record["arrays"]:
                raise Refused(f"{record_path.with_suffix('.npz')}: does not hash to the record's field 'arrays'")
            write_bytes(record_path.with_suffix(".npz"), result_files[".npz"])
            write_bytes(record_path, result_files[".json"])
        if set(NETWORKS) <= result_files.keys() and not store.has_network(outcome.id):
            if differing_parts(store.read(outcome.id) or {}, json.loads(result_files[".json"])):
                lack_text = "holds other numbers than the run that came back; its network is not kept"
                raise Refused(f"{record_path}: {lack_text}")
            for suffix in NETWORKS:
                write_bytes(record_path.with_suffix(suffix), result_files[suffix])
    except (Refused, OSError) as error:
        return Outcome(outcome.id, "error", outcome.seconds, f"its record came back but could not be kept: {error}")
    return outcome
