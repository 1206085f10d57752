"""RAF-DB, basic emotions: 15,339 aligned faces with one label each from about 40 people (Li et al., CVPR 2017).

`EmoLabel/list_patition_label.txt` has rows 'train_00001.jpg 5'; the picture is `Image/aligned/train_00001_aligned.jpg`.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmark.datasets.base import DataError, DataSet, Rows, Source
from benchmark.datasets.reading import landmark_files
from benchmark.datasets.reading.files import (
    Archive,
    Folder,
    count_warning,
    decode,
    few,
    file_stamp,
    folder_stamp,
    safe_name,
    whole_number,
)

LABELS = {1: "surprise", 2: "fear", 3: "disgust", 4: "happiness", 5: "sadness", 6: "anger", 7: "neutral"}
CLASSES = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
LISTS = ("list_patition_label.txt", "list_partition_label.txt")  # the first spelling is the published one
PUBLISHED = {"train": 12271, "test": 3068}
DIGITS = {"train": 5, "test": 4}


class RAFDB(DataSet):
    name = "rafdb"
    title = "RAF-DB"
    size = 100
    channels = 3

    @dataclass(frozen=True)
    class Options:
        """No options."""

    def read(self, path: Path, options: Options) -> Source:
        base, list_file = locate(path)
        listed = read_list(list_file)
        files = images_of(base)
        present = files.names()
        aligned = {name.rsplit("/", 1)[-1]: name for name in present}
        absent = [name for names, _ in listed.values() for name in names if aligned_name(name) not in aligned]
        if absent:
            hint = "unpack aligned.zip or aligned.tar.gz of the data set there"
            raise DataError(
                f"{files.where}: {len(absent):,} listed images are not there: {few(map(aligned_name, absent))}; {hint}"
            )
        facts = {
            "label_rule": "published label",
            "class set": "7 classes",
            "labels": list_file.name,
            "images used": {split: len(names) for split, (names, _) in listed.items()},
            "licence": "pictures: for research by agreement with the authors, no licence to pass on",
            "source": "EmoLabel and Image/aligned",
        }
        rows = {split: rows_of(files, aligned, *found) for split, found in listed.items()}
        attach_landmarks(base, rows, facts)
        found = {split: len(names) for split, (names, _) in listed.items()}
        warnings = count_warning(self.name, found, PUBLISHED)
        missing = [name for split in PUBLISHED for name in unlisted(split, listed[split][0])]
        if warnings and missing:
            warnings[0] += f" Missing from {list_file.name}: {few(missing)}."
        return Source(CLASSES, rows["train"], rows["test"], facts, {}, warnings)

    def home(self, path: Path) -> Path:
        return locate(path)[0]

    def stamp(self, path: Path, options: Options) -> list[tuple[str, int, int]]:
        base, list_file = locate(path)
        images = base / "Image" / "aligned"
        pictures = folder_stamp(images) if images.is_dir() else file_stamp(images.with_suffix(".zip"))
        return [file_stamp(list_file), pictures] + [file_stamp(p) for p in landmark_candidates(base)]


def aligned_name(name: str) -> str:
    return f"{Path(name).stem}_aligned.jpg"


def locate(path: Path) -> tuple[Path, Path]:
    """The folder that holds EmoLabel/ and Image/, and the list file; raises DataError with what is missing."""
    if not path.exists():
        raise DataError(f"rafdb: {path}: there is no such folder; expected the one that holds EmoLabel/ and Image/")
    if not path.is_dir():
        raise DataError(f"rafdb: {path}: not a folder; give the one that holds EmoLabel/ and Image/")
    below = [path / "basic", *(folder for folder in sorted(path.glob("*/basic")))]
    for base in (path, *below, *sorted(p for p in path.iterdir() if p.is_dir())):
        for name in LISTS:
            if (base / "EmoLabel" / name).is_file():
                images_of(base)
                return base, base / "EmoLabel" / name
    above = [p for p in path.resolve().parents[:2] if (p / "EmoLabel").is_dir()]
    if above:
        raise DataError(f"rafdb: {path}: this lies inside the data; give the folder above: {above[0]}")
    if (path / "EmoLabel").is_dir():
        raise DataError(f"rafdb: {path / 'EmoLabel'}: {LISTS[0]} is not there; the data set's own list is needed")
    raise DataError(f"rafdb: {path}: no EmoLabel/{LISTS[0]} here or in basic/; expected EmoLabel/ and Image/aligned/")


def images_of(base: Path) -> Folder | Archive:
    """The aligned pictures: a folder, or the archive as it is handed out."""
    if (base / "Image" / "aligned").is_dir():
        return Folder("rafdb", base / "Image" / "aligned")
    if (base / "Image" / "aligned.zip").is_file():
        return Archive("rafdb", base / "Image" / "aligned.zip")
    raise DataError(f"rafdb: {base / 'Image'}: no folder aligned/ (nor aligned.zip) with NAME_aligned.jpg pictures")


def read_list(path: Path) -> dict[str, tuple[list[str], np.ndarray]]:
    """{'train': (names, labels in the order of CLASSES), 'test': ...} in list order."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (UnicodeDecodeError, OSError) as error:
        raise DataError(f"rafdb: {path.name}: cannot be read as text ({error})") from None
    found, seen = {"train": ([], []), "test": ([], [])}, {}
    for number, line in enumerate(lines, 1):
        where, words = f"rafdb: {path.name}, line {number}", line.split()
        if not words:
            continue
        if len(words) != 2:
            raise DataError(f"{where}: {line[:60]!a}, expected a name and a label, for example 'train_00001.jpg 5'")
        name = safe_name(words[0], where)
        split = next((s for s in found if name.startswith(f"{s}_")), None)
        if split is None or "/" in name:
            raise DataError(f"{where}: {name}: expected a name that starts with train_ or test_")
        if name in seen:
            raise DataError(f"{where}: {name} was listed before (line {seen[name]}); keep one row for each image")
        seen[name] = number
        label = whole_number(words[1], 1, len(LABELS), where, "label")
        found[split][0].append(name)
        found[split][1].append(CLASSES.index(LABELS[label]))
    empty = [split for split, (names, _) in found.items() if not names]
    if empty:
        raise DataError(
            f"rafdb: {path.name}: no {few(empty)} images listed; expected names that start with {few(empty)}_"
        )
    return {split: (names, np.array(labels, np.int64)) for split, (names, labels) in found.items()}


