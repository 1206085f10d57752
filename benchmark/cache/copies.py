"""Copies among the images of a data set: the same pixels, and nearly the same."""

from itertools import combinations
from typing import Any

import numpy as np

from benchmark.cache.decoded import SPLITS, Data, hash_pixels

DISTANCE = 3  # bits of 64 in which the outlines of near copies may differ
ALIKE = 0.95  # correlation of the pixels of near copies, shrunk to GRID x GRID
GRID = 16
BLOCKS = (11, 11, 11, 11, 10, 10)  # bits: outlines within 3 bits agree in at least three of the six blocks
CHUNK = 50_000  # candidates that are compared at once
ONES = np.array([number.bit_count() for number in range(2**16)], np.uint8)
PAIRS_KEPT = 200  # near copies named in the card


def exact_copies(data: Data) -> dict[str, Any]:
    """Images whose stored pixels are the same, within and across the splits."""
    hashes = {split: [hash_pixels(image) for image in getattr(data, split).images] for split in SPLITS}
    found: dict[str, Any] = {}
    for split in SPLITS:
        labels: dict[str, list[int]] = {}
        for value, label in zip(hashes[split], getattr(data, split).labels):
            labels.setdefault(value, []).append(int(label))
        groups = [group for group in labels.values() if len(group) > 1]
        found[split] = {
            "groups": len(groups),
            "images": sum(map(len, groups)),
            "groups_with_different_labels": sum(len(set(group)) > 1 for group in groups),
        }
    trained = set(hashes["train"])
    leaked = np.array([value in trained for value in hashes["test"]])
    counts = np.bincount(data.test.labels[leaked], minlength=len(data.classes))
    found["test_images_also_in_train"] = int(leaked.sum())
    found["by_class"] = {name: int(n) for name, n in zip(data.classes, counts) if n}
    return found


def near_copies(data: Data) -> dict[str, Any]:
    """Pairs of images that are nearly the same, as they are or mirrored, but not exact copies.

    Candidates are found by their outlines, which agree for many faces by chance, and confirmed by their pixels.
    """
    images = [(split, row) for split in SPLITS for row in range(len(getattr(data, split).labels))]
    n = len(images)
    outlines = [outline(getattr(data, split).images, turn) for turn in (False, True) for split in SPLITS]
    pairs = near_pairs(np.concatenate(outlines), DISTANCE)
    pairs = pairs[(pairs[:, 0] < n) & (pairs[:, 0] != pairs[:, 1] - n)]  # the others are pairs of mirrored images
    turned = pairs[:, 1] >= n
    pairs = np.unique(np.column_stack([np.sort(pairs % n, axis=1), turned]), axis=0)
    alike = near_copies_of(data, images, pairs).tolist()
    plain = {(a, b) for a, b, turn in alike if not turn}
    found = [(a, b, bool(turn)) for a, b, turn in alike if not (turn and (a, b) in plain)]
    across = [pair for pair in found if images[pair[0]][0] != images[pair[1]][0]]
    within = [pair for pair in found if images[pair[0]][0] == images[pair[1]][0]]
    kept = (across + within)[:PAIRS_KEPT]
    return {
        "train and test": len(across),
        "within train": sum(images[a][0] == "train" for a, *_ in within),
        "within test": sum(images[a][0] == "test" for a, *_ in within),
        "mirrored": sum(turned for *_, turned in found),
        "test_images": len({b for _, b, _ in across}),
        "rows": [[*images[a], *images[b], turned] for a, b, turned in kept],
        "names": [[name_of(data, images[a]), name_of(data, images[b]), turned] for a, b, turned in kept],
    }


def near_copies_of(data: Data, images: list[tuple[str, int]], pairs: np.ndarray) -> np.ndarray:
    """The candidates [m, 3] (image, image, whether the second is mirrored) whose pixels differ but correlate."""
    rows, places = np.unique(pairs[:, :2], return_inverse=True)
    places = places.reshape(-1, 2)
    small = np.empty((len(rows), GRID, GRID), np.float32)
    for place, row in enumerate(rows):
        split, at = images[row]
        small[place] = shrunk(getattr(data, split).images[at], (GRID, GRID))
    small -= small.mean((1, 2), keepdims=True)
    norms = np.linalg.norm(small.reshape(len(small), GRID * GRID), axis=1)
    kept = [pairs[:0]]
    for start in range(0, len(pairs), CHUNK):
        (a, b), part = places[start : start + CHUNK].T, pairs[start : start + CHUNK]
        second = np.where(part[:, 2, None, None] == 1, small[b][:, :, ::-1], small[b])
        alike = np.einsum("nij,nij->n", small[a], second) >= ALIKE * norms[a] * norms[b]
        kept += [pair[None] for pair in part[alike] if pair[2] or not same(data, images[pair[0]], images[pair[1]])]
    return np.concatenate(kept)


def same(data: Data, one: tuple[str, int], two: tuple[str, int]) -> bool:
    a, b = (getattr(data, split).images[row] for split, row in (one, two))
    return np.array_equal(a, b)


def shrunk(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """uint8 [S, S, channels] as float32 grey values of `size` (width, height)."""
    import cv2

    colours = [image[..., channel].astype(np.float32) for channel in range(image.shape[2])]
    grey = sum(colours[1:], colours[0]) / len(colours)  # the mean over the last axis, several times as fast
    return cv2.resize(grey, size, interpolation=cv2.INTER_AREA)


def name_of(data: Data, image: tuple[str, int]) -> str:
    return str(getattr(data, image[0]).names[image[1]])


def outline(images: np.ndarray, mirrored: bool = False) -> np.ndarray:
    """[n] uint64: of each image shrunk to 9 x 8 grey values, which of the 64 neighbours to the right are brighter."""
    small = np.stack([shrunk(image[:, ::-1] if mirrored else image, (9, 8)) for image in images])
    bits = np.packbits((small[:, :, 1:] > small[:, :, :-1]).reshape(len(small), 64), axis=1)
    return bits.view(">u8")[:, 0].astype(np.uint64)


def near_pairs(hashes: np.ndarray, distance: int, reach: int | None = None) -> np.ndarray:
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
