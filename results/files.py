"""Files written whole or not at all, and their hashes."""

import hashlib
import io
import json
import os
import uuid
from pathlib import Path
from typing import Any

import numpy as np

TRIAL = 1 << 20  # bytes


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file aside, flush it to disk and move it into place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary_path = path.parent / f".{path.name}.{uuid.uuid4().hex}"  # not mkstemp's, which only its maker may read
    try:
        with open(temporary_path, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary_path, path)
    except BaseException:
        temporary_path.unlink(missing_ok=True)
        raise


def try_writing(folder: Path) -> None:
    """Write a file as large as some records and remove it: an OSError now, and not after hours of work. A full disk takes
    empty files."""
    folder.mkdir(parents=True, exist_ok=True)
    trial_file = folder / f".writable-{uuid.uuid4().hex}"
    try:
        with open(trial_file, "xb") as file:
            file.write(bytes(TRIAL))
            file.flush()
            os.fsync(file.fileno())
    finally:
        trial_file.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    write_bytes(path, json.dumps(value, indent=1, allow_nan=False).encode())


def arrays_bytes(arrays: dict[str, np.ndarray]) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def digest_file(path: Path) -> str:
    """The SHA-256 of a file, read piece by piece."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_bytes(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
