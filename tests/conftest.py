"""Settings of all tests: one verdict a commit, one thread a process.

hypothesis draws the same examples each time. Tests run in two processes at once (setup.cfg), and OpenMP's threads of both
would wait for each other. Where a shell started the tests in the background it ignores Ctrl-C for them and their children.
"""

import os
import signal

from hypothesis import settings

os.environ.setdefault("OMP_NUM_THREADS", "1")
signal.signal(signal.SIGINT, signal.default_int_handler)
settings.register_profile("project", deadline=None, derandomize=True)
settings.load_profile("project")
