"""card.json: what a decoded data set is, and all that a caption may want to say of it."""

from dataclasses import asdict
from typing import Any

import numpy as np

from benchmark.cache.decoded import FORMAT, SPLITS
from benchmark.cache.fingerprints import (
    compute_fingerprint,
    compute_landmark_fingerprint,
    hash_earlier_labels,
    iterate_splits,
)
from benchmark.cache.leaks import Leaks, describe_leaks
from benchmark.datasets.base import DataSet, Rows, Source
from benchmark.datasets.reading.files import list_few

NAMES_KEPT = 1000  # of each reason in the card


def make_dataset_info(
    dataset: DataSet,
    options: Any,
    source: Source,
    orders: dict[str, list[int]],
    hashes: dict[str, list[str]],
    leaks: Leaks,
) -> dict[str, Any]:
    """card.json: what the data is, and all that a caption may want to say of it."""
    counts = {
        split: np.bincount(rows.labels, minlength=len(source.classes)).tolist()
        for split, rows in iterate_splits(source)
    }
    copies = describe_leaks(leaks, len(source.test.names))
    drops = hasattr(options, "drop_leaks") and bool(leaks.exact)
    earlier = hash_earlier_labels(source, orders["train"])
    fix = f" (--set {dataset.name}.drop_leaks=true leaves them out)" if drops else ""
    return {
        "format": FORMAT,
        "name": dataset.name,
        "title": dataset.title,
        "fingerprint": compute_fingerprint(dataset, source, orders, hashes),
        "landmark_fingerprint": compute_landmark_fingerprint(source, orders),
        "classes": list(source.classes),
        "size": dataset.size,
        "channels": dataset.channels,
        "options": asdict(options),
        "label_rule": source.facts.get("label_rule"),
        "counts": {split: dict(zip(source.classes, counts[split])) for split in SPLITS},
        "votes": [split for split, rows in iterate_splits(source) if rows.votes is not None],
        "landmarks": [split for split, rows in iterate_splits(source) if rows.landmarks is not None],
        "landmarks usable": {
            split: count_usable_landmarks(rows) for split, rows in iterate_splits(source) if rows.landmarks is not None
        },
        "test_images_also_in_train": len(leaks.exact),
        "test_images_nearly_in_train": len(leaks.near),
        "training_images_under_two_labels": len(leaks.torn),
        "dropped": {reason: {"count": len(n), "names": n[:NAMES_KEPT]} for reason, n in source.dropped.items()},
        "warnings": source.warnings
        + warn_of_empty_classes(dataset, counts, source.classes)
        + warn_of_unusable_landmarks(dataset, source)
        + [f"{dataset.name}: {line}{fix * (n == 0)}" for n, line in enumerate(copies)],
        "facts": source.facts | describe_stored_size(dataset) | ({"copies": "; ".join(copies)} if copies else {}),
    } | ({"earlier_labels": earlier} if earlier else {})


def describe_stored_size(dataset: DataSet) -> dict[str, str]:
    """The side at which images are stored, as captions say it."""
    return {"stored": f"{dataset.size} px"}


def warn_of_empty_classes(dataset: DataSet, counts: dict[str, list[int]], classes: tuple[str, ...]) -> list[str]:
    """A line on classes of which a split has no picture, which noise and predictions may still name."""
    lines = []
    for split in SPLITS:
        if empty := [name for name, count in zip(classes, counts[split]) if not count]:
            seven = "contempt" in empty and hasattr(dataset.Options(), "classes")
            fix = f" (--set {dataset.name}.classes=7 leaves contempt out)" if seven else ""
            lines.append(f"{dataset.name}: no picture of class {list_few(empty)} in {split}{fix}")
    return lines


def warn_of_unusable_landmarks(dataset: DataSet, source: Source) -> list[str]:
    """A line where there are landmarks and none of them can be used."""
    if source.train.landmarks is None or count_usable_landmarks(source.train):
        return []
    return [
        f"{dataset.name}: landmarks: {source.facts.get('landmarks', 'none is usable')}; do they name these pictures?"
    ]


def count_usable_landmarks(rows: Rows) -> int:
    """How many images have landmarks that are a face."""
    return int(np.isfinite(rows.landmarks).all((1, 2)).sum())
