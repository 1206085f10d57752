"""Who holds the lock of a job, for whoever waits for it."""

import os
import socket
import time
from dataclasses import dataclass
from pathlib import Path

from benchmark.terminal import format_duration


def write_owner(path: str) -> None:
    """Write into a lock's file who holds it, for whoever waits for it; for its owner."""
    try:
        Path(path).write_text(f"{os.getpid()} {socket.gethostname()}\n")
    except OSError:
        pass  # a full disk; the lock itself holds


@dataclass(frozen=True)
class LockOwner:
    """The process that holds a lock."""

    pid: int
    host: str  # empty where it is this machine
    age: float | None  # seconds; None where the clocks or the file do not tell
    stopped: bool  # by SIGSTOP

    def __str__(self) -> str:
        host_text = f" on {self.host}" if self.host else ""
        stop_hint = f"; it is stopped (kill -CONT {self.pid} lets it go on, kill -KILL {self.pid} ends it)"
        text = f"process {self.pid}{host_text} holds it"
        if self.age is not None:
            text = f"process {self.pid}{host_text} has held it for {format_duration(self.age)}"
        return text + stop_hint if self.stopped else text


def find_owner(path: str) -> LockOwner | None:
    """Who holds a lock, as far as this machine can tell: its kernel, else what the owner wrote."""
    try:
        file_status = os.stat(path)
        owner_words = Path(path).read_text(errors="replace").split()
    except OSError:
        return None
    is_written = len(owner_words) == 2 and owner_words[0].isdigit()
    pid = owner_by_kernel(file_status)
    host = ""
    if pid is None:
        if not is_written:
            return None
        pid = int(owner_words[0])
        host = "" if owner_words[1] == socket.gethostname() else owner_words[1]
    held_seconds = time.time() - file_status.st_mtime
    is_known = is_written and pid == int(owner_words[0]) and held_seconds >= 0  # else another owner's, or another clock
    return LockOwner(pid, host, held_seconds if is_known else None, not host and is_stopped(pid))


def owner_by_kernel(file_status: os.stat_result) -> int | None:
    """The process that /proc/locks names for a file."""
    file_id = [f"{os.major(file_status.st_dev):02x}", f"{os.minor(file_status.st_dev):02x}", str(file_status.st_ino)]
    for line in read_quietly(Path("/proc/locks")).splitlines():
        lock_fields = line.split()
        if "FLOCK" in lock_fields and "->" not in lock_fields and lock_fields[5].lower().split(":") == file_id:
            return int(lock_fields[4]) or None  # 0: a process of another container
    return None


def is_stopped(pid: int) -> bool:
    return read_quietly(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()[:1] == ["T"]


def read_quietly(path: Path) -> str:
    """The text of a file, empty where it cannot be read."""
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
