"""Noise of people: each image gets the label that one of its annotators, drawn at random, gave to it."""

from random import Random

import numpy as np

from noise.base import Noise, NoiseError, Training


class Votes(Noise):
    name = "votes"
    rated = False
    needs = ("votes",)

    def labels(self, data: Training, rate: float, seed: int) -> np.ndarray:
        if data.votes is None:
            raise NoiseError("noise 'votes' needs the annotators' votes, which this data set lacks; use another kind.")
        shape = (len(data.labels), len(data.classes))
        if data.votes.shape != shape:
            raise NoiseError(f"noise 'votes': votes have the shape {data.votes.shape}, expected {shape}.")
        if (data.votes < 0).any():
            raise NoiseError(f"noise 'votes': image {int((data.votes < 0).any(1).argmax())} has a negative vote.")
        return one_annotator(data.labels, data.votes, Random(seed))


def one_annotator(labels: np.ndarray, votes: np.ndarray, random: Random) -> np.ndarray:
    """Draw one vote of each image.

    labels: [n] int, kept where an image has no votes. votes: [n, C] counts or shares. Returns [n] int64. One random()
    a sample in list order, inverted through the cumulative votes.
    """
    draws = np.fromiter((random.random() for _ in range(len(labels))), np.float64, len(labels))
    cumulative = np.cumsum(votes, axis=1, dtype=np.float64)
    total = cumulative[:, -1]
    # A product rounded up to the total would select no class.
    position = np.minimum(draws * total, np.nextafter(total, 0))
    drawn = (cumulative > position[:, None]).argmax(1)
    return np.where(total > 0, drawn, labels).astype(np.int64)
