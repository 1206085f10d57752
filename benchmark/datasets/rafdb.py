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
from benchmark.datasets.reading.pictures import is_picture, read_picture
from benchmark.datasets.reading.rafdb import (
    CLASSES,
    PUBLISHED,
    NamedLabels,
    RAFDBFiles,
    aligned_name,
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
        if files_found.list_file is None:
            return self.read_passed_on(files_found)
        base = files_found.base
        list_file = files_found.list_file
        listed_names = read_rafdb_list(list_file)
        files = open_aligned(base)
        present_names = files.names()
        files_by_stem = index_by_stem(files.where, present_names)
        file_by_name = {
            name: files_by_stem.get(Path(aligned_name(name)).stem)
            for names, _ in listed_names.values()
            for name in names
        }
        absent_names = [name for name, file in file_by_name.items() if file is None]
        if absent_names:
            fix_hint = "unpack aligned.zip or aligned.tar.gz of the data set there"
            raise DataError(
                f"{files.where}: {len(absent_names):,} listed images are not there: "
                f"{list_few(map(aligned_name, absent_names))}; {fix_hint}"
            )
        rows_by_split = {
            split: make_aligned_rows(files, file_by_name, *names_and_labels)
            for split, names_and_labels in listed_names.items()
        }
        facts = describe_facts(listed_names, list_file.name, "EmoLabel and Image/aligned")
        attach_landmarks(base, rows_by_split, facts, listed=True)
        return Source(
            CLASSES,
            rows_by_split["train"],
            rows_by_split["test"],
            facts,
            {},
            warn_of_counts(listed_names, list_file.name),
        )

    def read_passed_on(self, files_found: RAFDBFiles) -> Source:
        """The folders or lists in which the data set is passed on."""
        unread_files: list[str] = []
        listed_names, file_by_name, notes = read_passed_on(files_found, unread_files)
        files = Folder(self.name, files_found.base)
        rows_by_split = {
            split: make_aligned_rows(files, file_by_name, *names_and_labels)
            for split, names_and_labels in listed_names.items()
        }
        label_source = files_found.lists[0][0].name if files_found.lists else "names of folders"
        facts = describe_facts(
            listed_names,
            label_source,
            "passed on as lists of files" if files_found.lists else "passed on as folders of classes",
        )
        attach_landmarks(files_found.base, rows_by_split, facts, listed=False)
        warning_lines = warn_of_counts(listed_names, label_source)
        warning_lines += [f"rafdb: {line}" for line in [*notes, *describe_unread(unread_files)]]
        return Source(
            CLASSES, rows_by_split["train"], rows_by_split["test"], facts, group_by_reason(unread_files), warning_lines
        )

    def stamp(self, path: Path, options: Options) -> list[tuple[str, int, int]]:
        files_found = locate_rafdb(path)
        base = files_found.base
        list_file = files_found.list_file
        if list_file is None:
            return [stamp_folder(base), *(stamp_file(list_path) for list_path, _ in files_found.lists)]
        image_folder = base / "Image" / "aligned"
        picture_stamp = (
            stamp_folder(image_folder) if image_folder.is_dir() else stamp_file(image_folder.with_suffix(".zip"))
        )
        return [stamp_file(list_file), picture_stamp] + [
            stamp_file(landmark_file) for landmark_file in find_landmark_files(base)
        ]


def index_by_stem(where: str, present_names: set[str]) -> dict[str, str]:
    """{file name without its ending: name with its folders}; raises DataError where a name stands there twice."""
    file_by_stem: dict[str, str] = {}
    for name in sorted(filter(is_picture, present_names)):
        first_file = file_by_stem.setdefault(Path(name).stem, name)
        if first_file != name:
            raise DataError(f"{where}: {first_file} and {name} have one name; which is meant? Keep one of them")
    return file_by_stem


def describe_facts(listed_names: dict[str, NamedLabels], label_source: str, source: str) -> dict:
    return {
        "label_rule": "published label",
        "class set": "7 classes",
        "labels": label_source,
        "images used": {split: len(names) for split, (names, _) in listed_names.items()},
        "licence": "pictures: for research by agreement with the authors, no licence to pass on",
        "source": source,
    }


def warn_of_counts(listed_names: dict[str, NamedLabels], label_source: str) -> list[str]:
    """A line where the splits have other sizes than published, with published names that are missing."""
    warning_lines = compare_counts(
        "rafdb", {split: len(names) for split, (names, _) in listed_names.items()}, PUBLISHED
    )
    missing_names = [name for split in PUBLISHED for name in find_unlisted(split, listed_names[split][0])]
    if warning_lines and missing_names:
        warning_lines[0] += f" Missing from {label_source}: {list_few(missing_names)}."
    return warning_lines


def make_aligned_rows(
    files: Folder | Archive, file_by_name: dict[str, str], names: list[str], labels: np.ndarray
) -> Rows:
    file_hashes = [""] * len(names)

    def image(row: int) -> np.ndarray:
        file = file_by_name[names[row]]
        pixels, file_hashes[row] = read_picture(files.read(file), 3, f"{files.where}/{file}")
        return pixels

    return Rows(names, labels, image, pixels=file_hashes)


def find_landmark_files(base: Path) -> list[Path]:
    """Files beside the data that may hold landmarks."""
    nearby_files = [
        path
        for folder in (base, base / "EmoLabel", base / "Image")
        if folder.is_dir()
        for path in sorted(folder.iterdir())
    ]
    return [
        path
        for path in nearby_files
        if "landmark" in path.name.lower() and path.suffix in (".pt", ".pth", ".npz") and path.is_file()
    ]


def attach_landmarks(base: Path, rows: dict[str, Rows], facts: dict, listed: bool) -> None:
    """Fill in landmarks: the published tensors, or else an .npz that is matched by name.

    The rows of a tensor follow the authors' list. listed: so do the names here; else their numbers say which row is theirs.
    """
    tensors = [path for path in find_landmark_files(base) if path.suffix != ".npz"]
    for split, split_rows in rows.items():
        split_tensors = [path for path in tensors if split in path.stem.lower()]
        if len(split_tensors) > 1:
            raise DataError(
                f"rafdb: more than one landmark tensor for {split} ({list_few(path.name for path in split_tensors)}); keep one"
            )
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
    point_rows = [row for row in published_rows if row is not None and 0 <= row < len(points)]
    if len(point_rows) < len(names):
        unmatched_names = [
            name for name, row in zip(names, published_rows) if row is None or not 0 <= row < len(points)
        ]
        raise DataError(
            f"rafdb: {path.name}: its {len(points):,} rows follow the authors' list, which "
            f"{list_few(unmatched_names)} cannot be found in by name; use an .npz with names, or take the file away"
        )
    return points[point_rows]
