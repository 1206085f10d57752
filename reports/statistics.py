"""The statistics behind the tables: what a few seeds and one test set can say, and no more."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

RESAMPLES = 10_000
DRAWS_AT_ONCE = 4_000_000


@dataclass(frozen=True)
class Interval:
    """A mean with its 95 % percentile bootstrap interval; p: two-sided bootstrap p of 'the mean is 0'."""

    mean: float
    low: float
    high: float
    p: float = 1.0


def sample_std(values: np.ndarray) -> float | None:
    """Sample standard deviation (ddof 1); None for fewer than two values."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else None


def paired_bootstrap(difference: np.ndarray, resamples: int = RESAMPLES, seed: int = 0) -> Interval:
    """Interval of the mean of paired differences, resampling seeds and images, each image with all its seeds.

    difference: [seeds, images]. Images with the same differences are drawn together as one multinomial category,
    which is the same distribution as drawing them one by one and much faster.
    """
    difference = np.atleast_2d(np.asarray(difference, float))
    seeds, images = difference.shape
    draw = np.random.default_rng(seed)
    patterns, counts = np.unique(difference, axis=1, return_counts=True)
    chunk = max(1, DRAWS_AT_ONCE // len(counts))
    means = []
    for start in range(0, resamples, chunk):
        many = min(chunk, resamples - start)
        of_image = draw.multinomial(images, counts / images, size=many)
        of_seed = draw.multinomial(seeds, np.full(seeds, 1 / seeds), size=many)
        means.append(((of_image @ patterns.T) * of_seed).sum(1) / (images * seeds))
    return interval(difference.mean(), np.concatenate(means))


def paired_t(differences: np.ndarray) -> Interval:
    """Student's 95 % interval of the mean of a few paired differences [n], n >= 2, and its two-sided p."""
    from scipy.special import stdtr, stdtrit

    n, mean = len(differences), float(np.mean(differences))
    error = float(np.std(differences, ddof=1)) / np.sqrt(n)
    reach = float(stdtrit(n - 1, 0.975)) * error
    p = float(mean == 0) if error == 0 else 2 * float(stdtr(n - 1, -abs(mean) / error))
    return Interval(mean, mean - reach, mean + reach, p)


def places(right: np.ndarray, sure: float = 0.05, resamples: int = RESAMPLES) -> list[tuple[int, int]]:
    """(best, worst) place that each row can have: one behind all rows that are better, one before all that are worse.

    right: [rows, seeds, images] shares of right answers. Better: the paired bootstrap over seeds and images, an image
    drawn with all its rows and seeds, adjusted by Holm over all pairs, is below `sure`.
    """
    rows, seeds, images = right.shape
    first, second = np.triu_indices(rows, 1)
    resamples = max(min(resamples, 50_000_000 // images), 80 * len(first), 2_000)  # p must be able to get below sure
    of_image, of_seed = image_weights(images, resamples), seed_weights(seeds, resamples)
    flat = right.reshape(rows * seeds, images).T.astype(np.float32)
    chunk = max(1, DRAWS_AT_ONCE // images)
    sums = np.concatenate([of_image[at : at + chunk].astype(np.float32) @ flat for at in range(0, resamples, chunk)])
    means = (sums.reshape(resamples, rows, seeds) * of_seed[:, None]).sum(2) / (images * seeds)
    found = [interval(0.0, means[:, one] - means[:, two]).p for one, two in zip(first, second)]
    gap = right.mean((1, 2))[first] - right.mean((1, 2))[second]
    surely = np.sign(gap) * (holm(np.array(found)) < sure)
    above, below = np.zeros(rows, int), np.zeros(rows, int)  # how many rows are surely better, and worse
    np.add.at(above, np.where(surely > 0, second, first), surely != 0)
    np.add.at(below, np.where(surely > 0, first, second), surely != 0)
    return [(1 + int(better), rows - int(worse)) for better, worse in zip(above, below)]


@lru_cache(maxsize=2)
def image_weights(images: int, resamples: int, seed: int = 0) -> np.ndarray:
    """[resamples, images] uint8: how often a resample holds each image; drawn once for all rows and conditions."""
    draw, chunk = np.random.default_rng(seed), max(1, DRAWS_AT_ONCE // images)
    found = []
    for start in range(0, resamples, chunk):
        many = min(chunk, resamples - start)
        drawn = draw.integers(images, size=(many, images)) + images * np.arange(many)[:, None]
        found.append(np.bincount(drawn.ravel(), minlength=many * images).reshape(many, images).astype(np.uint8))
    return np.concatenate(found)


def seed_weights(seeds: int, resamples: int) -> np.ndarray:
    """[resamples, seeds]: how often a resample holds each seed."""
    return np.random.default_rng(1).multinomial(seeds, np.full(seeds, 1 / seeds), size=resamples)


def bootstrap_mean(values: np.ndarray, resamples: int = RESAMPLES, seed: int = 0) -> Interval:
    """Interval of the mean of `values` [n]; above 5,000 values fewer resamples are drawn, never below 1,000."""
    values = np.asarray(values, float)
    resamples = min(resamples, max(1_000, 50_000_000 // len(values)))
    draw = np.random.default_rng(seed)
    chunk = max(1, DRAWS_AT_ONCE // len(values))
    sizes = [min(chunk, resamples - start) for start in range(0, resamples, chunk)]
    rows = (draw.integers(len(values), size=(many, len(values)), dtype=np.int32) for many in sizes)
    return interval(values.mean(), np.concatenate([values[r].mean(1) for r in rows]))


def interval(mean: float, means: np.ndarray) -> Interval:
    low, high = np.percentile(means, [2.5, 97.5])
    beyond = min((means <= 0).sum(), (means >= 0).sum())
    return Interval(float(mean), float(low), float(high), float(min(1.0, 2 * (beyond + 1) / (len(means) + 1))))


def holm(p: np.ndarray) -> np.ndarray:
    """Holm's adjusted p-values (1979), in the order given."""
    p = np.asarray(p, float)
    order = np.argsort(p)
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(stepped, 1)
    return adjusted


def pooled_paired_std(values: np.ndarray) -> float:
    """Standard deviation of a difference between two rows, pooled over all pairs; values: [rows, seeds]."""
    first, second = np.triu_indices(len(values), 1)
    return float(np.sqrt(np.var(values[first] - values[second], axis=1, ddof=1).mean()))


def detectable_gain(std: float, n: int, power: float = 0.8, alpha: float = 0.05) -> float:
    """The smallest mean difference that a two-sided paired t test over n seeds finds with the given power.

    std: standard deviation of the paired differences. The far tail of the noncentral t is left out (below 1e-6).
    """
    from scipy.special import nctdtrinc, stdtrit

    critical = stdtrit(n - 1, 1 - alpha / 2)
    return float(nctdtrinc(n - 1, 1 - power, critical) * std / np.sqrt(n))


def jensen_shannon(p: np.ndarray, q: np.ndarray, base: float = 2, root: bool = False) -> np.ndarray:
    """Jensen-Shannon divergence of rows [..., C] that sum to 1; with `root` the distance (its square root).

    SciPy's `jensenshannon` returns the root, to base e unless told.
    """
    p, q = np.asarray(p, float), np.asarray(q, float)
    middle = (p + q) / 2
    nats = (relative_entropy(p, middle) + relative_entropy(q, middle)) / 2
    divergence = np.maximum(nats, 0) / np.log(base)
    return np.sqrt(divergence) if root else divergence


def relative_entropy(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Kullback-Leibler divergence of rows in nats; 0 log 0 is 0."""
    p, q = np.broadcast_arrays(p, q)
    ratio = np.divide(p, q, out=np.ones_like(p), where=p > 0)
    return (p * np.log(ratio)).sum(-1)
