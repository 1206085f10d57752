"""The numbers of a record against their definitions, and what a job trains on."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from benchmark import scale
from benchmark.train import metrics, pretrain
from benchmark.train.metrics import missed_rate
from methods.support.recipe import recipe_to_dict
from results.job import json_digest


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1, max_size=40))
def test_auroc_is_the_chance_that_a_wrong_label_scores_higher(pairs: list[tuple[int, bool]]) -> None:
    score, positive = np.array([p[0] for p in pairs], float), np.array([p[1] for p in pairs])
    wins = [float(a > b) + 0.5 * float(a == b) for a in score[positive] for b in score[~positive]]
    expected = np.mean(wins) if wins else None
    assert metrics.auroc(score, positive) == (None if expected is None else pytest.approx(expected))


def test_calibration_error_by_hand() -> None:
    confidence = np.array([0.95, 0.96, 0.55, 0.56])
    correct = np.array([True, True, True, False])
    by_hand = (abs(1.91 - 2) + abs(1.11 - 1)) / 4
    assert metrics.calibration_error(confidence, correct, bins=10) == pytest.approx(by_hand)


def test_class_figures_by_hand() -> None:
    labels, predicted = np.array([0, 0, 0, 1, 1, 2]), np.array([0, 0, 1, 1, 1, 0])
    found = metrics.class_metrics(labels, predicted, 4)
    assert found["confusion"] == [[2, 1, 0, 0], [0, 2, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]
    assert found["per_class"] == [pytest.approx(2 / 3), 1.0, 0.0, None]
    assert found["balanced_accuracy"] == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert found["macro_f1"] == pytest.approx((2 / 3 + 4 / 5 + 0) / 3)


@given(st.lists(st.integers(0, 400), min_size=2, max_size=8), st.integers(100, 1000), st.integers(1, 30))
@example([0, 24, 26, 26, 26], 100, 26)  # the floors alone are one image more than asked for
def test_the_demo_subset_is_stratified_with_a_floor(counts: list[int], images: int, least: int) -> None:
    labels = np.repeat(np.arange(len(counts)), counts)
    rows = scale.choose_subset(labels, len(counts), images, least)
    kept = np.bincount(labels[rows], minlength=len(counts))
    assert len(rows) == min(images, len(labels)) and len(set(rows.tolist())) == len(rows)
    if images >= least * len(counts):
        assert (kept >= np.minimum(counts, least)).all()
    assert np.array_equal(rows, scale.choose_subset(labels, len(counts), images, least))


def test_a_change_of_a_scale_is_a_new_version() -> None:
    """Identities name the version alone; who changes the rule raises it and writes the new digest here."""
    for size, (version, kept) in {
        "demo": (5, "7eea5b6e3a7065bad5b8"),
        "small": (2, "4bfa156d56926bbec697"),
        "paper": (1, "72765a706b6b40f014fb"),
    }.items():
        told = scale.SCALES[size]
        rule = [told.side, told.channels, told.train_images, told.test_images, told.train_floor, told.test_floor]
        rule += [told.recipe, told.augment, told.epochs, scale.PUBLISHED_IMAGES]
        assert (told.version, json_digest(rule)) == (version, kept), size
    made = [
        *(scale.SCALES[name].pretraining for name in ("demo", "small", "paper")),
        pretrain.COMPONENTS,
        recipe_to_dict(pretrain.AUGMENT),
    ]
    assert {scale.PRETRAINING_VERSION: json_digest(made)} == {2: "a13b68cb34347e0faa92"}


def test_as_many_are_flagged_as_are_wrong() -> None:
    wrong = np.array([True, True, False, False, False])
    assert missed_rate(np.array([0.9, 0.1, 0.8, 0.2, 0.0]), wrong) == 0.5
    assert missed_rate(np.array([0.9, 0.8, 0.1, 0.2, 0.0]), wrong) == 0
    assert missed_rate(np.zeros(5), wrong) == pytest.approx(0.6)  # two of five at random
    assert missed_rate(np.array([0.9, 0.5, 0.5, 0.5, 0.5]), wrong) == pytest.approx(0.375)
    assert missed_rate(np.zeros(3), np.zeros(3, bool)) is None
