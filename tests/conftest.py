"""Settings of all tests: one verdict a commit, one thread a process.

hypothesis draws the same examples each time. Tests run in two processes at once (setup.cfg), and OpenMP's threads of both
would wait for each other.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

from hypothesis import settings

settings.register_profile("project", deadline=None, derandomize=True)
settings.load_profile("project")
