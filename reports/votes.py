"""People's votes: where they are read, what they say of an image, and what they say of labels before any training."""

import csv
import hashlib
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from reports.asked import ReportError
from reports.statistics import jensen_shannon
from results.records import Records
from results.schema import class_names

KINDS = ("wrong", "ambiguous", "clear")
ONE_ANNOTATOR = "One annotator's label, expected"


def votes_to_shares(votes: np.ndarray) -> np.ndarray:
    """Vote counts [n, C] as shares that sum to 1; NaN for images without votes."""
    votes = np.asarray(votes, float)
    totals = votes.sum(1, keepdims=True)
    return np.divide(votes, totals, out=np.full_like(votes, np.nan), where=totals > 0)


def one_hot_divergence(votes: np.ndarray, labels: np.ndarray, base: float = 2, root: bool = False) -> np.ndarray:
    """[n] divergence between people's votes [n, C] and the one-hot labels [n]."""
    people = votes_to_shares(votes)
    return jensen_shannon(people, np.eye(people.shape[1])[labels], base, root)


def random_annotator_divergence(votes: np.ndarray, base: float = 2, root: bool = False) -> np.ndarray:
    """[n] the same where the label is the vote of one person drawn at random, in expectation over that person."""
    people = votes_to_shares(votes)
    class_divergence = jensen_shannon(people[:, None], np.eye(people.shape[1])[None], base, root)
    return (people * class_divergence).sum(1)


def image_kinds(votes: np.ndarray, given: np.ndarray, study: bool = False) -> np.ndarray:
    """[n] 0 wrong: another class has more votes than the given label; else 1 ambiguous: at most half of the annotators
    agree on a class; else 2 clear. A data set's annotators are as many as the largest sum of votes of an image (some
    choose none of the classes); in a study each image has its own.
    """
    top = votes.max(1)
    annotators = votes.sum(1) if study else votes.sum(1).max(initial=0)
    wrong = votes[np.arange(len(votes)), given] < top
    return np.where(wrong, 0, np.where(top <= annotators / 2, 1, 2))


def read_votes(record: dict[str, Any], records: Records, study: Path | None) -> np.ndarray | None:
    """[rows of the data cache, C] people's votes, zero where there are none; None where the data set has none."""
    folder = records.data_folder(record)
    if folder is None or not (folder / ("train_names.npy" if study else "train_votes.npy")).is_file():
        return None
    if study is None:
        return np.load(folder / "train_votes.npy", mmap_mode="r", allow_pickle=False)
    votes = read_study(study, np.load(folder / "train_names.npy", allow_pickle=False), class_names(record))
    return votes if votes.any() else None


def read_study(path: Path, names: np.ndarray, classes: list[str]) -> np.ndarray:
    """Votes of a study of one's own, [names, C]: a CSV with the columns `image` and one a class.

    All zero where it is about other images altogether, of another data set; raises ReportError.
    """
    expected = f"the columns image, {', '.join(classes)}"
    try:
        with Path(path).open(newline="", encoding="utf-8-sig") as file:
            first_line = file.readline()
            file.seek(0)
            cell_mark = next((mark for mark in ",;\t" if mark in first_line), ",")
            reader = csv.DictReader(file, delimiter=cell_mark)
            columns = list(reader.fieldnames or ())
            rows = [(reader.line_num, row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ReportError(f"{path}: {error}; give a CSV with {expected}") from None
    for name in ("image", *classes):
        if columns.count(name) != 1:
            number_text = f"{columns.count(name)} columns" if name in columns else "no column"
            raise ReportError(f"{path}: {number_text} '{name}'; give {expected}")
    row_by_image = {str(name): row for row, name in enumerate(names)}
    file_names = Counter(Path(name).name for name in row_by_image)
    # A file name alone will do where only one image has it.
    short_names = {Path(name).name: row for name, row in row_by_image.items() if file_names[Path(name).name] == 1}
    row_by_image = short_names | row_by_image
    votes = np.zeros((len(names), len(classes)), np.float32)
    if not any(row["image"] in row_by_image or row["image"] in file_names for _, row in rows):
        return votes
    seen_rows: set[int] = set()
    for line, row in rows:
        image = row_by_image.get(row["image"])
        fault = ""
        if image is None and row["image"] in file_names:
            fault = f"'{row['image']}' is the file name of several images; write whole names of this data set"
        elif image is None:
            fault = f"'{row['image']}' is no training image of this data set"
        elif image in seen_rows:
            fault = f"'{row['image']}' stands twice; keep one row for each image"
        elif None in row:
            fault = f"more cells than the first line has columns ({len(columns)}); write decimals with a point"
        else:
            seen_rows.add(image)
            try:
                votes[image] = [float(row[name]) for name in classes]
            except (TypeError, ValueError):
                fault = "a vote is not a number; give counts or shares"
            if not (np.isfinite(votes[image]).all() and votes[image].min() >= 0):
                fault = "votes must be 0 or more"
        if fault:
            raise ReportError(f"{path}, line {line}: {fault}")
    return votes


def people_text(study: Path | None) -> str:
    """Whose votes these are."""
    if study is None:
        return "the data set's own annotators"
    return f"the study {study.name} (sha256 {hashlib.sha256(study.read_bytes()).hexdigest()[:8]})"
