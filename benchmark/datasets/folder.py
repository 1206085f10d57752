"""Pictures of one's own: folders `train/<class name>/` and `test/<class name>/`, or a CSV with path, label and split."""

import hashlib
from dataclasses import dataclass
from math import ceil
from pathlib import Path

import numpy as np

from benchmark.datasets.base import DataError, DataSet, Rows, Source
from benchmark.datasets.reading import landmark_files
from benchmark.datasets.reading.files import Folder, csv_rows, decode, few, file_stamp, folder_stamp

ORDER = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "contempt", "neutral")
MEANT = {
    "angry": "anger",
    "disgusted": "disgust",
    "fearful": "fear",
    "afraid": "fear",
    "happy": "happiness",
    "sad": "sadness",
    "surprised": "surprise",
}
ENDINGS = (".png", ".jpg", ".jpeg", ".bmp")
TESTED = ("test", "val", "valid", "validation")  # the first that is there is the test split
LIST = "images.csv"
TEST_SHARE = 0.2  # of each class, where a CSV names no split

Listed = dict[str, list[tuple[str, str]]]  # {'train': [(file name, class name)], 'test': ...}


class ImageFolder(DataSet):
    name = "folder"
    title = "Own pictures"
    size = 112
    channels = 3

    @dataclass(frozen=True)
    class Options:
        """size: side at which images are stored. title: the name in tables, kept from the first preparation."""

        size: int = 112
        title: str = ""

        def __post_init__(self) -> None:
            if not 32 <= self.size <= 512:
                raise ValueError(f"size={self.size}: expected 32 to 512 pixels")

    def read(self, path: Path, options: Options) -> Source:
        self.size, self.title = options.size, options.title or type(self).title
        base, table = locate(path)
        skipped: list[str] = []
        listed = from_csv(base, table) if table else from_folders(base, skipped)
        classes = class_names(label for part in listed.values() for _, label in part)
        sizes: dict[str, str] = {}
        train, test = (rows(Folder(self.name, base), listed[split], classes, sizes) for split in ("train", "test"))
        facts = {
            "label_rule": "names of folders" if table is None else f"column 'label' of {table.name}",
            "class set": f"{len(classes)} classes",
            "images used": {split: len(part) for split, part in listed.items()},
            "image sizes": sizes,  # filled while images are decoded
        }
        npz = landmark_files.npz_beside(self.name, base)
        if npz:
            points = landmark_files.from_npz(self.name, npz, train.names + test.names)
            train.landmarks, test.landmarks = np.split(points, [len(train.names)])
            facts["landmarks"] = landmark_files.coverage(train.landmarks, npz.name)
        dropped = {f"not a picture ending in {', '.join(ENDINGS)}": skipped} if skipped else {}
        return Source(classes, train, test, facts, dropped, warnings(train, test, classes))

    def home(self, path: Path) -> Path:
        return locate(path)[0]

    def stamp(self, path: Path, options: Options) -> list[tuple[str, int, int]]:
        base, table = locate(path)
        return [folder_stamp(base)] + ([file_stamp(table)] if table else [])


def locate(path: Path) -> tuple[Path, Path | None]:
    """The folder that names are relative to, and the CSV if there is one; raises DataError."""
    if path.is_file() and path.suffix.lower() == ".csv":
        return path.parent, path
    if (path / LIST).is_file():
        return path, path / LIST
    if (path / "train").is_dir():
        return path, None
    raise DataError(
        f"folder: {path}: expected folders train/<class name>/ and test/<class name>/, or {LIST} with the columns "
        "path,label,split; is this another data set?"
    )


def from_folders(base: Path, skipped: list[str]) -> Listed:
    """Names of other files go to `skipped`."""
    tested = next((name for name in TESTED if (base / name).is_dir()), None)
    if tested is None:
        raise DataError(f"folder: {base}: no folder test/ beside train/; move some pictures of each class there")
    found: Listed = {"train": [], "test": []}
    for split, part in (("train", "train"), ("test", tested)):
        for name in sorted(Folder("folder", base / part).names()):
            inner = name.split("/")
            if not inner[-1].lower().endswith(ENDINGS):
                skipped += [] if inner[-1].startswith(".") else [f"{part}/{name}"]
                continue
            if len(inner) != 2:
                raise DataError(f"folder: {base / part / name}: expected {part}/<class name>/<picture>; move it there")
            found[split].append((f"{part}/{name}", inner[0]))
        if not found[split]:
            raise DataError(f"folder: {base / part}: no pictures; expected <class name>/*{' or *'.join(ENDINGS)}")
    return found


