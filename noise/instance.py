"""Instance-dependent noise: how likely a label is wrong, and which one it becomes, depends on the image itself.

Xia et al., Part-dependent Label Noise, NeurIPS 2020, algorithm 2.
"""

from statistics import NormalDist

import numpy as np

from noise.base import Noise, NoiseError, Training

SPREAD = 0.1  # standard deviation of the flip rates of images
CHUNK = 1024  # images projected at once


class Instance(Noise):
    name = "instance"
    needs = ("images",)

    def labels(self, data: Training, rate: float, seed: int) -> np.ndarray:
        if data.images is None or len(data.images) != len(data.labels):
            raise NoiseError("noise 'instance' needs one image a label; use noise 'symmetric'.")
        return instance_noise(data.labels, data.images, len(data.classes), rate, np.random.default_rng(seed))


def instance_noise(
    labels: np.ndarray, images: np.ndarray, classes: int, rate: float, random: np.random.Generator
) -> np.ndarray:
    """Flip each label with its image's own probability to a class that the image's pixels choose.

    labels: [n] int. images: [n, ...] uint8. Returns [n] int64. Image i flips with probability q_i, normal with mean
    `rate` and standard deviation 0.1 truncated to [0, 1] (so the mean is above a low rate: 0.129 at 0.1), to a class
    drawn from softmax(x_i W_y) over the other classes; x are the pixels standardised over a sample of the images, W_y
    is standard normal, one matrix a class. The draws do not depend on the rate: flips of a lower rate are among those
    of a higher one.
    """
    uniform = random.random((3, len(labels)))
    flips = uniform[1] < flip_rates(rate, uniform[0])
    pixels = int(np.prod(images.shape[1:]))
    projection = random.standard_normal((classes, pixels, classes), dtype=np.float32)
    mean = images[:CHUNK].mean()
    std = images[:CHUNK].std() or 1.0
    noisy = np.array(labels, np.int64)
    for true_class in range(classes):
        rows = np.flatnonzero(flips & (labels == true_class))
        for chunk in np.array_split(rows, -(-len(rows) // CHUNK) or 1):
            features = (images[chunk].reshape(len(chunk), pixels).astype(np.float32) - mean) / std
            scores = (features @ projection[true_class]).astype(np.float64)
            scores[:, true_class] = -np.inf
            cumulative_weights = np.exp(scores - scores.max(1, keepdims=True)).cumsum(1) if len(chunk) else scores
            weight_sums = cumulative_weights[:, -1:]
            noisy[chunk] = (
                cumulative_weights > np.minimum(uniform[2][chunk, None] * weight_sums, np.nextafter(weight_sums, 0))
            ).argmax(1)
    return noisy


def flip_rates(rate: float, uniform: np.ndarray) -> np.ndarray:
    """[n] flip rates, normal around `rate` and truncated to [0, 1], by inverting its distribution at `uniform`."""
    normal = NormalDist(rate, SPREAD)
    low = normal.cdf(0)
    high = normal.cdf(1)
    inner_quantiles = np.clip(low + uniform * (high - low), np.nextafter(0, 1), np.nextafter(1, 0))
    return np.clip([normal.inv_cdf(p) for p in inner_quantiles], 0, 1)
