"""Symmetric noise: a wrong label is any other class with equal probability."""

from random import Random

import numpy as np

from noise.base import Noise, Training


class Symmetric(Noise):
    name = "symmetric"

    def labels(self, data: Training, rate: float, seed: int) -> np.ndarray:
        return symmetric_noise(data.labels, len(data.classes), rate, Random(seed))


def symmetric_noise(labels: np.ndarray, classes: int, rate: float, random: Random) -> np.ndarray:
    """Shift each label by 1 .. classes - 1, modulo the classes, independently with probability `rate`.

    labels: [n] int, 0 .. classes - 1. Returns [n] int64. One random() a sample in list order, and one randint for a
    flipped one: the draws that follow a flip depend on it, so the flips of a lower rate are not among those of a
    higher one. Source: the published program of LA-Net.
    """
    noisy = np.array(labels, np.int64)
    for i in range(len(noisy)):
        if random.random() < rate:
            noisy[i] = (noisy[i] + random.randint(1, classes - 1)) % classes
    return noisy
