"""FERPlus on disk: the official `data/` layout, its three zip archives, or `fer2013.csv` beside `fer2013new.csv`."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import numpy as np

from benchmark.datasets.base import DataError
from benchmark.datasets.reading.files import (
    Archive,
    Folder,
    check_file_name,
    list_few,
    note_line,
    parse_whole_number,
    read_csv_rows,
    require_folder,
)
from benchmark.datasets.reading.pictures import decode_picture
from benchmark.datasets.reading.splits import is_hidden
from noise.expressions import ORDERS

EMOTIONS = ORDERS["ferplus"]
COLUMNS = (*EMOTIONS, "unknown", "NF")
SPLITS = {"Training": "FER2013Train", "PublicTest": "FER2013Valid", "PrivateTest": "FER2013Test"}
TRAIN, VALID, TEST = SPLITS.values()
SIDE = 48
MOST_VOTES = 100
PIXELS, VOTES = ("fer2013.csv", "icml_face_data.csv"), ("fer2013new.csv",)
OFFICIAL = "Is this the {} of microsoft/FERPlus?"


@dataclass
class FERPlusSplit:
    """One split as its files list it: names [n], votes [n, 10] int in the order of COLUMNS, row -> uint8 [48, 48].

    earlier: [n] the emotion of fer2013.csv, a place in ORDERS["fer2013"], -1 where it is not known; None without that file.
    """

    names: list[str]
    votes: np.ndarray
    image: Callable[[int], np.ndarray]
    earlier: np.ndarray | None = None


def locate_ferplus(path: Path) -> tuple[Path, str]:
    """The folder that holds the data and how: 'folder', 'zip' or 'csv'; raises DataError with what is missing."""
    require_folder("ferplus", path, "the data/ folder of microsoft/FERPlus")
    for base in (path, path / "data"):
        if all((base / split).is_dir() for split in SPLITS.values()):
            return base, "folder"
        if all((base / f"{split}.zip").is_file() for split in SPLITS.values()):
            return base, "zip"
        if all(find_pair(base)):
            return base, "csv"
    raise DataError(f"ferplus: {path}: {explain_absence(path)}")


def find_pair(base: Path) -> tuple[Path | None, Path | None]:
    """Kaggle's pixels and FER+'s votes, there or in a folder of the archive's own."""
    return find_file(base, PIXELS), find_file(base, VOTES)


def find_file(base: Path, names: tuple[str, ...]) -> Path | None:
    """The first of these files in a folder or one below it."""
    likely_files = [path for name in names for path in (base / name, *sorted(base.glob(f"*/{name}")))]
    return next((p for p in likely_files if p.is_file() and not is_hidden(p.relative_to(base).as_posix())), None)


def explain_absence(path: Path) -> str:
    """What is wrong with a folder that holds none of the three layouts, and what to do."""
    if (path / "label.csv").is_file():
        return f"this is one split; give the folder above: {path.resolve().parent}"
    for base in (path, path / "data"):
        present_splits = [
            split for split in SPLITS.values() if (base / split).is_dir() or (base / f"{split}.zip").is_file()
        ]
        if present_splits:
            absent_splits = [split for split in SPLITS.values() if split not in present_splits]
            if not absent_splits:
                return "some splits are folders and some are zip archives; unpack all three or none"
            names_text = f"found {list_few(present_splits)} but not {list_few(absent_splits)}"
            return f"{names_text} (a folder or a .zip); put them into one folder"
        pixels_file, votes_file = find_pair(base)
        if pixels_file:
            return f"{pixels_file.name} is here but {VOTES[0]} is not; put it beside it (microsoft/FERPlus has it)"
        if votes_file:
            return f"{VOTES[0]} is here but {PIXELS[0]} is not; put it beside it (the Kaggle challenge has it)"
    for inner_folder in sorted(path.iterdir()):
        if any((inner_folder / name).exists() for name in (TRAIN, f"{TRAIN}.zip", *VOTES)):
            return f"the data lies one folder below; give {inner_folder}"
    return f"no data here; expected {list_few(SPLITS.values())} (folders or .zip), or fer2013.csv and fer2013new.csv"


