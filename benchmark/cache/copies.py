"""Copies among the images of a data set: the same pixels, and nearly the same."""

from typing import Any

import numpy as np

from benchmark.cache.decoded import SPLITS, Data, pixel_hash

DISTANCE = 3  # bits of 64 in which the outlines of near copies may differ
ALIKE = 0.95  # correlation of the pixels of near copies, shrunk to GRID x GRID
GRID = 16
BANDS = 4  # of 16 bits: outlines within 3 bits agree in at least one
ONES = np.array([number.bit_count() for number in range(2**16)], np.uint8)
PAIRS_KEPT = 200  # near copies named in the card


def exact_copies(data: Data) -> dict[str, Any]:
    """Images whose stored pixels are the same, within and across the splits."""
    hashes = {split: [pixel_hash(image) for image in getattr(data, split).images] for split in SPLITS}
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
    pairs = pairs[pairs[:, 0] < n]  # the others are pairs of two mirrored images
    found = {(*sorted((a, b % n)), b >= n) for a, b in pairs.tolist() if a != b % n}
    found = {(a, b, turned) for a, b, turned in found if near_copy(data, images[a], images[b], turned)}
    found = sorted(pair for pair in found if not (pair[2] and (*pair[:2], False) in found))
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


def near_copy(data: Data, one: tuple[str, int], two: tuple[str, int], turned: bool) -> bool:
    """Whether the pixels of a candidate pair differ but correlate; turned: the second image is mirrored."""
    a, b = (getattr(data, split).images[row] for split, row in (one, two))
    if not turned and np.array_equal(a, b):
        return False
    small = [shrunk(image, (GRID, GRID)).ravel() for image in (a, b[:, ::-1] if turned else b)]
    small = [x - x.mean() for x in small]
    return small[0] @ small[1] >= ALIKE * np.linalg.norm(small[0]) * np.linalg.norm(small[1])


def shrunk(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """uint8 [S, S, channels] as float32 grey values of `size` (width, height)."""
    import cv2

    return cv2.resize(image.mean(2, dtype=np.float32), size, interpolation=cv2.INTER_AREA)


def name_of(data: Data, image: tuple[str, int]) -> str:
    return str(getattr(data, image[0]).names[image[1]])


def outline(images: np.ndarray, mirrored: bool = False) -> np.ndarray:
    """[n] uint64: of each image shrunk to 9 x 8 grey values, which of the 64 neighbours to the right are brighter."""
    small = np.stack([shrunk(image[:, ::-1] if mirrored else image, (9, 8)) for image in images])
    bits = np.packbits((small[:, :, 1:] > small[:, :, :-1]).reshape(len(small), 64), axis=1)
    return bits.view(">u8")[:, 0].astype(np.uint64)


def near_pairs(hashes: np.ndarray, distance: int) -> np.ndarray:
    """[m, 2] pairs i < j of 64-bit hashes that differ in at most `distance` < 4 bits, each once.

    Such hashes agree in at least one of four bands of 16 bits, so only those that share a band are compared.
    """
    found = [np.empty((0, 2), np.int64)]
    for band in range(BANDS):
        part = (hashes >> np.uint64(16 * band)) & np.uint64(0xFFFF)
        order = np.argsort(part, kind="stable")
        places, ordered = np.arange(len(order)), part[order]
        for step in range(1, len(order)):
            places = places[places + step < len(order)]
            places = places[ordered[places] == ordered[places + step]]
            if not len(places):
                break
            pairs = np.stack([order[places], order[places + step]], 1)
            found.append(pairs[differing_bits(hashes[pairs[:, 0]] ^ hashes[pairs[:, 1]]) <= distance])
    return np.unique(np.sort(np.concatenate(found), axis=1), axis=0)


def differing_bits(different: np.ndarray) -> np.ndarray:
    """How many bits of each uint64 are set."""
    return ONES[np.ascontiguousarray(different).view(np.uint16)].reshape(-1, 4).sum(1)
