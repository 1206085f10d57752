"""The statistics behind the tables: what a few seeds and one test set can say, and no more."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

RESAMPLES = 10_000
SMALLEST_P = 2 / (RESAMPLES + 1)  # that the bootstrap can give
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


def paired_bootstrap(difference: np.ndarray, resamples: int = RESAMPLES) -> Interval:
    """Interval of the mean of paired differences, resampling seeds and images, each image with all its seeds.

    difference: [seeds, images].
    """
    difference = np.atleast_2d(np.asarray(difference, float))
    seeds, images = difference.shape
    sums = resampled_sums(difference.T, enough(images, resamples))
    means = (sums * seed_weights(seeds, len(sums))).sum(1) / (images * seeds)
    return interval(difference.mean(), means)


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
    resamples = max(enough(images, resamples), 80 * len(first), 2_000)  # p must be able to get below sure
    sums = resampled_sums(right.reshape(rows * seeds, images).T.astype(np.float32), resamples)
    means = (sums.reshape(resamples, rows, seeds) * seed_weights(seeds, resamples)[:, None]).sum(2) / (images * seeds)
    found = [interval(0.0, means[:, one] - means[:, two]).p for one, two in zip(first, second)]
    gap = right.mean((1, 2))[first] - right.mean((1, 2))[second]
    surely = np.sign(gap) * (holm(np.array(found)) < sure)
    above, below = np.zeros(rows, int), np.zeros(rows, int)  # how many rows are surely better, and worse
    np.add.at(above, np.where(surely > 0, second, first), surely != 0)
    np.add.at(below, np.where(surely > 0, first, second), surely != 0)
    return [(1 + int(better), rows - int(worse)) for better, worse in zip(above, below)]


def enough(images: int, resamples: int) -> int:
    """How many resamples are drawn of so many images: above 5,000 fewer, never below 1,000."""
    return min(resamples, max(1_000, 50_000_000 // images))


def resampled_sums(values: np.ndarray, resamples: int) -> np.ndarray:
    """[resamples, columns]: sums of `values` [images, columns] over images drawn with replacement, alike for all columns."""
    weights, chunk = image_weights(len(values), resamples), max(1, DRAWS_AT_ONCE // len(values))
    starts = range(0, resamples, chunk)
    return np.concatenate([weights[at : at + chunk].astype(values.dtype) @ values for at in starts])


@lru_cache(maxsize=4)
def image_weights(images: int, resamples: int) -> np.ndarray:
    """[resamples, images] uint8: how often a resample holds each image; drawn once for all rows and conditions."""
    draw, chunk = np.random.default_rng(0), max(1, DRAWS_AT_ONCE // images)
    found = []
    for start in range(0, resamples, chunk):
        many = min(chunk, resamples - start)
        drawn = draw.integers(images, size=(many, images)) + images * np.arange(many)[:, None]
        found.append(np.bincount(drawn.ravel(), minlength=many * images).reshape(many, images).astype(np.uint8))
    return np.concatenate(found)


def seed_weights(seeds: int, resamples: int) -> np.ndarray:
    """[resamples, seeds]: how often a resample holds each seed."""
    return np.random.default_rng(1).multinomial(seeds, np.full(seeds, 1 / seeds), size=resamples)


def bootstrap_mean(values: np.ndarray, resamples: int = RESAMPLES) -> Interval:
    """Interval of the mean of `values` [n]."""
    values = np.asarray(values, float)
    return interval(values.mean(), resampled_sums(values[:, None], enough(len(values), resamples))[:, 0] / len(values))


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
