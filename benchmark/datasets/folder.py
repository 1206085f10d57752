"""Pictures of one's own: folders `train/<class name>/` and `test/<class name>/`, a CSV with path and label, or parquet."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmark.datasets.base import DataError, DataSet, Rows, Source
from benchmark.datasets.reading import landmark_files
from benchmark.datasets.reading.class_folders import Listed, from_folders, has_splits, inner_folders
from benchmark.datasets.reading.class_names import AS_NAMED, in_order, understood
from benchmark.datasets.reading.files import Folder, few, file_stamp, folder_stamp, one_of, whole_size
from benchmark.datasets.reading.image_lists import Lists, beside, from_lists, lists_in
from benchmark.datasets.reading.left_out import by_ending, unread_lines
from benchmark.datasets.reading.parquet import from_parquet, parquet_files
from benchmark.datasets.reading.pictures import picture
from benchmark.datasets.reading.splits import split_of
from noise.expressions import EIGHT, ORDERS

TRAIN = ("train+valid", "train")


@dataclass(frozen=True)
class Place:
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
            whole_size("folder", self.size)
            one_of("folder.train", self.train, TRAIN)
            one_of("folder.order", self.order, ("", *ORDERS, AS_NAMED))

    def read(self, path: Path, options: Options) -> Source:
        self.size, self.title = options.size, options.title or type(self).title
        place = locate(path)
        unread: list[str] = []
        listed, content = listing(self.name, place, unread)
        notes, train_set = validation(listed, options.train)
        meaning, renamed = understood(self.name, {s: [c for _, c in part] for s, part in listed.items()}, options.order)
        classes = in_order(self.name, meaning.values())
        sizes: dict[str, str] = {}
        where = f"{self.name}: {place.base.name}"
        train, test = (rows(content, where, listed[s], meaning, classes, sizes) for s in ("train", "test"))
        facts = {
            "label_rule": label_rule(place),
            "class set": f"{len(classes)} classes",
            "images used": {split: len(part) for split, part in listed.items()},
            "image sizes": sizes,  # filled while images are decoded
        }
        facts |= {"train_set": train_set} if train_set else {}
        facts |= {"note": "; ".join(renamed)} if renamed else {}
        landmark_files.attach_beside(self.name, place.base, train, test, facts)
        lines = [f"{self.name}: {line}" for line in [*notes, *renamed, *unread_lines(unread), *strange(classes)]]
        return Source(classes, train, test, facts, by_ending(unread), lines)

    def stamp(self, path: Path, options: Options) -> list[tuple[str, int, int]]:
        place = locate(path)
        return [folder_stamp(place.base), *(file_stamp(table) for table, _ in place.lists)]


def locate(path: Path) -> Place:
    """The folder that names are relative to and the form of the data, there or one folder below; raises DataError."""
    if path.is_file() and path.suffix.lower() == ".csv":
        return Place(path.parent, beside(path), [])
    if path.is_file() and path.suffix.lower() == ".parquet":
        return Place(path.parent, [], [path])
    if not path.exists():
        raise DataError(f"folder: {path}: there is no such folder")
    for base in (path, *inner_folders(path)):
        if (base / "images.csv").is_file():
            return Place(base, [(base / "images.csv", None)], [])
        if has_splits(base):
            return Place(base, [], [])
        if lists := lists_in(base):
            return Place(base, lists, [])
    if parquet := parquet_files(path) if path.is_dir() else []:
        return Place(path, [], parquet)
    raise DataError(
        f"folder: {path}: expected folders train/<class name>/ and test/<class name>/, images.csv with the columns "
        f"path,label,split, train_labels.csv and test_labels.csv, or parquet files; {found_instead(path)}"
    )


def found_instead(path: Path) -> str:
    """What lies in a folder that holds none of the forms."""
    if not path.is_dir():
        return f"this is a {path.suffix or 'file'}; is this another data set?"
    if lists := [p for p in (*path.glob("*.jsonl"), *path.glob("*/metadata.jsonl")) if p.is_file()]:
        return f"{lists[0].relative_to(path)} is not read: write it as metadata.csv with the columns file_name,label"
    if (path / "fer2013.csv").is_file() or (path / "icml_face_data.csv").is_file():
        return "FER2013's pixels are here; with fer2013new.csv beside them they are --data ferplus=PATH"
    if packed := [p.name for end in ("*.rar", "*.7z", "*.zst") for p in sorted(path.glob(end))]:
        return f"{packed[0]} is not read: unpack it there"
    if below := next((p for p in sorted(path.glob("*/*/")) + sorted(path.glob("*/*/*/")) if any_form(p)), None):
        return f"the data lies deeper; give {below}"
    names = [p.name + "/" * p.is_dir() for p in sorted(path.iterdir())]
    return f"found {few(names)}; is this another data set?" if names else "the folder is empty"


def any_form(base: Path) -> bool:
    """Whether pictures of both splits seem to lie there."""
    return bool(lists_in(base)) or {"train", "test"} <= {split_of(p.name) for p in inner_folders(base)}


def listing(owner: str, place: Place, unread: list[str]) -> tuple[Listed, Callable[[str], bytes]]:
    """The pictures of each split with their labels as written, and what reads one; other files go to `unread`."""
    if place.parquet:
        return from_parquet(owner, place.base, place.parquet)
    read = Folder(owner, place.base).read
    if place.lists:
        return from_lists(owner, place.base, place.lists, unread), read
    return from_folders(owner, place.base, unread), read


def validation(listed: Listed, choice: str) -> tuple[list[str], str]:
    """What becomes of a third split: trained on, or left out. Returns what to say of it."""
    held = listed.pop("valid", [])
    if not held:
        return [], ""
    if choice == "train":
        return [f"the validation split ({len(held):,} pictures) is left out"], "train split only"
    listed["train"] += held
    how = "--set folder.train=train leaves it out"
    return [f"the validation split ({len(held):,} pictures) is trained on, too ({how})"], "train and validation"


def label_rule(place: Place) -> str:
    if place.parquet:
        return "column of the parquet files"
    return f"column 'label' of {place.lists[0][0].name}" if place.lists else "names of folders"


def rows(
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
        pixels, hashes[row] = picture(content(name), 3, f"{where}/{name}")
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


def strange(classes: tuple[str, ...]) -> list[str]:
    """Classes that are no expressions."""
    others = [name for name in classes if name not in EIGHT]
    return [f"{few(others)}: not among {', '.join(EIGHT)}; asymmetric noise needs those names"] if others else []
