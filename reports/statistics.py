"""The statistics behind the tables, in closed form: what a few seeds and one test set can say, and no more.

A difference should hold for new seeds and for new images, so both vary (crossed random effects; Searle, Casella and McCulloch,
Variance Components, 1992). There is no random number here: the same records give the same intervals and ranks.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

SURE = 0.05  # level of every verdict
SPREADS = {  # what can stand behind ± and as a band: in a caption, and how wide a band is
    "sd": ("sample standard deviation", "one sample standard deviation"),
    "se": ("standard error over seeds", "one standard error over seeds"),
    "ci": ("half the width of the 95 % interval over seeds (Student)", "95 % interval over seeds (Student)"),
}


@dataclass(frozen=True)
class Interval:
    """A mean with its 95 % interval."""

    mean: float
    low: float
    high: float
    p: float = 1.0  # two-sided, of 'the mean is 0'


@dataclass(frozen=True)
class MeanSquares:
    """Analysis of variance of [seeds, images] without repetition."""

    seeds: float
    images: float
    rest: float


def sample_std(values: Sequence[float] | np.ndarray) -> float | None:
    """Sample standard deviation (ddof 1); None for fewer than two values."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else None


def half_width(values: Sequence[float] | np.ndarray, spread: str) -> float | None:
    """What stands behind ± of a mean over seeds, a name of `SPREADS`; None for fewer than two values."""
    std = sample_std(values)
    if std is None or spread == "sd":
        return std
    if spread == "se":
        return std / len(values) ** 0.5
    return paired_t(values).high - float(np.mean(values))


def band_widths(values: np.ndarray, spread: str) -> np.ndarray:
    """[points] the same of each point of [seeds, points], as a band is drawn; 0 with one seed."""
    return np.array([half_width(of_seeds, spread) or 0.0 for of_seeds in values.T])


def student_interval(mean: float, variance: float, freedom: float) -> Interval:
    """Student's 95 % interval of a mean whose variance was estimated with so many degrees of freedom."""
    from scipy.special import stdtr, stdtrit

    if variance <= 0:
        return Interval(mean, mean, mean, float(mean == 0))
    error = float(np.sqrt(variance))
    reach = float(stdtrit(freedom, 0.975)) * error
    return Interval(mean, mean - reach, mean + reach, 2 * float(stdtr(freedom, -abs(mean) / error)))


def paired_t(differences: Sequence[float] | np.ndarray) -> Interval:
    """Student's 95 % interval of the mean of independent differences [n], n >= 2, and its two-sided p."""
    values = np.asarray(differences, float)
    return student_interval(float(values.mean()), float(values.var(ddof=1)) / len(values), len(values) - 1)


def mean_squares(difference: np.ndarray) -> MeanSquares:
    """Of [seeds, images], at least two of each."""
    seeds, images = difference.shape
    of_seed = difference.mean(1)
    of_image = difference.mean(0)
    mean = difference.mean()
    rest = difference - of_seed[:, None] - of_image + mean
    return MeanSquares(
        seeds=float(images * ((of_seed - mean) ** 2).sum() / (seeds - 1)),
        images=float(seeds * ((of_image - mean) ** 2).sum() / (images - 1)),
        rest=float((rest**2).sum() / ((seeds - 1) * (images - 1))),
    )


def crossed_interval(difference: np.ndarray) -> Interval:
    """Interval of the mean of paired differences [seeds, images] for new seeds and new images.

    Variance components of seeds, images and the rest, degrees of freedom by Satterthwaite (1946). With one seed the images
    alone vary, with one image the seeds.
    """
    difference = np.atleast_2d(np.asarray(difference, float))
    seeds, images = difference.shape
    if min(seeds, images) == 1:
        return paired_t(difference.ravel())
    squares_of = mean_squares(difference)
    spread = max(squares_of.seeds - squares_of.rest, 0) + max(squares_of.images - squares_of.rest, 0) + squares_of.rest
    squares = squares_of.seeds**2 / (seeds - 1) + squares_of.images**2 / (images - 1)
    squares += squares_of.rest**2 / ((seeds - 1) * (images - 1))
    freedom = spread**2 / squares if squares > 0 else 1.0
    return student_interval(float(difference.mean()), spread / (seeds * images), freedom)


