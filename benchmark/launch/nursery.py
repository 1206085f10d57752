"""The parent of all jobs of one launcher: it imports torch once, runs nothing, and forks one child a job.

`python -m benchmark.launch.nursery` reads one task a line from standard input, as JSON,
and answers one line an event: {"ready"}, {"id", "attempt"} when a job has its lock and its GPU and begins, {"id",
"exit"} when it has ended. At the end of its input it kills what still runs: a launcher that dies takes its jobs with
it. Nursery and jobs are killed by the kernel with their parent, stopped or not, so that no orphan keeps a GPU or the
lock of a job (launch/lifeline); where the kernel does not, they notice a closed pipe and leave.
"""

import json
import os
import select
import selectors
import signal
import sys
import threading
import time
import traceback
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from benchmark.launch.holder import sign
from benchmark.launch.lifeline import die_with_parent, kill_group, start_warden, tell
from benchmark.launch.locks import lock, take_slot
from benchmark.task import EXIT_BUSY, EXIT_DISK, EXIT_ERROR, FULL, LOST, Task

LOOK = 5.0  # seconds between two looks for jobs that are stopped
LOOKS = 12  # a job found stopped so many times in a row is ended; while the nursery is stopped too, nothing is counted


def main() -> None:
    """Serve tasks until the input ends."""
    die_with_parent()
    leave_if_alone()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a batch system tells every process at once; the launcher decides
    nursery = Nursery(os.dup(1), start_warden())
    os.dup2(2, 1)  # what an import or a job prints must not be taken for an event
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the launcher decides what Ctrl-C means
    signal.signal(signal.SIGALRM, leave_if_alone)  # the imports take seconds
    signal.setitimer(signal.ITIMER_REAL, 0.5, 0.5)
    import torch._dynamo  # noqa: F401  (once, for every child: its first optimiser step would import it, in seconds)

    from benchmark.launch import tasks  # noqa: F401
    from benchmark.train import loop, pretrain, provenance  # noqa: F401

    provenance.versions()  # remembered, for every child
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    try:
        nursery.serve()
    except BrokenPipeError:
        pass  # the launcher is gone
    finally:
        nursery.stop()
        os._exit(0)  # without the seconds that taking torch apart can cost


def leave_if_alone(*_: Any) -> None:
    """End if the launcher, the other end of standard input, is gone."""
    poll = select.poll()
    poll.register(0, 0)
    if poll.poll(0):
        os._exit(EXIT_ERROR)


