"""What the engine hands to a method, step by step, written down by a method that does nothing else (spy/spy.py)."""

from dataclasses import replace
from math import cos, pi
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spied
import torch

from benchmark import scale
from methods.support.recipe import SGD, Adam, Augment, Exponential, LinearToZero, OneCycle, Recipe, Steps
from performance.faulty.specks import Specks
from results.job import stream_seed

IMAGES, CLASSES, EPOCHS, BATCH = 40, 7, 3, 12
STEPS = 4  # of an epoch, the last one of four images
CLEAN = np.arange(IMAGES) % CLASSES
RECIPE = Recipe(EPOCHS, BATCH, Adam(0.01), Exponential(1.0), Augment(), backbone="resnet10_w16")


@pytest.fixture
def told(tmp_path: Path):
    """Train the spy with a recipe; a job of its own kind where more is given."""

    def train(recipe: Recipe = RECIPE, relabels: bool = False, survey: str = "plain", **more: Any) -> spied.Told:
        parameters = {"relabels": relabels, "survey": survey}
        return spied.train_spy(tmp_path, replace(spied.JOB, **more), recipe, {"parameters": parameters})

    return train


def test_it_begins_with_the_given_labels_and_is_never_shown_the_clean_ones(told) -> None:
    run = told()
    given = np.load(run.results / "noise" / f"{run.record['noise']['hash']}.npz")["labels"]
    wrong = given != CLEAN
    assert wrong.mean() == pytest.approx(run.record["noise"]["realised"]) and wrong.sum() >= 4
    (begun,) = run.of("begin")
    assert begun["labels"] == given.tolist()
    assert begun["run"]["images"] == IMAGES and begun["run"]["classes"] == CLASSES and begun["run"]["noisy"]
    seen = [*run.of("batch"), *run.of("survey"), *run.of("opinion")]
    assert len(seen) == EPOCHS * STEPS + EPOCHS + 1
    for note in seen:
        assert note["labels"] == given[note["index"]].tolist()


def test_without_noise_it_is_told_so_and_given_the_clean_labels(told) -> None:
    (begun,) = told(noise={"kind": "none", "rate": None, "version": 1, "file": None}).of("begin")
    assert begun["labels"] == CLEAN.tolist() and not begun["run"]["noisy"]


def test_its_correct_part_is_the_images_whose_given_label_is_right(told) -> None:
    run = told(part="correct")
    given = np.load(run.results / "noise" / f"{run.record['noise']['hash']}.npz")["labels"]
    assert len(given) == IMAGES
    assert run.of("begin")[0]["labels"] == CLEAN[given == CLEAN].tolist()


def test_labels_that_it_changes_come_back_in_the_next_batch_but_not_in_its_opinion(told) -> None:
    run = told(relabels=True)
    given = np.array(run.of("begin")[0]["labels"])
    for note in [*run.of("batch"), *run.of("survey")]:
        visits = note["epoch"] - (note["what"] == "batch")
        assert note["labels"] == ((given[note["index"]] + visits) % CLASSES).tolist()
    (opinion,) = run.of("opinion")
    assert opinion["labels"] == given[opinion["index"]].tolist()


def test_every_epoch_is_its_own_order_cut_into_batches(told) -> None:
    run = told()
    orders = [note["rows"] for note in run.of("order")]
    assert len(orders) == EPOCHS and len({tuple(rows) for rows in orders}) == EPOCHS
    for epoch, rows in enumerate(orders, 1):
        assert sorted(rows) == list(range(IMAGES))
        batches = [note["index"] for note in run.of("batch") if note["epoch"] == epoch]
        assert batches == [rows[:12], rows[12:24], rows[24:36], rows[36:]]
    assert [note["rows"] for note in told().of("order")] == orders
    assert [note["rows"] for note in told(seed=1).of("order")] != orders


