"""AffectNet, the manually annotated part: faces from the web with one label each (Mollahosseini et al., 2017).

Two layouts are read: the lists training.csv and validation.csv with the pictures beside them, of which the face box is
cut out, and the later `train_set/` and `val_set/` with ready faces and one small .npy file for each fact.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmark.datasets.base import DataSet, Rows, Source
from benchmark.datasets.reading import landmark_files
from benchmark.datasets.reading.affectnet import (
    LISTS,
    SETS,
    AffectNetSplit,
    locate_affectnet,
    read_affectnet_list,
    read_set,
)
from benchmark.datasets.reading.files import check_option, check_size, compare_counts, stamp_file
from benchmark.datasets.reading.pictures import make_picture_rows
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
            check_size("affectnet", self.size)
            check_option("affectnet.classes", self.classes, tuple(BY_COUNT))

    def read(self, path: Path, options: Options) -> Source:
        self.size = options.size
        files_found = locate_affectnet(path)
        has_lists = files_found.layout == "lists"
        read = read_affectnet_list if has_lists else read_set
        dropped_names: dict[str, list[str]] = {}
        train, test = (
            select_classes(read(files_found, split), options.classes, dropped_names) for split in ("train", "test")
        )
        image_counts = {"train": len(train.names), "test": len(test.names)}
        label_files = " and ".join(LISTS.values()) if has_lists else "annotations/*.npy"
        facts = {
            "label_rule": "published label",
            "class set": f"{options.classes} classes" + (", contempt left out" if options.classes == 7 else ""),
            "note": "which class set the paper used is not known",
            "test": "the validation images",
            "labels": label_files,
            "images used": image_counts,
            "dropped": {reason: len(names) for reason, names in dropped_names.items()},
            "licence": "pictures: for research by agreement with the authors, no licence to pass on",
            "source": "face boxes of the published lists" if has_lists else "train_set and val_set",
        }
        if train.landmarks is not None:
            facts["landmarks"] = landmark_files.describe_coverage(train.landmarks, label_files)
        else:
            landmark_files.attach_from_folder(self.name, files_found.base, train, test, facts)
        warnings = compare_counts(self.name, image_counts, PUBLISHED[options.classes])
        return Source(BY_COUNT[options.classes], train, test, facts, dropped_names, warnings)

    def stamp(self, path: Path, options: Options) -> list[tuple[str, int, int]]:
        """Lists, folders and the labels of every SAMPLED number: of 290,000 files, single ones overwritten go unnoticed."""
        files_found = locate_affectnet(path)
        base = files_found.base
        landmarks_file = landmark_files.find_npz(self.name, base)
        nearby_files = [landmarks_file] if landmarks_file else []
        if files_found.layout == "lists":
            list_files = [files_found.lists / name for name in LISTS.values()]
            picture_folders = filter(Path.is_dir, (base, *sorted(base.iterdir())))
            return [stamp_file(path) for path in (*list_files, *nearby_files, *picture_folders)]
        inner_folders = [base / folder / kind for folder in SETS.values() for kind in ("images", "annotations")]
        label_names = (f"{number}_exp.npy" for number in range(0, HIGHEST_NUMBER, SAMPLED))
        label_files = [folder / name for name in label_names for folder in inner_folders[1::2]]
        return [stamp_file(path) for path in (*inner_folders, *filter(Path.exists, label_files), *nearby_files)]


def select_classes(listed_split: AffectNetSplit, classes: int, dropped_names: dict[str, list[str]]) -> Rows:
    """The used images of a split; what is left out is added to `dropped_names` by reason."""
    class_order = BY_COUNT[classes]
    class_by_label = np.array(
        [class_order.index(name) if name in class_order else -1 for name in ORDERS["affectnet"]] + [-1] * len(OTHERS)
    )
    labels = class_by_label[listed_split.labels]
    for row in np.flatnonzero(labels < 0):
        reason = OTHERS.get(int(listed_split.labels[row]), "contempt (7 classes)")
        dropped_names.setdefault(reason, []).append(listed_split.names[row])
    kept_rows = np.flatnonzero(labels >= 0)
    return make_picture_rows(
        [listed_split.names[row] for row in kept_rows],
        labels[kept_rows].astype(np.int64),
        lambda row: listed_split.image(kept_rows[row]),
        None if listed_split.landmarks is None else listed_split.landmarks[kept_rows],
    )
