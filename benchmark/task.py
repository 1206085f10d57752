"""What a child process is asked, where it works, and how it says that it ended."""

import errno
import signal
from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """Where a job is run; nothing here changes its result (`fast` may, and is recorded).

    data: the folder of the decoded data set. weights, weights2: checkpoints, or None. device: 'cpu' or 'cuda'. methods_path:
    folders with methods and noises of one's own. noise_argument: what follows the colon of `file:PATH`. fast: give up
    determinism on a GPU. graphs: whether steps on a GPU may be captured. checkpoint_seconds: at least this long between
    two. jobs_on_card: how many share the GPU.
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
    jobs_on_card: int = 1


EXIT_ERROR, EXIT_MEMORY, EXIT_DIVERGED, EXIT_DISK, EXIT_DEVICE, EXIT_BUSY = 1, 3, 4, 5, 6, 75
FULL = {errno.ENOSPC, errno.EFBIG, errno.EDQUOT}
LOST = -signal.SIGKILL


@dataclass
class Outcome:
    """How a task ended: 'ok', 'cached', 'stopped' (not tried to the end), or the class of its failure."""

    id: str
    status: str
    seconds: float = 0.0
    message: str = ""