def test_the_parts_of_an_epoch_come_in_order_and_in_the_right_mode(told) -> None:
    run = told()
    one = ["order", *["batch", "backward", "step"] * STEPS, "survey", "epoch"]
    assert [note["what"] for note in run.notes] == ["begin", *one * EPOCHS, "opinion"]
    assert {(note["what"], note["training"]) for note in run.notes if "training" in note} == {
        ("batch", True),
        ("survey", False),
    }
    for what in ("order", "survey", "epoch"):
        assert [note["epoch"] for note in run.of(what)] == [1, 2, 3]
    assert [note["epoch"] for note in run.of("step")] == [1] * STEPS + [2] * STEPS + [3] * STEPS
    for note in (*run.of("survey"), *run.of("opinion")):
        assert note["index"] == list(range(IMAGES))


def test_gradients_are_shown_before_the_step_that_takes_them(told) -> None:
    run = told()
    body, head = 0.5, -0.25
    for batch, shown, step in zip(run.of("batch"), run.of("backward"), run.of("step"), strict=True):
        assert shown["index"] == batch["index"] and shown["epoch"] == batch["epoch"] == step["epoch"]
        assert (shown["body"], shown["head"]) == (body, head) and step["body"] < body and step["head"] > head
        assert (shown["body gradient"], shown["head gradient"]) == (batch["pull"], -batch["pull"])  # of this step alone
        body, head = step["body"], step["head"]


@pytest.mark.parametrize("kind", ["plain", "augmented"])
def test_a_survey_draws_from_a_stream_of_its_own_for_each_epoch(told, kind: str) -> None:
    recipe = Recipe(EPOCHS, BATCH, Adam(0.01), Exponential(1.0), Augment(flip=0.5), backbone="resnet10_w16")
    run = told(recipe, survey=kind)
    steps = [{note["stream"] for note in run.of("batch") if note["epoch"] == epoch} for epoch in (1, 2, 3)]
    surveys = [note["stream"] for note in run.of("survey")]
    assert all(len(found) == 1 for found in steps) and len(surveys) == EPOCHS
    name = run.record["spec"]["data"]["name"]
    assert surveys == [stream_seed("survey", name, 0, epoch) for epoch in (1, 2, 3)]
    assert steps == [{stream_seed("augment", name, 0, epoch)} for epoch in (1, 2, 3)]
    flips = [note["flipped"] for note in run.of("survey")]
    if kind == "plain":
        assert not any(map(any, flips)) and run.of("survey")[0]["images"] == run.of("survey")[1]["images"]
    else:
        assert len(set(map(tuple, flips))) == EPOCHS and all(8 < sum(row) < 32 for row in flips)
        other = told(recipe, survey=kind, seed=1)
        assert [note["stream"] for note in other.of("survey")] == [stream_seed("survey", name, 1, e) for e in (1, 2, 3)]
        assert [note["flipped"] for note in other.of("survey")] != flips
    assert [note["flipped"] for note in run.of("batch")] == [note["flipped"] for note in told(recipe).of("batch")]


@pytest.mark.parametrize(
    "batch, drop_last, sizes, steps",
    [
        (12, False, [12, 12, 12, 4], 4),
        (12, True, [12, 12, 12], 3),
        (13, False, [13, 13, 13], 4),  # a batch of one image has no batch statistics
        (13, True, [13, 13, 13], 3),
        (20, True, [20, 20], 2),
    ],
)
def test_an_incomplete_last_batch_is_left_out_where_the_recipe_says_so(told, batch, drop_last, sizes, steps) -> None:
    recipe = Recipe(1, batch, Adam(0.01), LinearToZero(), Augment(), drop_last, backbone="resnet10_w16")
    run = told(recipe)
    assert [len(note["index"]) for note in run.of("batch")] == sizes
    assert run.of("begin")[0]["run"]["steps_per_epoch"] == steps
    body = [0.5, *(note["body"] for note in run.of("step"))]
    assert body[0] - body[1] == pytest.approx(0.01, rel=1e-4)  # Adam's first step is the rate itself
    moved, expected = body[-2] - body[-1], adam([note["pull"] for note in run.of("batch")], steps)
    assert moved == pytest.approx(expected[-1], rel=1e-3)


