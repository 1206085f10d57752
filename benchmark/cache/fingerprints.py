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
    dataset: DataSet, source: Source, row_orders: dict[str, list[int]], pixel_hashes: dict[str, list[str]]
) -> str:
    """SHA-256 of what the images, labels and votes are; the same for every container, path and order of the source."""
    fingerprint_head = [
        dataset.name,
        source.classes,
        source.facts.get("label_rule"),
        dataset.size,
        dataset.channels,
        source.identity,
    ]
    reader_code = hash_own_code(type(dataset))
    if reader_code:  # hashes of files say nothing of what a reader of one's own makes of them
        fingerprint_head.append(reader_code)
    running_hash = hashlib.sha256(json.dumps(fingerprint_head).encode())
    for split, rows in iterate_splits(source):
        for stored_row, source_row in enumerate(row_orders[split]):
            votes = None if rows.votes is None else [f"{vote:.9g}" for vote in rows.votes[source_row].tolist()]
            pixel_hash = pixel_hashes[split][stored_row] if source.identity is None else None
            row_facts = [split, rows.names[source_row], pixel_hash, source.classes[rows.labels[source_row]], votes]
            running_hash.update(json.dumps(row_facts).encode() + b"\n")
    return running_hash.hexdigest()


def compute_landmark_fingerprint(source: Source, row_orders: dict[str, list[int]]) -> str | None:
    """SHA-256 of the names and points of both splits; None where there are none."""
    if source.train.landmarks is None and source.test.landmarks is None:
        return None
    running_hash = hashlib.sha256()
    for split, rows in iterate_splits(source):
        if rows.landmarks is not None:
            points = rows.landmarks[row_orders[split]].astype("<f4")
            points[np.isnan(points)] = np.nan  # one spelling
            running_hash.update(
                json.dumps([split, points.shape, [rows.names[row] for row in row_orders[split]]]).encode()
            )
            running_hash.update(points.tobytes())
    return running_hash.hexdigest()


def hash_earlier_labels(source: Source, row_order: list[int]) -> str | None:
    """SHA-256 of the earlier label of each training image; None where there are none."""
    earlier_labels = source.train.earlier_labels
    if earlier_labels is None:
        return None
    running_hash = hashlib.sha256()
    for row in row_order:
        label_name = None if earlier_labels[row] < 0 else source.classes[earlier_labels[row]]
        running_hash.update(json.dumps([source.train.names[row], label_name]).encode() + b"\n")
    return running_hash.hexdigest()
