"""The old spelling of `python -m benchmark noise-page`, for one version."""

import sys

from benchmark.__main__ import renamed

if __name__ == "__main__":
    sys.exit(renamed("noise_page", "noise-page"))
