"""Which task runs where: joblib hands tasks to threads (or Dask workers), each supervises one child process.

A supervised task never raises, whatever happens to its child, because joblib drops everything not yet started when a
dispatched function raises. The disk is the truth: attempts are counted there before they start, and a task whose
result is there returns at once.
"""

import atexit
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmark.store import Store
from benchmark.work import tail

KILLED_AGAIN = 2  # a job that was killed is tried this many times more
RETRIED = {"killed", "oom"}
KINDS = {1: "error", 3: "oom", 4: "nan"}


@dataclass
class Outcome:
    """How a task ended: 'ok', 'cached', or the class of its failure."""

    id: str
    status: str
    seconds: float = 0.0
    message: str = ""


@dataclass
class Children:
    """A launcher's end of its nursery; one a process."""

    process: subprocess.Popen | None = None
    waiting: dict[str, Any] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def start(self) -> None:
        """Start the nursery if it is not there (any more)."""
        with self.lock:
            if self.process and self.process.poll() is None:
                return
            environment = os.environ | {"OMP_NUM_THREADS": "1", "CUBLAS_WORKSPACE_CONFIG": ":4096:8"}
            self.process = subprocess.Popen(
                [sys.executable, "-m", "benchmark.nursery"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=environment,
                cwd=Path(__file__).resolve().parent.parent,
                start_new_session=True,
            )
            threading.Thread(target=self.listen, args=(self.process,), daemon=True).start()

    def listen(self, process: subprocess.Popen) -> None:
        """Pass on what the nursery says; when it ends, every task in flight was killed."""
        for line in process.stdout:
            event = json.loads(line)
            if "exit" in event and event["id"] in self.waiting:
                code, ended = self.waiting.pop(event["id"])
                code.append(event["exit"])
                ended.set()
        for code, ended in list(self.waiting.values()):
            code.append(-9)
            ended.set()
        self.waiting.clear()

    def run(self, request: dict[str, Any], limit: float | None) -> int | None:
        """Run one request in a child; its exit status (negative: a signal), None if it ran past `limit` seconds."""
        self.start()
        code, ended = [], threading.Event()
        self.waiting[request["id"]] = (code, ended)
        self.send(request)
        if ended.wait(limit):
            return code[0]
        self.send({"kill": request["id"]})
        ended.wait(10)
        return None

    def send(self, message: dict[str, Any]) -> None:
        with self.lock:
            try:
                self.process.stdin.write((json.dumps(message) + "\n").encode())
                self.process.stdin.flush()
            except (BrokenPipeError, ValueError):
                pass  # the listener reports the loss

    def close(self) -> None:
        """Let the nursery end; it kills what still runs."""
        if self.process and self.process.stdin:
            try:
                self.process.stdin.close()
                self.process.wait(10)
            except (OSError, subprocess.TimeoutExpired):
                self.process.kill()


CHILDREN = Children()
atexit.register(CHILDREN.close)


def supervise(request: dict[str, Any], limit: float | None = None) -> Outcome:
    """Run a task in a child until it is done or its policy says stop; never raises."""
    start, status, message = time.monotonic(), "error", ""
    try:
        status, message = attempt_until_settled(request, limit)
    except BaseException as error:
        message = f"{type(error).__name__}: {error}"
    return Outcome(request["id"], status, time.monotonic() - start, message)


def attempt_until_settled(request: dict[str, Any], limit: float | None) -> tuple[str, str]:
    store = Store(Path(request["results"]))
    finished = Path(request["makes"])
    killed = 0
    while True:
        if finished.exists() and (request["task"] != "train" or store.done(request["id"])):
            return "ok" if killed or request.get("attempt") else "cached", ""
        request["attempt"] = store.begin_attempt(request["id"])
        code = CHILDREN.run(request, limit)
        if code == 0:
            return "ok", ""
        kind = "timeout" if code is None else "killed" if code < 0 else KINDS.get(code, "error")
        if kind in ("timeout", "killed"):
            reason = f"ran past {limit:.0f} s" if kind == "timeout" else f"ended by signal {-code}"
            failure = {"class": kind, "error": kind, "message": reason, "log": tail(Path(request["log"]))}
            store.fail(request["id"], request["attempt"], failure | {"command": request.get("command", "")})
        killed += 1
        again = (kind == "killed" and killed <= KILLED_AGAIN) or (kind == "oom" and not request.get("whole_card"))
        if not again or (kind == "oom" and len(request.get("slots") or []) < 2):
            failure = store.failure(request["id"]) or {}
            return kind, f"{failure.get('error', kind)}: {failure.get('message', 'see ' + request['log'])}"
        request["whole_card"] = kind == "oom"


def dispatch(requests: list[dict[str, Any]], workers: int, limit: float | None, cluster: str | None) -> Iterator[Outcome]:
    """Run tasks, at most `workers` at once, in the given order; yields outcomes as they come."""
    from joblib import parallel_config

    if not cluster:
        with parallel_config("threading", n_jobs=workers):
            yield from unordered(requests, supervise, limit)
        return
    from benchmark.cluster import connect, receive, supervise_there

    by_id = {request["id"]: request for request in requests}
    with parallel_config(**connect(cluster)):
        for answer in unordered(requests, supervise_there, limit):
            yield receive(answer, by_id[answer[0].id])


def unordered(requests: list[dict[str, Any]], function: Callable, limit: float | None) -> Iterator[Any]:
    from joblib import Parallel, delayed

    run = Parallel(batch_size=1, return_as="generator_unordered", pre_dispatch="all")
    return run(delayed(function)(request, limit) for request in requests)
