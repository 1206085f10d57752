"""The tasks that a child process can be asked for: train a job, or make start weights."""

import os
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any

from results.job import Job
from results.store import Store


def made(request: dict[str, Any]) -> bool:
    """Whether what a task makes is there."""
    if request["task"] == "train":
        return Store(Path(request["results"])).done(request["id"])
    return Path(request["makes"]).exists()


def run(request: dict[str, Any]) -> None:
    """Do one task; what it makes is on disk when this returns."""
    {"train": run_job, "pretrain": run_pretraining}[request["task"]](request)


def run_job(request: dict[str, Any]) -> None:
    """Train a job and keep its record; for who holds the job's lock."""
    from benchmark.task import Place
    from benchmark.train import provenance
    from benchmark.train.loop import train

    job, place = Job(**request["job"]), Place(**request["place"])
    store = Store(Path(place.results))
    store.sweep(job.id)
    provenance.keep_packages(store)
    record, arrays = train(job, request["resolved"], place)
    record["attempt"] = request["attempt"]
    store.write(record, arrays)
    store.finish(job.id)


def run_pretraining(request: dict[str, Any]) -> None:
    """Make the start weights of `--weights landmarks`."""
    from benchmark.train.pretrain import pretrain

    pretrain(**request["pretrain"])


def failed(request: dict[str, Any], kind: str, error: BaseException, code: int) -> int:
    """Keep why a task failed; returns `code`. What cannot be written here, the supervisor writes from the code."""
    try:
        traceback.print_exception(error)
        text = "".join(traceback.format_exception(error))[-8000:]
        keep_failure(request, kind, type(error).__name__, str(error)[:2000], text)
    except Exception as unwritten:  # a full disk, or an error that cannot be printed, must not change the class
        with suppress(OSError):
            print(f"the failure record could not be written: {type(unwritten).__name__}")
    return code


def keep_failure(request: dict[str, Any], kind: str, error: str, message: str, text: str = "") -> None:
    """Write the failure record of the request's attempt; raises OSError."""
    failure = {
        "class": kind,
        "error": error,
        "message": message,
        "traceback": text,
        "log": tail(Path(request["log"])),
        "command": request.get("command", ""),
        "code": request.get("code", ""),
        "limit": request.get("limit"),
    }
    Store(Path(request["results"])).fail(request["id"], request["attempt"], failure)


def tail(path: Path, size: int = 4000) -> str:
    """The end of a log."""
    try:
        with open(path, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - size))
            return file.read().decode(errors="replace")
    except OSError:
        return ""
