"""The old spelling of `python -m benchmark noise-list`, for one version."""

import sys

from benchmark.__main__ import renamed

if __name__ == "__main__":
    sys.exit(renamed("noise", "noise-list"))