@dataclass
class Nursery:
    """events: file descriptor that the launcher reads. warden: the one it hears. children: {pid: task id}.

    halted: {pid: how many looks in a row found it stopped}.
    """

    events: int
    warden: int
    children: dict[int, str] = field(default_factory=dict)
    halted: dict[int, int] = field(default_factory=dict)

    def serve(self) -> None:
        self.alive_read, self.alive_write = os.pipe()  # written by nobody: its end of file tells the children
        wake_read, wake_write = os.pipe()
        os.set_blocking(wake_write, False)
        signal.set_wakeup_fd(wake_write)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        sources = selectors.DefaultSelector()
        sources.register(0, selectors.EVENT_READ)
        sources.register(wake_read, selectors.EVENT_READ)
        self.say(ready=os.getpid())
        pending, looked = b"", time.monotonic()
        while True:
            if time.monotonic() - looked >= LOOK:
                self.look()
                looked = time.monotonic()
            for key, _ in sources.select(LOOK if self.children else None):
                if key.fd == wake_read:
                    os.read(wake_read, 4096)
                    self.reap()
                    continue
                chunk = os.read(0, 1 << 16)
                if not chunk:
                    return
                *lines, pending = (pending + chunk).split(b"\n")
                for line in lines:
                    self.handle(json.loads(line))

    def handle(self, message: dict[str, Any]) -> None:
        """Start a task, or kill one that has run past its limit."""
        if "kill" in message:
            for pid in [pid for pid, task_id in self.children.items() if task_id == message["kill"]]:
                kill_group(pid)
            return
        task = Task(**message)
        parent = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:
            print(f"no process for job {task.id}: {error}", file=sys.stderr, flush=True)
            self.say(id=task.id, exit=LOST)
            return
        if pid == 0:
            die_with_parent()
            if os.getppid() != parent:  # gone before the kernel was asked
                os._exit(EXIT_ERROR)
            os.close(self.alive_write)
            os.close(self.warden)
            child(task, self.alive_read, self.events)
        self.children[pid] = task.id
        tell(self.warden, pid)

    def say(self, **event: Any) -> None:
        os.write(self.events, event_line(event))

    def reap(self) -> None:
        """Report every child that has ended, after what it may have started is gone too."""
        for pid in list(self.children):
            if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                kill_group(pid)
                _, status = os.waitpid(pid, 0)
                tell(self.warden, -pid)
                self.say(id=self.children.pop(pid), exit=os.waitstatus_to_exitcode(status))

    def look(self) -> None:
        """End a job that somebody has stopped and not continued for a minute: it would hold its matrix for ever."""
        stopped = [pid for pid in self.children if os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOHANG | os.WNOWAIT)]
        self.halted = {pid: self.halted.get(pid, 0) + 1 for pid in stopped}
        for pid, looks in self.halted.items():
            if looks == LOOKS:
                words = f"has been stopped (SIGSTOP) for {LOOKS * LOOK:.0f} s and is ended, to be tried again"
                print(f"job {self.children[pid]}: process {pid} {words}", file=sys.stderr, flush=True)
                kill_group(pid)

    def stop(self) -> None:
        for pid in self.children:
            kill_group(pid)


def event_line(event: dict[str, Any]) -> bytes:
    return (json.dumps(event) + "\n").encode()


def child(task: Task, alive: int, events: int) -> None:
    """Run one task in this fresh process; never returns."""
    code = EXIT_ERROR
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        threading.Thread(target=leave_with_parent, args=(alive,), daemon=True).start()
        Path(task.log).parent.mkdir(parents=True, exist_ok=True)
        log = os.open(task.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        code = begin(task, events)
    except OSError as error:
        code = EXIT_DISK if error.errno in FULL else EXIT_ERROR
        traceback.print_exc()  # last: a full disk takes no log either
    except BaseException:
        traceback.print_exc()
    finally:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
            kill_started()
        finally:
            os._exit(code)


def kill_started() -> None:
    """Kill what this job has started and not ended, here and not in the nursery, which may die in the same moment."""
    for path in Path("/proc").glob("[0-9]*"):
        try:
            pid = int(path.name)
            if os.getpgid(pid) == os.getpid() != pid:
                os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def begin(task: Task, events: int) -> int:
    """Lock the job, wait for a GPU, count the attempt, and work; the locks end with this process."""
    from benchmark.launch import tasks
    from results.store import Store

    store = Store(Path(task.results))
    store.lock(task.id).parent.mkdir(parents=True, exist_ok=True)
    held = [lock(str(store.lock(task.id)))]
    if held == [None]:
        return EXIT_BUSY
    if tasks.made(task):
        return 0
    sign(str(store.lock(task.id)))
    held += take_slot(task.slots, task.whole_card)
    task = replace(task, attempt=store.begin_attempt(task.id, task.launch))
    os.write(events, event_line({"id": task.id, "attempt": task.attempt}))
    os.close(events)
    return work(task)


def leave_with_parent(alive: int) -> None:
    """End, with whatever this process has started, when the nursery is gone."""
    while os.read(alive, 1):
        pass
    os.killpg(0, signal.SIGKILL)


def work(task: Task) -> int:
    """The task itself; what goes wrong becomes a failure record and an exit code."""
    import torch

    from benchmark.launch import tasks
    from benchmark.launch.failures import class_of

    torch.set_num_threads(1)
    try:
        tasks.run(task)
        return 0
    except BaseException as error:
        kind, status = class_of(error)
        return tasks.failed(task, kind, error, status)


if __name__ == "__main__":
    main()
