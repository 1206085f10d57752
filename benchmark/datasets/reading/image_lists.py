"""Lists of pictures: a CSV with path, label and split, `train_labels.csv` and `test_labels.csv`, or `metadata.csv`."""

import hashlib
import unicodedata
from collections import defaultdict
from itertools import takewhile
from math import ceil
from pathlib import Path

from benchmark.datasets.base import DataError
from benchmark.datasets.reading.class_folders import LabelledFiles, list_inner_folders
from benchmark.datasets.reading.files import Folder, check_file_name, list_few, note_line, read_csv_rows
from benchmark.datasets.reading.pictures import is_picture
from benchmark.datasets.reading.splits import find_split
from noise.expressions import EIGHT, class_word

COLUMNS = {  # what the three columns are called, the first that is there
    "path": "path file_name filename file image image_path img image_name pth filepath name",
    "label": "label labels emotion expression class category emotion_label",
    "split": "split usage set subset fold",
}
WHOLE = ("images.csv", "metadata.csv", "labels.csv")  # lists of all splits, the first that is there
TEST_SHARE = 0.2  # of each class, where nothing names a split

Lists = list[tuple[Path, str | None]]  # (CSV, the split it is of if it is one split's)


def find_lists(base: Path) -> Lists:
    """The lists that lie in a folder; empty where there are none."""
    for name in WHOLE:
        if (base / name).is_file():
            return [(base / name, None)]
    split_lists = list_split_lists(base)
    for folder in list_inner_folders(base):
        split = find_split(folder.name)
        if split and (folder / "metadata.csv").is_file():
            split_lists.append((folder / "metadata.csv", split))
    return split_lists if any(split == "train" for _, split in split_lists) else []


def list_split_lists(base: Path) -> Lists:
    """The lists in a folder that a split names."""
    named_lists = [(path, split_of_list(path)) for path in sorted(base.glob("*.csv"))]
    return [(path, split) for path, split in named_lists if split]


def split_of_list(path: Path) -> str | None:
    """'train' for train_labels.csv, train.csv or Train-list.csv."""
    return next(filter(None, map(find_split, path.stem.lower().replace("-", "_").split("_"))), None)


def find_lists_beside(path: Path) -> Lists:
    """A list that was named, with those of the other splits beside it."""
    split_lists = list_split_lists(path.parent)
    return split_lists if split_of_list(path) and len({split for _, split in split_lists}) > 1 else [(path, None)]


def read_lists(owner: str, base: Path, lists: Lists, unread_files: list[str]) -> LabelledFiles:
    """The listed pictures of each split, as names of files below `base`; pictures that no list names go to `unread_files`."""
    picture_index = PictureIndex(owner, base)
    labelled_files: LabelledFiles = {"train": [], "test": []}
    undecided_rows: list[tuple[str, str]] = []
    line_by_name: dict[str, str] = {}
    absent_pictures = []
    for path, split in lists:
        list_folder = path.parent.relative_to(base).as_posix()
        for where, row in read_list_rows(owner, path):
            name = picture_index.find(row["path"], where, list_folder)
            if name is None:
                absent_pictures.append((where, row["path"]))
                continue
            note_line(line_by_name, name, where)
            row_split = split or split_of_row(row, where)
            (labelled_files.setdefault(row_split, []) if row_split else undecided_rows).append((name, row["label"]))
    if absent_pictures:
        raise DataError(
            f"{absent_pictures[0][0]}: {len(absent_pictures):,} listed pictures are not in {base}: "
            f"{list_few(name for _, name in absent_pictures)}"
        )
    unread_files += sorted(picture_index.present - set(line_by_name))
    hold_out(labelled_files, undecided_rows)
    for split in ("train", "test"):
        if not labelled_files[split]:
            raise DataError(f"{owner}: {lists[0][0].name}: no image for {split}; name some in the column split")
    return labelled_files


