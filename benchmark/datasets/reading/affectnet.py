"""AffectNet on disk: the lists of 2017 with pictures and face boxes, or the later folders of ready faces."""

import hashlib
import io
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmark.datasets.base import DataError
from benchmark.datasets.reading.class_folders import holds_class_folders
from benchmark.datasets.reading.files import (
    Folder,
    check_file_name,
    list_few,
    note_line,
    parse_whole_number,
    read_csv_rows,
    require_folder,
)
from benchmark.datasets.reading.image_lists import find_lists
from benchmark.datasets.reading.parquet import find_parquet_files
from benchmark.datasets.reading.pictures import IMAGE_FORMATS, LARGEST_SIDE, decode_picture, is_picture, read_picture
from benchmark.datasets.reading.splits import is_hidden

LISTS = {"train": "training.csv", "test": "validation.csv"}
SETS = {"train": "train_set", "test": "val_set"}
PICTURES = "Manually_Annotated_Images"
FILE, LABEL, POINTS = "subDirectory_filePath", "expression", "facial_landmarks"
BOX = ("face_x", "face_y", "face_width", "face_height")
COLUMNS = (FILE, *BOX, POINTS, LABEL, "valence", "arousal")
HIGHEST_LABEL = 10


@dataclass
class AffectNetFiles:
    """Where the data lies. layout: 'lists' or 'sets'. base: the folder of the pictures or of the two sets."""

    layout: str
    base: Path
    lists: Path | None = None


@dataclass
class AffectNetSplit:
    """One split as listed: labels 0..10 as published; image: row -> (uint8 [H, W, 3], its hash)."""

    names: list[str]
    labels: np.ndarray
    image: Callable[[int], tuple[np.ndarray, str]]
    landmarks: np.ndarray | None


def locate_affectnet(path: Path) -> AffectNetFiles:
    """Which of the two layouts lies at `path`, and where; raises DataError with what is missing."""
    require_folder("affectnet", path, "training.csv or train_set/ in it")
    inner_folders = [f"{folder}/{kind}" for folder in SETS.values() for kind in ("images", "annotations")]
    if any((path / folder).is_dir() for folder in SETS.values()):
        if absent_folders := [folder for folder in inner_folders if not (path / folder).is_dir()]:
            raise DataError(
                f"affectnet: {path}: {list_few(absent_folders)} missing; "
                f"expected images/ and annotations/ in {list_few(SETS.values())}"
            )
        return AffectNetFiles("sets", path)
    for lists in (path, path / "Manually_Annotated_file_lists"):
        present_lists = [name for name in LISTS.values() if (lists / name).is_file()]
        if len(present_lists) == 2:
            pictures = (path / PICTURES, path / "Manually_Annotated" / PICTURES)
            return AffectNetFiles("lists", next(filter(Path.is_dir, pictures), lists), lists)
        if present_lists:
            other_lists = list_few(LISTS.values())
            raise DataError(f"affectnet: {lists}: found {present_lists[0]} but not the other of {other_lists}")
    if {"images", "annotations"} <= set(os.listdir(path)) or path.name == PICTURES:
        folder_above = path.resolve().parent
        raise DataError(f"affectnet: {path}: this is one part of the data; give the folder above: {folder_above}")
    for inner_path in sorted(path.iterdir()):
        if (inner_path / SETS["train"]).is_dir() or (inner_path / LISTS["train"]).is_file():
            raise DataError(f"affectnet: {path}: the data lies one folder below; give {inner_path}")
    form_hint = ""
    if find_parquet_files(path):
        form_hint = "parquet files (read them with --data folder=PATH); "
    elif holds_class_folders(path) or find_lists(path):
        form_hint = "folders or lists of pictures (read them with --data folder=PATH); "
    raise DataError(
        f"affectnet: {path}: {form_hint}no data as its authors hand it out; "
        f"expected {list_few(LISTS.values())} with {PICTURES}/, or {list_few(SETS.values())}"
    )