def from_csv(base: Path, table: Path) -> Listed:
    found: Listed = {"train": [], "test": []}
    undecided, columns, seen = [], None, set()
    for where, cells in csv_rows(Folder("folder", base), table.name):
        cells = [cell.strip() for cell in cells]
        if columns is None:
            columns = [cell.lower() for cell in cells]
            if not {"path", "label"} <= set(columns):
                raise DataError(f"{where}: columns {few(cells)}; expected path,label or path,label,split")
            continue
        if len(cells) != len(columns):
            raise DataError(f"{where}: {len(cells)} cells, expected {len(columns)} as in the first line")
        row = dict(zip(columns, cells))
        if not row["path"] or not row["label"]:
            raise DataError(f"{where}: an empty path or label; fill it in or remove the row")
        if row["path"] in seen:
            raise DataError(f"{where}: {row['path']!r} stands twice; keep one row for each picture")
        seen.add(row["path"])
        split = row.get("split", "").lower()
        if "split" in columns and split not in found:
            raise DataError(f"{where}: split {split!r}, expected train or test")
        (found[split] if "split" in columns else undecided).append((row["path"], row["label"]))
    tested = held_out(undecided)
    for name, label in undecided:
        found["test" if name in tested else "train"].append((name, label))
    for split, part in found.items():
        if not part:
            raise DataError(f"folder: {table.name}: no image for {split}; name some in the column split")
    return found


def held_out(listed: list[tuple[str, str]]) -> set[str]:
    """The names of a fixed fifth of each class: those whose names have the smallest hashes."""
    by_class: dict[str, list[str]] = {}
    for name, label in listed:
        by_class.setdefault(label, []).append(name)
    mixed = {c: sorted(names, key=lambda n: hashlib.sha256(n.encode()).hexdigest()) for c, names in by_class.items()}
    return {name for names in mixed.values() for name in names[: ceil(TEST_SHARE * len(names))]}


def class_name(label: str) -> str:
    """A class as it is called here: 'Happy' is happiness."""
    return MEANT.get(label.lower(), label.lower())


def class_names(labels: object) -> tuple[str, ...]:
    """Expressions in their usual order, any other classes sorted behind them."""
    found = {class_name(label) for label in labels}
    if len(found) < 2:
        raise DataError(f"folder: only the class {few(found)}; expected at least two")
    return tuple(sorted(found, key=lambda c: (ORDER.index(c) if c in ORDER else len(ORDER), c)))


def rows(files: Folder, listed: list[tuple[str, str]], classes: tuple[str, ...], sizes: dict[str, str]) -> Rows:
    hashes = [""] * len(listed)

    def image(row: int) -> np.ndarray:
        name = listed[row][0]
        content = files.read(name)
        pixels = decode(content, 3, f"{files.where}/{name}")
        hashes[row] = hashlib.sha256(content).hexdigest()
        note_size(sizes, pixels.shape)
        return pixels

    labels = np.array([classes.index(class_name(label)) for _, label in listed], np.int64)
    return Rows([name for name, _ in listed], labels, image, pixels=hashes)


def note_size(sizes: dict[str, str], shape: tuple[int, ...]) -> None:
    """Keep 'width x height' of the smallest and the largest picture."""

    def area(text: str) -> int:
        width, height = text.split(" x ")
        return int(width) * int(height)

    seen = f"{shape[1]} x {shape[0]}"
    sizes["smallest"] = min(sizes.get("smallest", seen), seen, key=area)
    sizes["largest"] = max(sizes.get("largest", seen), seen, key=area)


def warnings(train: Rows, test: Rows, classes: tuple[str, ...]) -> list[str]:
    """Classes that a split lacks, and classes that are no expressions."""
    lines = []
    for split, part in (("train", train), ("test", test)):
        absent = [name for c, name in enumerate(classes) if not (part.labels == c).any()]
        if absent:
            lines.append(f"folder: {split} has no image of {few(absent)}")
    strange = [name for name in classes if name not in ORDER]
    if strange:
        lines.append(f"folder: {few(strange)}: not among {', '.join(ORDER)}; asymmetric noise needs those names")
    return lines
