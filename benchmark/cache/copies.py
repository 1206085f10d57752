"""Copies among the images of a data set: the same pixels, and nearly the same, as they are or mirrored.

There is one search. Every image is shrunk once. Exact copies are told by all their pixels; near copies are looked for by
the outlines of the small images, which agree for many faces by chance, and confirmed by their grey values.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from benchmark.cache.decoded import hash_pixels

HEIGHT, WIDTH = 16, 18  # of the small image
DISTANCE = 3  # bits of 64 in which the outlines of near copies may differ
ALIKE = 0.95  # correlation of the small images of near copies
CROWD = 20  # images that share half an outline (plain pictures), of which each is compared with so many others
STEP = 4  # grey levels by which a neighbour is brighter: less is the noise of an encoder in a plain part
BLOCKS = (11, 11, 11, 11, 10, 10)  # bits: outlines within 3 bits agree in at least three of the six blocks
CHUNK = 20_000  # candidates that are compared at once
ONES = np.array([number.bit_count() for number in range(2**16)], np.uint8)

Pair = tuple[np.ndarray, np.ndarray]  # of the training and of the test images


@dataclass(frozen=True)
class Copies:
    """Rows count on from the training to the test images."""

    training_images: int  # rows below are training images
    exact: list[list[int]]  # groups of rows with the same pixels
    near: np.ndarray  # [m, 3] row < row, and 1 where the second is mirrored; no exact copies

    def is_across(self, one: int, two: int) -> bool:
        """Whether one is a training and the other a test image."""
        return one < self.training_images <= two


def find_copies(images: Pair, small: Pair) -> Copies:
    """images: uint8 [n, S, S, channels]. small: `shrink_image` of the images. Mirrored copies are sought among test images."""
    exact = group_exact_copies(images, small)
    group_of = {row: number for number, rows in enumerate(exact) for row in rows}
    training_images = len(small[0])
    pairs = find_near_pairs(np.concatenate(small), training_images)
    differ = [
        mirrored or one not in group_of or group_of[one] != group_of.get(two) for one, two, mirrored in pairs.tolist()
    ]
    return Copies(training_images, exact, pairs[np.array(differ, bool)])


def shrink_image(image: np.ndarray) -> np.ndarray:
    """uint8 [S, S, channels] as uint8 [HEIGHT, WIDTH], grey, area means."""
    import cv2

    small = cv2.resize(image, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    return small if small.ndim == 2 else small.mean(2).astype(np.uint8)


def group_exact_copies(images: Pair, small: Pair) -> list[list[int]]:
    """Groups of two rows or more with the same pixels; only images whose small ones agree are read whole."""
    groups = []
    for likely in group_rows(enumerate(image.tobytes() for part in small for image in part)):
        groups += group_rows((row, hash_pixels(read_image(images, row))) for row in likely)
    return groups


def group_rows(keys: Iterable[tuple[int, object]]) -> list[list[int]]:
    """Groups of two rows or more that have the same key."""
    rows_by_key = defaultdict(list)
    for row, key in keys:
        rows_by_key[key].append(row)
    return [rows for rows in rows_by_key.values() if len(rows) > 1]


def read_image(images: Pair, row: int) -> np.ndarray:
    train, test = images
    return train[row] if row < len(train) else test[row - len(train)]


def find_near_pairs(small: np.ndarray, training_images: int) -> np.ndarray:
    """[m, 3] pairs row < row of small images that correlate, and 1 where only the mirrored second one does."""
    count, tests = len(small), len(small) - training_images
    every = np.concatenate([small, small[training_images:, :, ::-1]])
    pairs = pair_hashes(hash_outlines(every), DISTANCE, CROWD)
    mirrored = pairs[:, 1] >= count
    pairs = pairs[~mirrored | (pairs[:, 0] < training_images)]  # mirror images are compared with training images only
    pairs = pairs[correlate_pairs(every, pairs)]
    mirrored = pairs[:, 1] >= count
    found = np.column_stack([pairs[:, 0], np.where(mirrored, pairs[:, 1] - tests, pairs[:, 1]), mirrored])
    found = found[np.lexsort(found.T[::-1])]
    first = np.unique(found[:, :2], axis=0, return_index=True)[1]  # a pair that is alike in both ways is not mirrored
    return found[first]


def hash_outlines(small: np.ndarray) -> np.ndarray:
    """[n] uint64 of [n, HEIGHT, WIDTH]: which of 64 neighbours to the right are brighter by STEP, on 8 x 9 means."""
    grey = small.reshape(-1, 8, 2, 9, 2).mean((2, 4))
    bits = np.packbits((grey[:, :, 1:] > grey[:, :, :-1] + STEP).reshape(len(grey), 64), axis=1)
    return bits.view(">u8")[:, 0].astype(np.uint64)


def correlate_pairs(images: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """[m] bool: which pairs [m, 2] of small images correlate as copies do; plain images are copies of nothing."""
    alike = [np.empty(0, bool)]
    for start in range(0, len(pairs), CHUNK):
        one, two = (images[rows].reshape(len(rows), -1).astype(np.float32) for rows in pairs[start : start + CHUNK].T)
        one -= one.mean(1, keepdims=True)
        two -= two.mean(1, keepdims=True)
        length = np.linalg.norm(one, axis=1) * np.linalg.norm(two, axis=1)
        alike.append((np.einsum("ij,ij->i", one, two) >= ALIKE * length) & (length > 1))
    return np.concatenate(alike)


def pair_hashes(hashes: np.ndarray, distance: int, reach: int | None = None) -> np.ndarray:
    """[m, 2] pairs i < j of 64-bit hashes that differ in at most `distance` < 4 bits, each once.

    Such hashes agree in at least three of six blocks, so only those that share three are compared: for each choice of
    three a sort, and after it neighbours. That is n log n until so many pictures share 32 bits that most of them are found;
    reach: of those that share them, only so many neighbours are compared.
    """
    n, found = len(hashes), [np.empty(0, np.int64)]
    shifts = np.cumsum((0, *BLOCKS[:-1])).tolist()
    masks = [((1 << bits) - 1) << shift for bits, shift in zip(BLOCKS, shifts)]
    for three in combinations(masks, 3):
        part = hashes & np.uint64(sum(three))
        order = np.argsort(part)
        ordered, step = part[order], 1
        places = np.flatnonzero(ordered[1:] == ordered[:-1])
        while len(places) and (reach is None or step <= reach):
            one, two = order[places], order[places + step]
            near = differing_bits(hashes[one] ^ hashes[two]) <= distance
            found.append(np.minimum(one, two)[near] * n + np.maximum(one, two)[near])
            step += 1
            places = places[places + step < n]
            places = places[ordered[places] == ordered[places + step]]
    return np.stack(np.divmod(np.unique(np.concatenate(found)), max(n, 1)), axis=1)


def differing_bits(different: np.ndarray) -> np.ndarray:
    """How many bits of each uint64 are set."""
    return ONES[np.ascontiguousarray(different).view(np.uint16)].reshape(-1, 4).sum(1)
