"""Which task runs where: joblib hands tasks to threads (or Dask workers), each supervises one child process.

A supervised task never raises, whatever happens to its child, because joblib drops everything not yet started when a
dispatched function raises. The disk is the truth: attempts are counted there before they start, and a task whose
result is there returns at once.

    class     again in this launch                        again in a later launch
    killed    until it has been killed three times        until it has been killed three times
    oom       once, alone on its card, if it shared one   yes
    disk      no                                          yes
    timeout   no                                          if the limit is longer
    error     no                                          no
    nan       no                                          no

A change of any method's file makes a job new in this respect, and so does `--retry-failed`.
"""

import atexit
import hashlib
import json
import os
import queue
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmark import find
from benchmark.nursery import EXIT_BUSY, EXIT_DISK, EXIT_DIVERGED, EXIT_MEMORY, LOST, lock
from benchmark.work import keep_failure, made
from results.store import Store

KILLED_AGAIN = 2  # a job that was killed is tried this many times more
KINDS = {EXIT_MEMORY: "oom", EXIT_DIVERGED: "nan", EXIT_DISK: "disk"}
ROOT = Path(__file__).resolve().parent.parent


@dataclass
class Outcome:
    """How a task ended: 'ok', 'cached', 'stopped' (not tried to the end), or the class of its failure."""

    id: str
    status: str
    seconds: float = 0.0
    message: str = ""


class Stopped(RuntimeError):
    """No task can run (any more) in this launch."""


# glibc gives large blocks back to the system and takes fresh pages for each batch; keeping them saves a quarter of a
# LA-Net step on a CPU (docs/performance.md). Other allocators ignore it.
KEEP_PAGES = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "8000000000"}


