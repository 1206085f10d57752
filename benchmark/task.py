"""What a child process is asked, where it works, and how it says that it ended."""

import errno
import signal
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Place:
    """Where a job is run; nothing here changes its result (`fast` may, and is recorded).

    data: the folder of the decoded data set. weights, weights2: checkpoints, or None. device: 'cpu' or 'cuda'. methods_path:
    folders with methods and noises of one's own. noise_argument: what follows the colon of `file:PATH`. fast: give up
    determinism on a GPU. graphs: whether steps on a GPU may be captured. checkpoint_seconds: at least this long between
    two. jobs_on_gpu: how many share the GPU. keep_weights: keep the trained network beside the record.
    """

    results: str
    data: str
    weights: str | None = None
    weights2: str | None = None
    device: str = "cpu"
    methods_path: tuple[str, ...] = ()
    noise_argument: str = ""
    fast: bool = False
    graphs: bool = True
    checkpoint_seconds: float = 30.0
    jobs_on_gpu: int = 1
    keep_weights: bool = False


@dataclass(frozen=True)
class Task:
    """What a child process makes, and how it is tried; goes to the fork server as one line of JSON.

    id: of the job, or of its start weights. makes: the file that is there when it is done. results, log: where records of
    failures and words go. slots: [GPU, lock file] that it may take, of which one or, with whole_gpu, all of one GPU. job,
    resolved, place: the fields of a `Job`, its recipe and parameters, and of a `Place`; or pretrain: the arguments of the
    pre-training on landmarks. command: what a person types to repeat it. code: the hash of
    its method, whose failure is worth another try when it has changed. launch: the launcher that tries it; limit: seconds;
    attempt: its number, counted on disk.
    """

    id: str
    makes: str
    results: str
    log: str
    slots: Sequence[Sequence[str]] = ()
    job: dict[str, Any] = field(default_factory=dict)
    resolved: dict[str, Any] = field(default_factory=dict)
    place: dict[str, Any] = field(default_factory=dict)
    pretrain: dict[str, Any] = field(default_factory=dict)
    command: str = ""
    launch: str = ""
    code: str = ""
    limit: float | None = None
    whole_gpu: bool = False
    attempt: int = 0


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
