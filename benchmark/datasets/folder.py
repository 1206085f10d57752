"""Pictures of one's own: folders `train/<class name>/` and `test/<class name>/`, a CSV with path and label, or parquet."""

from collections.abc import Callable
from dataclasses import dataclass
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
from benchmark.datasets.reading.pictures import read_picture
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
        self.size, self.title = options.size, options.title or type(self).title
        place = locate_pictures(path)
        unread: list[str] = []
        listed, content = list_labelled(self.name, place, unread)
        notes, train_set = place_validation(listed, options.train)
        meaning, renamed = interpret_labels(
            self.name, {s: [c for _, c in part] for s, part in listed.items()}, options.order
        )
        classes = order_classes(self.name, meaning.values())
        sizes: dict[str, str] = {}
        where = f"{self.name}: {place.base.name}"
        train, test = (make_rows(content, where, listed[s], meaning, classes, sizes) for s in ("train", "test"))
        facts = {
            "label_rule": describe_label_rule(place),
            "class set": f"{len(classes)} classes",
            "images used": {split: len(part) for split, part in listed.items()},
            "image sizes": sizes,  # filled while images are decoded
        }
        facts |= {"train_set": train_set} if train_set else {}
        facts |= {"note": "; ".join(renamed)} if renamed else {}
        landmark_files.attach_from_folder(self.name, place.base, train, test, facts)
        lines = [
            f"{self.name}: {line}"
            for line in [*notes, *renamed, *describe_unread(unread), *warn_of_other_classes(classes)]
        ]
        return Source(classes, train, test, facts, group_by_reason(unread), lines)

    def stamp(self, path: Path, options: Options) -> list[tuple[str, int, int]]:
        place = locate_pictures(path)
        return [stamp_folder(place.base), *(stamp_file(table) for table, _ in place.lists)]


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
    if lists := [p for p in (*path.glob("*.jsonl"), *path.glob("*/metadata.jsonl")) if p.is_file()]:
        return f"{lists[0].relative_to(path)} is not read: write it as metadata.csv with the columns file_name,label"
    if (path / "fer2013.csv").is_file() or (path / "icml_face_data.csv").is_file():
        return "FER2013's pixels are here; with fer2013new.csv beside them they are --data ferplus=PATH"
    if packed := [p.name for end in ("*.rar", "*.7z", "*.zst") for p in sorted(path.glob(end))]:
        return f"{packed[0]} is not read: unpack it there"
    if below := next(
        (p for p in sorted(path.glob("*/*/")) + sorted(path.glob("*/*/*/")) if holds_both_splits(p)), None
    ):
        return f"the data lies deeper; give {below}"
    names = [p.name + "/" * p.is_dir() for p in sorted(path.iterdir())]
    return f"found {list_few(names)}; is this another data set?" if names else "the folder is empty"


def holds_both_splits(base: Path) -> bool:
    """Whether pictures of both splits seem to lie there."""
    return bool(find_lists(base)) or {"train", "test"} <= {find_split(p.name) for p in list_inner_folders(base)}


def list_labelled(owner: str, place: PictureForm, unread: list[str]) -> tuple[LabelledFiles, Callable[[str], bytes]]:
    """The pictures of each split with their labels as written, and what reads one; other files go to `unread`."""
    if place.parquet:
        return read_parquet(owner, place.base, place.parquet)
    read = Folder(owner, place.base).read
    if place.lists:
        return read_lists(owner, place.base, place.lists, unread), read
    return read_class_folders(owner, place.base, unread), read


def place_validation(listed: LabelledFiles, choice: str) -> tuple[list[str], str]:
    """What becomes of a third split: trained on, or left out. Returns what to say of it."""
    held = listed.pop("valid", [])
    if not held:
        return [], ""
    if choice == "train":
        return [f"the validation split ({len(held):,} pictures) is left out"], "train split only"
    listed["train"] += held
    how = "--set folder.train=train leaves it out"
    return [f"the validation split ({len(held):,} pictures) is trained on, too ({how})"], "train and validation"


def describe_label_rule(place: PictureForm) -> str:
    if place.parquet:
        return "column of the parquet files"
    return f"column 'label' of {place.lists[0][0].name}" if place.lists else "names of folders"


def make_rows(
    content: Callable[[str], bytes],
    where: str,
    listed: list[tuple[str, str]],
    meaning: dict[str, str],
    classes: tuple[str, ...],
    sizes: dict[str, str],
) -> Rows:
    hashes = [""] * len(listed)

    def image(row: int) -> np.ndarray:
        name = listed[row][0]
        pixels, hashes[row] = read_picture(content(name), 3, f"{where}/{name}")
        note_size(sizes, pixels.shape)
        return pixels

    labels = np.array([classes.index(meaning[label]) for _, label in listed], np.int64)
    return Rows([name for name, _ in listed], labels, image, pixels=hashes)


def note_size(sizes: dict[str, str], shape: tuple[int, ...]) -> None:
    """Keep 'width x height' of the smallest and the largest picture."""

    def area(text: str) -> int:
        width, height = text.split(" x ")
        return int(width) * int(height)

    seen = f"{shape[1]} x {shape[0]}"
    sizes["smallest"] = min(sizes.get("smallest", seen), seen, key=area)
    sizes["largest"] = max(sizes.get("largest", seen), seen, key=area)


def warn_of_other_classes(classes: tuple[str, ...]) -> list[str]:
    """Classes that are no expressions."""
    others = [name for name in classes if name not in EIGHT]
    return [f"{list_few(others)}: not among {', '.join(EIGHT)}; asymmetric noise needs those names"] if others else []
