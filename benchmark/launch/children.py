"""A launcher's end of its fork server: tasks go in, the ends of jobs come out."""

import json
import os
import queue
import subprocess
import sys
import threading
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmark.task import LOST, Task

ROOT = Path(__file__).resolve().parents[2]


class Stopped(RuntimeError):
    """No task can run (any more) in this launch."""


# glibc gives large blocks back to the system and takes fresh pages for each batch; keeping them saves a quarter of a
# LA-Net step on a CPU (docs/performance.md). Other allocators ignore it.
KEEP_PAGES = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "8000000000"}


@dataclass
class Children:
    """A launcher's end of its fork server; one a process."""

    process: subprocess.Popen | None = None  # the fork server
    waiting: dict[str, tuple[subprocess.Popen, queue.SimpleQueue]] = field(
        default_factory=dict
    )  # {task id: its, events}
    lock: threading.Lock = field(default_factory=threading.Lock)
    ready: subprocess.Popen | None = None  # the fork server that has said so
    stopped: str = ""  # why nothing is started any more

    def start(self) -> subprocess.Popen:
        """The fork server, started if it is not there (any more); raises Stopped."""
        with self.lock:
            if self.stopped:
                raise Stopped(self.stopped)
            if self.process is None or self.process.poll() is not None:
                start_results: queue.SimpleQueue = queue.SimpleQueue()
                threading.Thread(target=self.start_and_listen, args=(start_results,), daemon=True).start()
                self.process, error = start_results.get()
                if error:
                    raise error
            return self.process

    def start_and_listen(self, start_results: queue.SimpleQueue) -> None:
        """Start a fork server and listen to it in one thread: the kernel kills it when the thread that started it ends."""
        try:
            process = start_fork_server()
        except OSError as error:
            start_results.put((None, error))
            return
        start_results.put((process, None))
        self.listen(process)

    def listen(self, process: subprocess.Popen) -> None:
        """Pass on the events of a fork server; when it ends, every task that it had is lost."""
        for line in process.stdout:
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if "ready" in event:
                self.ready = process
            if event.get("id") in self.waiting:
                self.waiting[event["id"]][1].put(event)
        self.note_end(process)
        for server, events in list(self.waiting.values()):
            if server is process:
                events.put({"exit": LOST})

    def note_end(self, process: subprocess.Popen) -> None:
        """A fork server that ends by itself before it is ready would do so again: nothing can run."""
        if process.wait() > 0 and self.ready is not process:
            self.stopped = f"the parent of the jobs cannot start (status {process.returncode}; its error is above)"

    def run(self, task: Task) -> tuple[int | None, int | None]:
        """Run one task in a child; waiting for a GPU does not count against its limit.

        Returns its exit status (negative: a signal; None: it ran past the limit and was killed) and the number of the
        attempt, None if it did not come to begin one. Raises Stopped.
        """
        process = self.start()
        events: queue.SimpleQueue = queue.SimpleQueue()
        self.waiting[task.id] = (process, events)
        try:
            self.send(process, asdict(task))
            event = events.get()
            attempt = event.get("attempt")
            if "exit" not in event:
                try:
                    event = events.get(timeout=task.limit)
                except queue.Empty:
                    self.send(process, {"kill": task.id})
                    event = wait_for_kill(events)
        finally:
            del self.waiting[task.id]
        if self.stopped:
            raise Stopped(self.stopped)
        return event["exit"], attempt

    def send(self, process: subprocess.Popen, message: dict[str, Any]) -> None:
        with self.lock:
            try:
                process.stdin.write((json.dumps(message) + "\n").encode())
                process.stdin.flush()
            except (BrokenPipeError, ValueError):
                self.note_end(process)
                lost_task = self.waiting.get(message.get("id") or message["kill"])
                if lost_task:
                    lost_task[1].put({"exit": LOST})

    def wait_for_stop(self, seconds: float) -> None:
        """Wait a moment for the end of this launch, if it is to come; raises Stopped."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.stopped:
                raise Stopped(self.stopped)
            time.sleep(0.05)

    def open(self) -> None:
        self.stopped = ""

    def close(self) -> None:
        """Let the fork server end; it kills what still runs. Nothing more is started."""
        self.stopped = "stopped"
        process = self.process
        if process and process.stdin:
            try:
                process.stdin.close()
                process.wait(10)
            except (OSError, subprocess.TimeoutExpired):
                process.kill()


def start_fork_server() -> subprocess.Popen:
    """A fork server with the settings that its jobs need before torch is imported; raises OSError."""
    python_path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    fork_settings = {
        "OMP_NUM_THREADS": "1",
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
        "PYTHONPATH": python_path,
    } | KEEP_PAGES
    return subprocess.Popen(
        [sys.executable, "-m", "benchmark.launch.fork_server"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | fork_settings,
        start_new_session=True,
    )


def wait_for_kill(events: queue.SimpleQueue) -> dict[str, Any]:
    """How a job ended that was killed for its time: so, or by itself in the last moment."""
    try:
        event = events.get(timeout=60)
    except queue.Empty:  # it hangs in the kernel; its lock still keeps others from its job
        return {"exit": None}
    return {"exit": None} if event["exit"] == LOST else event


CHILDREN = Children()
