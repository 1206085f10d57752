"""The statistics of the tables, against slow or known answers."""

import time

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon

from reports.statistics import (
    bootstrap_mean,
    detectable_gain,
    holm,
    jensen_shannon,
    paired_bootstrap,
    places,
    pooled_paired_std,
    sample_std,
)


def test_sample_std_divides_by_n_minus_one():
    assert sample_std(np.array([1.0, 2.0, 4.0])) == pytest.approx(1.527525, abs=1e-6)
    assert sample_std(np.array([1.0])) is None


def test_paired_bootstrap_agrees_with_drawing_rows_one_by_one():
    draw = np.random.default_rng(1)
    difference = draw.choice([-1, 0, 1], p=[0.1, 0.7, 0.2], size=(3, 120)) + np.array([[0.0], [0.1], [0.3]])
    slow = [difference[draw.integers(3, size=3)][:, draw.integers(120, size=120)].mean() for _ in range(6000)]
    found = paired_bootstrap(difference)
    low, high = np.percentile(slow, [2.5, 97.5])
    assert found.mean == pytest.approx(difference.mean())
    assert found.low == pytest.approx(low, abs=0.012)
    assert found.high == pytest.approx(high, abs=0.012)


def test_an_image_is_one_cluster():
    one_seed = np.random.default_rng(0).choice([-1.0, 1.0], size=(1, 400))
    copied = paired_bootstrap(np.repeat(one_seed, 5, axis=0))
    alone = paired_bootstrap(one_seed)
    width = alone.high - alone.low
    assert width == pytest.approx(4 * 0.98 / 20, rel=0.06)
    assert copied.high - copied.low == pytest.approx(width, rel=0.06)  # five copies of a seed are no more evidence


def test_bootstrap_p_is_small_only_for_a_gain():
    draw = np.random.default_rng(0)
    assert paired_bootstrap(draw.choice([0, 1], p=[0.8, 0.2], size=(5, 500))).p < 0.001
    assert paired_bootstrap(draw.choice([-1, 1], size=(5, 500))).p > 0.05


def test_ten_thousand_resamples_of_a_whole_test_set_take_about_a_second():
    draw = np.random.default_rng(0)
    difference = draw.choice([-1, 0, 1], p=[0.1, 0.8, 0.1], size=(5, 3137))
    start = time.process_time()
    paired_bootstrap(difference)
    assert time.process_time() - start < 4
    start = time.process_time()
    bootstrap_mean(draw.random(28_236))
    assert time.process_time() - start < 4


def test_bootstrap_mean_has_the_width_of_the_standard_error():
    values = np.random.default_rng(3).normal(2, 1, 1000)
    found = bootstrap_mean(values)
    assert found.mean == pytest.approx(values.mean())
    assert found.high - found.low == pytest.approx(2 * 1.96 * values.std() / np.sqrt(1000), rel=0.05)


def test_holm():
    assert holm(np.array([0.04, 0.01, 0.03])).tolist() == pytest.approx([0.06, 0.03, 0.06])
    assert holm(np.array([0.9, 0.8])).tolist() == [1.0, 1.0]


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


def test_places_are_shared_by_rows_that_cannot_be_told_apart():
    """Of 400 images: the second row loses 2 to the first, the third 80; three equal rows share all places."""
    right = np.ones((3, 5, 400))
    right[1, :, :2] = 0
    right[2, :, :80] = 0
    assert places(right) == [(1, 2), (1, 2), (3, 3)]
    assert places(np.ones((3, 5, 100))) == [(1, 3)] * 3


def test_places_are_those_of_pairs_not_of_means():
    """Two rows with the same spread over images: paired, a small constant gain is seen; between other images it is not."""
    draw = np.random.default_rng(0)
    hard = draw.random((5, 400)) < 0.5
    gain = hard.astype(float)
    gain[:, :24] = 1
    assert places(np.stack([hard, gain])) == [(2, 2), (1, 1)]
    assert places(np.stack([hard, np.roll(gain, 200, axis=1)])) == [(1, 2), (1, 2)]


def test_places_agree_with_the_paired_bootstrap_and_holm():
    draw = np.random.default_rng(1)
    skill = np.array([0.60, 0.61, 0.66, 0.75])
    right = (draw.random((4, 6, 300)) < skill[:, None, None]).astype(float)
    pairs = [(one, two) for one in range(4) for two in range(one + 1, 4)]
    found = [paired_bootstrap(right[one] - right[two]) for one, two in pairs]
    sure = holm(np.array([f.p for f in found])) < 0.05
    better = [(one, two) if f.mean > 0 else (two, one) for (one, two), f, p in zip(pairs, found, sure) if p]
    best = [1 + sum(worse == row for _, worse in better) for row in range(4)]
    assert [first for first, _ in places(right)] == best and len(set(best)) > 1
