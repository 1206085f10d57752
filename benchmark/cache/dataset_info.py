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
    row_orders: dict[str, list[int]],
    pixel_hashes: dict[str, list[str]],
    leaks: Leaks,
) -> dict[str, Any]:
    """card.json: what the data is, and all that a caption may want to say of it."""
    class_counts = {
        split: dict(zip(source.classes, np.bincount(rows.labels, minlength=len(source.classes)).tolist()))
        for split, rows in iterate_splits(source)
    }
    leak_lines = describe_leaks(leaks, len(source.test.names))
    can_drop_leaks = hasattr(options, "drop_leaks") and bool(leaks.exact)
    earlier_hash = hash_earlier_labels(source, row_orders["train"])
    leak_warnings = list(leak_lines)
    if can_drop_leaks:
        leak_warnings[0] += f" (--set {dataset.name}.drop_leaks=true leaves them out)"
    return {
        "format": FORMAT,
        "name": dataset.name,
        "title": dataset.title,
        "fingerprint": compute_fingerprint(dataset, source, row_orders, pixel_hashes),
        "landmark_fingerprint": compute_landmark_fingerprint(source, row_orders),
        "classes": list(source.classes),
        "size": dataset.size,
        "channels": dataset.channels,
        "options": asdict(options),
        "label_rule": source.facts.get("label_rule"),
        "counts": class_counts,
        "votes": [split for split, rows in iterate_splits(source) if rows.votes is not None],
        "landmarks": [split for split, rows in iterate_splits(source) if rows.landmarks is not None],
        "landmarks usable": {
            split: count_usable_landmarks(rows) for split, rows in iterate_splits(source) if rows.landmarks is not None
        },
        "test_images_also_in_train": len(leaks.exact),
        "test_images_nearly_in_train": len(leaks.near),
        "training_images_under_two_labels": len(leaks.torn),
        "dropped": {
            reason: {"count": len(names), "names": names[:NAMES_KEPT]} for reason, names in source.dropped.items()
        },
        "warnings": source.warnings
        + warn_of_empty_classes(dataset, class_counts)
        + warn_of_unusable_landmarks(dataset, source)
        + [f"{dataset.name}: {line}" for line in leak_warnings],
        "facts": source.facts
        | {"stored": f"{dataset.size} px"}
        | ({"copies": "; ".join(leak_lines)} if leak_lines else {}),
    } | ({"earlier_labels": earlier_hash} if earlier_hash else {})


def warn_of_empty_classes(dataset: DataSet, class_counts: dict[str, dict[str, int]]) -> list[str]:
    """A line on classes of which a split has no picture, which noise and predictions may still name."""
    warning_lines = []
    for split in SPLITS:
        empty_classes = [name for name, count in class_counts[split].items() if not count]
        if empty_classes:
            can_leave_contempt = "contempt" in empty_classes and hasattr(dataset.Options(), "classes")
            fix_hint = f" (--set {dataset.name}.classes=7 leaves contempt out)" if can_leave_contempt else ""
            warning_lines.append(f"{dataset.name}: no picture of class {list_few(empty_classes)} in {split}{fix_hint}")
    return warning_lines


def warn_of_unusable_landmarks(dataset: DataSet, source: Source) -> list[str]:
    """A line where there are landmarks and none of them can be used."""
    if source.train.landmarks is None or count_usable_landmarks(source.train):
        return []
    coverage_text = source.facts.get("landmarks", "none is usable")
    return [f"{dataset.name}: landmarks: {coverage_text}; do they name these pictures?"]


def count_usable_landmarks(rows: Rows) -> int:
    """How many images have landmarks that are a face."""
    return int(np.isfinite(rows.landmarks).all((1, 2)).sum())
