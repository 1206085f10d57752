"""The statistics of the tables, against slow or known answers."""

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats import t as student
from scipy.stats import ttest_1samp

from reports.statistics import (
    Interval,
    adjust_for_pairs,
    balanced_interval,
    crossed_interval,
    detectable_gain,
    jensen_shannon,
    mean_squares,
    pooled_paired_std,
    possible_places,
    sample_std,
)


def test_sample_std_divides_by_n_minus_one():
    assert sample_std(np.array([1.0, 2.0, 4.0])) == pytest.approx(1.527525, abs=1e-6)
    assert sample_std(np.array([1.0])) is None


TEXTBOOK = np.array([[1.0, 2, 4, 4], [2, 3, 4, 6], [0, 1, 1, 3]])  # three seeds, four images


def test_mean_squares_are_those_of_a_textbook_table() -> None:
    """Worked by hand: a total of 395/12 = seeds 38/3 + images 73/4 + rest 2, with 2, 3 and 6 degrees of freedom."""
    found = mean_squares(TEXTBOOK)
    assert (found.seeds, found.images, found.rest) == pytest.approx((19 / 3, 73 / 12, 1 / 3))


def test_without_spread_between_seeds_it_is_student_s_interval_over_images() -> None:
    one_seed = np.random.default_rng(0).choice([-1.0, 1.0], size=400)
    copied, alone = crossed_interval(np.tile(one_seed, (5, 1))), crossed_interval(one_seed)
    known = ttest_1samp(one_seed, 0)
    low, high = known.confidence_interval(0.95)
    for found in (copied, alone):  # five copies of a seed are no more evidence
        assert (found.mean, found.low, found.high, found.p) == pytest.approx((one_seed.mean(), low, high, known.pvalue))


def test_without_spread_between_images_it_is_student_s_interval_over_seeds() -> None:
    of_seed = np.array([0.01, 0.03, 0.02, -0.01, 0.02])
    found, known = crossed_interval(np.tile(of_seed[:, None], 300)), ttest_1samp(of_seed, 0)
    assert found.p == pytest.approx(known.pvalue) and found.low == pytest.approx(known.confidence_interval().low)


def test_the_crossed_interval_is_the_one_worked_by_hand() -> None:
    found = crossed_interval(TEXTBOOK)
    spread = 19 / 3 + 73 / 12 - 1 / 3
    freedom = spread**2 / ((19 / 3) ** 2 / 2 + (73 / 12) ** 2 / 3 + (1 / 3) ** 2 / 6)
    error = np.sqrt(spread / 12)
    reach = student.ppf(0.975, freedom) * error
    assert (found.mean, found.low, found.high) == pytest.approx((31 / 12, 31 / 12 - reach, 31 / 12 + reach))
    assert found.p == pytest.approx(2 * student.sf(31 / 12 / error, freedom))


def test_a_negative_component_counts_as_none() -> None:
    """Mean squares 0, 0 and 1: the rest alone, with one degree of freedom, where a t of 1 has a p of one half."""
    found = crossed_interval(np.eye(2))
    assert (found.mean, found.p) == (0.5, pytest.approx(0.5))
    balanced = balanced_interval(np.hstack([np.eye(2), np.eye(2)]), np.array([0, 0, 1, 1]))
    assert balanced.p == pytest.approx(2 * student.sf(0.5 / np.sqrt(1 / 8), 1))


def test_the_balanced_interval_is_the_one_worked_by_hand() -> None:
    """Class 0 has mean squares 0 and 1 (images, rest), class 1 has 9 and 1, class 2 one image; the two seeds differ by 1."""
    values = np.array([[1, 0, 0, 2, 1], [0, 1, 0, 4, 3]])
    found = balanced_interval(values, np.array([0, 0, 1, 1, 2]))
    seeds, images = 1 / 4, (9 - 1) / 36
    freedom = (seeds + images) ** 2 / ((9 / 36) ** 2 + (1 / 36) ** 2 + seeds**2)
    error = np.sqrt(seeds + images)
    assert (found.mean, found.low) == pytest.approx((4 / 3, 4 / 3 - student.ppf(0.975, freedom) * error))
    assert found.p == pytest.approx(2 * student.sf(4 / 3 / error, freedom))


def test_what_does_not_vary_has_no_width() -> None:
    assert crossed_interval(np.zeros((5, 10))).p == 1
    found = crossed_interval(np.full((5, 10), 0.5))
    assert (found.low, found.high, found.p) == (0.5, 0.5, 0)


def test_balanced_differences_are_means_of_class_means() -> None:
    draw = np.random.default_rng(2)
    labels = np.repeat([0, 1, 2], [300, 60, 20])
    values = draw.choice([-1.0, 0, 1], size=(6, 380)) + 0.3 * (labels == 2)
    found = balanced_interval(values, labels)
    means = [values[:, labels == c].mean() for c in range(3)]
    assert found.mean == pytest.approx(np.mean(means))
    alike = balanced_interval(values[:, labels == 0], labels[labels == 0])  # one class: the plain form, nearly
    plain = crossed_interval(values[:, labels == 0])
    assert alike.mean == pytest.approx(plain.mean) and alike.high - alike.low == pytest.approx(
        plain.high - plain.low, rel=0.2
    )
    assert found.high - found.low > plain.high - plain.low  # the rare class counts as much and says less


