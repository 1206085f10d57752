"""Copies that spoil a measurement, found while a data set is decoded: test pictures that are trained on, and one picture
under two labels.

Every image is shrunk once. Exact copies share all of that small image; near and mirrored ones most of its outline, and are
told by its pixels. `benchmark/cache/copies.py` looks within the splits, too, and names the pairs.
"""

from dataclasses import dataclass, field

import numpy as np

from benchmark.cache.copies import ALIKE, DISTANCE, near_pairs
from benchmark.cache.decoded import hash_pixels

HEIGHT, WIDTH = 16, 18  # of the small image
CROWD = 20  # images that share half an outline (plain pictures), of which each is compared with so many others
STEP = 4  # grey levels by which a neighbour is brighter: less is the noise of an encoder in a plain part
CHUNK = 20_000  # candidates that are compared at once


@dataclass
class Leaks:
    """exact: test images with an exact copy in the training images; crossed: those of which such a copy has another label;
    near: with a near or mirrored copy only; torn: training images of which an exact copy has another label; nearly_torn: of
    which a near one has."""

    exact: list[int] = field(default_factory=list)
    crossed: list[int] = field(default_factory=list)
    near: list[int] = field(default_factory=list)
    torn: list[int] = field(default_factory=list)
    nearly_torn: list[int] = field(default_factory=list)


def shrunk(image: np.ndarray) -> np.ndarray:
    """uint8 [S, S, channels] as uint8 [HEIGHT, WIDTH], grey, area means."""
    import cv2

    small = cv2.resize(image, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    return small if small.ndim == 2 else small.mean(2).astype(np.uint8)


Both = tuple[np.ndarray, np.ndarray]  # of the training and of the test images


def find_leaks(images: Both, labels: Both, small: Both) -> Leaks:
    """images: uint8 [n, S, S, channels]. labels: [n]. small: `shrunk` of the images."""
    (train, test), (trained, tested) = images, labels
    found = Leaks()
    by_small: dict[bytes, list[int]] = {}
    for row, image in enumerate(small[0]):
        by_small.setdefault(image.tobytes(), []).append(row)
    for rows in by_small.values():
        if len({int(trained[row]) for row in rows}) > 1:
            found.torn += torn(train, trained, rows)
    for row, image in enumerate(small[1]):
        likely = by_small.get(image.tobytes(), [])
        code = hash_pixels(test[row]) if likely else ""
        copies = [other for other in likely if hash_pixels(train[other]) == code]
        found.exact += [row] if copies else []
        found.crossed += [row] if any(trained[other] != tested[row] for other in copies) else []
    near_copies(small, trained, found)
    return found


def torn(train: np.ndarray, labels: np.ndarray, rows: list[int]) -> list[int]:
    """Those of some rows of which an exact copy has another label."""
    groups: dict[str, list[int]] = {}
    for row in rows:
        groups.setdefault(hash_pixels(train[row]), []).append(row)
    return [row for group in groups.values() if len({int(labels[r]) for r in group}) > 1 for row in group]


def near_copies(small: Both, labels: np.ndarray, found: Leaks) -> None:
    """Add test rows with a near or mirrored copy in the training images, and training rows with a near copy of another
    label, to what is `found` already.
    """
    count, tests = len(small[0]), len(small[1])
    every = np.concatenate([*small, small[1][:, :, ::-1]])
    pairs = near_pairs(outlines(every), DISTANCE, CROWD)
    across = pairs[(pairs[:, 0] < count) & (pairs[:, 1] >= count)]
    within = pairs[pairs[:, 1] < count]
    within = within[labels[within[:, 0]] != labels[within[:, 1]]]
    copied = {int(row - count) % tests for row in across[alike(every, across)][:, 1]}
    torn = {int(row) for row in within[alike(every, within)].ravel()}
    found.near, found.nearly_torn = sorted(copied - set(found.exact)), sorted(torn - set(found.torn))


def outlines(small: np.ndarray) -> np.ndarray:
    """[n] uint64 of [n, HEIGHT, WIDTH]: which of 64 neighbours to the right are brighter by STEP, on 8 x 9 means."""
    grey = small.reshape(-1, 8, 2, 9, 2).mean((2, 4))
    bits = np.packbits((grey[:, :, 1:] > grey[:, :, :-1] + STEP).reshape(len(grey), 64), axis=1)
    return bits.view(">u8")[:, 0].astype(np.uint64)


def alike(images: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """[m] bool: which pairs [m, 2] of small images correlate as copies do; plain images are copies of nothing."""
    kept = [np.empty(0, bool)]
    for start in range(0, len(pairs), CHUNK):
        one, two = (images[rows].reshape(len(rows), -1).astype(np.float32) for rows in pairs[start : start + CHUNK].T)
        one, two = (part - part.mean(1, keepdims=True) for part in (one, two))
        length = np.linalg.norm(one, axis=1) * np.linalg.norm(two, axis=1)
        kept.append((np.einsum("ij,ij->i", one, two) >= ALIKE * length) & (length > 1))
    return np.concatenate(kept)


def sentences(leaks: Leaks, tests: int) -> list[str]:
    """What a caption says of them."""
    lines = []
    if leaks.exact:
        other = f", {len(leaks.crossed):,} of them there with another label" if leaks.crossed else ""
        lines.append(
            f"{len(leaks.exact):,} of {tests:,} test images are also among the training images (exact copies){other}"
        )
    if leaks.near:
        lines.append(
            f"{len(leaks.near):,} of {tests:,} test images have a near or mirrored copy among the training images"
        )
    if leaks.torn:
        lines.append(
            f"{len(leaks.torn):,} training images have copies with different labels (one picture in two classes)"
        )
    if leaks.nearly_torn:
        lines.append(f"{len(leaks.nearly_torn):,} training images have near copies with different labels")
    return lines
