"""Settings of all tests: one verdict a commit, one thread a process.

hypothesis draws the same examples each time. Tests run in two processes at once (setup.cfg), and OpenMP's threads of both
would wait for each other. Where a shell started the tests in the background it ignores Ctrl-C for them and their children.
"""

import os
import signal
import sys
from collections.abc import Iterator

import pytest
from hypothesis import settings

os.environ.setdefault("OMP_NUM_THREADS", "1")
signal.signal(signal.SIGINT, signal.default_int_handler)
settings.register_profile("project", deadline=None, derandomize=True)
settings.load_profile("project")


@pytest.fixture(autouse=True)
def torch_as_before() -> Iterator[None]:
    """A job asks torch for exact arithmetic in its process; here the next test is in it, too."""
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)
    yield
    if torch := sys.modules.get("torch"):  # the test itself may have imported it
        torch.use_deterministic_algorithms(False)
