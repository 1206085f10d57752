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

    def is_across(self, first_row: int, second_row: int) -> bool:
        """Whether one is a training and the other a test image."""
        return first_row < self.training_images <= second_row


def find_copies(images: Pair, small_images: Pair) -> Copies:
    """Every copy in a data set. Mirrored ones are looked for among the test images.

    images: uint8 [n, S, S, channels]. small_images: `shrink_image` of the images.
    """
    exact_groups = group_exact_copies(images, small_images)
    group_by_row = {row: group_number for group_number, rows in enumerate(exact_groups) for row in rows}
    training_images = len(small_images[0])
    near_pairs = find_near_pairs(np.concatenate(small_images), training_images)
    pixels_differ = []
    for first_row, second_row, mirrored in near_pairs.tolist():
        in_one_group = first_row in group_by_row and group_by_row[first_row] == group_by_row.get(second_row)
        pixels_differ.append(bool(mirrored) or not in_one_group)
    return Copies(training_images, exact_groups, near_pairs[np.array(pixels_differ, bool)])


def shrink_image(image: np.ndarray) -> np.ndarray:
    """uint8 [S, S, channels] as uint8 [HEIGHT, WIDTH], grey, area means."""
    import cv2

    small_image = cv2.resize(image, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    return small_image if small_image.ndim == 2 else small_image.mean(2).astype(np.uint8)


def group_exact_copies(images: Pair, small_images: Pair) -> list[list[int]]:
    """Groups of two rows or more with the same pixels; only images whose small ones agree are read whole."""
    groups = []
    small_bytes = (image.tobytes() for split_images in small_images for image in split_images)
    train, test = images
    for likely_rows in group_rows(enumerate(small_bytes)):
        group_pixels = (train[row] if row < len(train) else test[row - len(train)] for row in likely_rows)
        groups += group_rows(zip(likely_rows, map(hash_pixels, group_pixels)))
    return groups


def group_rows(keys: Iterable[tuple[int, object]]) -> list[list[int]]:
    """Groups of two rows or more that have the same key."""
    rows_by_key = defaultdict(list)
    for row, key in keys:
        rows_by_key[key].append(row)
    return [rows for rows in rows_by_key.values() if len(rows) > 1]


def find_near_pairs(small_images: np.ndarray, training_images: int) -> np.ndarray:
    """[m, 3] pairs row < row of small images that correlate, and 1 where only the mirrored second one does."""
    image_count = len(small_images)
    test_count = len(small_images) - training_images
    with_mirrored = np.concatenate([small_images, small_images[training_images:, :, ::-1]])
    candidate_pairs = pair_hashes(hash_outlines(with_mirrored), DISTANCE, CROWD)
    is_mirrored = candidate_pairs[:, 1] >= image_count
    # Mirror images are compared with training images only.
    candidate_pairs = candidate_pairs[~is_mirrored | (candidate_pairs[:, 0] < training_images)]
    candidate_pairs = candidate_pairs[correlate_pairs(with_mirrored, candidate_pairs)]
    is_mirrored = candidate_pairs[:, 1] >= image_count
    second_rows = np.where(is_mirrored, candidate_pairs[:, 1] - test_count, candidate_pairs[:, 1])
    near_pairs = np.column_stack([candidate_pairs[:, 0], second_rows, is_mirrored])
    near_pairs = near_pairs[np.lexsort(near_pairs.T[::-1])]
    # A pair that is alike in both ways is not mirrored.
    first_places = np.unique(near_pairs[:, :2], axis=0, return_index=True)[1]
    return near_pairs[first_places]


def hash_outlines(small_images: np.ndarray) -> np.ndarray:
    """[n] uint64 of [n, HEIGHT, WIDTH]: which of 64 neighbours to the right are brighter by STEP, on 8 x 9 means."""
    grey_means = small_images.reshape(-1, 8, 2, 9, 2).mean((2, 4))
    outline_bits = np.packbits(
        (grey_means[:, :, 1:] > grey_means[:, :, :-1] + STEP).reshape(len(grey_means), 64), axis=1
    )
    return outline_bits.view(">u8")[:, 0].astype(np.uint64)


def correlate_pairs(images: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """[m] bool: which pairs [m, 2] of small images correlate as copies do; plain images are copies of nothing."""
    alike_chunks = [np.empty(0, bool)]
    for start in range(0, len(pairs), CHUNK):
        chunk_rows = pairs[start : start + CHUNK]
        first_images = images[chunk_rows[:, 0]].reshape(len(chunk_rows), -1).astype(np.float32)
        second_images = images[chunk_rows[:, 1]].reshape(len(chunk_rows), -1).astype(np.float32)
        first_images -= first_images.mean(1, keepdims=True)
        second_images -= second_images.mean(1, keepdims=True)
        norm_products = np.linalg.norm(first_images, axis=1) * np.linalg.norm(second_images, axis=1)
        alike_chunks.append(
            (np.einsum("ij,ij->i", first_images, second_images) >= ALIKE * norm_products) & (norm_products > 1)
        )
    return np.concatenate(alike_chunks)


def pair_hashes(hashes: np.ndarray, distance: int, reach: int | None = None) -> np.ndarray:
    """[m, 2] pairs i < j of 64-bit hashes that differ in at most `distance` < 4 bits, each once.

    Such hashes agree in at least three of six blocks, so only those that share three are compared: for each choice of
    three a sort, and after it neighbours. That is n log n until so many pictures share 32 bits that most of them are found;
    reach: of those that share them, only so many neighbours are compared.
    """
    hash_count = len(hashes)
    pair_keys = [np.empty(0, np.int64)]
    block_shifts = np.cumsum((0, *BLOCKS[:-1])).tolist()
    block_masks = [((1 << bits) - 1) << shift for bits, shift in zip(BLOCKS, block_shifts)]
    for shared_masks in combinations(block_masks, 3):
        shared_bits = hashes & np.uint64(sum(shared_masks))
        order = np.argsort(shared_bits)
        ordered = shared_bits[order]
        step = 1
        tied_places = np.flatnonzero(ordered[1:] == ordered[:-1])
        while len(tied_places) and (reach is None or step <= reach):
            first_rows = order[tied_places]
            second_rows = order[tied_places + step]
            is_near = differing_bits(hashes[first_rows] ^ hashes[second_rows]) <= distance
            lower_rows = np.minimum(first_rows, second_rows)[is_near]
            higher_rows = np.maximum(first_rows, second_rows)[is_near]
            pair_keys.append(lower_rows * hash_count + higher_rows)
            step += 1
            tied_places = tied_places[tied_places + step < hash_count]
            tied_places = tied_places[ordered[tied_places] == ordered[tied_places + step]]
    return np.stack(np.divmod(np.unique(np.concatenate(pair_keys)), max(hash_count, 1)), axis=1)


def differing_bits(different: np.ndarray) -> np.ndarray:
    """How many bits of each uint64 are set."""
    return ONES[np.ascontiguousarray(different).view(np.uint16)].reshape(-1, 4).sum(1)
