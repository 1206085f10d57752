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
    class_count = len(source.classes)
    if not 2 <= class_count <= LARGEST_CLASSES:
        raise DataError(f"{dataset.name}: {class_count} classes, expected 2 to {LARGEST_CLASSES}")
    unprintable_names = [name for name in source.classes if not name.isprintable()]
    if unprintable_names:
        raise DataError(f"{dataset.name}: class name {unprintable_names[0]!a}: expected printable text")
    for split, rows in zip(SPLITS, (source.train, source.test)):
        where = f"{dataset.name}: {split}"
        row_count = len(rows.names)
        if row_count == 0:
            raise DataError(f"{where}: no image is left to use; check the path and the label rule")
        if any(not isinstance(name, str) for name in rows.names):
            raise DataError(
                f"{where}: names are not all text: {list_few(repr(name) for name in rows.names if type(name) is not str)}"
            )
        if len(set(rows.names)) != row_count:
            repeated_names = sorted(name for name, times in Counter(rows.names).items() if times > 1)
            raise DataError(f"{where}: names that stand twice: {list_few(repeated_names)}; keep one row for each image")
        if not isinstance(rows.labels, np.ndarray) or rows.labels.dtype.kind not in "iu":
            raise DataError(
                f"{where}: labels are {describe_labels(rows.labels)}, expected a numpy array of whole numbers"
            )
        if rows.labels.shape != (row_count,) or rows.labels.min() < 0 or rows.labels.max() >= class_count:
            raise DataError(f"{where}: labels are not {row_count} numbers from 0 to {class_count - 1}")
        if rows.votes is not None and rows.votes.shape != (row_count, class_count):
            raise DataError(f"{where}: votes of shape {rows.votes.shape}, expected [{row_count}, {class_count}]")
        earlier_labels = rows.earlier_labels
        if earlier_labels is not None:
            has_shape = earlier_labels.shape == (row_count,)
            if not has_shape or earlier_labels.min() < -1 or earlier_labels.max() >= class_count:
                raise DataError(f"{where}: earlier labels are not {row_count} numbers from -1 to {class_count - 1}")
        if rows.landmarks is not None and rows.landmarks.shape not in ((row_count, 68, 2), (row_count, 19, 2)):
            raise DataError(f"{where}: landmarks of shape {rows.landmarks.shape}, expected [{row_count}, 68 or 19, 2]")
        if rows.pixels is not None and len(rows.pixels) != row_count:
            raise DataError(f"{where}: {len(rows.pixels)} pixel hashes for {row_count} images")


def describe_labels(labels: Any) -> str:
    return f"{labels.dtype} numbers" if isinstance(labels, np.ndarray) else f"a {type(labels).__name__}"


def make_reader_error(dataset: DataSet, failed_step: str, error: Exception) -> DataError:
    """What stopped a reader, in one line with the place in its file."""
    frames = traceback.extract_tb(error.__traceback__)
    reader_frames = [frame for frame in frames if frame.filename == inspect.getfile(type(dataset))] or frames
    source_place = f"{Path(reader_frames[-1].filename).name}, line {reader_frames[-1].lineno}"
    return DataError(f"{dataset.name}: {failed_step}: {type(error).__name__}: {str(error)[:120]} ({source_place})")
