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
        place = locate_rafdb(path)
        if place.list_file is None:
            return self.read_passed_on(place)
        base, list_file = place.base, place.list_file
        listed = read_rafdb_list(list_file)
        files = open_aligned(base)
        present = files.names()
        aligned = index_by_stem(files.where, present)
        where = {name: aligned.get(Path(aligned_name(name)).stem) for names, _ in listed.values() for name in names}
        absent = [name for name, file in where.items() if file is None]
        if absent:
            hint = "unpack aligned.zip or aligned.tar.gz of the data set there"
            raise DataError(
                f"{files.where}: {len(absent):,} listed images are not there: {list_few(map(aligned_name, absent))}; {hint}"
            )
        rows = {split: make_aligned_rows(files, where, *found) for split, found in listed.items()}
        facts = describe_facts(listed, list_file.name, "EmoLabel and Image/aligned")
        attach_landmarks(base, rows, facts, listed=True)
        return Source(CLASSES, rows["train"], rows["test"], facts, {}, warn_of_counts(listed, list_file.name))

    def read_passed_on(self, place: RAFDBFiles) -> Source:
        """The folders or lists in which the data set is passed on."""
        unread: list[str] = []
        listed, where, notes = read_passed_on(place, unread)
        files = Folder(self.name, place.base)
        rows = {split: make_aligned_rows(files, where, *found) for split, found in listed.items()}
        labels = place.lists[0][0].name if place.lists else "names of folders"
        facts = describe_facts(
            listed, labels, "passed on as lists of files" if place.lists else "passed on as folders of classes"
        )
        attach_landmarks(place.base, rows, facts, listed=False)
        lines = warn_of_counts(listed, labels)
        lines += [f"rafdb: {line}" for line in [*notes, *describe_unread(unread)]]
        return Source(CLASSES, rows["train"], rows["test"], facts, group_by_reason(unread), lines)

    def stamp(self, path: Path, options: Options) -> list[tuple[str, int, int]]:
        place = locate_rafdb(path)
        base, list_file = place.base, place.list_file
        if list_file is None:
            return [stamp_folder(base), *(stamp_file(table) for table, _ in place.lists)]
        images = base / "Image" / "aligned"
        pictures = stamp_folder(images) if images.is_dir() else stamp_file(images.with_suffix(".zip"))
        return [stamp_file(list_file), pictures] + [stamp_file(p) for p in find_landmark_files(base)]


def index_by_stem(where: str, present: set[str]) -> dict[str, str]:
    """{file name without its ending: name with its folders}; raises DataError where a name stands there twice."""
    found: dict[str, str] = {}
    for name in sorted(filter(is_picture, present)):
        other = found.setdefault(Path(name).stem, name)
        if other != name:
            raise DataError(f"{where}: {other} and {name} have one name; which is meant? Keep one of them")
    return found


def describe_facts(listed: dict[str, NamedLabels], labels: str, source: str) -> dict:
    return {
        "label_rule": "published label",
        "class set": "7 classes",
        "labels": labels,
        "images used": {split: len(names) for split, (names, _) in listed.items()},
        "licence": "pictures: for research by agreement with the authors, no licence to pass on",
        "source": source,
    }


def warn_of_counts(listed: dict[str, NamedLabels], labels: str) -> list[str]:
    """A line where the splits have other sizes than published, with published names that are missing."""
    lines = compare_counts("rafdb", {split: len(names) for split, (names, _) in listed.items()}, PUBLISHED)
    missing = [name for split in PUBLISHED for name in find_unlisted(split, listed[split][0])]
    if lines and missing:
        lines[0] += f" Missing from {labels}: {list_few(missing)}."
    return lines


def make_aligned_rows(files: Folder | Archive, where: dict[str, str], names: list[str], labels: np.ndarray) -> Rows:
    hashes = [""] * len(names)

    def image(row: int) -> np.ndarray:
        file = where[names[row]]
        pixels, hashes[row] = read_picture(files.read(file), 3, f"{files.where}/{file}")
        return pixels

    return Rows(names, labels, image, pixels=hashes)


def find_landmark_files(base: Path) -> list[Path]:
    """Files beside the data that may hold landmarks."""
    found = [
        p for folder in (base, base / "EmoLabel", base / "Image") if folder.is_dir() for p in sorted(folder.iterdir())
    ]
    return [p for p in found if "landmark" in p.name.lower() and p.suffix in (".pt", ".pth", ".npz") and p.is_file()]


def attach_landmarks(base: Path, rows: dict[str, Rows], facts: dict, listed: bool) -> None:
    """Fill in landmarks: the published tensors, or else an .npz that is matched by name.

    The rows of a tensor follow the authors' list. listed: so do the names here; else their numbers say which row is theirs.
    """
    tensors = [p for p in find_landmark_files(base) if p.suffix != ".npz"]
    for split, part in rows.items():
        named = [p for p in tensors if split in p.stem.lower()]
        if len(named) > 1:
            raise DataError(
                f"rafdb: more than one landmark tensor for {split} ({list_few(p.name for p in named)}); keep one"
            )
        if named:
            part.landmarks = (
                landmark_files.read_tensor("rafdb", named[0], len(part.names))
                if listed
                else match_points_by_number(named[0], split, part.names)
            )
            if split == "train":
                facts["landmarks"] = landmark_files.describe_coverage(part.landmarks, named[0].name)
    if not any(part.landmarks is not None for part in rows.values()):
        landmark_files.attach_from_folder("rafdb", base, rows["train"], rows["test"], facts)


def match_points_by_number(path: Path, split: str, names: list[str]) -> np.ndarray:
    """The rows of a published tensor that belong to pictures by their published numbers; raises DataError."""
    points, rows = landmark_files.read_tensor("rafdb", path, None), [published_row(name, split) for name in names]
    found = [row for row in rows if row is not None and 0 <= row < len(points)]
    if len(found) < len(names):
        strange = [n for n, row in zip(names, rows) if row is None or not 0 <= row < len(points)]
        raise DataError(
            f"rafdb: {path.name}: its {len(points):,} rows follow the authors' list, which {list_few(strange)} cannot be found "
            "in by name; use an .npz with names, or take the file away"
        )
    return points[found]
