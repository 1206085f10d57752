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
    read_folders,
)
from benchmark.datasets.reading.files import check_option, compare_counts, stamp_file, stamp_folder
from noise.expressions import BY_COUNT, ORDERS

PUBLISHED = {  # used images of the eight classes by label rule, from label.csv
    "majority": {TRAIN: 25045, VALID: 3191, TEST: 3137},
    "plurality": {TRAIN: 28556, VALID: 3579, TEST: 3573},
}


def choose_by_majority(votes: np.ndarray) -> np.ndarray:
    """The column that wins by the official rule, -1 where none does: votes [n, 10] -> [n].

    Single votes are set to 0; the largest count must be more than half of what is left.
    """
    kept = np.where(votes > 1, votes, 0)
    return np.where(2 * kept.max(1) > kept.sum(1), kept.argmax(1), -1)


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
        listed, dropped = read_csv_pair(base) if layout == "csv" else read_folders(base, layout)
        unread = add_emotions(listed, base) if layout != "csv" else []
        used = {split: select_used(rows, options, dropped) for split, rows in listed.items()}
        counts = {split: count_used(rows, options.rule) for split, rows in listed.items()}
        trained = [used[TRAIN], used[VALID]] if options.train == "train+valid" else [used[TRAIN]]
        train, test = join_rows(trained), used[TEST]
        if options.drop_leaks:
            train = remove_test_copies(train, test, dropped)
        facts = {
            "label_rule": f"{options.rule} rule",
            "class set": f"{options.classes} classes" + (", contempt left out" if options.classes == 7 else ""),
            "train_set": {"train+valid": "Train+Valid", "train": "Train"}[options.train]
            + (" without copies of test images" if options.drop_leaks else ""),
            "labels": "fer2013new.csv" if layout == "csv" else "label.csv",
            "images used": {split: len(rows.names) for split, rows in used.items()},
            "dropped": {reason: len(names) for reason, names in dropped.items()},
            "licence": "votes: MIT licence; pictures: no licence to pass on",
            "source": {"csv": "fer2013.csv and fer2013new.csv", "zip": "three zip archives", "folder": "folders"}[
                layout
            ],
        }
        landmark_files.attach_from_folder(self.name, base, train, test, facts)
        warnings = compare_counts(self.name, counts, PUBLISHED[options.rule])
        if warnings and layout == "csv":
            warnings[0] += " Only label.csv gives the published sizes: fer2013new.csv has one vote for all copies."
        warnings += unread
        return Source(BY_COUNT[options.classes], train, test, facts, dropped, warnings)

    def stamp(self, path: Path, options: Options) -> list[tuple[str, int, int]]:
        base, layout = locate_ferplus(path)
        landmarks = landmark_files.find_npz(self.name, base)
        beside = [stamp_file(landmarks)] if landmarks else []
        if pair := find_csv_pair(base):
            beside += [*map(stamp_file, pair), ("earlier labels are read", 1, 0)]
        if layout == "csv":
            return beside
        if layout == "zip":
            return [stamp_file(base / f"{split}.zip") for split in SPLITS.values()] + beside
        return [stamp_folder(base / split) for split in SPLITS.values()] + beside


def count_used(rows: FERPlusSplit, rule: str) -> int:
    """How many images a rule uses with all eight emotions."""
    won = RULES[rule](rows.votes)
    return int(((won >= 0) & (won < len(EMOTIONS))).sum())


def select_used(rows: FERPlusSplit, options: FERPlus.Options, dropped: dict[str, list[str]]) -> Rows:
    """The used images of a split; what is left out is added to `dropped` by reason."""
    won = RULES[options.rule](rows.votes)
    classes = BY_COUNT[options.classes]
    reasons = {
        "no majority" if options.rule == "majority" else "no vote for an emotion": won < 0,
        "unknown or not a face by majority": won >= len(EMOTIONS),
        "contempt (7 classes)": (won == EMOTIONS.index("contempt")) & (options.classes == 7),
    }
    for reason, lost in reasons.items():
        if lost.any():
            dropped.setdefault(reason, []).extend(rows.names[row] for row in np.flatnonzero(lost))
    kept = np.flatnonzero(~np.logical_or.reduce(list(reasons.values())))
    earlier = None
    if rows.earlier is not None:
        places = np.array([*(classes.index(name) for name in ORDERS["fer2013"]), -1])  # an unknown one is the last, -1
        earlier = places[rows.earlier[kept]]
    into = np.array([classes.index(name) if name in classes else -1 for name in EMOTIONS])
    return Rows(
        names=[rows.names[row] for row in kept],
        labels=into[won[kept]].astype(np.int64),
        image=lambda row: rows.image(kept[row]),
        votes=rows.votes[kept][:, [EMOTIONS.index(name) for name in classes]].astype(np.float32),
        earlier_labels=earlier,
    )


def join_rows(parts: list[Rows]) -> Rows:
    """Several splits as one."""
    owner = [(part, row) for part in parts for row in range(len(part.names))]
    return Rows(
        names=[name for part in parts for name in part.names],
        labels=np.concatenate([part.labels for part in parts]),
        image=lambda row: owner[row][0].image(owner[row][1]),
        votes=np.concatenate([part.votes for part in parts]),
        earlier_labels=None
        if parts[0].earlier_labels is None
        else np.concatenate([part.earlier_labels for part in parts]),
    )


def remove_test_copies(train: Rows, test: Rows, dropped: dict[str, list[str]]) -> Rows:
    """The training images of which no used test image is an exact copy."""
    tested = {hash_image(test, row) for row in range(len(test.names))}
    leaks = np.array([hash_image(train, row) in tested for row in range(len(train.names))])
    dropped["exact copy of a used test image"] = [train.names[row] for row in np.flatnonzero(leaks)]
    kept = np.flatnonzero(~leaks)
    return Rows(
        [train.names[row] for row in kept],
        train.labels[kept],
        lambda row: train.image(kept[row]),
        train.votes[kept],
        earlier_labels=None if train.earlier_labels is None else train.earlier_labels[kept],
    )


def hash_image(rows: Rows, row: int) -> bytes:
    return hashlib.sha256(rows.image(row).tobytes()).digest()
