"""Asymmetric noise: a wrong label is the class that a face of this class is most easily mistaken for."""

from random import Random

import numpy as np

from noise.base import Noise, NoiseError, Training

# LA-Net supplement, caption of Table 1.
MISTAKEN_FOR = {
    "anger": "disgust",
    "disgust": "anger",
    "fear": "surprise",
    "happiness": "neutral",
    "sadness": "neutral",
    "surprise": "anger",
    "neutral": "sadness",
    "contempt": "neutral",
}


class Asymmetric(Noise):
    name = "asymmetric"

    def labels(self, data: Training, rate: float, seed: int) -> np.ndarray:
        for name in data.classes:
            if MISTAKEN_FOR.get(name) not in data.classes:
                raise NoiseError(f"noise 'asymmetric' has no target for class '{name}'; use noise 'symmetric'.")
        target = np.array([data.classes.index(MISTAKEN_FOR[name]) for name in data.classes])
        return asymmetric_noise(data.labels, target, rate, Random(seed))


def asymmetric_noise(labels: np.ndarray, target: np.ndarray, rate: float, random: Random) -> np.ndarray:
    """Flip each label to its target class, independently with probability `rate`.

    labels: [n] int. target: [C] int, the class that each class flips to. Returns [n] int64. One random() a sample in
    list order and nothing else, so the flips of a lower rate are among those of a higher one.
    Source: LA-Net supplement, Table 1; the draws are those of its published program.
    """
    labels = np.asarray(labels, np.int64)
    flip = np.fromiter((random.random() < rate for _ in range(len(labels))), bool, len(labels))
    return np.where(flip, target[labels], labels)