def read_affectnet_list(files_found: AffectNetFiles, split: str) -> AffectNetSplit:
    """training.csv or validation.csv; boxes and landmarks of rows without an emotion are not looked at."""
    list_name = LISTS[split]
    line_by_name: dict[str, str] = {}
    columns = COLUMNS
    labels = []
    boxes = []
    points = []
    for number, (where, row) in enumerate(read_csv_rows(Folder("affectnet", files_found.lists), list_name)):
        if number == 0 and FILE in row:  # some copies of validation.csv have no header
            absent_columns = [column for column in (FILE, *BOX, POINTS, LABEL) if column not in row]
            if absent_columns:
                raise DataError(f"{where}: no column {list_few(absent_columns)}; expected {','.join(COLUMNS)}")
            columns = tuple(row)
            continue
        if len(row) != len(columns):
            raise DataError(f"{where}: {len(row)} columns, expected {len(columns)}: {','.join(columns)}")
        cells = dict(zip(columns, row))
        note_line(line_by_name, check_file_name(cells[FILE], where), where)
        labels.append(parse_whole_number(cells[LABEL].strip().removesuffix(".0"), 0, HIGHEST_LABEL, where, LABEL))
        is_used = labels[-1] < 8
        boxes.append(parse_box(cells, where) if is_used else None)
        points.append(
            parse_points(cells[POINTS], boxes[-1], where) if is_used else np.full((68, 2), np.nan, np.float32)
        )
    names = list(line_by_name)
    if not names:
        raise DataError(f"affectnet: {list_name}: no rows; is this the list of the data set?")
    refuse_absent(f"affectnet: {list_name}", files_found.base, [name for name, box in zip(names, boxes) if box])
    files = Folder("affectnet", files_found.base)

    def image(row: int) -> tuple[np.ndarray, str]:
        content = files.read(names[row])
        where = f"{files.where}/{names[row]}"
        picture = decode_picture(content, 3, where, upright=False)  # boxes are in file coordinates
        return cut_box(picture, boxes[row], where), hashlib.sha256(content + str(boxes[row]).encode()).hexdigest()

    return AffectNetSplit(names, np.array(labels), image, np.array(points, np.float32))


def refuse_absent(where: str, base: Path, names: list[str]) -> None:
    """Raises DataError where listed pictures are not there; each folder is listed once."""
    folders = {base / os.path.dirname(name) for name in names}
    present_paths = {path for folder in folders if folder.is_dir() for path in map(folder.joinpath, os.listdir(folder))}
    absent_names = [name for name in names if base / name not in present_paths]
    if absent_names:
        raise DataError(
            f"{where}: {len(absent_names):,} of {len(names):,} listed images are not in {base.name}/: {list_few(absent_names)}"
        )


def parse_box(cells: dict[str, str], where: str) -> tuple[int, int, int, int]:
    """(left, top, width, height) of the face in pixels of the picture; it may reach over the edge."""
    left, top = (parse_whole_number(cells[field], -LARGEST_SIDE, LARGEST_SIDE, where, field) for field in BOX[:2])
    width, height = (parse_whole_number(cells[field], 1, LARGEST_SIDE, where, field) for field in BOX[2:])
    return left, top, width, height


def parse_points(text: str, box: tuple[int, int, int, int], where: str) -> np.ndarray:
    """'x;y;x;y;...' of 68 points in pixels of the picture as fractions of the face box; NaN where one thing is repeated
    ('', 'NULL', '-1', '0;0;...').
    """
    if len(set(text.split(";"))) == 1:
        return np.full((68, 2), np.nan, np.float32)
    try:
        points = np.array(text.split(";"), np.float64).reshape(68, 2)
    except ValueError:
        raise DataError(f"{where}: {POINTS} {text[:30]!r}, expected 68 points as x;y;x;y;...") from None
    return ((points - box[:2]) / box[2:]).astype(np.float32)


def cut_box(picture: np.ndarray, box: tuple[int, int, int, int], where: str) -> np.ndarray:
    """The face box of a picture; where it reaches over the edge, the edge is repeated."""
    left, top, width, height = box
    rows = np.arange(top, top + height)
    columns = np.arange(left, left + width)
    if rows[-1] < 0 or columns[-1] < 0 or top >= picture.shape[0] or left >= picture.shape[1]:
        raise DataError(f"{where}: the face box {box} lies outside of {picture.shape[1]} x {picture.shape[0]} pixels")
    return picture[rows.clip(0, picture.shape[0] - 1)][:, columns.clip(0, picture.shape[1] - 1)]


