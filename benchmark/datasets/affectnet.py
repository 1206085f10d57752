"""AffectNet, the manually annotated part: faces from the web with one label each (Mollahosseini et al., 2017).

Two layouts are read: the lists training.csv and validation.csv with the pictures beside them, of which the face box is
cut out, and the later `train_set/` and `val_set/` with ready faces and one small .npy file for each fact.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmark.datasets.base import DataSet, Rows, Source
from benchmark.datasets.reading import landmark_files
from benchmark.datasets.reading.affectnet import LISTS, SETS, Listed, locate, read_list, read_set
from benchmark.datasets.reading.files import count_warning, file_stamp, one_of, whole_size
from noise.expressions import BY_COUNT, ORDERS

OTHERS = {8: "none of the emotions", 9: "uncertain", 10: "no face"}
HIGHEST_NUMBER, SAMPLED = 450_000, 1000  # labels written again all at once are noticed without asking for each
PUBLISHED = {8: {"train": 287651, "test": 4000}, 7: {"train": 283901, "test": 3500}}


class AffectNet(DataSet):
    name = "affectnet"
    title = "AffectNet"
    size = 112
    channels = 3
    version = 2

    @dataclass(frozen=True)
    class Options:
        """classes: 8, or 7 without contempt. size: side at which faces are stored."""

        classes: int = 8
        size: int = 112

        def __post_init__(self) -> None:
            whole_size("affectnet", self.size)
            one_of("affectnet.classes", self.classes, tuple(BY_COUNT))

    def read(self, path: Path, options: Options) -> Source:
        self.size = options.size
        place = locate(path)
        read = read_list if place.layout == "lists" else read_set
        dropped: dict[str, list[str]] = {}
        train, test = (select(read(place, split), options.classes, dropped) for split in ("train", "test"))
        counts = {"train": len(train.names), "test": len(test.names)}
        facts = {
            "label_rule": "published label",
            "class set": f"{options.classes} classes" + (", contempt left out" if options.classes == 7 else ""),
            "note": "which class set the paper used is not known",
            "test": "the validation images",
            "labels": label_files(place.layout),
            "images used": counts,
            "dropped": {reason: len(names) for reason, names in dropped.items()},
            "licence": "pictures: for research by agreement with the authors, no licence to pass on",
            "source": "face boxes of the published lists" if place.layout == "lists" else "train_set and val_set",
        }
        if train.landmarks is not None:
            facts["landmarks"] = landmark_files.coverage(train.landmarks, label_files(place.layout))
        else:
            landmark_files.attach_beside(self.name, place.base, train, test, facts)
        warnings = count_warning(self.name, counts, PUBLISHED[options.classes])
        return Source(BY_COUNT[options.classes], train, test, facts, dropped, warnings)

    def stamp(self, path: Path, options: Options) -> list[tuple[str, int, int]]:
        """Lists, folders and the labels of every SAMPLED number: of 290,000 files, single ones overwritten go unnoticed."""
        place = locate(path)
        npz = landmark_files.npz_beside(self.name, place.base)
        beside = [file_stamp(npz)] if npz else []
        if place.layout == "sets":
            parts = [place.base / folder / kind for folder in SETS.values() for kind in ("images", "annotations")]
            names = (f"{number}_exp.npy" for number in range(0, HIGHEST_NUMBER, SAMPLED))
            labels = [part / name for name in names for part in parts[1::2]]
            return [file_stamp(path) for path in [*parts, *filter(Path.exists, labels)]] + beside
        lists = [file_stamp(place.lists / name) for name in LISTS.values()]
        return lists + beside + [file_stamp(p) for p in (place.base, *sorted(place.base.iterdir())) if p.is_dir()]


def label_files(layout: str) -> str:
    return " and ".join(LISTS.values()) if layout == "lists" else "annotations/*.npy"


def select(listed: Listed, classes: int, dropped: dict[str, list[str]]) -> Rows:
    """The used images of a split; what is left out is added to `dropped` by reason."""
    order = BY_COUNT[classes]
    into = np.array([order.index(name) if name in order else -1 for name in ORDERS["affectnet"]] + [-1] * len(OTHERS))
    labels = into[listed.labels]
    for row in np.flatnonzero(labels < 0):
        reason = OTHERS.get(int(listed.labels[row]), "contempt (7 classes)")
        dropped.setdefault(reason, []).append(listed.names[row])
    kept = np.flatnonzero(labels >= 0)
    hashes = [""] * len(kept)

    def image(row: int) -> np.ndarray:
        pixels, hashes[row] = listed.image(kept[row])
        return pixels

    return Rows(
        names=[listed.names[row] for row in kept],
        labels=labels[kept].astype(np.int64),
        image=image,
        landmarks=None if listed.landmarks is None else listed.landmarks[kept],
        pixels=hashes,
    )