@dataclass
class Children:
    """A launcher's end of its nursery; one a process. waiting: {request id: (nursery, its events)}."""

    process: subprocess.Popen | None = None
    waiting: dict[str, tuple[subprocess.Popen, queue.SimpleQueue]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    ready: subprocess.Popen | None = None
    stopped: str = ""

    def start(self) -> subprocess.Popen:
        """The nursery, started if it is not there (any more); raises Stopped."""
        with self.lock:
            if self.stopped:
                raise Stopped(self.stopped)
            if self.process is None or self.process.poll() is not None:
                path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
                settings = {
                    "OMP_NUM_THREADS": "1",
                    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
                    "PYTHONPATH": path,
                } | KEEP_PAGES
                self.process = subprocess.Popen(
                    [sys.executable, "-m", "benchmark.nursery"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    env=os.environ | settings,
                    start_new_session=True,
                )
                threading.Thread(target=self.listen, args=(self.process,), daemon=True).start()
            return self.process

    def listen(self, process: subprocess.Popen) -> None:
        """Pass on what the nursery says; when it ends, every task that it had is lost."""
        for line in process.stdout:
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if "ready" in event:
                self.ready = process
            if event.get("id") in self.waiting:
                self.waiting[event["id"]][1].put(event)
        self.judge(process)
        for nursery, events in list(self.waiting.values()):
            if nursery is process:
                events.put({"exit": LOST})

    def judge(self, process: subprocess.Popen) -> None:
        """A nursery that ends by itself before it is ready would do so again: nothing can run."""
        if process.wait() > 0 and self.ready is not process:
            self.stopped = f"the parent of the jobs cannot start (status {process.returncode}; its error is above)"

    def run(self, request: dict[str, Any], limit: float | None) -> tuple[int | None, int | None]:
        """Run one request in a child; waiting for a GPU does not count against `limit` (seconds).

        Returns its exit status (negative: a signal; None: it ran past the limit and was killed) and the number of the
        attempt, None if it did not come to begin one. Raises Stopped.
        """
        process, events = self.start(), queue.SimpleQueue()
        self.waiting[request["id"]] = (process, events)
        try:
            self.send(process, request)
            event = events.get()
            attempt = event.get("attempt")
            if "exit" not in event:
                try:
                    event = events.get(timeout=limit)
                except queue.Empty:
                    self.send(process, {"kill": request["id"]})
                    event = after_kill(events)
        finally:
            del self.waiting[request["id"]]
        if self.stopped:
            raise Stopped(self.stopped)
        return event["exit"], attempt

    def send(self, process: subprocess.Popen, message: dict[str, Any]) -> None:
        with self.lock:
            try:
                process.stdin.write((json.dumps(message) + "\n").encode())
                process.stdin.flush()
            except (BrokenPipeError, ValueError):
                self.judge(process)
                lost = self.waiting.get(message.get("id") or message["kill"])
                if lost:
                    lost[1].put({"exit": LOST})

    def open(self) -> None:
        self.stopped = ""

    def close(self) -> None:
        """Let the nursery end; it kills what still runs. Nothing more is started."""
        self.stopped = "stopped"
        process = self.process
        if process and process.stdin:
            try:
                process.stdin.close()
                process.wait(10)
            except (OSError, subprocess.TimeoutExpired):
                process.kill()


def after_kill(events: queue.SimpleQueue) -> dict[str, Any]:
    """How a child ended that was killed for its time: so, or by itself in the last moment."""
    try:
        event = events.get(timeout=60)
    except queue.Empty:  # it hangs in the kernel; its lock still keeps others from its job
        return {"exit": None}
    return {"exit": None} if event["exit"] == LOST else event


CHILDREN = Children()
atexit.register(CHILDREN.close)


def supervise(request: dict[str, Any], limit: float | None = None, wait: bool = True) -> Outcome:
    """Run a task in a child until it is done or its policy says stop; never raises.

    wait: whether to wait for a task that another launcher runs, or to return 'busy'.
    """
    start, status, message = time.monotonic(), "error", ""
    try:
        status, message = attempt_until_settled({"launch": "", "limit": limit} | request, limit, wait)
    except Stopped as reason:
        status, message = "stopped", str(reason)
    except Exception as error:
        message = f"{type(error).__name__}: {error}"
    return Outcome(request["id"], status, time.monotonic() - start, message)


def attempt_until_settled(request: dict[str, Any], limit: float | None, wait: bool) -> tuple[str, str]:
    store, attempt, lost = Store(Path(request["results"])), None, 0
    while True:
        if made(request):
            return "cached" if attempt is None else "ok", ""
        if in_flight(store, request["id"]):
            if not wait:
                return "busy", ""
            time.sleep(0.5)
            continue
        failure = settled(store, request)
        if failure:
            return failure["class"], f"{failure.get('error', '')}: {failure.get('message', '')}"
        code, attempt = CHILDREN.run(request, limit)
        if (code == EXIT_BUSY and attempt is None) or (code == 0 and made(request)):
            continue
        if attempt is None:  # nothing was counted on disk, so it is here
            lost += 1
            if lost <= KILLED_AGAIN and code == LOST:
                continue
            return KINDS.get(code, "error" if code != LOST else "killed"), f"could not begin; see {request['log']}"
        failure = failure_of(store, request | {"attempt": attempt}, code, limit)
        kind = failure["class"]
        if kind == "oom" and shares_card(request):
            request["whole_card"] = True
        elif kind != "killed" or store.kills(request["id"], request["launch"]) > KILLED_AGAIN:
            return kind, f"{failure['error']}: {failure['message']}"


def in_flight(store: Store, job_id: str) -> bool:
    """Whether a process, of whatever launcher, trains this job now."""
    if not store.lock(job_id).exists():
        return False
    held = lock(str(store.lock(job_id)))
    if held is not None:
        os.close(held)
    return held is None


def settled(store: Store, request: dict[str, Any]) -> dict[str, Any] | None:
    """The failure of an earlier attempt that one more would only repeat; None if the task is worth trying."""
    if store.kills(request["id"], request["launch"]) > KILLED_AGAIN:
        why = {"class": "killed", "error": "killed", "message": "every attempt ended with its worker"}
        return store.failure(request["id"]) or why
    failure = store.failure(request["id"])
    if failure is None or failure.get("code") != request.get("code"):
        return None
    if failure["class"] == "timeout":
        return failure if request["limit"] and request["limit"] <= (failure.get("limit") or 0) else None
    return failure if failure["class"] in ("error", "nan") else None


def failure_of(store: Store, request: dict[str, Any], code: int | None, limit: float | None) -> dict[str, Any]:
    """The failure record of an attempt: the child's own, else one from its exit status, written if the disk lets us."""
    said = store.failure_of(request["id"], request["attempt"])
    if said and code is not None and code > 0:
        return said
    kind = "timeout" if code is None else "killed" if code < 0 else KINDS.get(code, "error")
    ended = f"ended by signal {-code}" if kind == "killed" else f"ended with status {code} and no record"
    message = f"ran past {limit:.0f} s" if kind == "timeout" else ended
    try:
        keep_failure(request, kind, kind, message)
    except OSError as error:
        message += f"; the failure record could not be written ({error.strerror})"
    return {"class": kind, "error": kind, "message": message}


def shares_card(request: dict[str, Any]) -> bool:
    """Whether the task ran beside others on its GPU and may be tried alone on it."""
    cards = [card for card, _ in request.get("slots") or []]
    return len(cards) > len(set(cards)) and not request.get("whole_card")


def dispatch(
    requests: list[dict[str, Any]], workers: int, limit: float | None, cluster: str | None
) -> Iterator[Outcome]:
    """Run tasks, at most `workers` at once, in the given order; yields outcomes as they come.

    Tasks that another launcher has in flight come last, when it may have finished them.
    """
    from joblib import parallel_config

    CHILDREN.open()
    shared = {"launch": uuid.uuid4().hex, "limit": limit}
    by_id = {request["id"]: shared | {"code": code_hash(request)} | request for request in requests}
    settings, function, receive = {"backend": "threading", "n_jobs": workers}, supervise, None
    if cluster:
        from benchmark.cluster import connect, receive, supervise_there

        settings, function = connect(cluster), supervise_there
    try:
        todo, wait = list(by_id), False
        while todo:
            busy = []
            with parallel_config(**settings):
                for answer in unordered([by_id[i] for i in todo], function, limit, wait):
                    outcome = receive(answer, by_id) if receive else answer
                    if outcome.status == "busy":
                        busy.append(outcome.id)
                    else:
                        yield outcome
            todo, wait = busy, True
    except BaseException:  # Ctrl-C, or nobody wants the rest
        CHILDREN.close()
        raise


def unordered(requests: list[dict[str, Any]], function: Callable, limit: float | None, wait: bool) -> Iterator[Any]:
    from joblib import Parallel, delayed

    run = Parallel(batch_size=1, return_as="generator_unordered", pre_dispatch="all")
    return run(delayed(function)(request, limit, wait) for request in requests)


def code_hash(request: dict[str, Any]) -> str:
    """The hash of all methods' files as this task sees them; a failure is worth another try when it has changed."""
    text = hashlib.sha256()
    for path in find.files([Path(folder) for folder in request.get("place", {}).get("methods_path", ())]):
        text.update(path.name.encode() + b"\0" + path.read_bytes())
    return text.hexdigest()[:20]
