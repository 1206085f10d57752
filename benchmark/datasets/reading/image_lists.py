"""Lists of pictures: a CSV with path, label and split, `train_labels.csv` and `test_labels.csv`, or `metadata.csv`."""

import hashlib
from math import ceil
from pathlib import Path

from benchmark.datasets.base import DataError
from benchmark.datasets.reading.class_folders import LabelledFiles, list_inner_folders
from benchmark.datasets.reading.files import Folder, check_file_name, list_few, read_csv_rows
from benchmark.datasets.reading.pictures import is_picture
from benchmark.datasets.reading.splits import find_split
from noise.expressions import EIGHT, class_word

COLUMNS = {  # what the three columns are called, the first that is there
    "path": (
        "path",
        "file_name",
        "filename",
        "file",
        "image",
        "image_path",
        "img",
        "image_name",
        "pth",
        "filepath",
        "name",
    ),
    "label": ("label", "labels", "emotion", "expression", "class", "category", "emotion_label"),
    "split": ("split", "usage", "set", "subset", "fold"),
}
WHOLE = ("images.csv", "metadata.csv", "labels.csv")  # lists of all splits, the first that is there
TEST_SHARE = 0.2  # of each class, where nothing names a split

Lists = list[tuple[Path, str | None]]  # (CSV, the split it is of if it is one split's)


def find_lists(base: Path) -> Lists:
    """The lists that lie in a folder; empty where there are none."""
    for name in WHOLE:
        if (base / name).is_file():
            return [(base / name, None)]
    parts = [(path, split) for path in sorted(base.glob("*.csv")) if (split := split_of_list(path))]
    parts += [
        (folder / "metadata.csv", split)
        for folder in list_inner_folders(base)
        if (split := find_split(folder.name)) and (folder / "metadata.csv").is_file()
    ]
    return parts if any(split == "train" for _, split in parts) else []


def split_of_list(path: Path) -> str | None:
    """'train' for train_labels.csv, train.csv or Train-list.csv."""
    words = path.stem.lower().replace("-", "_").split("_")
    return next((split for word in words if (split := find_split(word))), None)


def find_lists_beside(path: Path) -> Lists:
    """A list that was named, with those of the other splits beside it."""
    parts = [(p, s) for p in sorted(path.parent.glob("*.csv")) if (s := split_of_list(p))]
    return parts if split_of_list(path) and len({s for _, s in parts}) > 1 else [(path, None)]


def read_lists(owner: str, base: Path, lists: Lists, unread: list[str]) -> LabelledFiles:
    """The listed pictures of each split, as names of files below `base`; pictures that no list names go to `unread`."""
    files = PictureIndex(owner, base)
    found: LabelledFiles = {"train": [], "test": []}
    undecided: list[tuple[str, str]] = []
    seen: dict[str, str] = {}
    absent: list[tuple[str, str]] = []
    for path, split in lists:
        inside = path.parent.relative_to(base).as_posix()
        for where, row in read_list_rows(owner, path):
            name = files.find(row["path"], where, inside)
            if name is None:
                absent.append((where, row["path"]))
                continue
            if name in seen:
                raise DataError(f"{where}: {row['path']!r} stands twice ({seen[name]}); keep one row for each picture")
            seen[name] = where.rsplit(", ")[-1]
            named = split or split_of_row(row, where)
            (found.setdefault(named, []) if named else undecided).append((name, row["label"]))
    if absent:
        raise DataError(
            f"{absent[0][0]}: {len(absent):,} listed pictures are not in {base}: {list_few(name for _, name in absent)}"
        )
    unread += sorted(files.present - set(seen))
    if not found["test"] and found.get("valid"):
        found["test"] = found.pop("valid")
    hold_out(found, undecided)
    for split in ("train", "test"):
        if not found[split]:
            raise DataError(f"{owner}: {lists[0][0].name}: no image for {split}; name some in the column split")
    return found


