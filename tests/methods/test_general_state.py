"""Forward correction, SOP and JoCoR: what they estimate, keep of each image and choose, in slow forms."""

import numpy as np
import pytest
import torch
from small import CLASSES, IMAGES, LABELS, ROWS, batch, made, softmax, total

from methods.base import Batch, Run
from methods.forward import estimate_transition, parse_transition
from methods.jocor import co_regularisation


def test_the_matrix_is_estimated_from_the_image_that_is_surest_of_each_class() -> None:
    predictions = torch.tensor([[0.9, 0.1, 0.0], [0.2, 0.7, 0.1], [0.1, 0.3, 0.6], [0.5, 0.4, 0.1]])
    assert torch.equal(estimate_transition(predictions, 100), predictions[[0, 1, 2]])


def test_the_surest_images_are_left_out_by_a_percentile() -> None:
    draw = np.random.default_rng(0)
    p = draw.dirichlet(np.ones(4), 101)
    found = estimate_transition(torch.from_numpy(p), 97).numpy()
    for k in range(4):
        below = np.sort(p[:, k])[96]  # the 97th percentile of 101 values is the 98th of them
        assert found[k] == pytest.approx(p[np.flatnonzero(p[:, k] == below)[0]])


def test_forward_with_the_identity_is_cross_entropy() -> None:
    identity = ";".join(",".join("1" if i == j else "0" for j in range(CLASSES)) for i in range(CLASSES))
    corrected, logits = made("forward", transition=identity).loss(batch(epoch=99))
    assert total(corrected) == pytest.approx(-np.log(softmax(logits)[ROWS, LABELS]).mean(), rel=1e-5)


def test_forward_predicts_the_given_label_through_the_matrix() -> None:
    rows = np.random.default_rng(1).dirichlet(np.ones(CLASSES), CLASSES)
    text = ";".join(",".join(f"{value:.6f}" for value in row) for row in rows)
    losses, logits = made("forward", transition=text).loss(batch())
    p = softmax(logits)
    expected = [-np.log(sum(rows[k, y] * p[i, k] for k in range(CLASSES))) for i, y in enumerate(LABELS)]
    assert total(losses) == pytest.approx(np.mean(expected), rel=1e-4)


def test_a_matrix_of_another_size_is_refused_before_training() -> None:
    method, run = made("forward", transition="0.9,0.1;0.2,0.8"), Run(3, IMAGES, 60, 1, IMAGES, 16, True, 0)
    with pytest.raises(ValueError, match=r"forward\.transition: 2 rows, but there are 3 classes"):
        method.check(run)
    assert parse_transition("0.9,0.1;0.2,0.8").tolist() == pytest.approx(np.array([[0.9, 0.1], [0.2, 0.8]]))


def test_forward_estimates_once_and_corrects_from_then_on() -> None:
    method = made("forward", estimate_epoch=2, percentile=100)
    for epoch in (1, 2):
        losses, logits = method.loss(batch(epoch, seed=epoch))
        assert total(losses) == pytest.approx(-np.log(softmax(logits)[ROWS, LABELS]).mean(), rel=1e-5)
        assert torch.equal(method.transition, torch.eye(CLASSES)) and method.after_epoch(epoch)
    p = softmax(logits)
    expected = p[p.argmax(0)]
    assert method.transition.numpy() == pytest.approx(expected, rel=1e-4)
    losses, logits = method.loss(batch(3, seed=3))
    given = (softmax(logits) @ expected)[ROWS, LABELS]
    method.after_epoch(3)
    assert total(losses) == pytest.approx(-np.log(given).mean(), rel=1e-4)
    assert method.transition.numpy() == pytest.approx(expected, rel=1e-4)


def test_an_image_without_a_prediction_does_not_enter_the_matrix() -> None:
    method, whole = made("forward", estimate_epoch=1), batch()
    method.loss(Batch(whole.images[:9], whole.labels[:9], torch.arange(9)))
    method.after_epoch(1)
    assert method.transition.sum(1).numpy() == pytest.approx(np.ones(CLASSES))


def test_sop_starts_as_cross_entropy_and_twice_the_share_of_errors() -> None:
    method = made("sop")
    method.u.zero_(), method.v.zero_()
    losses, logits = method.loss(batch())
    p = softmax(logits)
    assert float(losses["ce"].detach()) == pytest.approx(-np.log(p[ROWS, LABELS].clip(1e-4)).mean(), rel=1e-4)
    assert float(losses["mse"].detach()) == pytest.approx(2 * (p.argmax(1) != LABELS).mean())


