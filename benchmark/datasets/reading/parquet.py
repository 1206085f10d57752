"""Hugging Face's form of an image folder: parquet files with a picture and a label in each row (extra `parquet`)."""

import json
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from benchmark.datasets.base import DataError
from benchmark.datasets.reading.class_folders import LabelledFiles
from benchmark.datasets.reading.image_lists import COLUMNS, hold_out
from benchmark.datasets.reading.splits import find_split

FIX = "pip install 'fer-noise-benchmark[parquet]'"


def find_parquet_files(base: Path) -> list[Path]:
    """The parquet files there or in its folder data/."""
    return sorted(base.glob("*.parquet")) or sorted(base.glob("data/*.parquet")) or sorted(base.glob("*/*.parquet"))


def read_parquet(owner: str, base: Path, files: list[Path]) -> tuple[LabelledFiles, Callable[[str], bytes]]:
    """The rows of each split as ('train-00000#000012', label), and what reads the picture of one."""
    labelled_rows: LabelledFiles = {"train": [], "test": []}
    undecided_rows: list[tuple[str, str]] = []
    for path in files:
        table, picture_column, label_names = open_table(owner, path)
        split = find_split(path.stem.split("-")[0]) or find_split(path.parent.name)
        labels = table.column(find_column(table.column_names, "label", path, owner)).to_pylist()
        rows = [
            (f"{path.relative_to(base).as_posix()}#{row:06d}", label_text(label, label_names))
            for row, label in enumerate(labels)
        ]
        (labelled_rows.setdefault(split, []) if split else undecided_rows).extend(rows)
    if undecided_rows and any(labelled_rows.values()):
        undecided_file = base / undecided_rows[0][0].split("#")[0]
        fix_hint = "Begin its name with train, validation or test, or take it away"
        raise DataError(f"{owner}: {undecided_file}: which split is it? {fix_hint}")
    if not any((labelled_rows["test"], labelled_rows.get("valid"), undecided_rows)):
        undecided_rows = labelled_rows["train"]
        labelled_rows["train"] = []
    hold_out(labelled_rows, undecided_rows)

    def read(name: str) -> bytes:
        file, row = name.rsplit("#", 1)
        table, picture_column, _ = open_table(owner, base / file)
        cell_value = table.column(picture_column)[int(row)].as_py()
        picture_bytes = cell_value.get("bytes") if isinstance(cell_value, dict) else cell_value
        if not isinstance(picture_bytes, bytes):
            where = f"{owner}: {file}, row {int(row)}"
            raise DataError(f"{where}: no picture in column {picture_column!r}, only a name of one")
        return picture_bytes

    return labelled_rows, read


def open_table(owner: str, path: Path) -> tuple[Any, str, list[str] | None]:
    """The table, its column of pictures, and the names of label numbers where the file has them."""
    return load_table(owner, path, path.stat().st_mtime_ns)


@lru_cache(maxsize=2)
def load_table(owner: str, path: Path, changed: int) -> tuple[Any, str, list[str] | None]:
    """The same, kept while its pictures are read one by one; changed: when the file was."""
    try:
        from pyarrow import parquet
    except ImportError:
        raise DataError(f"{owner}: {path.name}: a parquet file; install the extra to read it: {FIX}") from None
    try:
        table = parquet.read_table(path)
    except Exception as error:  # pyarrow raises many kinds for what is no parquet file
        reason = "a Git LFS pointer; run: git lfs pull" if path.read_bytes()[:7] == b"version" else type(error).__name__
        raise DataError(f"{owner}: {path.name}: not a whole parquet file ({reason}); download it again") from None
    metadata = json.loads((table.schema.metadata or {}).get(b"huggingface", b"{}"))
    features = metadata.get("info", {}).get("features", {})
    label_feature = features.get(find_column(table.column_names, "label", path, owner))
    label_names = label_feature.get("names") if isinstance(label_feature, dict) else None
    return table, find_column(table.column_names, "path", path, owner), label_names


def find_column(columns: list[str], field: str, path: Path, owner: str) -> str:
    for known_name in COLUMNS[field].split():
        for column in columns:
            if column.lower() == known_name:
                return column
    column_kind = "picture" if field == "path" else "label"
    raise DataError(f"{owner}: {path.name}: no column for the {column_kind} among {', '.join(columns)[:80]}")


def label_text(label: object, label_names: list[str] | None) -> str:
    """A label as text; a number by its name where the file names it."""
    is_named = label_names and isinstance(label, int) and 0 <= label < len(label_names)
    return label_names[label] if is_named else str(label)