def read_split(base: Path, layout: str, split: str) -> FERPlusSplit:
    """One split of the official layout, unpacked or in its archive: its label.csv, and its images by the names there."""
    files = Archive("ferplus", base / f"{split}.zip") if layout == "zip" else Folder("ferplus", base / split)
    present_names = files.names()
    label_lists = [name for name in present_names if name.rsplit("/", 1)[-1] == "label.csv"]
    if len(label_lists) != 1:
        raise DataError(
            f"{files.where}: {len(label_lists)} files named label.csv, expected one; microsoft/FERPlus has it"
        )
    list_folder = label_lists[0].removesuffix("label.csv")
    votes = []
    line_by_name: dict[str, str] = {}
    for where, row in read_csv_rows(files, label_lists[0]):
        if len(row) != 2 + len(COLUMNS):
            fix_hint = OFFICIAL.format("label.csv")
            raise DataError(f"{where}: {max(0, len(row) - 2)} vote columns, expected {len(COLUMNS)}. {fix_hint}")
        note_line(line_by_name, check_file_name(row[0], where), where)
        votes.append(parse_votes(row[2:], where))
    names = list(line_by_name)
    if not names:
        raise DataError(f"{files.where}/{label_lists[0]}: no rows. {OFFICIAL.format('label.csv')}")
    absent_names = [name for name in names if list_folder + name not in present_names]
    if absent_names:
        raise DataError(
            f"{files.where}: {len(absent_names):,} of {len(names):,} images in label.csv are not there: "
            f"{list_few(absent_names)}; generate_training_data.py of microsoft/FERPlus writes them from fer2013.csv"
        )

    def image(row: int) -> np.ndarray:
        name = list_folder + names[row]
        return decode_picture(files.read(name), 1, f"{files.where}/{name}")

    return FERPlusSplit([f"{split}/{name}" for name in names], np.array(votes), image)


def parse_votes(cells: list[str], where: str) -> list[int]:
    return [parse_whole_number(cell, 0, MOST_VOTES, where, f"votes for {name}") for cell, name in zip(cells, COLUMNS)]


def find_csv_pair(base: Path) -> tuple[Path, Path] | None:
    """fer2013.csv and fer2013new.csv in the folder or the one above `data/`, where both are there."""
    folders = (base, base.parent) if base.name == "data" else (base,)
    return next(filter(all, map(find_pair, folders)), None)


def add_emotions(listed_splits: dict[str, FERPlusSplit], base: Path) -> list[str]:
    """Give splits their emotions of the fer2013.csv beside them; a line where it is there and cannot be used."""
    csv_pair = find_csv_pair(base)
    if csv_pair is None:
        return []
    try:
        emotions = read_emotions(*csv_pair)
    except DataError as error:
        return [f"{error}; --noise fer2013 cannot be had"]
    for rows in listed_splits.values():
        rows.earlier = np.array([emotions.get(name, -1) for name in rows.names])
    return []


def read_emotions(pixels_csv: Path, votes_csv: Path) -> dict[str, int]:
    """{image name: its emotion in fer2013.csv}; a name that stands for two emotions has none."""
    emotion_by_name: dict[str, int] = {}
    for pixels, votes in iterate_pairs(pixels_csv, votes_csv):
        split, name = pair_rows(pixels, votes)
        if name and emotion_by_name.setdefault(f"{split}/{name}", emotion := parse_emotion(*pixels)) != emotion:
            emotion_by_name[f"{split}/{name}"] = -1
    return emotion_by_name


def parse_emotion(where: str, row: list[str]) -> int:
    """The 'emotion' cell of fer2013.csv, -1 where it is empty."""
    cell_text = row[0].strip()
    return parse_whole_number(cell_text, 0, len(ORDERS["fer2013"]) - 1, where, "emotion") if cell_text else -1


Line = tuple[str, list[str]]  # where it stands, and its cells


def iterate_pairs(pixels_csv: Path, votes_csv: Path) -> Iterator[tuple[Line, Line]]:
    """The rows of both files below their first lines, with the pixels' cells as emotion, pixels, Usage."""
    row_lists = [read_csv_rows(Folder("ferplus", path.parent), path.name) for path in (pixels_csv, votes_csv)]
    column_places: list[int] = []
    for number, (pixels, votes) in enumerate(zip_longest(*row_lists)):
        if pixels is None or votes is None:
            short_file, where = (pixels_csv.name, votes[0]) if pixels is None else (votes_csv.name, pixels[0])
            raise DataError(f"{where}: {short_file} has no such row; the two files must have as many rows")
        if number == 0:
            column_places = check_headers(pixels, votes)
            continue
        if len(pixels[1]) == len(column_places):  # in the order of the first publication
            pixels = pixels[0], [pixels[1][column_place] for column_place in column_places]
        yield pixels, votes


