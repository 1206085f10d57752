"""Who holds the lock of a job, for whoever waits for it."""

import os
import socket
import time
from dataclasses import dataclass
from pathlib import Path

from benchmark.terminal import duration


def sign(path: str) -> None:
    """Write into a lock's file who holds it, for whoever waits for it; for the holder."""
    try:
        Path(path).write_text(f"{os.getpid()} {socket.gethostname()}\n")
    except OSError:
        pass  # a full disk; the lock itself holds


@dataclass(frozen=True)
class Holder:
    """The process that holds a lock. host: empty where it is this machine. age: seconds. stopped: by SIGSTOP."""

    pid: int
    host: str
    age: float
    stopped: bool

    def __str__(self) -> str:
        where = f" on {self.host}" if self.host else ""
        state = f"; it is stopped (kill -CONT {self.pid} lets it go on, kill -KILL {self.pid} ends it)"
        return f"process {self.pid}{where} has held it for {duration(self.age)}{state if self.stopped else ''}"


def holder(path: str) -> Holder | None:
    """Who holds a lock, as far as this machine can tell: its kernel, else what the holder wrote."""
    try:
        status, words = os.stat(path), Path(path).read_text(errors="replace").split()
    except OSError:
        return None
    age = max(0.0, time.time() - status.st_mtime)
    listed = held_here(status)
    if listed:
        return Holder(listed, "", age if words[:1] == [str(listed)] else process_age(listed), is_stopped(listed))
    if len(words) == 2 and words[0].isdigit():
        here = words[1] == socket.gethostname()
        return Holder(int(words[0]), "" if here else words[1], age, here and is_stopped(int(words[0])))
    return None


def held_here(file: os.stat_result) -> int | None:
    """The process that /proc/locks names for a file."""
    wanted = [f"{os.major(file.st_dev):02x}", f"{os.minor(file.st_dev):02x}", str(file.st_ino)]
    for line in quiet(Path("/proc/locks")).splitlines():
        fields = line.split()
        if "FLOCK" in fields and "->" not in fields and fields[5].lower().split(":") == wanted:
            return int(fields[4])
    return None


def process_age(pid: int) -> float:
    """Seconds since a process of this machine started; 0 if it is gone."""
    fields, up = quiet(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split(), quiet(Path("/proc/uptime")).split()
    return float(up[0]) - int(fields[19]) / os.sysconf("SC_CLK_TCK") if fields and up else 0.0


def is_stopped(pid: int) -> bool:
    return quiet(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()[:1] == ["T"]


def quiet(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
