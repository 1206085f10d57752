"""The numbers of a record against their definitions, and what a job trains on."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from benchmark import facts, scale
from benchmark.pretrain import shape_targets


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1, max_size=40))
def test_auroc_is_the_chance_that_a_wrong_label_scores_higher(pairs: list[tuple[int, bool]]) -> None:
    score, positive = np.array([p[0] for p in pairs], float), np.array([p[1] for p in pairs])
    wins = [float(a > b) + 0.5 * float(a == b) for a in score[positive] for b in score[~positive]]
    expected = np.mean(wins) if wins else None
    assert facts.auroc(score, positive) == (None if expected is None else pytest.approx(expected))


def test_calibration_error_by_hand() -> None:
    confidence = np.array([0.95, 0.96, 0.55, 0.56])
    correct = np.array([True, True, True, False])
    by_hand = (abs(1.91 - 2) + abs(1.11 - 1)) / 4
    assert facts.calibration_error(confidence, correct, bins=10) == pytest.approx(by_hand)


def test_class_figures_by_hand() -> None:
    labels, predicted = np.array([0, 0, 0, 1, 1, 2]), np.array([0, 0, 1, 1, 1, 0])
    found = facts.by_class(labels, predicted, 4)
    assert found["confusion"] == [[2, 1, 0, 0], [0, 2, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]
    assert found["per_class"] == [pytest.approx(2 / 3), 1.0, 0.0, None]
    assert found["balanced_accuracy"] == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert found["macro_f1"] == pytest.approx((2 / 3 + 4 / 5 + 0) / 3)


@given(st.lists(st.integers(0, 400), min_size=2, max_size=8), st.integers(100, 1000), st.integers(1, 30))
@example([0, 24, 26, 26, 26], 100, 26)  # the floors alone are one image more than asked for
def test_the_demo_subset_is_stratified_with_a_floor(counts: list[int], images: int, least: int) -> None:
    labels = np.repeat(np.arange(len(counts)), counts)
    rows = scale.subset(labels, len(counts), images, least)
    kept = np.bincount(labels[rows], minlength=len(counts))
    assert len(rows) == min(images, len(labels)) and len(set(rows.tolist())) == len(rows)
    if images >= least * len(counts):
        assert (kept >= np.minimum(counts, least)).all()
    assert np.array_equal(rows, scale.subset(labels, len(counts), images, least))


def test_shape_targets_are_white_and_blind_to_position_size_and_rotation() -> None:
    draw = np.random.default_rng(0)
    shapes = draw.normal(size=(68, 2)) + 0.05 * draw.normal(size=(400, 68, 2))
    targets = shape_targets(shapes)
    assert targets.shape == (400, 24)
    assert np.allclose(targets.T @ targets / 400, np.eye(24), atol=1e-4)
    turn = draw.uniform(-0.5, 0.5, 400)
    rotation = np.stack([np.stack([np.cos(turn), -np.sin(turn)], -1), np.stack([np.sin(turn), np.cos(turn)], -1)], -2)
    moved = draw.uniform(0.5, 2, (400, 1, 1)) * (shapes @ rotation) + draw.normal(size=(400, 1, 2))
    again = shape_targets(moved)
    likeness = np.abs(np.linalg.svd(targets.T @ again / 400, compute_uv=False))
    assert likeness.min() > 0.9  # the same subspace, up to the mean shape that they are turned to


def test_queues_and_momenta_are_unchanged_when_the_run_is_the_published_one() -> None:
    published = {"epochs": 80, "batch_size": 128, "drop_last": True}
    recipe, images = dict(published), scale.PUBLISHED_IMAGES
    assert scale.translate(0.999, "per step", published, recipe, images) == pytest.approx(0.999)
    assert scale.translate(0.9, "per epoch", published, recipe, images) == 0.9
    assert scale.translate(8192, "queue", published, recipe, images) == 8192
    assert scale.translate(10, "epoch", published, recipe, images) == 10