def read_list_rows(owner: str, path: Path) -> list[tuple[str, dict[str, str]]]:
    """(where, {'path': ..., 'label': ..., 'split': ...}) of each row, by whatever the columns are called."""
    columns, rows = None, []
    for where, cells in read_csv_rows(Folder(owner, path.parent), path.name):
        cells = [cell.strip() for cell in cells]
        if columns is None:
            lower = [cell.lower() for cell in cells]
            columns = {
                field: next((lower.index(n) for n in names if n in lower), None) for field, names in COLUMNS.items()
            }
            width = len(cells)
            if columns["path"] is None or columns["label"] is None:
                raise DataError(
                    f"{where}: columns {list_few(cells)}; expected path,label or path,label,split{explain_columns(lower)}"
                )
            continue
        if len(cells) != width:
            raise DataError(f"{where}: {len(cells)} cells, expected {width} as in the first line")
        row = {field: cells[place] for field, place in columns.items() if place is not None}
        if not row["path"] or not row["label"]:
            raise DataError(f"{where}: an empty path or label; fill it in or remove the row")
        rows.append((where, row))
    return rows


def explain_columns(columns: list[str]) -> str:
    """What a list without path or label may be, and what to do."""
    if "pixels" in columns:
        return "; this is FER2013's file of pixels, which --data ferplus=PATH reads with fer2013new.csv beside it"
    if sum(class_word(column) in EIGHT for column in columns) > 1:
        return "; a column for each class is not read: write the class into one column 'label'"
    if any(is_picture(column) for column in columns):
        return "; the first line is a row already: put the names of the columns above it"
    return ""


def split_of_row(row: dict[str, str], where: str) -> str | None:
    if "split" not in row:
        return None
    found = find_split(row["split"])
    if found is None:
        raise DataError(f"{where}: split {row['split'].lower()!r}, expected train or test")
    return found


def hold_out(found: LabelledFiles, undecided: list[tuple[str, str]]) -> None:
    """Share rows without a split between train and test: of each class the fifth whose names have the smallest hashes."""
    by_class: dict[str, list[str]] = {}
    for name, label in undecided:
        by_class.setdefault(label, []).append(name)
    mixed = {c: sorted(names, key=lambda n: hashlib.sha256(n.encode()).hexdigest()) for c, names in by_class.items()}
    tested = {name for names in mixed.values() for name in names[: ceil(TEST_SHARE * len(names))]}
    for name, label in undecided:
        found["test" if name in tested else "train"].append((name, label))


class PictureIndex:
    """The pictures below a folder, found by what lists call them: other slashes, other disks, folders more or less."""

    def __init__(self, owner: str, base: Path) -> None:
        self.present = {name for name in Folder(owner, base).names() if is_picture(name)}
        self.by_file: dict[str, list[str]] = {}
        for name in sorted(self.present):
            self.by_file.setdefault(name.rsplit("/", 1)[-1].lower(), []).append(name)

    def find(self, written: str, where: str, inside: str = ".") -> str | None:
        """The file that a list means: the one of this name with the most folders in common; None where none is there."""
        name = written.replace("\\", "/")
        for start in (f"{inside}/", ""):  # from the list's folder, or from the data's
            if f"{start}{name}".removeprefix("./") in self.present:
                return f"{start}{name}".removeprefix("./")
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if name[1:2] == ":":
            parts = parts[1:]
        check_file_name("/".join(parts), where)
        if not parts:
            raise DataError(f"{where}: {written!r} names no picture")
        likely = self.by_file.get(parts[-1].lower(), [])
        if not likely and "." not in parts[-1]:
            likely = [
                names for end in (".jpg", ".png", ".jpeg") for names in self.by_file.get(parts[-1].lower() + end, [])
            ]
        folders = [part.lower() for part in parts[:-1]]
        alike = {name: count_common_folders(name.lower().split("/")[:-1], folders) for name in likely}
        best = [name for name in likely if alike[name] == max(alike.values())]
        if not best:
            return None
        if len(best) > 1:
            raise DataError(f"{where}: {written!r} may be {list_few(best)}; write the path from the data's folder")
        return best[0]


def count_common_folders(one: list[str], two: list[str]) -> int:
    """How many folders agree, counted from the file upwards."""
    return next((n for n, (a, b) in enumerate(zip(reversed(one), reversed(two))) if a != b), min(len(one), len(two)))
