"""Pictures of one's own: folders `train/<class name>/` and `test/<class name>/`, a CSV with path and label, or parquet."""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np

from benchmark.datasets.base import DataError, DataSet, Rows, Source
from benchmark.datasets.reading import landmark_files
from benchmark.datasets.reading.class_folders import (
    LabelledFiles,
    holds_class_folders,
    list_inner_folders,
    read_class_folders,
)
from benchmark.datasets.reading.class_names import AS_NAMED, interpret_labels, order_classes
from benchmark.datasets.reading.files import Folder, check_option, check_size, list_few, stamp_file, stamp_folder
from benchmark.datasets.reading.image_lists import Lists, find_lists, find_lists_beside, read_lists
from benchmark.datasets.reading.left_out import describe_unread, group_by_reason
from benchmark.datasets.reading.parquet import find_parquet_files, read_parquet
from benchmark.datasets.reading.pictures import make_picture_rows, read_picture
from benchmark.datasets.reading.splits import find_split
from noise.expressions import EIGHT, ORDERS

TRAIN = ("train+valid", "train")


@dataclass(frozen=True)
class PictureForm:
    """Where pictures lie and in which form: the first of lists, folders and parquet files that is there."""

    base: Path
    lists: Lists
    parquet: list[Path]


class ImageFolder(DataSet):
    name = "folder"
    title = "Own pictures"
    size = 112
    channels = 3
    version = 3

    @dataclass(frozen=True)
    class Options:
        """size: side at which images are stored. title: the name in tables, kept from the first preparation. train:
        whether a validation split is trained on. order: what numbers stand for, where classes are numbers.
        """

        size: int = 112
        title: str = ""
        train: str = "train+valid"
        order: str = ""

        def __post_init__(self) -> None:
            check_size("folder", self.size)
            check_option("folder.train", self.train, TRAIN)
            check_option("folder.order", self.order, ("", *ORDERS, AS_NAMED))

    def read(self, path: Path, options: Options) -> Source:
        self.size = options.size
        self.title = options.title or type(self).title
        form = locate_pictures(path)
        unread: list[str] = []
        listed_pictures, read_content = list_labelled(self.name, form, unread)
        notes, train_set = place_validation(listed_pictures, options.train)
        class_by_label, renamed_labels = interpret_labels(
            self.name, {s: [label for _, label in pictures] for s, pictures in listed_pictures.items()}, options.order
        )
        classes = order_classes(self.name, class_by_label.values())
        image_sizes: dict[str, str] = {}

        def make_rows(labelled_pictures: list[tuple[str, str]]) -> Rows:
            picture_names = [name for name, _ in labelled_pictures]
            labels = np.array([classes.index(class_by_label[label]) for _, label in labelled_pictures], np.int64)

            def read_row(row: int) -> tuple[np.ndarray, str]:
                where = f"{self.name}: {form.base.name}/{picture_names[row]}"
                pixels, file_hash = read_picture(read_content(picture_names[row]), 3, where)
                note_size(image_sizes, pixels.shape)
                return pixels, file_hash

            return make_picture_rows(picture_names, labels, read_row)

        train, test = (make_rows(listed_pictures[split]) for split in ("train", "test"))
        facts = {
            "label_rule": describe_label_rule(form),
            "class set": f"{len(classes)} classes",
            "images used": {split: len(pictures) for split, pictures in listed_pictures.items()},
            "image sizes": image_sizes,  # filled while images are decoded
        }
        facts |= {"train_set": train_set} if train_set else {}
        facts |= {"note": "; ".join(renamed_labels)} if renamed_labels else {}
        landmark_files.attach_from_folder(self.name, form.base, train, test, facts)
        notes += [*renamed_labels, *describe_unread(unread)]
        if other_classes := [name for name in classes if name not in EIGHT]:
            notes.append(f"{list_few(other_classes)}: not among {', '.join(EIGHT)}; asymmetric noise needs those names")
        warning_lines = [f"{self.name}: {line}" for line in notes]
        return Source(classes, train, test, facts, group_by_reason(unread), warning_lines)

    def stamp(self, path: Path, options: Options) -> list[tuple[str, int, int]]:
        form = locate_pictures(path)
        return [stamp_folder(form.base), *(stamp_file(list_file) for list_file, _ in form.lists)]


