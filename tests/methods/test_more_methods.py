"""The further methods against their equations, written out again with numpy."""

import numpy as np
import pytest
import torch
from small import CLASSES, IMAGES, LABELS, ROWS, batch, made, softmax, total

from benchmark import plugins
from benchmark.plan.catalogue import method_info
from methods.base import Batch

NAMES = ("label_smoothing", "mixup", "gce", "sce", "elr", "co_teaching")


@pytest.mark.parametrize("name", NAMES)
def test_the_defaults_are_in_a_card_and_bad_values_are_refused(name: str) -> None:
    kept = method_info(plugins.find_methods()[name])
    assert kept["source"] and kept["parameters"] and kept["recipe"]["epochs"] == 60
    with pytest.raises(TypeError):
        plugins.find_methods()[name].Parameters(no_such_option=1)


@pytest.mark.parametrize(
    ("name", "option", "value"),
    [
        ("label_smoothing", "epsilon", 1.1),
        ("mixup", "alpha", 0.0),
        ("gce", "q", 0.0),
        ("sce", "log_zero", 0.0),
        ("elr", "momentum", 1.0),
        ("co_teaching", "forget_rate", 1.0),
        ("co_teaching", "forget_epochs", 0),
    ],
)
def test_values_outside_their_range_are_refused_by_name(name: str, option: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{name}.{option}"):
        plugins.find_methods()[name].Parameters(**{option: value})


def test_label_smoothing() -> None:
    losses, logits = made("label_smoothing", epsilon=0.3).loss(batch())
    smoothed = 0.7 * np.eye(CLASSES)[LABELS] + 0.3 / CLASSES
    assert total(losses) == pytest.approx(-(smoothed * np.log(softmax(logits))).sum(1).mean(), rel=1e-5)


def test_gce_and_its_two_limits() -> None:
    losses, logits = made("gce", q=0.7).loss(batch())
    given = softmax(logits)[ROWS, LABELS]
    assert total(losses) == pytest.approx(((1 - given**0.7) / 0.7).mean(), rel=1e-5)
    assert total(made("gce", q=1.0).loss(batch())[0]) == pytest.approx((1 - given).mean(), rel=1e-5)
    assert total(made("gce", q=1e-3).loss(batch())[0]) == pytest.approx(-np.log(given).mean(), rel=1e-2)


def test_the_gradient_of_gce_is_finite_where_the_given_class_underflows() -> None:
    method = made("gce")
    with torch.no_grad():
        method.classifier.weight.zero_()
        method.classifier.bias.copy_(torch.tensor([0.0] + [200.0] * (CLASSES - 1)))
    sum(method.loss(batch())[0].values()).backward()
    assert all(torch.isfinite(p.grad).all() for p in method.parameters())


def test_sce() -> None:
    losses, logits = made("sce", alpha=0.1, beta=1.0, log_zero=-4.0).loss(batch())
    p, one_hot = softmax(logits), np.eye(CLASSES)[LABELS]
    forward = -np.log(p[ROWS, LABELS]).mean()
    reverse = -(p * np.where(one_hot > 0, 0.0, -4.0)).sum(1).mean()
    assert total(losses) == pytest.approx(0.1 * forward + reverse, rel=1e-5)


def test_mixup_mixes_images_and_labels_in_the_same_shares() -> None:
    method, seen = made("mixup", alpha=2.0), batch()
    inputs = []
    method.backbone.register_forward_pre_hook(lambda module, args: inputs.append(args[0]))
    losses, logits = method.loss(seen)
    flat, mixed = seen.images.flatten(1).double().numpy(), inputs[0].detach().flatten(1).double().numpy()
    weights = np.linalg.lstsq(flat.T, mixed.T, rcond=None)[0].T
    own = weights.max(1)
    one_hot = np.eye(CLASSES)[LABELS]
    assert own.min() >= 0.5 and np.allclose(np.sort(weights, 1)[:, :-2], 0, atol=1e-5)
    assert np.allclose(weights.sum(1), 1, atol=1e-5)
    assert total(losses) == pytest.approx(-((weights @ one_hot) * np.log(softmax(logits))).sum(1).mean(), rel=1e-4)


def test_the_shares_of_mixup_follow_the_beta_distribution_and_the_given_generator() -> None:
    from methods.mixup import draw_share

    def draws(seed: int) -> np.ndarray:
        generator = torch.Generator().manual_seed(seed)
        return np.array([float(draw_share(8.0, generator, torch.device("cpu"))) for _ in range(4000)])

    before = torch.random.get_rng_state()
    one = draws(1)
    assert (one == draws(1)).all() and (one != draws(2)).any() and (torch.random.get_rng_state() == before).all()
    # lambda ~ Beta(a, a): E (lambda - 1/2)^2 = 1 / (4 (2 a + 1))
    assert np.mean((one - 0.5) ** 2) == pytest.approx(1 / (4 * 17), rel=0.1)


def test_elr_and_its_targets_over_two_epochs() -> None:
    method = made("elr", weight=3.0, momentum=0.7)
    targets = np.zeros((IMAGES, CLASSES))
    for epoch in (1, 2):
        losses, logits = method.loss(batch(epoch, seed=epoch))
        p = softmax(logits).clip(1e-4, 1 - 1e-4)
        targets = 0.7 * targets + 0.3 * p / p.sum(1, keepdims=True)
        expected = -np.log(softmax(logits)[ROWS, LABELS]).mean() + 3 * np.log(1 - (targets * p).sum(1)).mean()
        assert total(losses) == pytest.approx(expected, rel=1e-4)
        assert np.allclose(method.targets.numpy(), targets, atol=1e-5)
    assert "targets" in method.state_dict() and not method.targets.requires_grad


def test_elr_changes_only_the_targets_of_its_batch() -> None:
    method, whole = made("elr"), batch()
    method.loss(Batch(whole.images[:4], whole.labels[:4], torch.tensor([7, 2, 9, 4])))
    assert method.targets.sum(1).nonzero()[:, 0].tolist() == [2, 4, 7, 9]


@pytest.mark.parametrize(("epoch", "kept"), [(1, 1.0), (2, 0.96), (6, 0.8), (60, 0.8)])
def test_co_teaching_forgets_more_until_it_forgets_tau(epoch: int, kept: float) -> None:
    assert made("co_teaching", forget_rate=0.2, forget_epochs=5).kept(epoch) == pytest.approx(kept)


def test_co_teaching_learns_from_what_the_other_network_finds_easy() -> None:
    method, seen = made("co_teaching", forget_rate=0.5, forget_epochs=1), batch(epoch=9)
    losses, logits = method.loss(seen)
    other = method.other_classifier(method.other_backbone(seen.images))
    one, two = (-np.log(softmax(x)[ROWS, LABELS]) for x in (logits, other))
    assert len(set(np.argsort(one)[:6]) ^ set(np.argsort(two)[:6])) > 0  # the exchange matters here
    assert float(losses["first"].detach()) == pytest.approx(one[np.argsort(two)[:6]].mean(), rel=1e-4)
    assert float(losses["second"].detach()) == pytest.approx(two[np.argsort(one)[:6]].mean(), rel=1e-4)


def test_the_networks_of_co_teaching_start_alike_and_part() -> None:
    method = made("co_teaching")
    one, two = method.backbone.conv1.weight, method.other_backbone.conv1.weight
    assert torch.equal(one, two) and one.data_ptr() != two.data_ptr()
    assert not torch.equal(method.classifier.weight, method.other_classifier.weight)
    sum(method.loss(batch())[0].values()).backward()
    assert not torch.equal(one.grad, two.grad)
