"""RAF-DB on disk: as its authors hand it out, or as it is passed on: folders train/1..7, or train_labels.csv."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmark.datasets.base import DataError
from benchmark.datasets.reading.class_folders import holds_class_folders, list_inner_folders, read_class_folders
from benchmark.datasets.reading.class_names import interpret_labels
from benchmark.datasets.reading.files import (
    Archive,
    Folder,
    check_file_name,
    encoding_of,
    list_few,
    note_line,
    parse_whole_number,
    require_folder,
)
from benchmark.datasets.reading.image_lists import Lists, find_lists, read_lists
from benchmark.datasets.reading.parquet import find_parquet_files
from noise.expressions import ORDERS, SEVEN

LABELS = dict(enumerate(ORDERS["rafdb"], 1))
CLASSES = SEVEN
LISTS = ("list_patition_label.txt", "list_partition_label.txt")  # the first spelling is the published one
PUBLISHED = {"train": 12271, "test": 3068}
COUNTS = {  # of the classes, in the order of LABELS, counted in the authors' list
    "train": (1290, 281, 717, 4772, 1982, 705, 2524),
    "test": (329, 74, 160, 1185, 478, 162, 680),
}
DIGITS = {"train": 5, "test": 4}
PUBLISHED_NAME = re.compile(r"(train|test)_[0-9]{4,5}_aligned\.jpe?g")

NamedLabels = tuple[list[str], np.ndarray]  # names, labels in the order of CLASSES


@dataclass(frozen=True)
class RAFDBFiles:
    """Where the data lies. list_file: the authors' list, or None where folders or `lists` say the labels."""

    base: Path
    list_file: Path | None = None
    lists: Lists = ()


def locate_rafdb(path: Path) -> RAFDBFiles:
    """The authors' form, or one that is passed on, there or one folder below; raises DataError with what is missing."""
    require_folder("rafdb", path, "the one that holds EmoLabel/ and Image/")
    for base in (path, path / "basic", *sorted(path.glob("*/basic")), *sorted(path.iterdir())):
        for name in LISTS:
            if (base / "EmoLabel" / name).is_file():
                open_aligned(base)
                return RAFDBFiles(base, base / "EmoLabel" / name)
    outer_folders = [p for p in path.resolve().parents[:2] if (p / "EmoLabel").is_dir()]
    if outer_folders:
        raise DataError(f"rafdb: {path}: this lies inside the data; give the folder above: {outer_folders[0]}")
    if (path / "EmoLabel").is_dir():
        raise DataError(f"rafdb: {path / 'EmoLabel'}: {LISTS[0]} is not there; the data set's own list is needed")
    for base in (path, *list_inner_folders(path)):
        if lists := find_lists(base):
            return RAFDBFiles(base, None, lists)
        if holds_class_folders(base):
            return RAFDBFiles(base)
    form_hint = "parquet files are here: read them with --data folder=PATH; " if find_parquet_files(path) else ""
    raise DataError(
        f"rafdb: {path}: {form_hint}no EmoLabel/{LISTS[0]} here or in basic/; expected EmoLabel/ and Image/aligned/, or "
        "train/1 to 7 and test/1 to 7, or train_labels.csv and test_labels.csv"
    )


def open_aligned(base: Path) -> Folder | Archive:
    """The aligned pictures: a folder, or the archive as it is handed out."""
    if (base / "Image" / "aligned").is_dir():
        return Folder("rafdb", base / "Image" / "aligned")
    if (base / "Image" / "aligned.zip").is_file():
        return Archive("rafdb", base / "Image" / "aligned.zip")
    raise DataError(f"rafdb: {base / 'Image'}: no folder aligned/ (nor aligned.zip) with NAME_aligned.jpg pictures")


