"""The tasks that a child process can be asked for: train a job, or make start weights."""

import json
import os
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any

from benchmark.task import EXIT_DEVICE, EXIT_DISK, EXIT_DIVERGED, EXIT_ERROR, EXIT_MEMORY, FULL, Place, Task
from results.compare import differing_parts
from results.job import Job
from results.store import Store

# What torch and its libraries say; only some of it comes as torch.OutOfMemoryError.
NO_MEMORY = (
    "out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED",
    "DefaultCPUAllocator: can't allocate",
    "DefaultCPUAllocator: not enough memory",
)
DEVICE_FAULTS = (  # of the GPU, its driver or its neighbours: another attempt may well succeed
    "unspecified launch failure",
    "all CUDA-capable devices are busy or unavailable",
    "device busy",
    "uncorrectable ECC error",
    "the launch timed out and was terminated",
    "hardware failure",
    "fallen off the bus",
    "CUDNN_STATUS_EXECUTION_FAILED",
    "CUBLAS_STATUS_EXECUTION_FAILED",
    "an illegal instruction was encountered",
)


def is_made(task: Task) -> bool:
    """Whether what a task makes is there."""
    if not task.job:
        return Path(task.makes).exists()
    store = Store(Path(task.results))
    return store.done(task.id) and (not task.place.get("keep_weights") or store.has_network(task.id))


def run_task(task: Task) -> None:
    """Do one task; what it makes is on disk when this returns. For who holds its lock."""
    if task.job:
        return run_job(task)
    from benchmark.train.pretrain import pretrain_backbone

    pretrain_backbone(**task.pretrain)


def run_job(task: Task) -> None:
    """Train a job and keep its record."""
    from benchmark.train import provenance
    from benchmark.train.loop import measure_run, train_to_end

    job = Job(**task.job)
    job_place = Place(**task.place)
    store = Store(Path(job_place.results))
    store.sweep(job.id)
    provenance.keep_packages(store)
    trainer = train_to_end(job, task.resolved, job_place)
    record, arrays = measure_run(trainer, task.resolved)
    record["attempt"] = task.attempt
    if job_place.keep_weights and store.done(job.id):
        check_same_numbers(store, record)
    store.write(record, arrays)
    if job_place.keep_weights:
        from benchmark.train.kept_network import keep_network

        keep_network(trainer, store)
    store.finish(job.id)


def check_same_numbers(store: Store, record: dict[str, Any]) -> None:
    """Raises ValueError where a run that was repeated for its network is not the run of its record."""
    kept_record = store.read(record["id"]) or record
    differing_fields = differing_parts(kept_record, json.loads(json.dumps(record)))
    if differing_fields:
        numbers = (
            f"other numbers ({', '.join(differing_fields)}) than its record, which is of another machine or version"
        )
        fix_hint = "give another --results, or --force to replace the record"
        raise ValueError(f"trained again to keep its network, it gave {numbers}; {fix_hint}")


def classify_error(error: BaseException) -> tuple[str, int]:
    """The class of a failure, as in `benchmark.launch.dispatch`, and its exit status."""
    from torch import OutOfMemoryError

    from benchmark.train.loop import Diverged

    error_text = str(error)
    if isinstance(error, Diverged):
        return "nan", EXIT_DIVERGED
    if isinstance(error, OutOfMemoryError | MemoryError):
        return "oom", EXIT_MEMORY
    if isinstance(error, OSError):
        return ("disk", EXIT_DISK) if error.errno in FULL else ("error", EXIT_ERROR)
    if isinstance(error, RuntimeError) and any(phrase in error_text for phrase in NO_MEMORY):
        return "oom", EXIT_MEMORY
    if isinstance(error, RuntimeError) and any(phrase in error_text for phrase in DEVICE_FAULTS):
        return "killed", EXIT_DEVICE
    return "error", EXIT_ERROR


def record_failure(task: Task, error: BaseException) -> int:
    """Keep why a task failed; returns its exit status, from which the supervisor writes what cannot be kept."""
    failure_class, exit_code = classify_error(error)
    try:
        traceback.print_exception(error)
        traceback_text = "".join(traceback.format_exception(error))[-8000:]
        write_failure(task, failure_class, type(error).__name__, str(error)[:2000], traceback_text)
    except Exception as unwritten:  # a full disk, or an error that cannot be printed, must not change the class
        with suppress(OSError):
            print(f"the failure record could not be written: {type(unwritten).__name__}")
    return exit_code


def write_failure(task: Task, failure_class: str, error: str, message: str, traceback_text: str = "") -> None:
    """Write the failure record of the task's attempt; raises OSError."""
    failure = {
        "class": failure_class,
        "error": error,
        "message": message,
        "traceback": traceback_text,
        "log": read_tail(Path(task.log)),
        "command": task.command,
        "code": task.code,
        "limit": task.limit,
    }
    Store(Path(task.results)).fail(task.id, task.attempt, failure)


def read_tail(path: Path, size: int = 4000) -> str:
    """The end of a log."""
    try:
        with open(path, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - size))
            return file.read().decode(errors="replace")
    except OSError:
        return ""
