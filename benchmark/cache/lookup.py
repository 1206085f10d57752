"""Decoded data sets on disk: built once, whole or not at all, memory-mapped and shared by all jobs.

    <root>/<name>-<fingerprint>/   the arrays and card.json (docs/architecture.md)
    <root>/stamps/                 which folder the source files led to when they were read last
    <root>/.building-*             a build in progress; what a killed one left is removed by the next

Rows are stored in the order of their names, so that one fingerprint means one order whatever the source's own was.
"""

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from benchmark.cache.build import Progress, build_cache
from benchmark.cache.decoded import FORMAT, Data, Unreadable, open_decoded
from benchmark.cache.source_check import check_source, make_reader_error
from benchmark.datasets.base import DataError, DataSet, Source
from benchmark.datasets.reading import archives, landmark_files
from benchmark.datasets.reading.files import stamp_file
from benchmark.source_code import hash_own_code
from benchmark.terminal import print_note
from results.files import write_json


def open_data(
    dataset: DataSet,
    path: Path | str | None,
    options: Any,
    root: Path,
    progress: Progress | None = None,
    needs_images: bool = True,
) -> Data:
    """The data set as `dataset` reads it from `path`, decoded now if these files have not been read before.

    progress(done, total) is called while images are decoded. Of several processes one decodes and the others wait.
    needs_images: without it, a description that shipped with records is enough. Raises DataError.
    """
    with lock_data_set(dataset.name, Path(root)):
        source_path = None if path is None else Path(path)
        return find_or_decode(dataset, source_path, options, Path(root), progress, needs_images)


@contextmanager
def lock_data_set(name: str, root: Path) -> Iterator[None]:
    """While this block runs, no other process is in it for the same data set and folder."""
    lock = FileLock(root / "stamps" / f"{name}.lock")
    try:
        (root / "stamps").mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout:
        print_note(f"{name}: waiting for the process that decodes it ({lock.lock_file} is locked)")
        lock.acquire()
    except (OSError, NotImplementedError):
        pass  # a folder of others, or a file system without locks: two may decode, and the first one's work is kept
    try:
        yield
    finally:
        lock.release()


def find_or_decode(
    dataset: DataSet, path: Path | None, options: Any, root: Path, progress: Progress | None, needs_images: bool
) -> Data:
    """What these files led to when they were read last, else what reading them gives now."""
    if path is not None:
        path = find_readable_path(dataset, path, options, root)
    landmarks_file = landmarks_path(dataset, path, root)
    stamp_path = root / "stamps" / f"{dataset.name}-{compute_stamp_key(dataset, path, options, landmarks_file)}.json"
    try:
        data = open_decoded(root / Path(json.loads(stamp_path.read_text())["folder"]).name)
        if not (needs_images and data.lacks_images):
            return data
    except Unreadable:
        raise
    except (OSError, ValueError, KeyError, TypeError):
        pass  # never read, changed, or removed: read it
    source = read_source(dataset, path, options)
    if landmarks_file.is_file() and source.train.landmarks is None:
        landmark_files.attach_points(dataset.name, landmarks_file, source.train, source.test, source.facts)
    check_source(dataset, source)
    folder = build_cache(dataset, options, source, root, progress)
    write_json(stamp_path, {"folder": folder.name})
    return open_decoded(folder)


def read_source(dataset: DataSet, path: Path | None, options: Any) -> Source:
    """The source as the reader lists it; what stops a reader of one's own is said in one line."""
    try:
        return dataset.read(path, options)
    except (DataError, OSError):
        raise
    except Exception as error:
        if hash_own_code(type(dataset)) is None:
            raise
        raise make_reader_error(dataset, "read", error) from error


def landmarks_path(dataset: DataSet, path: Path | None, root: Path) -> Path:
    """The file beside the decoded data in which `python -m benchmark landmarks` keeps the points of a source."""
    path_hash = hashlib.sha256(str(path and path.resolve()).encode()).hexdigest()[:12]
    return root.parent / "landmarks" / f"{dataset.name}-{path_hash}.npz"


def find_readable_path(dataset: DataSet, path: Path, options: Any, root: Path) -> Path:
    """The path itself, or where its archives were unpacked if the data set's reader cannot read it as it is."""
    if can_read(dataset, path, options):
        return path
    if not (archives.is_archive(path) or (path.is_dir() and archives.archives_in(path))):
        return path
    unpacked_folder = archives.unpack_archives(dataset.name, path, root)
    for data_folder in (unpacked_folder, *unpacked_folder.iterdir()):
        if can_read(dataset, data_folder, options):
            return data_folder
    shutil.rmtree(unpacked_folder, ignore_errors=True)  # archives of something else
    return path


def can_read(dataset: DataSet, path: Path, options: Any) -> bool:
    """Whether the data set's reader finds its files there."""
    try:
        dataset.stamp(path, options)
        return True
    except (DataError, OSError):
        return False


def compute_stamp_key(dataset: DataSet, path: Path | None, options: Any, landmarks_file: Path) -> str:
    """A hash of what decides whether a source is read again."""
    resolved_path = None if path is None else str(path.resolve())
    stamp_facts = [
        FORMAT,
        dataset.name,
        dataset.version,
        dataset.size,
        asdict(options),
        resolved_path,
        dataset.stamp(path, options),
    ]
    if landmarks_file.is_file():
        stamp_facts.append(stamp_file(landmarks_file))
    if reader_code := hash_own_code(type(dataset)):
        stamp_facts.append(reader_code)
    return hashlib.sha256(json.dumps(stamp_facts, sort_keys=True).encode()).hexdigest()[:20]
