"""The engine of the benchmark: from a command line to tables. It needs a Unix: locks, process groups, signals."""

import sys

try:
    import fcntl  # noqa: F401
except ImportError:
    print("this benchmark needs Linux or macOS; on Windows run it in WSL (wsl --install)", file=sys.stderr)
    sys.exit(2)
