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
    age: float  # seconds
    stopped: bool  # by SIGSTOP

    def __str__(self) -> str:
        where = f" on {self.host}" if self.host else ""
        state = f"; it is stopped (kill -CONT {self.pid} lets it go on, kill -KILL {self.pid} ends it)"
        return f"process {self.pid}{where} has held it for {format_duration(self.age)}{state if self.stopped else ''}"


def find_owner(path: str) -> LockOwner | None:
    """Who holds a lock, as far as this machine can tell: its kernel, else what the owner wrote."""
    try:
        status, written = os.stat(path), Path(path).read_text(errors="replace").split()
    except OSError:
        return None
    age = max(0.0, time.time() - status.st_mtime)
    pid = owner_by_kernel(status)
    if pid:
        return LockOwner(pid, "", age if written[:1] == [str(pid)] else process_age(pid), is_stopped(pid))
    if len(written) == 2 and written[0].isdigit():
        here = written[1] == socket.gethostname()
        return LockOwner(int(written[0]), "" if here else written[1], age, here and is_stopped(int(written[0])))
    return None


def owner_by_kernel(file: os.stat_result) -> int | None:
    """The process that /proc/locks names for a file."""
    wanted = [f"{os.major(file.st_dev):02x}", f"{os.minor(file.st_dev):02x}", str(file.st_ino)]
    for line in read_quietly(Path("/proc/locks")).splitlines():
        fields = line.split()
        if "FLOCK" in fields and "->" not in fields and fields[5].lower().split(":") == wanted:
            return int(fields[4])
    return None


def process_age(pid: int) -> float:
    """Seconds since a process of this machine started; 0 if it is gone."""
    fields = read_quietly(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()
    uptime = read_quietly(Path("/proc/uptime")).split()
    return float(uptime[0]) - int(fields[19]) / os.sysconf("SC_CLK_TCK") if fields and uptime else 0.0


def is_stopped(pid: int) -> bool:
    return read_quietly(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()[:1] == ["T"]


def read_quietly(path: Path) -> str:
    """The text of a file, empty where it cannot be read."""
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
