"""What a reader gave: whether its rows fit together, and what stopped it, in one line."""

import inspect
import traceback
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.cache.decoded import SPLITS
from benchmark.datasets.base import DataError, DataSet, Source
from benchmark.datasets.reading.files import list_few

LARGEST_CLASSES = 256  # predictions are kept as bytes


def check_source(dataset: DataSet, source: Source) -> None:
    """Raises DataError where a reader's rows do not fit together."""
    if not isinstance(source, Source):
        raise DataError(f"{dataset.name}: read gives {type(source).__name__}, expected a Source")
    classes = len(source.classes)
    if not 2 <= classes <= LARGEST_CLASSES:
        raise DataError(f"{dataset.name}: {classes} classes, expected 2 to {LARGEST_CLASSES}")
    odd = [name for name in source.classes if not name.isprintable()]
    if odd:
        raise DataError(f"{dataset.name}: class name {odd[0]!a}: expected printable text")
    for split, rows in zip(SPLITS, (source.train, source.test)):
        where, n = f"{dataset.name}: {split}", len(rows.names)
        if n == 0:
            raise DataError(f"{where}: no image is left to use; check the path and the label rule")
        if any(not isinstance(name, str) for name in rows.names):
            raise DataError(
                f"{where}: names are not all text: {list_few(repr(n) for n in rows.names if type(n) is not str)}"
            )
        if len(set(rows.names)) != n:
            twice = sorted(name for name, times in Counter(rows.names).items() if times > 1)
            raise DataError(f"{where}: names that stand twice: {list_few(twice)}; keep one row for each image")
        if not isinstance(rows.labels, np.ndarray) or rows.labels.dtype.kind not in "iu":
            raise DataError(
                f"{where}: labels are {describe_labels(rows.labels)}, expected a numpy array of whole numbers"
            )
        if rows.labels.shape != (n,) or rows.labels.min() < 0 or rows.labels.max() >= classes:
            raise DataError(f"{where}: labels are not {n} numbers from 0 to {classes - 1}")
        if rows.votes is not None and rows.votes.shape != (n, classes):
            raise DataError(f"{where}: votes of shape {rows.votes.shape}, expected [{n}, {classes}]")
        earlier = rows.earlier_labels
        if earlier is not None and (earlier.shape != (n,) or earlier.min() < -1 or earlier.max() >= classes):
            raise DataError(f"{where}: earlier labels are not {n} numbers from -1 to {classes - 1}")
        if rows.landmarks is not None and rows.landmarks.shape not in ((n, 68, 2), (n, 19, 2)):
            raise DataError(f"{where}: landmarks of shape {rows.landmarks.shape}, expected [{n}, 68 or 19, 2]")
        if rows.pixels is not None and len(rows.pixels) != n:
            raise DataError(f"{where}: {len(rows.pixels)} pixel hashes for {n} images")


def describe_labels(labels: Any) -> str:
    return f"{labels.dtype} numbers" if isinstance(labels, np.ndarray) else f"a {type(labels).__name__}"


def make_reader_error(dataset: DataSet, doing: str, error: Exception) -> DataError:
    """What stopped a reader, in one line with the place in its file."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename == inspect.getfile(type(dataset))] or frames
    place = f"{Path(own[-1].filename).name}, line {own[-1].lineno}"
    return DataError(f"{dataset.name}: {doing}: {type(error).__name__}: {str(error)[:120]} ({place})")
