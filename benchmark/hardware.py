"""What this machine has, asked without importing torch."""

import os
import subprocess
import tempfile
from functools import lru_cache
from pathlib import Path


@lru_cache
def cards() -> list[tuple[str, float]]:
    """(UUID, compute capability) of every visible GPU; empty without the vendor's tool."""
    query = ["nvidia-smi", "--query-gpu=uuid,compute_cap", "--format=csv,noheader"]
    try:
        text = subprocess.run(query, capture_output=True, text=True, check=True, timeout=30).stdout
        found = [(uuid.strip(), float(cap)) for uuid, cap in (line.split(",") for line in text.splitlines())]
    except (OSError, ValueError, subprocess.SubprocessError):
        return []
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return found
    chosen = [part.strip() for part in visible.split(",") if part.strip()]
    return [found[int(part)] for part in chosen if part.isdigit() and int(part) < len(found)] or [
        card for card in found if card[0] in chosen
    ]


def has_bf16(device: str) -> bool:
    """Whether bfloat16 is computed in hardware: AVX-512 BF16 or AMX on a CPU, compute capability 8 on a GPU."""
    if device == "cuda":
        return bool(cards()) and min(capability for _, capability in cards()) >= 8
    try:
        flags = next(line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("flags"))
    except (OSError, StopIteration):
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def slots(uuids: list[str], per_card: int) -> list[list[str]]:
    """[[card, lock file], ...]: a lock file per slot, in one place for every launcher of this machine."""
    folder = Path(tempfile.gettempdir())
    return [[uuid, str(folder / f"fer-benchmark-{uuid}-{k}.lock")] for k in range(per_card) for uuid in uuids]
