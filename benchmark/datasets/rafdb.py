"""RAF-DB, basic emotions: 15,339 aligned faces with one label each from about 40 people (Li et al., CVPR 2017).

`EmoLabel/list_patition_label.txt` has rows 'train_00001.jpg 5'; the picture is `Image/aligned/train_00001_aligned.jpg`.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmark.datasets.base import DataError, DataSet, Rows, Source
from benchmark.datasets.reading import landmark_files
from benchmark.datasets.reading.files import (
    Archive,
    Folder,
    check_size,
    compare_counts,
    list_few,
    stamp_file,
    stamp_folder,
)
from benchmark.datasets.reading.left_out import describe_unread, group_by_reason
from benchmark.datasets.reading.pictures import is_picture, make_picture_rows, read_picture
from benchmark.datasets.reading.rafdb import (
    CLASSES,
    PUBLISHED,
    find_unlisted,
    locate_rafdb,
    open_aligned,
    published_row,
    read_passed_on,
    read_rafdb_list,
)


class RAFDB(DataSet):
    name = "rafdb"
    title = "RAF-DB"
    size = 100
    channels = 3
    version = 3

    @dataclass(frozen=True)
    class Options:
        """size: side at which faces are stored."""

        size: int = 100

        def __post_init__(self) -> None:
            check_size("rafdb", self.size)

    def read(self, path: Path, options: Options) -> Source:
        self.size = options.size
        files_found = locate_rafdb(path)
        base = files_found.base
        unread_files: list[str] = []
        label_notes: list[str] = []
        if files_found.list_file:
            listed_names = read_rafdb_list(files_found.list_file)
            files = open_aligned(base)
            file_by_name = find_aligned(files, [name for names, _ in listed_names.values() for name in names])
            label_source = files_found.list_file.name
            source_text = "EmoLabel and Image/aligned"
        else:
            listed_names, file_by_name, label_notes = read_passed_on(files_found, unread_files)
            files = Folder(self.name, base)
            label_source = files_found.lists[0][0].name if files_found.lists else "names of folders"
            source_text = "passed on as " + ("lists of files" if files_found.lists else "folders of classes")

        def make_rows(names: list[str], labels: np.ndarray) -> Rows:
            def read_row(row: int) -> tuple[np.ndarray, str]:
                file = file_by_name[names[row]]
                return read_picture(files.read(file), 3, f"{files.where}/{file}")

            return make_picture_rows(names, labels, read_row)

        rows_by_split = {split: make_rows(*columns) for split, columns in listed_names.items()}
        image_counts = {split: len(rows.names) for split, rows in rows_by_split.items()}
        facts = {
            "label_rule": "published label",
            "class set": "7 classes",
            "labels": label_source,
            "images used": image_counts,
            "licence": "pictures: for research by agreement with the authors, no licence to pass on",
            "source": source_text,
        }
        attach_landmarks(base, rows_by_split, facts, listed=files_found.list_file is not None)
        warning_lines = compare_counts(self.name, image_counts, PUBLISHED)
        missing_names = [name for split in PUBLISHED for name in find_unlisted(split, listed_names[split][0])]
        if warning_lines and missing_names:
            warning_lines[0] += f" Missing from {label_source}: {list_few(missing_names)}."
        warning_lines += [f"rafdb: {line}" for line in [*label_notes, *describe_unread(unread_files)]]
        dropped_names = group_by_reason(unread_files)
        return Source(CLASSES, rows_by_split["train"], rows_by_split["test"], facts, dropped_names, warning_lines)

    def stamp(self, path: Path, options: Options) -> list[tuple[str, int, int]]:
        files_found = locate_rafdb(path)
        base = files_found.base
        if files_found.list_file is None:
            return [stamp_folder(base), *(stamp_file(list_path) for list_path, _ in files_found.lists)]
        pictures = base / "Image" / "aligned"
        picture_stamp = stamp_folder(pictures) if pictures.is_dir() else stamp_file(pictures.with_suffix(".zip"))
        return [stamp_file(files_found.list_file), picture_stamp, *map(stamp_file, find_landmark_files(base))]


def find_aligned(files: Folder | Archive, names: list[str]) -> dict[str, str]:
    """{listed name: its aligned picture, in whatever format and folder}; raises DataError where one is not there."""
    file_by_stem = index_by_stem(files.where, files.names())
    file_by_name = {name: file_by_stem.get(f"{Path(name).stem}_aligned") for name in names}
    absent_names = [f"{Path(name).stem}_aligned.jpg" for name, file in file_by_name.items() if file is None]
    if absent_names:
        raise DataError(
            f"{files.where}: {len(absent_names):,} listed images are not there: {list_few(absent_names)}; "
            "unpack aligned.zip or aligned.tar.gz of the data set there"
        )
    return file_by_name


def index_by_stem(where: str, present_names: set[str]) -> dict[str, str]:
    """{file name without its ending: name with its folders}; raises DataError where a name stands there twice."""
    file_by_stem: dict[str, str] = {}
    for name in sorted(filter(is_picture, present_names)):
        first_file = file_by_stem.setdefault(Path(name).stem, name)
        if first_file != name:
            raise DataError(f"{where}: {first_file} and {name} have one name; which is meant? Keep one of them")
    return file_by_stem


def find_landmark_files(base: Path) -> list[Path]:
    """Files beside the data that may hold landmarks."""
    likely_folders = (base, base / "EmoLabel", base / "Image")
    nearby_files = [path for folder in likely_folders for path in sorted(folder.glob("*")) if path.is_file()]
    return [p for p in nearby_files if "landmark" in p.name.lower() and p.suffix in (".pt", ".pth", ".npz")]


def attach_landmarks(base: Path, rows: dict[str, Rows], facts: dict, listed: bool) -> None:
    """Fill in landmarks: the published tensors, or else an .npz that is matched by name.

    The rows of a tensor follow the authors' list. listed: so do the names here; else their numbers say which row is theirs.
    """
    tensors = [path for path in find_landmark_files(base) if path.suffix != ".npz"]
    for split, split_rows in rows.items():
        split_tensors = [path for path in tensors if split in path.stem.lower()]
        if len(split_tensors) > 1:
            tensor_names = list_few(path.name for path in split_tensors)
            raise DataError(f"rafdb: more than one landmark tensor for {split} ({tensor_names}); keep one")
        if split_tensors:
            split_rows.landmarks = (
                landmark_files.read_tensor("rafdb", split_tensors[0], len(split_rows.names))
                if listed
                else match_points_by_number(split_tensors[0], split, split_rows.names)
            )
            if split == "train":
                facts["landmarks"] = landmark_files.describe_coverage(split_rows.landmarks, split_tensors[0].name)
    if not any(split_rows.landmarks is not None for split_rows in rows.values()):
        landmark_files.attach_from_folder("rafdb", base, rows["train"], rows["test"], facts)


def match_points_by_number(path: Path, split: str, names: list[str]) -> np.ndarray:
    """The rows of a published tensor that belong to pictures by their published numbers; raises DataError."""
    points = landmark_files.read_tensor("rafdb", path, None)
    published_rows = [published_row(name, split) for name in names]
    unmatched_names = [name for name, row in zip(names, published_rows) if not 0 <= row < len(points)]
    if unmatched_names:
        raise DataError(
            f"rafdb: {path.name}: its {len(points):,} rows follow the authors' list, which "
            f"{list_few(unmatched_names)} cannot be found in by name; use an .npz with names, or take the file away"
        )
    return points[published_rows]
