"""The tasks that a child process can be asked for: train a job, or make start weights."""

import os
import traceback
from contextlib import suppress
from pathlib import Path

from benchmark.task import Place, Task
from results.job import Job
from results.store import Store


def is_made(task: Task) -> bool:
    """Whether what a task makes is there."""
    return Store(Path(task.results)).done(task.id) if task.job else Path(task.makes).exists()


def run_task(task: Task) -> None:
    """Do one task; what it makes is on disk when this returns. For who holds its lock."""
    if task.job:
        return run_job(task)
    from benchmark.train.pretrain import pretrain

    pretrain(**task.pretrain)


def run_job(task: Task) -> None:
    """Train a job and keep its record."""
    from benchmark.train import provenance
    from benchmark.train.loop import train

    job, place = Job(**task.job), Place(**task.place)
    store = Store(Path(place.results))
    store.sweep(job.id)
    provenance.keep_packages(store)
    record, arrays = train(job, task.resolved, place)
    record["attempt"] = task.attempt
    store.write(record, arrays)
    store.finish(job.id)


def record_failure(task: Task, kind: str, error: BaseException, code: int) -> int:
    """Keep why a task failed; returns `code`. What cannot be written here, the supervisor writes from the code."""
    try:
        traceback.print_exception(error)
        text = "".join(traceback.format_exception(error))[-8000:]
        write_failure(task, kind, type(error).__name__, str(error)[:2000], text)
    except Exception as unwritten:  # a full disk, or an error that cannot be printed, must not change the class
        with suppress(OSError):
            print(f"the failure record could not be written: {type(unwritten).__name__}")
    return code


def write_failure(task: Task, kind: str, error: str, message: str, text: str = "") -> None:
    """Write the failure record of the task's attempt; raises OSError."""
    failure = {
        "class": kind,
        "error": error,
        "message": message,
        "traceback": text,
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
