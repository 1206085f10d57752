"""The parent of all jobs of one launcher: it imports torch once, trains nothing, and forks one child a job.

`python -m benchmark.launch.fork_server` reads one task a line from standard input, as JSON, and answers one line an event:
{"ready"}, {"id", "attempt"} when a job has its lock and its GPU and begins, {"id", "exit"} when it has ended. At the end of
its input it kills what still runs: a launcher that dies takes its jobs with it. Fork server and jobs are killed by the kernel
with their parent, stopped or not, so that no orphan keeps a GPU or the lock of a job (`parent_death.py`); where the kernel
does not, they notice a closed pipe and leave.
"""

import json
import os
import select
import selectors
import signal
import sys
import time
from dataclasses import dataclass, field
from typing import Any

from benchmark.launch.job_process import event_line, run_child
from benchmark.launch.parent_death import die_with_parent, kill_group, report_group, start_reaper
from benchmark.task import EXIT_ERROR, LOST, Task

LOOK = 5.0  # seconds between two looks for jobs that are stopped
LOOKS = 12  # a job found stopped so many times in a row is ended; while this process is stopped too, nothing is counted


def main() -> None:
    """Serve tasks until the input ends."""
    die_with_parent()
    exit_if_alone()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a batch system tells every process at once; the launcher decides
    server = ForkServer(os.dup(1), start_reaper())
    os.dup2(2, 1)  # what an import or a job prints must not be taken for an event
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the launcher decides what Ctrl-C means
    signal.signal(signal.SIGALRM, exit_if_alone)  # the imports take seconds
    signal.setitimer(signal.ITIMER_REAL, 0.5, 0.5)
    import torch._dynamo  # noqa: F401  (once, for every child: its first optimiser step would import it, in seconds)

    from benchmark.launch import tasks  # noqa: F401
    from benchmark.train import loop, pretrain, provenance  # noqa: F401

    provenance.collect_versions()  # remembered, for every child
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    try:
        server.serve()
    except BrokenPipeError:
        pass  # the launcher is gone
    finally:
        server.kill_jobs()
        os._exit(0)  # without the seconds that taking torch apart can cost


def exit_if_alone(*_: Any) -> None:
    """End if the launcher, the other end of standard input, is gone."""
    poll = select.poll()
    poll.register(0, 0)
    if poll.poll(0):
        os._exit(EXIT_ERROR)


@dataclass
class ForkServer:
    """The jobs that run, and whom to tell of them."""

    events: int  # file descriptor that the launcher reads
    reaper: int  # file descriptor that the reaper reads
    jobs: dict[int, str] = field(default_factory=dict)  # {pid: task id}
    stopped_looks: dict[int, int] = field(default_factory=dict)  # {pid: how many looks in a row found it stopped}

    def serve(self) -> None:
        self.alive_read, self.alive_write = os.pipe()  # written by nobody: its end of file tells the children
        wake_read, wake_write = os.pipe()
        os.set_blocking(wake_write, False)
        signal.set_wakeup_fd(wake_write)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        event_sources = selectors.DefaultSelector()
        event_sources.register(0, selectors.EVENT_READ)
        event_sources.register(wake_read, selectors.EVENT_READ)
        self.send_event(ready=os.getpid())
        pending_bytes = b""
        last_look = time.monotonic()
        while True:
            if time.monotonic() - last_look >= LOOK:
                self.end_stopped_jobs()
                last_look = time.monotonic()
            for key, _ in event_sources.select(LOOK if self.jobs else None):
                if key.fd == wake_read:
                    os.read(wake_read, 4096)
                    self.reap_jobs()
                    continue
                input_chunk = os.read(0, 1 << 16)
                if not input_chunk:
                    return
                *lines, pending_bytes = (pending_bytes + input_chunk).split(b"\n")
                for line in lines:
                    self.handle_message(json.loads(line))

    def handle_message(self, message: dict[str, Any]) -> None:
        """Start a task, or kill one that has run past its limit."""
        if "kill" in message:
            for pid in [pid for pid, task_id in self.jobs.items() if task_id == message["kill"]]:
                kill_group(pid)
            return
        task = Task(**message)
        server_pid = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:
            print(f"no process for job {task.id}: {error}", file=sys.stderr, flush=True)
            self.send_event(id=task.id, exit=LOST)
            return
        if pid == 0:
            die_with_parent()
            if os.getppid() != server_pid:  # gone before the kernel was asked
                os._exit(EXIT_ERROR)
            os.close(self.alive_write)
            os.close(self.reaper)
            run_child(task, self.alive_read, self.events)
        self.jobs[pid] = task.id
        report_group(self.reaper, pid)

    def send_event(self, **event: Any) -> None:
        os.write(self.events, event_line(event))

    def reap_jobs(self) -> None:
        """Report every job that has ended, after what it may have started is gone too."""
        for pid in list(self.jobs):
            if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                kill_group(pid)
                _, status = os.waitpid(pid, 0)
                report_group(self.reaper, -pid)
                self.send_event(id=self.jobs.pop(pid), exit=os.waitstatus_to_exitcode(status))

    def end_stopped_jobs(self) -> None:
        """End a job that somebody has stopped and not continued for a minute: it would hold its matrix for ever."""
        stopped_pids = [pid for pid in self.jobs if os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOHANG | os.WNOWAIT)]
        self.stopped_looks = {pid: self.stopped_looks.get(pid, 0) + 1 for pid in stopped_pids}
        for pid, look_count in self.stopped_looks.items():
            if look_count == LOOKS:
                stop_reason = f"has been stopped (SIGSTOP) for {LOOKS * LOOK:.0f} s and is ended, to be tried again"
                print(f"job {self.jobs[pid]}: process {pid} {stop_reason}", file=sys.stderr, flush=True)
                kill_group(pid)

    def kill_jobs(self) -> None:
        for pid in self.jobs:
            kill_group(pid)


if __name__ == "__main__":
    main()