def read_set(files_found: AffectNetFiles, split: str) -> AffectNetSplit:
    """One of train_set/ and val_set/: ID.jpg with ID_exp.npy (the label) and, where present, ID_lnd.npy (68 points)."""
    folder = files_found.base / SETS[split]
    files = Folder("affectnet", folder / "images")
    names = sorted(
        check_file_name(file_name, files.where)
        for file_name in os.listdir(files.path)
        if is_picture(file_name) and not is_hidden(file_name)
    )
    where = f"affectnet: {SETS[split]}"
    if not names:
        raise DataError(f"{where}/images: no pictures (.jpg or .png) in it")
    annotation_files = set(os.listdir(folder / "annotations"))
    stems = [name.rsplit(".", 1)[0] for name in names]
    if repeated_stems := [stem for stem, times in Counter(stems).items() if times > 1]:
        raise DataError(f"{where}/images: more than one picture named {list_few(repeated_stems)}; keep one of each")
    if absent_files := [f"{stem}_exp.npy" for stem in stems if f"{stem}_exp.npy" not in annotation_files]:
        labels_text = f"labels of {len(absent_files):,} of {len(names):,} images"
        raise DataError(f"{where}/annotations: {labels_text} are not there: {list_few(absent_files)}")
    labels = np.array([read_label(folder, stem) for stem in stems])
    landmarks = np.full((len(names), 68, 2), np.nan, np.float32)
    for row, stem in enumerate(stems):
        if f"{stem}_lnd.npy" in annotation_files:
            landmarks[row] = read_points(folder, stem, files.path / names[row])

    def image(row: int) -> tuple[np.ndarray, str]:
        upright = f"{stems[row]}_lnd.npy" not in annotation_files  # points are in file coordinates
        return read_picture(files.read(names[row]), 3, f"{where}/images/{names[row]}", upright)

    return AffectNetSplit(names, labels, image, None if np.isnan(landmarks).all() else landmarks)


def read_array(folder: Path, name: str) -> tuple[np.ndarray, str]:
    """A small .npy file of numbers or texts, and how messages name it."""
    where = f"affectnet: {folder.name}/annotations/{name}"
    try:
        content = (folder / "annotations" / name).read_bytes()
        return np.load(io.BytesIO(content), allow_pickle=False), where
    except (ValueError, OSError, EOFError, MemoryError) as error:
        fault_text = f"not a readable .npy file ({str(error)[:80]})"
        if "pickle" in str(error).lower():
            fault_text = "a pickled object, which may run code; save it again with numpy.save as plain numbers"
        raise DataError(f"{where}: {fault_text}") from None


def read_label(folder: Path, stem: str) -> int:
    label_array, where = read_array(folder, f"{stem}_exp.npy")
    if label_array.size != 1:
        raise DataError(f"{where}: {label_array.size} values, expected one label")
    label_text = str(label_array.reshape(-1)[0]).removesuffix(".0")
    return parse_whole_number(label_text, 0, HIGHEST_LABEL, where, "label")


def read_points(folder: Path, stem: str, picture: Path) -> np.ndarray:
    """68 points in pixels of the picture as fractions of its size; the picture's header is read, not its pixels."""
    from PIL import Image

    point_array, where = read_array(folder, f"{stem}_lnd.npy")
    is_repeated = point_array.dtype.kind in "iuf" and np.unique(point_array).size <= 1
    if is_repeated and point_array.size in (0, 1, 136):  # a placeholder
        return np.full((68, 2), np.nan)
    try:
        points = point_array.astype(np.float64).reshape(68, 2)
    except (ValueError, TypeError):
        array_text = f"{point_array.dtype} of shape {point_array.shape}"
        raise DataError(f"{where}: {array_text}, expected 68 points (x, y)") from None
    try:
        with Image.open(picture, formats=IMAGE_FORMATS) as image:
            return points / image.size
    except Exception:  # a broken picture is named with all others when it is decoded
        return np.full((68, 2), np.nan)
