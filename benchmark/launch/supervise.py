"""One task, tried in child processes until it is done or its policy says stop."""

import os
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmark.launch.children import CHILDREN, Stopped
from benchmark.launch.lock_owner import find_owner
from benchmark.launch.locks import take_lock
from benchmark.launch.tasks import is_made, read_tail, write_failure
from benchmark.task import EXIT_BUSY, EXIT_DEVICE, EXIT_DISK, EXIT_DIVERGED, EXIT_MEMORY, LOST, Outcome, Task
from results.store import Store

KILLED_AGAIN = 2  # a job that was killed is tried this many times more
TELLING = 5.0  # seconds within which a batch system that ends this launch has told the launcher as well as its jobs
CLASSES = {EXIT_MEMORY: "oom", EXIT_DIVERGED: "nan", EXIT_DISK: "disk", EXIT_DEVICE: "killed"}


def run_in_child(task: Task) -> Outcome:
    """Run a task in a child until it is done or its policy says stop; never raises.

    A task that another launcher runs is not waited for: it is 'busy', or 'halted' if who runs it is stopped.
    """
    start_time = time.monotonic()
    status = "error"
    message = ""
    try:
        status, message = attempt_until_settled(task)
    except Stopped as reason:
        status = "stopped"
        message = str(reason)
    except Exception as error:
        message = f"{type(error).__name__}: {error}"
    return Outcome(task.id, status, time.monotonic() - start_time, message)


def attempt_until_settled(task: Task) -> tuple[str, str]:
    store = Store(Path(task.results))
    attempt = None
    lost_attempts = 0
    while True:
        if is_made(task):
            return "cached" if attempt is None else "ok", ""
        if is_in_flight(store, task.id):
            owner = find_owner(str(store.lock(task.id)))
            return "halted" if owner and owner.stopped else "busy", str(owner or "a process of another machine has it")
        failure = final_failure(store, task)
        if failure:
            return failure["class"], f"{failure.get('error', '')}: {failure.get('message', '')}"
        exit_code, attempt = CHILDREN.run(task)
        if exit_code == -signal.SIGTERM:
            CHILDREN.wait_for_stop(TELLING)
        if (exit_code == EXIT_BUSY and attempt is None) or (exit_code == 0 and is_made(task)):
            continue
        if attempt is None:  # nothing was counted on disk, so it is here
            lost_attempts += 1
            if lost_attempts <= KILLED_AGAIN and exit_code == LOST:
                continue
            return CLASSES.get(exit_code or 0, "error" if exit_code != LOST else "killed"), why_not_begun(task)
        failure = read_or_write_failure(store, replace(task, attempt=attempt), exit_code)
        failure_class = failure["class"]
        if failure_class == "oom" and shares_gpu(task):
            task = replace(task, whole_gpu=True)
        elif failure_class != "killed" or store.kills(task.id, task.launch) > KILLED_AGAIN:
            return failure_class, f"{failure['error']}: {failure['message']}"


def why_not_begun(task: Task) -> str:
    """Where a person finds why a task came to no attempt."""
    log_path = Path(task.log)
    has_log_text = os.access(log_path, os.W_OK) and read_tail(log_path)
    return f"could not begin; see {log_path}" if has_log_text else "could not begin; the reason is printed above"


def is_in_flight(store: Store, job_id: str) -> bool:
    """Whether a process, of whatever launcher, trains this job now."""
    if not store.lock(job_id).exists():
        return False
    lock_file = take_lock(str(store.lock(job_id)))
    if lock_file is not None:
        os.close(lock_file)
    return lock_file is None


def final_failure(store: Store, task: Task) -> dict[str, Any] | None:
    """The failure of an earlier attempt that one more would only repeat; None if the task is worth trying."""
    if store.kills(task.id, task.launch) > KILLED_AGAIN:
        fallback_failure = {"class": "killed", "error": "killed", "message": "every attempt ended with its worker"}
        return store.failure(task.id) or fallback_failure
    failure = store.failure(task.id)
    if failure is None or failure.get("code") != task.code:
        return None
    if failure["class"] == "timeout":
        return failure if task.limit and task.limit <= (failure.get("limit") or 0) else None
    return failure if failure["class"] in ("error", "nan") else None


def read_or_write_failure(store: Store, task: Task, exit_code: int | None) -> dict[str, Any]:
    """The failure record of an attempt: the child's own, else one from its exit status, written if the disk lets us."""
    written_failure = store.failure_of(task.id, task.attempt)
    if written_failure and exit_code is not None and exit_code > 0:
        return written_failure
    failure_class = "timeout" if exit_code is None else "killed" if exit_code < 0 else CLASSES.get(exit_code, "error")
    message = f"ended with status {exit_code} and no record"
    if exit_code is None:
        message = f"ran past {task.limit:.0f} s"
    elif exit_code < 0:
        message = f"ended by signal {-exit_code}"
    try:
        write_failure(task, failure_class, failure_class, message)
    except OSError as error:
        message += f"; the failure record could not be written ({error.strerror})"
    return {"class": failure_class, "error": failure_class, "message": message}


def shares_gpu(task: Task) -> bool:
    """Whether the task ran beside others on its GPU and may be tried alone on it."""
    gpus = [gpu for gpu, _ in task.slots]
    return len(gpus) > len(set(gpus)) and not task.whole_gpu
