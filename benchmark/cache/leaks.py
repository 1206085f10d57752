"""Copies that spoil a measurement, found while a data set is decoded: test pictures that are trained on, and one picture
under two labels.

Every image is shrunk once. Exact copies share all of that small image; near and mirrored ones its outline, and are told
by its pixels. `benchmark/cache/copies.py` looks longer and finds more.
"""

from dataclasses import dataclass, field

import numpy as np

from benchmark.cache.decoded import pixel_hash

HEIGHT, WIDTH = 16, 18  # of the small image
ALIKE = 0.97  # correlation of the small images of near copies
CROWD = 20  # training images with one outline from which on it tells nothing (plain pictures)


@dataclass
class Leaks:
    """rows: test images with an exact copy in the training images; near: with a near or mirrored one only; torn: training
    images of which an exact copy has another label."""

    exact: list[int] = field(default_factory=list)
    near: list[int] = field(default_factory=list)
    torn: list[int] = field(default_factory=list)


def shrunk(image: np.ndarray) -> np.ndarray:
    """uint8 [S, S, channels] as uint8 [HEIGHT, WIDTH], grey, area means."""
    import cv2

    small = cv2.resize(image, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    return small if small.ndim == 2 else small.mean(2).astype(np.uint8)


def find_leaks(train: np.ndarray, test: np.ndarray, labels: np.ndarray, small: tuple[np.ndarray, np.ndarray]) -> Leaks:
    """train, test: uint8 [n, S, S, channels]. labels: of the training images. small: `shrunk` of both."""
    found = Leaks()
    by_small: dict[bytes, list[int]] = {}
    for row, image in enumerate(small[0]):
        by_small.setdefault(image.tobytes(), []).append(row)
    for rows in by_small.values():
        if len({int(labels[row]) for row in rows}) > 1:
            found.torn += torn(train, labels, rows)
    for row, image in enumerate(small[1]):
        alike = by_small.get(image.tobytes(), [])
        if alike and pixel_hash(test[row]) in {pixel_hash(train[other]) for other in alike}:
            found.exact.append(row)
    found.near = near(small, set(found.exact))
    return found


def torn(train: np.ndarray, labels: np.ndarray, rows: list[int]) -> list[int]:
    """Those of some rows of which an exact copy has another label."""
    groups: dict[str, list[int]] = {}
    for row in rows:
        groups.setdefault(pixel_hash(train[row]), []).append(row)
    return [row for group in groups.values() if len({int(labels[r]) for r in group}) > 1 for row in group]


def near(small: tuple[np.ndarray, np.ndarray], exact: set[int]) -> list[int]:
    """Test rows with a near or mirrored copy among the training images, without the exact ones."""
    train, test = small
    by_outline: dict[int, list[int]] = {}
    for row, code in enumerate(outlines(train).tolist()):
        by_outline.setdefault(code, []).append(row)
    found = []
    for row, codes in enumerate(zip(outlines(test).tolist(), outlines(test[:, :, ::-1]).tolist())):
        if row not in exact and any(
            alike(test[row][:, ::step], train[other])
            for code, step in zip(codes, (1, -1))
            if len(others := by_outline.get(code, [])) <= CROWD
            for other in others
        ):
            found.append(row)
    return found


def outlines(small: np.ndarray) -> np.ndarray:
    """[n] uint64 of [n, HEIGHT, WIDTH]: which of 64 neighbours to the right are brighter, on 8 x 9 means."""
    grey = small.reshape(-1, 8, 2, 9, 2).mean((2, 4))
    bits = np.packbits((grey[:, :, 1:] > grey[:, :, :-1]).reshape(len(grey), 64), axis=1)
    return bits.view(">u8")[:, 0].astype(np.uint64)


def alike(one: np.ndarray, two: np.ndarray) -> bool:
    a, b = (image.astype(np.float64).ravel() - image.mean() for image in (one, two))
    return bool(a @ b >= ALIKE * np.linalg.norm(a) * np.linalg.norm(b) > 0)


def sentences(leaks: Leaks, tests: int) -> list[str]:
    """What a caption says of them."""
    lines = []
    if leaks.exact:
        lines.append(f"{len(leaks.exact):,} of {tests:,} test images are also among the training images (exact copies)")
    if leaks.near:
        lines.append(
            f"{len(leaks.near):,} of {tests:,} test images have a near or mirrored copy among the training images"
        )
    if leaks.torn:
        lines.append(
            f"{len(leaks.torn):,} training images have copies with different labels (one picture in two classes)"
        )
    return lines
