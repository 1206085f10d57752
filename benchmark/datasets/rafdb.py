"""RAF-DB, basic emotions: 15,339 aligned faces with one label each from about 40 people (Li et al., CVPR 2017).

`EmoLabel/list_patition_label.txt` has rows 'train_00001.jpg 5'; the picture is `Image/aligned/train_00001_aligned.jpg`.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmark.datasets.base import DataError, DataSet, Rows, Source
from benchmark.datasets.reading import landmark_files
from benchmark.datasets.reading.files import Archive, Folder, count_warning, few, file_stamp, folder_stamp, whole_size
from benchmark.datasets.reading.left_out import by_ending, unread_lines
from benchmark.datasets.reading.pictures import is_picture, picture
from benchmark.datasets.reading.rafdb import (
    CLASSES,
    PUBLISHED,
    Place,
    Split,
    aligned_name,
    images_of,
    locate,
    passed_on,
    read_list,
    row_of,
    unlisted,
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
            whole_size("rafdb", self.size)

    def read(self, path: Path, options: Options) -> Source:
        self.size = options.size
        place = locate(path)
        if place.list_file is None:
            return self.read_passed_on(place)
        base, list_file = place.base, place.list_file
        listed = read_list(list_file)
        files = images_of(base)
        present = files.names()
        aligned = by_file_name(files.where, present)
        where = {name: aligned.get(Path(aligned_name(name)).stem) for names, _ in listed.values() for name in names}
        absent = [name for name, file in where.items() if file is None]
        if absent:
            hint = "unpack aligned.zip or aligned.tar.gz of the data set there"
            raise DataError(
                f"{files.where}: {len(absent):,} listed images are not there: {few(map(aligned_name, absent))}; {hint}"
            )
        rows = {split: rows_of(files, where, *found) for split, found in listed.items()}
        facts = facts_of(listed, list_file.name, "EmoLabel and Image/aligned")
        attach_landmarks(base, rows, facts, listed=True)
        return Source(CLASSES, rows["train"], rows["test"], facts, {}, count_lines(listed, list_file.name))

    def read_passed_on(self, place: Place) -> Source:
        """The folders or lists in which the data set is passed on."""
        unread: list[str] = []
        listed, where, notes = passed_on(place, unread)
        files = Folder(self.name, place.base)
        rows = {split: rows_of(files, where, *found) for split, found in listed.items()}
        labels = place.lists[0][0].name if place.lists else "names of folders"
        facts = facts_of(
            listed, labels, "passed on as lists of files" if place.lists else "passed on as folders of classes"
        )
        attach_landmarks(place.base, rows, facts, listed=False)
        lines = count_lines(listed, labels)
        lines += [f"rafdb: {line}" for line in [*notes, *unread_lines(unread)]]
        return Source(CLASSES, rows["train"], rows["test"], facts, by_ending(unread), lines)

    def stamp(self, path: Path, options: Options) -> list[tuple[str, int, int]]:
        place = locate(path)
        base, list_file = place.base, place.list_file
        if list_file is None:
            return [folder_stamp(base), *(file_stamp(table) for table, _ in place.lists)]
        images = base / "Image" / "aligned"
        pictures = folder_stamp(images) if images.is_dir() else file_stamp(images.with_suffix(".zip"))
        return [file_stamp(list_file), pictures] + [file_stamp(p) for p in landmark_candidates(base)]


def by_file_name(where: str, present: set[str]) -> dict[str, str]:
    """{file name without its ending: name with its folders}; raises DataError where a name stands there twice."""
    found: dict[str, str] = {}
    for name in sorted(filter(is_picture, present)):
        other = found.setdefault(Path(name).stem, name)
        if other != name:
            raise DataError(f"{where}: {other} and {name} have one name; which is meant? Keep one of them")
    return found


def facts_of(listed: dict[str, Split], labels: str, source: str) -> dict:
    return {
        "label_rule": "published label",
        "class set": "7 classes",
        "labels": labels,
        "images used": {split: len(names) for split, (names, _) in listed.items()},
        "licence": "pictures: for research by agreement with the authors, no licence to pass on",
        "source": source,
    }


def count_lines(listed: dict[str, Split], labels: str) -> list[str]:
    """A line where the splits have other sizes than published, with published names that are missing."""
    lines = count_warning("rafdb", {split: len(names) for split, (names, _) in listed.items()}, PUBLISHED)
    missing = [name for split in PUBLISHED for name in unlisted(split, listed[split][0])]
    if lines and missing:
        lines[0] += f" Missing from {labels}: {few(missing)}."
    return lines


def rows_of(files: Folder | Archive, where: dict[str, str], names: list[str], labels: np.ndarray) -> Rows:
    hashes = [""] * len(names)

    def image(row: int) -> np.ndarray:
        file = where[names[row]]
        pixels, hashes[row] = picture(files.read(file), 3, f"{files.where}/{file}")
        return pixels

    return Rows(names, labels, image, pixels=hashes)


def landmark_candidates(base: Path) -> list[Path]:
    """Files beside the data that may hold landmarks."""
    found = [
        p for folder in (base, base / "EmoLabel", base / "Image") if folder.is_dir() for p in sorted(folder.iterdir())
    ]
    return [p for p in found if "landmark" in p.name.lower() and p.suffix in (".pt", ".pth", ".npz") and p.is_file()]


def attach_landmarks(base: Path, rows: dict[str, Rows], facts: dict, listed: bool) -> None:
    """Fill in landmarks: the published tensors, or else an .npz that is matched by name.

    The rows of a tensor follow the authors' list. listed: so do the names here; else their numbers say which row is theirs.
    """
    tensors = [p for p in landmark_candidates(base) if p.suffix != ".npz"]
    for split, part in rows.items():
        named = [p for p in tensors if split in p.stem.lower()]
        if len(named) > 1:
            raise DataError(
                f"rafdb: more than one landmark tensor for {split} ({few(p.name for p in named)}); keep one"
            )
        if named:
            part.landmarks = (
                landmark_files.from_tensor("rafdb", named[0], len(part.names))
                if listed
                else numbered_points(named[0], split, part.names)
            )
            if split == "train":
                facts["landmarks"] = landmark_files.coverage(part.landmarks, named[0].name)
    if not any(part.landmarks is not None for part in rows.values()):
        landmark_files.attach_beside("rafdb", base, rows["train"], rows["test"], facts)


def numbered_points(path: Path, split: str, names: list[str]) -> np.ndarray:
    """The rows of a published tensor that belong to pictures by their published numbers; raises DataError."""
    points, rows = landmark_files.from_tensor("rafdb", path, None), [row_of(name, split) for name in names]
    found = [row for row in rows if row is not None and 0 <= row < len(points)]
    if len(found) < len(names):
        strange = [n for n, row in zip(names, rows) if row is None or not 0 <= row < len(points)]
        raise DataError(
            f"rafdb: {path.name}: its {len(points):,} rows follow the authors' list, which {few(strange)} cannot be found "
            "in by name; use an .npz with names, or take the file away"
        )
    return points[found]