def simulated(n: int, spread: tuple[float, float, float], classes: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    seed, image, rest = spread
    m = len(classes)
    return seed * draw.normal(size=(n, 1)) + image * draw.normal(size=m) + rest * draw.normal(size=(n, m))


@pytest.mark.slow
@pytest.mark.parametrize("n", [5, 10])
@pytest.mark.parametrize("spread", [(0.012, 0.25, 0.45), (0.02, 0.2, 0.4), (0.005, 0.3, 0.4), (0.0, 0.2, 0.4)])
def test_intervals_hold_the_truth_as_often_as_they_say(n: int, spread: tuple[float, float, float]) -> None:
    draw, one = np.random.default_rng(n), np.zeros(1000, int)
    found = [crossed_interval(simulated(n, spread, one, draw)) for _ in range(1500)]
    wide = 0.975 if spread[0] == 0 else 0.965  # without any spread between seeds they are a little too wide
    assert 0.935 <= np.mean([one.low <= 0 <= one.high for one in found]) <= wide


@pytest.mark.slow
@pytest.mark.parametrize("n", [5, 10])
def test_balanced_intervals_hold_the_truth_as_often_as_they_say(n: int) -> None:
    draw = np.random.default_rng(n)
    labels = np.repeat(np.arange(8), [315, 250, 140, 130, 85, 40, 25, 20])
    found = [balanced_interval(simulated(n, (0.012, 0.25, 0.45), labels, draw), labels) for _ in range(1500)]
    assert 0.935 <= np.mean([one.low <= 0 <= one.high for one in found]) <= 0.965


def test_p_counts_the_pairs_and_never_passes_one() -> None:
    found = Interval(1.0, 0.2, 1.8, 0.02)
    assert adjust_for_pairs(found, 10) == Interval(1.0, 0.2, 1.8, pytest.approx(0.2))
    assert adjust_for_pairs(found, 100).p == 1


@pytest.mark.parametrize(("n", "effect"), [(3, 3.2640), (5, 1.6823), (10, 0.9964)])
def test_detectable_gain_has_eighty_per_cent_power(n, effect):
    from scipy.stats import nct, t

    found = detectable_gain(1.0, n)
    critical = t.ppf(0.975, n - 1)
    assert nct.sf(critical, n - 1, found * np.sqrt(n)) == pytest.approx(0.8, abs=1e-4)
    assert found == pytest.approx(effect, abs=2e-3)
    assert detectable_gain(2.0, n) == pytest.approx(2 * found)


def test_pooled_std_is_of_paired_differences():
    common = np.array([0.0, 3.0, -3.0, 1.0])  # what a seed adds to every method does not count
    values = np.stack([common, common + 1, common + np.array([0, 1, 0, 1])])
    single = np.var([0, 1, 0, 1], ddof=1)
    assert pooled_paired_std(values) == pytest.approx(np.sqrt(2 * single / 3))


def test_jensen_shannon_is_scipy_s_squared():
    draw = np.random.default_rng(0)
    p, q = draw.dirichlet(np.ones(5) * 0.5, 20), draw.dirichlet(np.ones(5), 20)
    p[0] = [1, 0, 0, 0, 0]
    for base in (2, np.e):
        expected = [jensenshannon(a, b, base=base) for a, b in zip(p, q)]
        assert jensen_shannon(p, q, base) == pytest.approx(np.square(expected))
        assert jensen_shannon(p, q, base, root=True) == pytest.approx(np.array(expected))
    assert jensen_shannon(np.eye(3)[0], np.eye(3)[1]) == pytest.approx(1)


def test_places_are_one_behind_the_better_and_one_before_the_worse():
    assert possible_places(3, []) == [(1, 3)] * 3
    assert possible_places(3, [(0, 2), (1, 2)]) == [(1, 2), (1, 2), (3, 3)]
    assert possible_places(3, [(2, 0)]) == [(2, 3), (1, 3), (1, 2)]


EXAMPLES = [  # ten seeds of a method less the baseline; worked out apart from this code
    ("faces 0.1 scn", 1.49, 0.58, 2.40),
    ("faces 0.3 lanet", 3.31, 2.24, 4.38),
    ("ferplus 0.1 scn", 1.59, 0.45, 2.73),
    ("ferplus 0.3 rul", 2.43, 1.19, 3.67),
    ("ferplus 0.3 eac", 5.16, 3.02, 7.30),
]


@pytest.mark.parametrize(("name", "mean", "low", "high"), EXAMPLES)
def test_intervals_are_those_of_the_worked_examples(name: str, mean: float, low: float, high: float) -> None:
    with np.load(Path(__file__).parents[1] / "golden" / "statistics_examples.npz") as file:
        points = 100.0 * file[name]
    found = crossed_interval(points)
    assert points.shape == (10, 1000)
    assert (found.mean, found.low, found.high) == pytest.approx((mean, low, high), abs=0.006)
