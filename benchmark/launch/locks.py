"""Locks that end with their process: one for each job, one for each slot of a GPU."""

import fcntl
import os
import time
from collections.abc import Sequence


def take_slot(slots: Sequence[Sequence[str]], whole_gpu: bool) -> list[int]:
    """Lock one free slot of a GPU, or all slots of one GPU, and make that GPU the only visible one.

    slots: [[GPU, lock file], ...]. The lock ends with the process, so no two processes ever hold a slot at once,
    whatever launcher started them. Who wants a whole GPU holds its first slot while waiting for the others, always in
    their order, so that neither jobs of one slot starve it nor two of its kind wait for each other.
    Returns the locked file descriptors.
    """
    paths_by_gpu: dict[str, list[str]] = {}
    for gpu, path in slots:
        paths_by_gpu.setdefault(gpu, []).append(path)
    while paths_by_gpu:
        for gpu, paths in paths_by_gpu.items():
            for path in paths[:1] if whole_gpu else paths:
                lock_file = take_lock(path)
                if lock_file is not None:
                    os.environ["CUDA_VISIBLE_DEVICES"] = gpu
                    return [lock_file, *(wait_for_lock(other_path) for other_path in paths[1:] if whole_gpu)]
        time.sleep(0.2)
    return []


def wait_for_lock(path: str) -> int:
    while (lock_file := take_lock(path)) is None:
        time.sleep(0.2)
    return lock_file


def take_lock(path: str) -> int | None:
    """An exclusive lock on a file as its descriptor, or None while somebody else has it.

    On a file system that knows no locks the descriptor is returned unlocked: records are written whole and once, so
    two launchers may then train a job twice, but lose nothing.
    """
    try:
        lock_file = os.open(path, os.O_RDONLY | os.O_CREAT, 0o666)
    except PermissionError:  # another user's file in a shared temporary folder
        lock_file = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock_file)
        return None
    except OSError as error:
        effect = "two launchers may train a job twice"
        print(f"{path}: no locks on this file system ({error.strerror}); {effect}", flush=True)
    return lock_file
