"""FERPlus: the pictures of FER2013 with the votes of ten people each (Barsoum et al., ICMI 2016).

An image is named after its official file, 'FER2013Train/fer0000003.png', whatever it is read from.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmark.datasets.base import DataSet, Rows, Source
from benchmark.datasets.reading import landmark_files
from benchmark.datasets.reading.ferplus import (
    EMOTIONS,
    SIDE,
    SPLITS,
    TEST,
    TRAIN,
    VALID,
    FERPlusSplit,
    add_emotions,
    find_csv_pair,
    locate_ferplus,
    read_csv_pair,
    read_split,
)
from benchmark.datasets.reading.files import check_option, compare_counts, stamp_file, stamp_folder
from noise.expressions import BY_COUNT, ORDERS

SOURCES = {"csv": "fer2013.csv and fer2013new.csv", "zip": "three zip archives", "folder": "folders"}
PUBLISHED = {  # used images of the eight classes by label rule, from label.csv
    "majority": {TRAIN: 25045, VALID: 3191, TEST: 3137},
    "plurality": {TRAIN: 28556, VALID: 3579, TEST: 3573},
}


def choose_by_majority(votes: np.ndarray) -> np.ndarray:
    """The column that wins by the official rule, -1 where none does: votes [n, 10] -> [n].

    Single votes are set to 0; the largest count must be more than half of what is left.
    """
    counted_votes = np.where(votes > 1, votes, 0)
    return np.where(2 * counted_votes.max(1) > counted_votes.sum(1), counted_votes.argmax(1), -1)


def choose_by_plurality(votes: np.ndarray) -> np.ndarray:
    """The emotion with most votes, the first in the order of COLUMNS on a tie, -1 without any: votes [n, 10] -> [n]."""
    emotions = votes[:, : len(EMOTIONS)]
    return np.where(emotions.any(1), emotions.argmax(1), -1)


RULES = {"majority": choose_by_majority, "plurality": choose_by_plurality}


class FERPlus(DataSet):
    name = "ferplus"
    title = "FERPlus"
    size = SIDE
    channels = 1
    version = 2

    @dataclass(frozen=True)
    class Options:
        """rule: which votes make a label. train: which splits are trained on. drop_leaks: leave out training images
        whose exact pixels are also among the used test images.
        """

        rule: str = "majority"
        classes: int = 8
        train: str = "train+valid"
        drop_leaks: bool = False

        def __post_init__(self) -> None:
            check_option("ferplus.rule", self.rule, tuple(RULES))
            check_option("ferplus.classes", self.classes, tuple(BY_COUNT))
            check_option("ferplus.train", self.train, ("train+valid", "train"))

    def read(self, path: Path, options: Options) -> Source:
        base, layout = locate_ferplus(path)
        if layout == "csv":
            listed_splits, dropped_names = read_csv_pair(base)
            unread_notes = []
        else:
            listed_splits = {split: read_split(base, layout, split) for split in SPLITS.values()}
            dropped_names = {}
            unread_notes = add_emotions(listed_splits, base)
        used_rows = {split: select_used(rows, options, dropped_names) for split, rows in listed_splits.items()}
        image_counts = {split: count_used(rows, options.rule) for split, rows in listed_splits.items()}
        training_parts = [used_rows[TRAIN], used_rows[VALID]] if options.train == "train+valid" else [used_rows[TRAIN]]
        training_rows = [(rows, row) for rows in training_parts for row in range(len(rows.names))]
        test = used_rows[TEST]
        if options.drop_leaks:
            training_rows = drop_copies(training_rows, test, dropped_names)
        train = join_rows(training_rows)
        facts = {
            "label_rule": f"{options.rule} rule",
            "class set": f"{options.classes} classes" + (", contempt left out" if options.classes == 7 else ""),
            "train_set": {"train+valid": "Train+Valid", "train": "Train"}[options.train]
            + (" without copies of test images" if options.drop_leaks else ""),
            "labels": "fer2013new.csv" if layout == "csv" else "label.csv",
            "images used": {split: len(rows.names) for split, rows in used_rows.items()},
            "dropped": {reason: len(names) for reason, names in dropped_names.items()},
            "licence": "votes: MIT licence; pictures: no licence to pass on",
            "source": SOURCES[layout],
        }
        landmark_files.attach_from_folder(self.name, base, train, test, facts)
        warnings = compare_counts(self.name, image_counts, PUBLISHED[options.rule])
        if warnings and layout == "csv":
            warnings[0] += " Only label.csv gives the published sizes: fer2013new.csv has one vote for all copies."
        warnings += unread_notes
        return Source(BY_COUNT[options.classes], train, test, facts, dropped_names, warnings)

    def stamp(self, path: Path, options: Options) -> list[tuple[str, int, int]]:
        base, layout = locate_ferplus(path)
        landmarks = landmark_files.find_npz(self.name, base)
        nearby_stamps = [stamp_file(landmarks)] if landmarks else []
        if csv_pair := find_csv_pair(base):
            nearby_stamps += [*map(stamp_file, csv_pair), ("earlier labels are read", 1, 0)]
        if layout == "csv":
            return nearby_stamps
        if layout == "zip":
            return [stamp_file(base / f"{split}.zip") for split in SPLITS.values()] + nearby_stamps
        return [stamp_folder(base / split) for split in SPLITS.values()] + nearby_stamps


def count_used(rows: FERPlusSplit, rule: str) -> int:
    """How many images a rule uses with all eight emotions."""
    winning_columns = RULES[rule](rows.votes)
    return int(((winning_columns >= 0) & (winning_columns < len(EMOTIONS))).sum())


def select_used(rows: FERPlusSplit, options: FERPlus.Options, dropped_names: dict[str, list[str]]) -> Rows:
    """The used images of a split; what is left out is added to `dropped_names` by reason."""
    winning_columns = RULES[options.rule](rows.votes)
    classes = BY_COUNT[options.classes]
    dropped_by_reason = {
        "no majority" if options.rule == "majority" else "no vote for an emotion": winning_columns < 0,
        "unknown or not a face by majority": winning_columns >= len(EMOTIONS),
        "contempt (7 classes)": (winning_columns == EMOTIONS.index("contempt")) & (options.classes == 7),
    }
    for reason, is_dropped in dropped_by_reason.items():
        if is_dropped.any():
            dropped_names.setdefault(reason, []).extend(rows.names[row] for row in np.flatnonzero(is_dropped))
    kept_rows = np.flatnonzero(~np.logical_or.reduce(list(dropped_by_reason.values())))
    earlier_classes = np.array([*map(classes.index, ORDERS["fer2013"]), -1])  # an unknown one is the last, -1
    class_by_column = np.array([classes.index(name) if name in classes else -1 for name in EMOTIONS])
    return Rows(
        names=[rows.names[row] for row in kept_rows],
        labels=class_by_column[winning_columns[kept_rows]].astype(np.int64),
        image=lambda row: rows.image(kept_rows[row]),
        votes=rows.votes[kept_rows][:, [EMOTIONS.index(name) for name in classes]].astype(np.float32),
        earlier_labels=None if rows.earlier is None else earlier_classes[rows.earlier[kept_rows]],
    )


def drop_copies(
    row_owners: list[tuple[Rows, int]], test: Rows, dropped_names: dict[str, list[str]]
) -> list[tuple[Rows, int]]:
    """The training images of which no used test image is an exact copy."""
    test_hashes = {hash_image(test, row) for row in range(len(test.names))}
    leak_flags = [hash_image(*row_owner) in test_hashes for row_owner in row_owners]
    leaked_names = [rows.names[row] for (rows, row), is_leaked in zip(row_owners, leak_flags) if is_leaked]
    dropped_names["exact copy of a used test image"] = leaked_names
    return [row_owner for row_owner, is_leaked in zip(row_owners, leak_flags) if not is_leaked]


def join_rows(row_owners: list[tuple[Rows, int]]) -> Rows:
    """Rows of several splits as one."""
    has_earlier = all(rows.earlier_labels is not None for rows, _ in row_owners)
    return Rows(
        names=[rows.names[row] for rows, row in row_owners],
        labels=np.array([rows.labels[row] for rows, row in row_owners], np.int64),
        image=lambda row: row_owners[row][0].image(row_owners[row][1]),
        votes=np.array([rows.votes[row] for rows, row in row_owners]),
        earlier_labels=np.array([rows.earlier_labels[row] for rows, row in row_owners]) if has_earlier else None,
    )


def hash_image(rows: Rows, row: int) -> bytes:
    return hashlib.sha256(rows.image(row).tobytes()).digest()
