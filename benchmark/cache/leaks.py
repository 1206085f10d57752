"""Copies that spoil a measurement, found while a data set is decoded: test pictures that are trained on, and one picture
under two labels."""

from dataclasses import dataclass

import numpy as np

from benchmark.cache.copies import Copies, Pair, find_copies


@dataclass(frozen=True)
class Leaks:
    """Rows of images, in ascending order."""

    exact: tuple[int, ...] = ()  # test images with an exact copy in the training images
    crossed: tuple[int, ...] = ()  # those of which such a copy has another label
    near: tuple[int, ...] = ()  # test images with a near or mirrored copy only
    torn: tuple[int, ...] = ()  # training images of which an exact copy has another label
    nearly_torn: tuple[int, ...] = ()  # training images of which only a near copy has another label


def find_leaks(images: Pair, labels: Pair, small_images: Pair) -> Leaks:
    """images: uint8 [n, S, S, channels]. labels: [n]. small_images: `copies.shrink_image` of the images."""
    return list_leaks(find_copies(images, small_images), labels)


def list_leaks(copies: Copies, labels: Pair) -> Leaks:
    training_images = copies.training_images
    all_labels = np.concatenate(labels)
    exact_rows = set()
    crossed_rows = set()
    torn_rows = set()
    for rows in copies.exact:
        training_rows = [row for row in rows if row < training_images]
        trained_labels = {int(all_labels[row]) for row in training_rows}
        test_rows = [row for row in rows if row >= training_images] if training_rows else []
        exact_rows.update(row - training_images for row in test_rows)
        crossed_rows.update(row - training_images for row in test_rows if trained_labels != {int(all_labels[row])})
        if len(trained_labels) > 1:
            torn_rows.update(training_rows)
    near_pairs = copies.near.tolist()
    near_rows = set()
    nearly_torn_rows = set()
    for first_row, second_row, mirrored in near_pairs:
        if copies.is_across(first_row, second_row):
            near_rows.add(second_row - training_images)
        both_trained_on = second_row < training_images
        if both_trained_on and not mirrored and all_labels[first_row] != all_labels[second_row]:
            nearly_torn_rows.update((first_row, second_row))
    leak_rows = exact_rows, crossed_rows, near_rows - exact_rows, torn_rows, nearly_torn_rows - torn_rows
    return Leaks(*(tuple(sorted(rows)) for rows in leak_rows))


def describe_leaks(leaks: Leaks, test_count: int) -> list[str]:
    """What a caption says of them."""
    caption_lines = []
    if leaks.exact:
        other_labels = f", {len(leaks.crossed):,} of them there with another label" if leaks.crossed else ""
        copies_text = f"are also among the training images (exact copies){other_labels}"
        caption_lines.append(f"{len(leaks.exact):,} of {test_count:,} test images {copies_text}")
    other_rows = {
        f"of {test_count:,} test images have a near or mirrored copy among the training images": leaks.near,
        "training images have copies with different labels (one picture in two classes)": leaks.torn,
        "training images have near copies with different labels": leaks.nearly_torn,
    }
    return caption_lines + [f"{len(rows):,} {text}" for text, rows in other_rows.items() if rows]