def read_csv_pair(base: Path) -> tuple[dict[str, FERPlusSplit], dict[str, list[str]]]:
    """Kaggle's pixels and FER+'s votes, paired row by row; names come from fer2013new.csv, whose numbers drift."""
    pixels_csv, votes_csv = find_pair(base)
    columns_by_split = {split: ([], [], [], []) for split in SPLITS.values()}
    nameless_rows = []
    repeated_names = []
    taken_names = set()
    for pixels, votes in iterate_pairs(pixels_csv, votes_csv):
        split, name = pair_rows(pixels, votes)
        if not name:
            nameless_rows.append(votes[0].removeprefix("ferplus: ").removeprefix(f"{base.name}/"))
            continue
        name = f"{split}/{check_file_name(name, votes[0])}"
        if name in taken_names:  # four names stand twice in the official file
            repeated_names.append(f"{name}#{votes[0].rsplit(' ', 1)[-1]}")
            continue
        taken_names.add(name)
        cells = (name, parse_votes(votes[1][2:], votes[0]), parse_pixels(*pixels), parse_emotion(*pixels))
        for column, value in zip(columns_by_split[split], cells):
            column.append(value)
    empty_splits = [split for split, (names, *_) in columns_by_split.items() if not names]
    if empty_splits:
        where = f"ferplus: {base.name}/{votes_csv.name}"
        raise DataError(f"{where}: no rows of {list_few(empty_splits)}; expected the whole file")
    listed_splits = {
        split: FERPlusSplit(names, np.array(votes), images.__getitem__, np.array(emotions))
        for split, (names, votes, images, emotions) in columns_by_split.items()
    }
    dropped = {"no image name (not a face)": nameless_rows, "a name that stands before it, too": repeated_names}
    return listed_splits, {reason: names for reason, names in dropped.items() if names}


def check_headers(pixels: Line, votes: Line) -> list[int]:
    """Where emotion, pixels and Usage stand; raises DataError where a first line does not name what is expected."""
    expected = ["emotion", "pixels", "Usage"], ["Usage", "Image name", *COLUMNS]
    pixel_names = [cell.strip() for cell in pixels[1]]
    for (where, row), columns, is_ordered in zip((pixels, votes), expected, (False, True)):
        cell_names = [cell.strip() for cell in row]
        if (cell_names if is_ordered else sorted(cell_names)) != (columns if is_ordered else sorted(columns)):
            raise DataError(f"{where}: columns {','.join(row)[:80]}, expected {','.join(columns)}")
    return [pixel_names.index(column) for column in expected[0]]


def pair_rows(pixels: Line, votes: Line) -> tuple[str, str]:
    """(split, image name) of two rows that belong together; raises DataError where they do not."""
    if len(pixels[1]) != 3:
        raise DataError(f"{pixels[0]}: {len(pixels[1])} columns, expected emotion, pixels, Usage")
    if len(votes[1]) != 2 + len(COLUMNS):
        fix_hint = OFFICIAL.format("fer2013new.csv")
        raise DataError(f"{votes[0]}: {max(0, len(votes[1]) - 2)} vote columns, expected {len(COLUMNS)}. {fix_hint}")
    usage = votes[1][0].strip()
    pixels_usage = pixels[1][2].strip()
    if usage not in SPLITS:
        raise DataError(f"{votes[0]}: Usage {usage[:40]!r}, expected one of {list_few(SPLITS)}")
    if usage != pixels_usage:
        other_usage = f"but {pixels_usage[:40]!r} in that row of fer2013.csv"
        raise DataError(f"{votes[0]}: Usage is {usage}, {other_usage}; both files must have the published order")
    return SPLITS[usage], votes[1][1].strip()


def parse_pixels(where: str, row: list[str]) -> np.ndarray:
    """The 'pixels' cell of fer2013.csv as uint8 [48, 48]."""
    try:
        return np.frombuffer(bytes(map(int, row[1].split())), np.uint8).reshape(SIDE, SIDE)
    except ValueError:
        raise DataError(f"{where}: pixels are not {SIDE * SIDE} whole numbers from 0 to 255") from None
