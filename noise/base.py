"""The contract of a kind of label noise: clean labels in, wrong labels out.

Standard library and numpy only. A kind is one file with one class, found by its `name`.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np


class NoiseError(ValueError):
    """Unusable input of a noise; the message names the kind or file, what is wrong and the fix in one line."""


@dataclass(frozen=True)
class Training:
    """What a noise may look at: the training set before it.

    labels: [n] int64. classes: class names in the order of the labels. names: [n] image names, or None.
    votes: [n, C] counts of people's votes, or None. images: [n, S, S, channels] uint8, or None. dataset: its name.
    earlier_labels: [n] int64 that the same images were published with before, -1 where there is none; or None.
    """

    labels: np.ndarray
    classes: tuple[str, ...]
    names: np.ndarray | None = None
    votes: np.ndarray | None = None
    images: np.ndarray | None = None
    dataset: str = ""
    earlier_labels: np.ndarray | None = None


class Noise:
    """One kind of label noise.

    rated: the kind takes a rate; otherwise it has one job a seed and the realised rate is shown. needs: arrays of
    `Training` beyond the labels that it reads ('names', 'votes', 'images', 'earlier_labels'). takes: what has to follow a
    colon in the typed name ('PATH'), empty for nothing. version: raised when draws change.
    """

    name: ClassVar[str]
    rated: ClassVar[bool] = True
    needs: ClassVar[tuple[str, ...]] = ()
    takes: ClassVar[str] = ""
    version: ClassVar[int] = 1

    def __init__(self, argument: str = "") -> None:
        """argument: what follows a colon in the name that was typed (`file:PATH`)."""
        self.argument = argument

    def identity(self) -> str:
        """What stands for this noise in a job's identity: never a path."""
        return self.name

    def labels(self, data: Training, rate: float, seed: int) -> np.ndarray:
        """[n] int64 labels in 0..C-1; the same for the same data, rate and seed."""
        raise NotImplementedError