def unlisted(split: str, names: list[str]) -> list[str]:
    """Published names that the list leaves out."""
    listed = set(names)
    return [n for i in range(PUBLISHED[split]) if (n := f"{split}_{i + 1:0{DIGITS[split]}}.jpg") not in listed]


def rows_of(files: Folder | Archive, aligned: dict[str, str], names: list[str], labels: np.ndarray) -> Rows:
    hashes = [""] * len(names)

    def image(row: int) -> np.ndarray:
        name = aligned[aligned_name(names[row])]
        content = files.read(name)
        hashes[row] = hashlib.sha256(content).hexdigest()
        return decode(content, 3, f"{files.where}/{name}")

    return Rows(names, labels, image, pixels=hashes)


def landmark_candidates(base: Path) -> list[Path]:
    """Files beside the data that may hold landmarks."""
    found = [
        p for folder in (base, base / "EmoLabel", base / "Image") if folder.is_dir() for p in sorted(folder.iterdir())
    ]
    return [p for p in found if "landmark" in p.name.lower() and p.suffix in (".pt", ".pth", ".npz") and p.is_file()]


def attach_landmarks(base: Path, rows: dict[str, Rows], facts: dict) -> None:
    """Fill in landmarks: the published tensors, whose rows follow the list, or else an .npz that is matched by name."""
    tensors = [p for p in landmark_candidates(base) if p.suffix != ".npz"]
    for split, part in rows.items():
        named = [p for p in tensors if split in p.stem.lower()]
        if len(named) > 1:
            raise DataError(
                f"rafdb: more than one landmark tensor for {split} ({few(p.name for p in named)}); keep one"
            )
        if named:
            part.landmarks = landmark_files.from_tensor("rafdb", named[0], len(part.names))
            facts.setdefault("landmarks", landmark_files.coverage(part.landmarks, named[0].name))
    npz = landmark_files.npz_beside("rafdb", base)
    if npz and not any(part.landmarks is not None for part in rows.values()):
        points = landmark_files.from_npz("rafdb", npz, rows["train"].names + rows["test"].names)
        rows["train"].landmarks, rows["test"].landmarks = np.split(points, [len(rows["train"].names)])
        facts["landmarks"] = landmark_files.coverage(rows["train"].landmarks, npz.name)
