"""A method that fails as it is told, through the door that any method of one's own uses (`--methods-path`).

The environment variable FER_FAULTS names a folder. Its plan.json holds {seed: [fault of attempt 1, of attempt 2, ...]};
an attempt beyond the list trains well. Every attempt appends 'begin' to <seed>.log there, 'met' and its fault, and
'end' when it has trained: what was trained how often does not depend on what the engine says of it.
"""

import errno
import json
import os
import resource
import signal
import subprocess
import time
from pathlib import Path

from torch import Tensor

from methods.base import Batch, Run
from methods.baseline import Baseline

CLASS = {  # the failure that each fault is, if it is met
    "raise": "error",
    "status": "error",
    "silent": "error",
    "nan": "nan",
    "memory": "oom",
    "hang": "timeout",
    "stopped": "timeout",
    "kill": "killed",
    "crash": "killed",
    "torn": "killed",
    "fork server": "killed",
    "worker": "killed",
    "small files": "disk",
    "full": "disk",
}


def meet_fault(fault: str) -> None:
    """Do what `fault` says to this process; some only lay a trap for what comes later."""
    if fault == "raise":
        raise RuntimeError("a fault of its own")
    if fault == "status":
        os._exit(7)
    if fault == "silent":
        os._exit(0)
    if fault == "memory":
        raise MemoryError("no memory left")
    if fault == "hang":
        time.sleep(3600)
    if fault in ("kill", "crash", "stopped"):
        os.kill(os.getpid(), {"kill": signal.SIGKILL, "crash": signal.SIGSEGV, "stopped": signal.SIGSTOP}[fault])
    if fault == "fork server":
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(3600)
    if fault == "worker":
        os.kill(int(read_process(os.getppid())[1]), signal.SIGKILL)
        time.sleep(3600)
    if fault == "torn":
        os.fsync = tear_file
    if fault == "full":
        os.fsync = refuse_write
    if fault == "small files":
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
    if fault == "child":
        subprocess.Popen(["sleep", "3601"])


def tear_file(handle: int) -> None:
    """Half of a file is on disk when the process is killed."""
    os.ftruncate(handle, os.fstat(handle).st_size // 2)
    os.kill(os.getpid(), signal.SIGKILL)


def refuse_write(handle: int) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def read_process(pid: int) -> list[str]:
    """The state (R, S, D, T for stopped, ...; X once it is gone), the parent and more of a process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ["X", "0"]


class Faulty(Baseline):
    name, title = "faulty", "Faulty"

    def begin(self, labels: Tensor, run: Run) -> None:
        super().begin(labels, run)
        folder = Path(os.environ["FER_FAULTS"])
        self.log = folder / f"{run.seed}.log"
        tried = self.log.read_text().count("begin") if self.log.exists() else 0
        planned = json.loads((folder / "plan.json").read_text()).get(str(run.seed), [])
        self.fault = planned[tried] if tried < len(planned) else ""
        self.note("begin")

    def note(self, what: str) -> None:
        with open(self.log, "a") as log:
            log.write(f"{what} {os.getpid()} {os.environ.get('CUDA_VISIBLE_DEVICES', '')} {time.time()}\n")

    def loss(self, batch: Batch) -> tuple[dict[str, Tensor], Tensor]:
        losses, logits = super().loss(batch)
        fault, self.fault = self.fault, ""
        if fault:
            self.note(f"met {fault},")
        fault, _, seconds = fault.partition("slow ")
        fault = fault.strip()
        if fault == "nan":
            losses = {"ce": losses["ce"] * float("nan")}
        meet_fault(fault)
        time.sleep(float(seconds or 0))
        return losses, logits

    def opinion(self, batch: Batch) -> tuple[Tensor, Tensor]:
        self.note("end")
        return super().opinion(batch)