def locate_pictures(path: Path) -> PictureForm:
    """The folder that names are relative to and the form of the data, there or one folder below; raises DataError."""
    if path.is_file() and path.suffix.lower() == ".csv":
        return PictureForm(path.parent, find_lists_beside(path), [])
    if path.is_file() and path.suffix.lower() == ".parquet":
        return PictureForm(path.parent, [], [path])
    if not path.exists():
        raise DataError(f"folder: {path}: there is no such folder")
    for base in (path, *list_inner_folders(path)):
        if (base / "images.csv").is_file():
            return PictureForm(base, [(base / "images.csv", None)], [])
        if holds_class_folders(base):
            return PictureForm(base, [], [])
        if lists := find_lists(base):
            return PictureForm(base, lists, [])
    if parquet := find_parquet_files(path) if path.is_dir() else []:
        return PictureForm(path, [], parquet)
    raise DataError(
        f"folder: {path}: expected folders train/<class name>/ and test/<class name>/, images.csv with the columns "
        f"path,label,split, train_labels.csv and test_labels.csv, or parquet files; {describe_contents(path)}"
    )


def describe_contents(path: Path) -> str:
    """What lies in a folder that holds none of the forms."""
    if not path.is_dir():
        return f"this is a {path.suffix or 'file'}; is this another data set?"
    if list_files := [file for file in (*path.glob("*.jsonl"), *path.glob("*/metadata.jsonl")) if file.is_file()]:
        list_name = list_files[0].relative_to(path)
        return f"{list_name} is not read: write it as metadata.csv with the columns file_name,label"
    if (path / "fer2013.csv").is_file() or (path / "icml_face_data.csv").is_file():
        return "FER2013's pixels are here; with fer2013new.csv beside them they are --data ferplus=PATH"
    if packed_files := [file.name for ending in ("*.rar", "*.7z", "*.zst") for file in sorted(path.glob(ending))]:
        return f"{packed_files[0]} is not read: unpack it there"
    for deeper_folder in sorted(path.glob("*/*/")) + sorted(path.glob("*/*/*/")):
        if holds_both_splits(deeper_folder):
            return f"the data lies deeper; give {deeper_folder}"
    entry_names = [f"{entry.name}/" if entry.is_dir() else entry.name for entry in sorted(path.iterdir())]
    return f"found {list_few(entry_names)}; is this another data set?" if entry_names else "the folder is empty"


def holds_both_splits(base: Path) -> bool:
    """Whether pictures of both splits seem to lie there."""
    return bool(find_lists(base)) or {"train", "test"} <= {find_split(p.name) for p in list_inner_folders(base)}


def list_labelled(owner: str, form: PictureForm, unread: list[str]) -> tuple[LabelledFiles, Callable[[str], bytes]]:
    """The pictures of each split with their labels as written, and what reads one; other files go to `unread`."""
    if form.parquet:
        return read_parquet(owner, form.base, form.parquet)
    read_file = Folder(owner, form.base).read
    if form.lists:
        return read_lists(owner, form.base, form.lists, unread), read_file
    return read_class_folders(owner, form.base, unread), read_file


def place_validation(listed_pictures: LabelledFiles, choice: str) -> tuple[list[str], str]:
    """What becomes of a third split: trained on, or left out. Returns what to say of it."""
    validation_pictures = listed_pictures.pop("valid", [])
    if not validation_pictures:
        return [], ""
    split_text = f"the validation split ({len(validation_pictures):,} pictures) is"
    if choice == "train":
        return [f"{split_text} left out"], "train split only"
    listed_pictures["train"] += validation_pictures
    return [f"{split_text} trained on, too (--set folder.train=train leaves it out)"], "train and validation"


def describe_label_rule(form: PictureForm) -> str:
    if form.parquet:
        return "column of the parquet files"
    return f"column 'label' of {form.lists[0][0].name}" if form.lists else "names of folders"


def note_size(image_sizes: dict[str, str], shape: tuple[int, ...]) -> None:
    """Keep 'width x height' of the smallest and the largest picture."""

    def area(text: str) -> int:
        return prod(map(int, text.split(" x ")))

    size_text = f"{shape[1]} x {shape[0]}"
    image_sizes["smallest"] = min(image_sizes.get("smallest", size_text), size_text, key=area)
    image_sizes["largest"] = max(image_sizes.get("largest", size_text), size_text, key=area)
