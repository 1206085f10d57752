"""What `python -m benchmark check` asks of a data set; give `--data PATH` for one that reads files."""

import dataclasses
import json
from functools import lru_cache
from pathlib import Path

import numpy as np

from benchmark import plugins
from benchmark.cache import build, source_check
from benchmark.check.contract import Skipped, Wrong, check_frozen, check_name, require
from benchmark.datasets.base import DataError, DataSet, Source

DECODED = 20  # images of each split that are looked at


def path_to_read(cls: type[DataSet], data: Path | None) -> Path | None:
    if cls.needs_path and data is None:
        raise Skipped("give --data PATH to have it checked")
    return data if cls.needs_path else None


def check_description(cls: type[DataSet], data: Path | None) -> None:
    check_name(cls, "data set", plugins.find_data_sets())
    require(isinstance(getattr(cls, "title", None), str), "no title; give the name that stands in tables")
    require(getattr(cls, "channels", 0) in (1, 3), "channels must be 1 (grey) or 3 (RGB)")
    require(isinstance(getattr(cls, "size", None), int), "no size; give the side at which images are stored")


def check_options(cls: type[DataSet], data: Path | None) -> None:
    check_frozen(cls.Options, "Options")
    json.dumps(dataclasses.asdict(cls.Options()))


def wrong_path(cls: type[DataSet], data: Path | None) -> None:
    if not cls.needs_path:
        return
    try:
        cls().read(Path("no-such-folder"), cls.Options())
    except DataError as error:
        require("\n" not in str(error), "the DataError has several lines; say it in one")
        return
    except Exception as error:
        raise Wrong(f"a path that is not there ends in {type(error).__name__}; raise DataError") from None
    raise Wrong("a path that is not there is accepted; raise DataError")


@lru_cache(maxsize=1)
def read_once(cls: type[DataSet], path: Path | None) -> tuple[DataSet, Source]:
    """What the data set lists, read once for several checks."""
    dataset = cls()
    return dataset, dataset.read(path, cls.Options())


def check_rows(cls: type[DataSet], data: Path | None) -> None:
    dataset, source = read_once(cls, path_to_read(cls, data))
    source_check.check_source(dataset, source)
    for split in (source.train, source.test):
        require(split.labels.dtype == np.int64, f"labels are {split.labels.dtype}, expected int64")


def check_images(cls: type[DataSet], data: Path | None) -> None:
    dataset, source = read_once(cls, path_to_read(cls, data))
    for split in (source.train, source.test):
        for row in np.linspace(0, len(split.names) - 1, DECODED).astype(int):
            build.resize_image(split.image(int(row)), dataset.size, dataset.channels)


def check_second_read(cls: type[DataSet], data: Path | None) -> None:
    path = path_to_read(cls, data)
    _, first_source = read_once(cls, path)
    second_source = cls().read(path, cls.Options())
    for first_rows, second_rows in ((first_source.train, second_source.train), (first_source.test, second_source.test)):
        same_rows = first_rows.names == second_rows.names and np.array_equal(first_rows.labels, second_rows.labels)
        same_pixels = np.array_equal(first_rows.image(0), second_rows.image(0))
        require(same_rows and same_pixels, "names, labels or pixels differ between two reads")


def check_stamp(cls: type[DataSet], data: Path | None) -> None:
    path = path_to_read(cls, data)
    stamp = cls().stamp(path, cls.Options())
    require(bool(stamp) and stamp == cls().stamp(path, cls.Options()), "stamp is empty or differs between two calls")
    json.dumps(stamp)


# The parts of the contract in `benchmark/datasets/base.py`; each gets where the data lies, too.
CHECKS = {
    "name, title, size and channels": check_description,
    "options": check_options,
    "a wrong path is refused in one line": wrong_path,
    "rows of both splits": check_rows,
    "images": check_images,
    "read twice, the same": check_second_read,
    "stamp": check_stamp,
}
