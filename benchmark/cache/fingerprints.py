"""Fingerprints: what images, labels, votes, landmarks and earlier labels are, whatever container they came in."""

import hashlib
import json
from collections.abc import Iterator

import numpy as np

from benchmark.cache.decoded import SPLITS
from benchmark.datasets.base import DataSet, Rows, Source
from benchmark.source_code import hash_own_code


def iterate_splits(source: Source) -> Iterator[tuple[str, Rows]]:
    return zip(SPLITS, (source.train, source.test))


def compute_fingerprint(
    dataset: DataSet, source: Source, orders: dict[str, list[int]], hashes: dict[str, list[str]]
) -> str:
    """SHA-256 of what the images, labels and votes are; the same for every container, path and order of the source."""
    head = [
        dataset.name,
        source.classes,
        source.facts.get("label_rule"),
        dataset.size,
        dataset.channels,
        source.identity,
    ]
    if code := hash_own_code(type(dataset)):  # hashes of files say nothing of what a reader of one's own makes of them
        head.append(code)
    text = hashlib.sha256(json.dumps(head).encode())
    for split, rows in iterate_splits(source):
        for place, row in enumerate(orders[split]):
            votes = None if rows.votes is None else [f"{vote:.9g}" for vote in rows.votes[row].tolist()]
            pixels = hashes[split][place] if source.identity is None else None
            line = [split, rows.names[row], pixels, source.classes[rows.labels[row]], votes]
            text.update(json.dumps(line).encode() + b"\n")
    return text.hexdigest()


def compute_landmark_fingerprint(source: Source, orders: dict[str, list[int]]) -> str | None:
    """SHA-256 of the names and points of both splits; None where there are none."""
    if source.train.landmarks is None and source.test.landmarks is None:
        return None
    text = hashlib.sha256()
    for split, rows in iterate_splits(source):
        if rows.landmarks is not None:
            points = rows.landmarks[orders[split]].astype("<f4")
            points[np.isnan(points)] = np.nan  # one spelling
            text.update(json.dumps([split, points.shape, [rows.names[row] for row in orders[split]]]).encode())
            text.update(points.tobytes())
    return text.hexdigest()


def hash_earlier_labels(source: Source, order: list[int]) -> str | None:
    """SHA-256 of the earlier label of each training image; None where there are none."""
    labels = source.train.earlier_labels
    if labels is None:
        return None
    text = hashlib.sha256()
    for row in order:
        label = None if labels[row] < 0 else source.classes[labels[row]]
        text.update(json.dumps([source.train.names[row], label]).encode() + b"\n")
    return text.hexdigest()
