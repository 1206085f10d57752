"""Versions, hardware and settings that a run was made with."""

import importlib.metadata
import platform
import re
import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from results.files import write_bytes
from results.job import json_digest
from results.store import Store


def peak_memory() -> int:
    """Bytes of main memory that this process has held at most."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def collect_provenance(place: Any) -> dict[str, Any]:
    """Versions, hardware and settings of this process."""
    import torch

    cuda = place.device == "cuda"
    return {
        **collect_versions(),
        "hardware": torch.cuda.get_device_name() if cuda else processor_name(),
        "device": place.device,
        "threads": torch.get_num_threads(),
        "deterministic": not place.fast,
    }


@lru_cache
def installed_packages() -> str:
    """Every installed package with its version, a line each."""
    package_versions = {(d.metadata["Name"] or "").lower(): d.version for d in importlib.metadata.distributions()}
    return "".join(f"{name} {version}\n" for name, version in sorted(package_versions.items()))


def keep_packages(store: Store) -> None:
    """Write what is installed to env/<hash>.txt, once for all records that name this hash."""
    path = store.root / "env" / f"{json_digest(installed_packages())}.txt"
    if not path.exists():
        write_bytes(path, installed_packages().encode())


@lru_cache
def collect_versions() -> dict[str, Any]:
    import torch

    return {
        "python": sys.version.split()[0],
        "torch": torch.__version__,
        "numpy": np.__version__,
        "git": describe_checkout(Path(__file__).resolve().parents[2]),
        "packages": json_digest(installed_packages()),
    }


def describe_checkout(folder: Path) -> str | None:
    """The commit of a git checkout, with `-dirty` where files differ from it; None where there is none."""
    if not (folder / ".git").exists():  # installed: a checkout around it is of another project
        return None
    # The code of a checkout that somebody else owns runs here already, so git may read it too.
    git = ["git", "-c", f"safe.directory={folder}", "-C", str(folder), "describe", "--always", "--dirty"]
    try:
        return subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip() or None
    except OSError:  # many containers have no git
        return None


def processor_name() -> str:
    """A processor's name and kind: clouds give several kinds one name, and their bits differ."""
    import torch

    kind = [torch.backends.cpu.get_cpu_capability()]
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        fields = dict(re.split(r"\s*:\s*", line.strip(), maxsplit=1) for line in lines if ":" in line)
        name = fields["model name"]
    except (OSError, KeyError):
        name = platform.processor() or platform.machine()
    else:
        kind += [
            f"{word} {fields[key]}" for word, key in (("family", "cpu family"), ("model", "model")) if key in fields
        ]
    return f"{name} ({', '.join(kind)})"
