"""The old spelling of `python -m benchmark check`, for one version."""

import sys

from benchmark.__main__ import renamed

if __name__ == "__main__":
    sys.exit(renamed("check", "check"))