def balanced_interval(difference: np.ndarray, labels: np.ndarray) -> Interval:
    """Interval of the mean over classes of the class means of paired differences [seeds, images].

    labels: [images] int. The sizes of the classes are fixed, images vary within them; seeds and images at least two, a class
    of one image adds nothing to the spread between images.
    """
    difference = np.asarray(difference, float)
    labels = np.asarray(labels)
    seeds = len(difference)
    classes = np.unique(labels)
    of_class = np.stack([difference[:, labels == c].mean(1) for c in classes], 1)  # [seeds, classes]
    of_seed = of_class.mean(1)
    spread_of_seeds = float(of_seed.var(ddof=1)) / seeds
    rest = 0.0
    between = 0.0
    squares = 0.0
    for c in classes:
        class_differences = difference[:, labels == c]
        images = class_differences.shape[1]
        if images < 2:
            continue
        squares_of = mean_squares(class_differences)
        weight = 1 / (len(classes) ** 2 * seeds * images)
        rest += squares_of.rest * weight
        if squares_of.images > squares_of.rest:
            between += (squares_of.images - squares_of.rest) * weight
            squares += (squares_of.images * weight) ** 2 / (images - 1)
            squares += (squares_of.rest * weight) ** 2 / ((seeds - 1) * (images - 1))
    variance = max(spread_of_seeds, rest) + between
    squares += spread_of_seeds**2 / (seeds - 1)
    freedom = variance**2 / squares if squares > 0 else 1.0
    return student_interval(float(of_seed.mean()), variance, freedom)


def adjust_for_pairs(interval: Interval, pairs: int) -> Interval:
    """The same with its p times the number of pairs that it is one of (Bonferroni), at most 1."""
    return replace(interval, p=min(1.0, interval.p * pairs))


def possible_places(rows: int, better: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """(best, worst) place that each row can have: one behind all rows that are better, one before all that are worse.

    better: (one, other) for each pair of which row one is surely better than the other.
    """
    pairs = list(better)
    above = [sum(worse == row for _, worse in pairs) for row in range(rows)]
    below = [sum(best == row for best, _ in pairs) for row in range(rows)]
    return [(1 + better_count, rows - worse_count) for better_count, worse_count in zip(above, below, strict=True)]


def in_points(interval: Interval) -> Interval:
    """An interval of shares as one of per cent points."""
    return replace(interval, mean=100 * interval.mean, low=100 * interval.low, high=100 * interval.high)


def is_sure(interval: Interval) -> bool:
    """Whether a difference is told from 0 at the level of every verdict."""
    return interval.p < SURE


def pooled_paired_std(values: np.ndarray) -> float:
    """Standard deviation of a difference between two rows, pooled over all pairs; values: [rows, seeds]."""
    first_rows, second_rows = np.triu_indices(len(values), 1)
    return float(np.sqrt(np.var(values[first_rows] - values[second_rows], axis=1, ddof=1).mean()))


def detectable_gain(std: float, n: int, power: float = 0.8, alpha: float = 0.05) -> float:
    """The smallest mean difference that a two-sided paired t test over n seeds finds with the given power.

    std: standard deviation of the paired differences. The far tail of the noncentral t is left out (below 1e-6).
    """
    from scipy.special import nctdtrinc, stdtrit

    critical = stdtrit(n - 1, 1 - alpha / 2)
    return float(nctdtrinc(n - 1, 1 - power, critical) * std / np.sqrt(n))


def jensen_shannon(p: np.ndarray, q: np.ndarray, base: float = 2, root: bool = False) -> np.ndarray:
    """Jensen-Shannon divergence of rows [..., C] that sum to 1; with `root` the distance (its square root)."""
    from scipy.special import rel_entr

    p = np.asarray(p, float)
    q = np.asarray(q, float)
    middle = (p + q) / 2
    nats = (rel_entr(p, middle).sum(-1) + rel_entr(q, middle).sum(-1)) / 2
    divergence = np.maximum(nats, 0) / np.log(base)  # rounding can leave nearly equal rows just below 0
    return np.sqrt(divergence) if root else divergence
