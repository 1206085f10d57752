"""The contract of a data set: what a reader gives to the cache.

A data set is one file with one class, found by its `name`. It checks everything that can be checked without decoding
images when `read` is called, and says in one `DataError` which file is wrong, what was expected and what to do.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np


class DataError(ValueError):
    """Unusable input; the message names the file, the field and the fix in one line."""


@dataclass
class Rows:
    """One split as listed by its source, not decoded yet.

    names: [n] str, unique. labels: [n] int64 in the order of `Source.classes`. image: row -> uint8 [H, W] or [H, W, 3].
    votes: [n, C] float32 or None. landmarks: [n, P, 2] float32, (x, y) as fractions of the image's width and height,
    P = 68 or 19, NaN in rows whose points are not usable; or None. pixels: [n] str, a hash of each image's pixels or
    file bytes that does not depend on container or path (None: the cache computes it from the decoded pixels); `image`
    may fill in its row, so that a file is read once. earlier_labels: [n] int64 that the same images were published with
    before, in the order of `Source.classes`, -1 where there is none; or None. They are no part of the fingerprint.
    """

    names: list[str]
    labels: np.ndarray
    image: Callable[[int], np.ndarray]
    votes: np.ndarray | None = None
    landmarks: np.ndarray | None = None
    pixels: list[str] | None = None
    earlier_labels: np.ndarray | None = None


@dataclass
class Source:
    """What a data set's reader found.

    facts: what a caption or a data card should say ("label_rule"; "train_set", licence, counts).
    dropped: {reason: [names]}. warnings: one line each. identity: for generated data, what stands for the pixels in the
    fingerprint.
    """

    classes: tuple[str, ...]
    train: Rows
    test: Rows
    facts: dict[str, Any] = field(default_factory=dict)
    dropped: dict[str, list[str]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    identity: str | None = None


class DataSet:
    """A data set: `size` is the side at which images are stored, `channels` 1 (grey) or 3.

    title: the name in tables. version: raised when the same files are read differently, so that they are read again.
    `Options` is a frozen dataclass of what `--set NAME.option=value` can change; all of it is part of a job's identity
    through the fingerprint. faces is the only one that needs no path.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    size: ClassVar[int]
    channels: ClassVar[int]
    version: ClassVar[int] = 1
    needs_path: ClassVar[bool] = True

    @dataclass(frozen=True)
    class Options:
        """No options."""

    def read(self, path: Path | None, options: Any) -> Source:
        """List and check the source at `path`; raises DataError."""
        raise NotImplementedError

    def stamp(self, path: Path | None, options: Any) -> list[tuple[str, int, int]]:
        """(name, size, modification time in ns) of the files that decide whether to read again; cheap."""
        raise NotImplementedError
