"""The process of one job, forked from the fork server: its log, its lock, its GPU, its work, its end."""

import json
import os
import signal
import sys
import threading
import traceback
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmark.launch.lock_owner import write_owner
from benchmark.launch.locks import take_lock, take_slot
from benchmark.task import EXIT_BUSY, EXIT_DISK, EXIT_ERROR, FULL, Task


def event_line(event: dict[str, Any]) -> bytes:
    return (json.dumps(event) + "\n").encode()


def run_child(task: Task, alive: int, events: int) -> None:
    """Run one task in this fresh process; never returns.

    alive: a pipe that ends with the fork server. events: a pipe that the launcher reads.
    """
    exit_code = EXIT_ERROR
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        threading.Thread(target=exit_with_parent, args=(alive,), daemon=True).start()
        Path(task.log).parent.mkdir(parents=True, exist_ok=True)
        log_file = os.open(task.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        os.dup2(log_file, 1)
        os.dup2(log_file, 2)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        exit_code = begin_task(task, events)
    except OSError as error:
        exit_code = EXIT_DISK if error.errno in FULL else EXIT_ERROR
        traceback.print_exc()  # last: a full disk takes no log either
    except BaseException:
        traceback.print_exc()
    finally:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
            kill_descendants()
        finally:
            os._exit(exit_code)


def exit_with_parent(alive: int) -> None:
    """End, with whatever this process has started, when the fork server is gone."""
    while os.read(alive, 1):
        pass
    os.killpg(0, signal.SIGKILL)


def kill_descendants() -> None:
    """Kill what this job has started and not ended, here and not in its parent, which may die in the same moment."""
    for path in Path("/proc").glob("[0-9]*"):
        try:
            pid = int(path.name)
            if os.getpgid(pid) == os.getpid() != pid:
                os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def begin_task(task: Task, events: int) -> int:
    """Lock the job, wait for a GPU, count the attempt, and work; the locks end with this process."""
    from benchmark.launch import tasks
    from results.store import Store

    store = Store(Path(task.results))
    store.lock(task.id).parent.mkdir(parents=True, exist_ok=True)
    lock_files = [take_lock(str(store.lock(task.id)))]
    if lock_files == [None]:
        return EXIT_BUSY
    if tasks.is_made(task):
        return 0
    write_owner(str(store.lock(task.id)))
    lock_files += take_slot(task.slots, task.whole_gpu)
    task = replace(task, attempt=store.begin_attempt(task.id, task.launch))
    os.write(events, event_line({"id": task.id, "attempt": task.attempt}))
    os.close(events)
    return do_task(task)


def do_task(task: Task) -> int:
    """The task itself; what goes wrong becomes a failure record and an exit code."""
    import torch

    from benchmark.launch import tasks

    torch.set_num_threads(1)
    try:
        tasks.run_task(task)
        return 0
    except BaseException as error:
        return tasks.record_failure(task, error)