def read_rafdb_list(path: Path) -> dict[str, tuple[list[str], np.ndarray]]:
    """{'train': (names, labels in the order of CLASSES), 'test': ...} in list order."""
    try:
        content = path.read_bytes()
        lines = content.decode(encoding_of(content)).splitlines()
    except (UnicodeDecodeError, OSError) as error:
        raise DataError(f"rafdb: {path.name}: cannot be read as text ({error}); save it as UTF-8") from None
    columns_by_split = {"train": ([], []), "test": ([], [])}
    line_by_name: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        where = f"rafdb: {path.name}, line {number}"
        line_words = line.replace(",", " ").split()
        if not line_words:
            continue
        if len(line_words) != 2:
            raise DataError(f"{where}: {line[:60]!a}, expected a name and a label, for example 'train_00001.jpg 5'")
        name = check_file_name(line_words[0], where)
        split = next((split_name for split_name in columns_by_split if name.startswith(f"{split_name}_")), None)
        if split is None or "/" in name:
            raise DataError(f"{where}: {name}: expected a name that starts with train_ or test_")
        note_line(line_by_name, name, where)
        label = parse_whole_number(line_words[1], 1, len(LABELS), where, "label")
        columns_by_split[split][0].append(name)
        columns_by_split[split][1].append(CLASSES.index(LABELS[label]))
    empty_splits = [split for split, (names, _) in columns_by_split.items() if not names]
    if empty_splits:
        raise DataError(
            f"rafdb: {path.name}: no {list_few(empty_splits)} images listed; "
            f"expected names that start with {list_few(empty_splits)}_"
        )
    return {split: (names, np.array(labels, np.int64)) for split, (names, labels) in columns_by_split.items()}


def find_unlisted(split: str, names: list[str]) -> list[str]:
    """Published names that the list leaves out."""
    published_names = (f"{split}_{number:0{DIGITS[split]}}.jpg" for number in range(1, PUBLISHED[split] + 1))
    return sorted(set(published_names).difference(names))


def read_passed_on(
    files_found: RAFDBFiles, unread_files: list[str]
) -> tuple[dict[str, NamedLabels], dict[str, str], list[str]]:
    """Names and labels of the forms in which it is passed on, {name: file below the place}, and what to say of the labels;
    other files go to `unread_files`.

    A picture that keeps its published file name has its published name, so the data is the same in every form.
    """
    listed_files = (
        read_lists("rafdb", files_found.base, files_found.lists, unread_files)
        if files_found.lists
        else read_class_folders("rafdb", files_found.base, unread_files)
    )
    if "valid" in listed_files:
        raise DataError(
            f"rafdb: {files_found.base}: a third split; RAF-DB has two: put its pictures into train/, or take it away"
        )
    class_by_label, notes = interpret_labels(
        "rafdb", {s: [label for _, label in split_files] for s, split_files in listed_files.items()}, "rafdb"
    )
    if strange_classes := sorted(set(class_by_label.values()) - set(CLASSES)):
        known_classes = f"RAF-DB has {list_few(CLASSES)} and neutral, or 1 to 7"
        raise DataError(f"rafdb: {files_found.base}: class {list_few(strange_classes)}; {known_classes}")
    labels_by_split = {}
    file_by_name = {}
    for split, split_files in listed_files.items():
        names = [published_file_name(file, split) for file, _ in split_files]
        file_by_name |= dict(zip(names, (file for file, _ in split_files)))
        class_numbers = [CLASSES.index(class_by_label[label]) for _, label in split_files]
        labels_by_split[split] = names, np.array(class_numbers, np.int64)
    refuse_other_order(files_found.base, labels_by_split)
    return labels_by_split, file_by_name, notes


def refuse_other_order(base: Path, labels_by_split: dict[str, NamedLabels]) -> None:
    """Raises DataError where the published numbers of pictures stand at other classes than they belong to."""
    for split, published_counts in COUNTS.items():
        labels = labels_by_split[split][1]
        class_counts = tuple(int((labels == CLASSES.index(name)).sum()) for name in LABELS.values())
        if sorted(class_counts) == sorted(published_counts) and class_counts != published_counts:
            differing_counts = [
                f"{name} {class_count:,} ({published_count:,})"
                for name, class_count, published_count in zip(LABELS.values(), class_counts, published_counts)
                if class_count != published_count
            ]
            raise DataError(
                f"rafdb: {base}: the numbers of pictures in {split} are the published ones, at other classes: "
                f"{list_few(differing_counts)}; "
                f"the labels are in another order than {', '.join(LABELS.values())}: name the classes so"
            )


def published_file_name(file: str, split: str) -> str:
    """'train_00001.jpg' for a file of that name among the training pictures; else the file's own name."""
    last = file.rsplit("/", 1)[-1]
    name_match = PUBLISHED_NAME.fullmatch(last)
    return last.replace("_aligned", "") if name_match and name_match[1] == split else file


def published_row(name: str, split: str) -> int:
    """The row of a published name in its split of the authors' list, counted from 0; -1 for another name."""
    name_match = re.fullmatch(rf"{split}_([0-9]{{4,5}})\.jpe?g", name)
    return int(name_match[1]) - 1 if name_match else -1