def adam(pulls: list[float], steps: int) -> list[float]:
    """What Adam(0.01) under LinearToZero takes off a number in each step."""
    m = v = 0.0
    taken = []
    for t, pull in enumerate(pulls):
        m, v = 0.9 * m + 0.1 * pull, 0.999 * v + 0.001 * pull**2
        change = (m / (1 - 0.9 ** (t + 1))) / ((v / (1 - 0.999 ** (t + 1))) ** 0.5 + 1e-8)
        taken.append(0.01 * (1 - t / steps) * change)
    return taken


def test_images_are_those_of_their_rows_and_mirrored_where_it_says_so(told) -> None:
    recipe = Recipe(1, BATCH, Adam(0.01), LinearToZero(), Augment(flip=0.5), backbone="resnet10_w16")
    rows = Specks().read(None, None).train
    pixels = torch.stack([torch.from_numpy(rows.image(row)).float() for row in range(IMAGES)])
    side = scale.DEMO.side
    large = torch.nn.functional.interpolate(pixels[:, None], (side, side), mode="bilinear")[:, 0]
    both = torch.stack([large, large.flip(-1)], 1).flatten(2)  # row, mirrored
    both = (both - both.mean(-1, keepdim=True)) / both.std(-1, keepdim=True)
    flips = []
    for note in told(recipe).of("batch"):
        images = torch.tensor(note["images"])
        alike = torch.einsum("bp,rfp->brf", images - images.mean(1, keepdim=True), both)
        best = alike.flatten(1).argmax(1)
        assert (best // 2).tolist() == note["index"] and (best % 2).bool().tolist() == note["flipped"]
        flips += note["flipped"]
    assert 8 < sum(flips) < 32


OPTIMISERS = [
    Adam(0.01),
    Adam(0.01, weight_decay=0.5, head_lr=0.03),
    Adam(0.01, head_lr=0.0),
    SGD(0.001, momentum=0.9),
    SGD(0.001, momentum=0.5, weight_decay=2.0, head_lr=0.004),
]
TOTAL = EPOCHS * STEPS
SCHEDULES = {  # the factor of step t of epoch e (0-based), as the papers write them
    "exponential": (Exponential(0.5), lambda t, e: 0.5**e),
    "linear": (LinearToZero(), lambda t, e: (TOTAL - t) / TOTAL),
    "steps": (Steps(after=(1, 2.5), factor=0.1), lambda t, e: [1.0, 0.1, 0.01][(t >= 4) + (t >= 10)]),
    "one cycle": (
        OneCycle(warm=0.25, start=0.04),
        lambda t, e: 0.04 + 0.96 * t / 3 if t < 3 else (1 + cos(pi * (t - 3) / 9)) / 2,
    ),
}


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize(
    "settings", OPTIMISERS, ids=["adam", "adam with decay", "heads as they start", "sgd", "sgd with decay"]
)
def test_its_numbers_go_where_the_recipe_takes_them(told, settings: Adam | SGD, schedule: str) -> None:
    how, factor = SCHEDULES[schedule]
    run = told(Recipe(EPOCHS, BATCH, settings, how, Augment(), backbone="resnet10_w16"))
    pulls = np.array([note["pull"] for note in run.of("batch")])
    rates = np.array([factor(t, t // STEPS) for t in range(TOTAL)])
    for name, start, sign, rate in (
        ("body", 0.5, 1, settings.lr),
        ("head", -0.25, -1, settings.lr if settings.head_lr is None else settings.head_lr),
    ):
        expected = followed(settings, start, sign * pulls, rate * rates)
        np.testing.assert_allclose([note[name] for note in run.of("step")], expected, rtol=2e-5, atol=1e-6)


def followed(settings: Adam | SGD, value: float, pulls: np.ndarray, rates: np.ndarray) -> list[float]:
    """The published rules for one number, L2 decay in the gradient: Kingma and Ba, algorithm 1; momentum as in torch."""
    m = v = 0.0
    found = []
    for t, (pull, rate) in enumerate(zip(pulls, rates), 1):
        gradient = pull + settings.weight_decay * value
        if isinstance(settings, Adam):
            m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2
            value -= rate * (m / (1 - 0.9**t)) / ((v / (1 - 0.999**t)) ** 0.5 + 1e-8)
        else:
            m = settings.momentum * m + gradient
            value -= rate * m
        found.append(value)
    return found