def sop_by_hand(
    logits: torch.Tensor, u: np.ndarray, v: np.ndarray, detach: bool
) -> tuple[float, np.ndarray, np.ndarray]:
    """The loss in float64 and its gradients to u [B] and v [B, C], worked out by the chain rule."""
    p, one_hot = softmax(logits), np.eye(CLASSES)[LABELS]
    towards, away = (u**2)[:, None] * one_hot, v**2 * (1 - one_hot)
    raw = np.maximum(p + towards - away, 1e-4)
    share = (raw / raw.sum(1, keepdims=True))[ROWS, LABELS]
    residual = np.eye(CLASSES)[p.argmax(1)] + towards - away - one_hot
    loss = (-np.log(share)).mean() + (residual**2).sum(1).mean()
    by_ce = -2 * u * (1 / raw[ROWS, LABELS] - 1 / raw.sum(1)) / IMAGES
    by_mse = 0 if detach else 4 * u * residual[ROWS, LABELS] / IMAGES
    return loss, by_ce + by_mse, -4 * v * residual * (1 - one_hot) / IMAGES


@pytest.mark.parametrize("detach", [False, True])
def test_the_noise_vectors_of_sop_take_their_own_steps(detach: bool) -> None:
    method = made("sop", detach_u_in_mse=detach)
    draw = np.random.default_rng(0)
    u, v = draw.uniform(0.1, 0.5, IMAGES), draw.uniform(0.1, 0.4, (IMAGES, CLASSES))
    method.u.copy_(torch.from_numpy(u[:, None])), method.v.copy_(torch.from_numpy(v))
    seen = batch()
    losses, logits = method.loss(seen)
    expected, u_gradient, v_gradient = sop_by_hand(logits, u, v, detach)
    assert total(losses) == pytest.approx(expected, rel=1e-5)
    sum(losses.values()).backward()
    method.after_step(seen)
    faster = IMAGES / 128 * 120 / 60  # a batch of 12 and 60 epochs
    assert method.u.numpy()[:, 0] == pytest.approx(u - faster * 1 * u_gradient, rel=1e-4)
    assert method.v.numpy() == pytest.approx(v - faster * 10 * v_gradient, rel=1e-4)
    assert not method.u.requires_grad and {"u", "v"} <= set(method.state_dict())
    assert not {"u", "v"} & {name for name, _ in method.named_parameters()}


def test_sop_changes_only_the_vectors_of_its_batch_and_starts_by_its_seed() -> None:
    method, whole = made("sop"), batch()
    assert torch.equal(method.u, made("sop").u) and float(method.v.std()) == pytest.approx(1e-8, rel=0.2)
    before = method.u.clone()
    seen = Batch(whole.images[:4], whole.labels[:4], torch.tensor([7, 2, 9, 4]))
    sum(method.loss(seen)[0].values()).backward()
    method.after_step(seen)
    assert (method.u != before)[:, 0].nonzero()[:, 0].tolist() == [2, 4, 7, 9]


def test_the_wrongness_of_sop_is_its_noise_at_the_given_class() -> None:
    method = made("sop").eval()
    method.u[:, 0] = torch.linspace(0, 2, IMAGES)
    distribution, wrongness = method.opinion(batch())
    assert wrongness.numpy() == pytest.approx(np.minimum(np.linspace(0, 2, IMAGES) ** 2, 1), rel=1e-5)


def test_the_disagreement_of_jocor_by_hand() -> None:
    one, two = torch.tensor([[0.5, 0.5]]).log(), torch.tensor([[0.8, 0.2]]).log()
    # both Kullback-Leibler divergences: .5 ln(.5/.8) + .5 ln(.5/.2) = .2231, .8 ln(.8/.5) + .2 ln(.2/.5) = .1927
    assert float(co_regularisation(one, two)) == pytest.approx(0.22314 + 0.19274, abs=1e-4)


def test_jocor_learns_from_the_images_of_the_smallest_joint_loss() -> None:
    method, seen = made("jocor", forget_rate=0.5, forget_epochs=1, lam=0.7), batch(epoch=9)
    losses, logits = method.loss(seen)
    one, two = softmax(logits), softmax(method.other_classifier(method.other_backbone(seen.images)))
    supervised = -np.log(one[ROWS, LABELS]) - np.log(two[ROWS, LABELS])
    agreement = (one * np.log(one / two)).sum(1) + (two * np.log(two / one)).sum(1)
    joint = 0.3 * supervised + 0.7 * agreement
    assert total(losses) == pytest.approx(np.sort(joint)[: IMAGES // 2].mean(), rel=1e-4)


@pytest.mark.parametrize(("epoch", "kept"), [(1, 1.0), (2, 0.96), (6, 0.8), (60, 0.8)])
def test_jocor_forgets_as_co_teaching_does(epoch: int, kept: float) -> None:
    assert made("jocor", forget_rate=0.2, forget_epochs=5).kept(epoch) == pytest.approx(kept)


def test_both_networks_of_jocor_learn() -> None:
    method = made("jocor")
    sum(method.loss(batch())[0].values()).backward()
    assert method.backbone.conv1.weight.grad.any() and method.other_backbone.conv1.weight.grad.any()
