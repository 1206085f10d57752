"""The noise generator that SCN ships (and RUL and EAC used): uniform over the other classes, by rejection."""

from random import Random

import numpy as np

from noise.base import Noise, Training


class ScnNoise(Noise):
    name = "scn"

    def labels(self, data: Training, rate: float, seed: int) -> np.ndarray:
        return scn_noise(data.labels, len(data.classes), rate, Random(seed))


def scn_noise(labels: np.ndarray, classes: int, rate: float, random: Random) -> np.ndarray:
    """Redraw each label until it differs, independently with probability `rate`.

    labels: [n] int, 0 .. classes - 1. Returns [n] int64. A sample takes one uniform(0, 1) and one randint that the
    published program never uses; a flipped one takes further randints until its label changes.
    Source: the published program of SCN.
    """
    noisy = np.array(labels, np.int64)
    for i, true_label in enumerate(labels):
        u = random.uniform(0, 1)
        random.randint(0, classes - 1)
        if u <= rate:
            while noisy[i] == true_label:
                noisy[i] = random.randint(0, classes - 1)
    return noisy
