"""NCE+RCE, NCE+AGCE and GJS against their equations, in numpy and on numbers worked out by hand."""

from math import log

import numpy as np
import pytest
import torch
from small import CLASSES, IMAGES, LABELS, ROWS, batch, made, softmax, total
from torch import Tensor

from benchmark import plugins
from benchmark.plan.catalogue import method_info
from methods.gjs import generalised_js
from methods.nce_agce import asymmetric_cross_entropy
from methods.nce_rce import normalised_cross_entropy

GENERAL = ("nce_rce", "nce_agce", "gjs", "forward", "sop", "jocor", "cdr", "dividemix", "disc")


@pytest.mark.parametrize("name", GENERAL)
def test_the_defaults_are_in_a_card(name: str) -> None:
    kept = method_info(plugins.find_methods()[name])
    assert kept["source"] and kept["parameters"] and kept["recipe"]["epochs"] == 60


@pytest.mark.parametrize(
    ("name", "option", "value"),
    [
        ("nce_rce", "log_zero", 0.0),
        ("nce_agce", "a", 0.0),
        ("nce_agce", "q", 0.0),
        ("gjs", "label_weight", 1.0),
        ("forward", "percentile", 101.0),
        ("forward", "estimate_epoch", 0),
        ("forward", "transition", "0.9,0.1"),
        ("forward", "transition", "0.9,0.2;0.2,0.8"),
        ("forward", "transition", "estimate"),
        ("sop", "lr_u", -1.0),
        ("jocor", "forget_rate", 1.0),
        ("jocor", "forget_epochs", 0),
        ("jocor", "lam", 1.1),
        ("cdr", "noise_rate", 1.0),
        ("dividemix", "warm_up", 0),
        ("dividemix", "temperature", 0.0),
        ("disc", "warm_up", 0),
        ("disc", "momentum", 1.1),
    ],
)
def test_values_outside_their_range_are_refused_by_name(name: str, option: str, value: float | str) -> None:
    with pytest.raises(ValueError, match=f"{name}.{option}"):
        plugins.find_methods()[name].Parameters(**{option: value})


def logits_of(probabilities: list[list[float]]) -> Tensor:
    return torch.tensor(probabilities, dtype=torch.float64).log()


def test_the_normalised_cross_entropy_of_a_uniform_prediction_is_one_in_c() -> None:
    assert float(normalised_cross_entropy(torch.zeros(2, 5), torch.tensor([0, 3]))) == pytest.approx(1 / 5)


def test_the_normalised_cross_entropy_by_hand() -> None:
    # p = (1/2, 1/4, 1/4): log p_y / sum log p = 1 / (1 + 2 + 2) and 2 / 5 in units of log 1/2
    found = normalised_cross_entropy(logits_of([[0.5, 0.25, 0.25]] * 2), torch.tensor([0, 1]))
    assert float(found) == pytest.approx((1 / 5 + 2 / 5) / 2)


def test_nce_rce() -> None:
    losses, logits = made("nce_rce", alpha=2.0, beta=0.5).loss(batch())
    p = softmax(logits)
    normalised = np.log(p[ROWS, LABELS]) / np.log(p).sum(1)
    reverse = -log(1e-4) * (1 - p[ROWS, LABELS])
    assert float(losses["nce"].detach()) == pytest.approx(2 * normalised.mean(), rel=1e-5)
    assert float(losses["rce"].detach()) == pytest.approx(0.5 * reverse.mean(), rel=1e-5)


def test_agce_by_hand_and_in_nce_agce() -> None:
    # (7^1.5 - 6.5^1.5) / 1.5 at p_y = 1/2
    found = asymmetric_cross_entropy(logits_of([[0.5, 0.25, 0.25]]), torch.tensor([0]), a=6, q=1.5)
    assert float(found) == pytest.approx((18.520259 - 16.571813) / 1.5, rel=1e-5)
    losses, logits = made("nce_agce").loss(batch())
    given = softmax(logits)[ROWS, LABELS]
    assert float(losses["agce"].detach()) == pytest.approx(4 * ((7**1.5 - (6 + given) ** 1.5) / 1.5).mean(), rel=1e-4)
    alone, _ = made("nce_rce", beta=0.0).loss(batch())
    assert float(losses["nce"].detach()) == pytest.approx(total(alone), rel=1e-6)


@pytest.mark.parametrize("name", ["nce_rce", "nce_agce", "gjs", "sop"])
def test_gradients_are_finite_where_a_class_underflows(name: str) -> None:
    method, seen = made(name), batch()
    seen.second = seen.images
    with torch.no_grad():
        method.classifier.weight.zero_()
        method.classifier.bias.copy_(torch.tensor([0.0] + [200.0] * (CLASSES - 1)))
    sum(method.loss(seen)[0].values()).backward()
    assert all(torch.isfinite(p.grad).all() for p in method.parameters())


SURE = 60.0  # of a logit: a one-hot prediction to double precision


def test_gjs_of_three_equal_distributions_is_nothing() -> None:
    logits = torch.eye(4, dtype=torch.float64) * SURE
    assert float(generalised_js(logits, logits, torch.arange(4), 0.3)) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("weight", [0.1, 0.3, 0.9])
def test_gjs_of_two_views_that_are_sure_of_another_class(weight: float) -> None:
    logits = torch.eye(4, dtype=torch.float64) * SURE
    expected = 1 + weight * log(weight) / ((1 - weight) * log(1 - weight))
    found = generalised_js(logits, logits, torch.arange(4).roll(1), weight)
    assert float(found) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("together", [True, False])
def test_gjs_against_entropies(together: bool) -> None:
    """The divergence is also the entropy of the mean less the mean of the entropies."""
    method, seen = made("gjs", together=together, label_weight=0.4), batch()
    seen.second = batch(seed=2).images
    losses, logits = method.loss(seen)
    views = torch.cat([seen.images, seen.second])
    both = method.logits(views) if together else torch.cat([method.logits(part) for part in views.chunk(2)])
    one, two = (softmax(part) for part in both.chunk(2))

    def entropy(p: np.ndarray) -> np.ndarray:
        return -(p * np.log(np.maximum(p, 1e-300))).sum(1)

    mean = 0.4 * np.eye(CLASSES)[LABELS] + 0.3 * one + 0.3 * two
    divergence = entropy(mean) - 0.3 * entropy(one) - 0.3 * entropy(two)
    assert total(losses) == pytest.approx(divergence.mean() / (-0.6 * log(0.6)), rel=1e-4)
    assert logits.shape == (IMAGES, CLASSES) and np.allclose(softmax(logits), one, atol=1e-5)


def test_gjs_asks_for_a_second_draw_of_the_augmentation() -> None:
    assert plugins.find_methods()["gjs"].recipe.augment.second_view == "fresh"
