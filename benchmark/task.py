"""What a child process is asked, where it works, and how it says that it ended."""

import errno
import signal
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Place:
    """Where a job is run; nothing here changes its result (`fast` may, and is recorded)."""

    results: str
    data: str  # the folder of the decoded data set
    weights: str | None = None  # a checkpoint
    weights2: str | None = None  # that of further networks
    device: str = "cpu"  # or 'cuda'
    methods_path: tuple[str, ...] = ()  # folders with methods and noises of one's own
    noise_argument: str = ""  # what follows the colon of `file:PATH`
    fast: bool = False  # give up determinism on a GPU
    graphs: bool = True  # whether steps on a GPU may be captured
    checkpoint_seconds: float = 30.0  # at least so long between two
    jobs_on_gpu: int = 1  # how many share it
    keep_weights: bool = False  # keep the trained network beside the record


@dataclass(frozen=True)
class Task:
    """What a child process makes, and how it is tried; goes to the fork server as one line of JSON."""

    id: str  # of the job, or of its start weights
    makes: str  # the file that is there when it is done
    results: str  # where records of failures go
    log: str  # where what it prints goes
    slots: Sequence[Sequence[str]] = ()  # [GPU, lock file] that it may take one of
    job: dict[str, Any] = field(default_factory=dict)  # the fields of a `Job`; empty for start weights
    resolved: dict[str, Any] = field(default_factory=dict)  # its recipe and parameters
    place: dict[str, Any] = field(default_factory=dict)  # the fields of a `Place`
    pretrain: dict[str, Any] = field(default_factory=dict)  # or the arguments of pre-training
    command: str = ""  # what a person types to repeat it
    launch: str = ""  # the launcher that tries it
    code: str = ""  # hash of its method, whose failure is worth another try when it has changed
    limit: float | None = None  # seconds
    whole_gpu: bool = False  # take all slots of one GPU
    attempt: int = 0  # counted on disk


EXIT_ERROR = 1
EXIT_MEMORY = 3
EXIT_DIVERGED = 4
EXIT_DISK = 5
EXIT_DEVICE = 6
EXIT_BUSY = 75
FULL = {errno.ENOSPC, errno.EFBIG, errno.EDQUOT}
LOST = -signal.SIGKILL


@dataclass(frozen=True)
class Outcome:
    """How a task ended: 'ok', 'cached', 'stopped' (not tried to the end), or the class of its failure."""

    id: str
    status: str
    seconds: float = 0.0
    message: str = ""
