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


def find_leaks(images: Pair, labels: Pair, small: Pair) -> Leaks:
    """images: uint8 [n, S, S, channels]. labels: [n]. small: `copies.shrink_image` of the images."""
    return list_leaks(find_copies(images, small), labels)


def list_leaks(copies: Copies, labels: Pair) -> Leaks:
    count, every_label = copies.training_images, np.concatenate(labels)
    exact, crossed, torn = set(), set(), set()
    for rows in copies.exact:
        trained = [row for row in rows if row < count]
        trained_labels = {int(every_label[row]) for row in trained}
        tested = [row for row in rows if row >= count] if trained else []
        exact.update(row - count for row in tested)
        crossed.update(row - count for row in tested if trained_labels != {int(every_label[row])})
        if len(trained_labels) > 1:
            torn.update(trained)
    pairs = copies.near.tolist()
    near = {two - count for one, two, _ in pairs if copies.is_across(one, two)}
    alike = [(one, two) for one, two, mirrored in pairs if two < count and not mirrored]
    nearly_torn = {row for pair in alike if every_label[pair[0]] != every_label[pair[1]] for row in pair}
    found = exact, crossed, near - exact, torn, nearly_torn - torn
    return Leaks(*(tuple(sorted(rows)) for rows in found))


def describe_leaks(leaks: Leaks, tests: int) -> list[str]:
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