def read_list_rows(owner: str, path: Path) -> list[tuple[str, dict[str, str]]]:
    """(where, {'path': ..., 'label': ..., 'split': ...}) of each row, by whatever the columns are called."""
    list_columns: list[str] = []
    rows = []
    for where, cells in read_csv_rows(Folder(owner, path.parent), path.name):
        cells = [cell.strip() for cell in cells]
        if not list_columns:
            list_columns = [cell.lower() for cell in cells]
            known_names = {field: [n for n in names.split() if n in list_columns] for field, names in COLUMNS.items()}
            column_names = {field: names[0] for field, names in known_names.items() if names}
            if not {"path", "label"} <= column_names.keys():
                hint = explain_columns(list_columns)
                raise DataError(f"{where}: columns {list_few(cells)}; expected path,label or path,label,split{hint}")
            doubled_names = [name for name in column_names.values() if list_columns.count(name) > 1]
            if doubled_names:
                raise DataError(f"{where}: two columns {doubled_names[0]!r}; keep one of them")
            continue
        if len(cells) != len(list_columns):
            raise DataError(f"{where}: {len(cells)} cells, expected {len(list_columns)} as in the first line")
        row = {field: cells[list_columns.index(name)] for field, name in column_names.items()}
        if not row["path"] or not row["label"]:
            raise DataError(f"{where}: an empty path or label; fill it in or remove the row")
        rows.append((where, row))
    return rows


def explain_columns(columns: list[str]) -> str:
    """What a list without path or label may be, and what to do."""
    if columns[0].startswith("sep="):
        return "; the first line is for Excel alone: remove it"
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
    split_name = find_split(row["split"])
    if split_name is None:
        raise DataError(f"{where}: split {row['split'].lower()!r}, expected train or test")
    return split_name


def hold_out(labelled_files: LabelledFiles, undecided_rows: list[tuple[str, str]]) -> None:
    """Share rows without a split between train and test: of each class the fifth whose names have the smallest hashes.

    Where there is a validation split and no test split, it is the test split.
    """
    if not labelled_files["test"] and labelled_files.get("valid"):
        labelled_files["test"] = labelled_files.pop("valid")
    names_by_class = defaultdict(list)
    for name, label in undecided_rows:
        names_by_class[label].append(name)
    test_names: set[str] = set()
    for names in names_by_class.values():
        ordered_names = sorted(names, key=lambda name: hashlib.sha256(name.encode()).hexdigest())
        test_names.update(ordered_names[: ceil(TEST_SHARE * len(names))])
    for name, label in undecided_rows:
        labelled_files["test" if name in test_names else "train"].append((name, label))


class PictureIndex:
    """The pictures below a folder, found by what lists call them: other slashes, other disks, folders more or less."""

    def __init__(self, owner: str, base: Path) -> None:
        self.present = {name for name in Folder(owner, base).names() if is_picture(name)}
        self.by_file: dict[str, list[str]] = defaultdict(list)
        for name in sorted(self.present):
            self.by_file[fold_letters(name.rsplit("/", 1)[-1])].append(name)

    def find(self, written_path: str, where: str, list_folder: str = ".") -> str | None:
        """The file that a list means: the one of this name with the most folders in common; None where none is there."""
        name = written_path.replace("\\", "/")
        for start in (f"{list_folder}/", ""):  # from the list's folder, or from the data's
            if f"{start}{name}".removeprefix("./") in self.present:
                return f"{start}{name}".removeprefix("./")
        path_parts = [part for part in name.split("/") if part not in ("", ".")]
        if name[1:2] == ":":
            path_parts = path_parts[1:]
        check_file_name("/".join(path_parts), where)
        if not path_parts:
            raise DataError(f"{where}: {written_path!r} names no picture")
        *folders, file_name = [fold_letters(part) for part in path_parts]
        likely_names = self.by_file.get(file_name, [])
        if not likely_names and "." not in file_name:
            endings = (".jpg", ".png", ".jpeg")
            likely_names = [name for end in endings for name in self.by_file.get(file_name + end, [])]
        common_folders = {
            name: count_common_folders(fold_letters(name).split("/")[:-1], folders) for name in likely_names
        }
        best_names = [name for name in likely_names if common_folders[name] == max(common_folders.values())]
        if len(best_names) > 1:
            fix_hint = "write the path from the data's folder"
            raise DataError(f"{where}: {written_path!r} may be {list_few(best_names)}; {fix_hint}")
        return next(iter(best_names), None)


def fold_letters(name: str) -> str:
    """A name without what copies change: capitals, and letters that macOS writes in two parts ('e' and an accent)."""
    return unicodedata.normalize("NFC", name).lower()


def count_common_folders(first_folders: list[str], second_folders: list[str]) -> int:
    """How many folders agree, counted from the file upwards."""
    folder_pairs = zip(reversed(first_folders), reversed(second_folders))
    return len(list(takewhile(lambda pair: pair[0] == pair[1], folder_pairs)))
