"""CDR, DivideMix and DISC: which weights learn, which labels are believed, what an image is used for; in slow forms."""

from statistics import NormalDist

import numpy as np
import pytest
import torch
from small import CLASSES, IMAGES, LABELS, ROWS, batch, made, softmax, total
from torch import Tensor

from methods.base import SGD, Batch
from methods.cdr import kth_largest
from methods.disc import members_first
from methods.dividemix import clean_probability, mean_of, sharpen


@pytest.mark.parametrize("rate", [0.0, 0.2, 0.9])
def test_cdr_keeps_the_gradients_of_the_weights_that_matter(rate: float) -> None:
    method, seen = made("cdr", noise_rate=rate), batch()
    sum(method.loss(seen)[0].values()).backward()
    before = {name: p.grad.clone() for name, p in method.named_parameters()}
    method.after_backward(seen)
    parameters = dict(method.named_parameters())
    weights = [name for name, p in parameters.items() if p.dim() in (2, 4)]
    every = np.concatenate([(parameters[n].detach() * before[n]).abs().flatten().numpy() for n in weights])
    limit = np.sort(every)[::-1][int((1 - rate) * len(every)) - 1]
    zeroed = 0
    for name, p in parameters.items():
        if name not in weights:
            assert torch.equal(p.grad, before[name])  # biases and batch norms learn as ever
            continue
        kept = (p.detach() * before[name]).abs() >= float(limit)
        assert torch.allclose(p.grad, torch.where(kept, before[name] * (1 - rate), 0.0))
        zeroed += int((~kept).sum())
    assert zeroed == (every < limit).sum() and (zeroed > 0) == (rate == 0.9)  # 16 pixels leave many gradients at zero


def test_the_threshold_of_cdr_by_hand() -> None:
    values = torch.tensor([3.0, 1.0, 5.0, 2.0, 4.0])
    assert [float(kth_largest(values, kept)) for kept in (1, 2, 5)] == [5, 4, 1]


def test_cdr_is_trained_without_adam() -> None:
    assert isinstance(type(made("cdr")).recipe.optimiser, SGD)


def mixture_by_hand(losses: np.ndarray) -> np.ndarray:
    """Two centres from the ends, then ten expectations and maximisations or until the likelihood stands still."""
    x = (losses - losses.min()) / (losses.max() - losses.min())
    centres = [0.0, 1.0]
    for _ in range(10):
        high = np.array([float(abs(value - centres[1]) < abs(value - centres[0])) for value in x])
        centres = [np.average(x, weights=1 - high), np.average(x, weights=high)]

    def densities(shares: np.ndarray) -> np.ndarray:
        mean = np.average(x, weights=shares)
        deviation = np.sqrt(np.average((x - mean) ** 2, weights=shares) + 5e-4)
        return shares.mean() * np.array([NormalDist(mean, deviation).pdf(value) for value in x])

    likelihood, done = -np.inf, False
    for _ in range(11):
        low, up = densities(1 - high), densities(high)
        high, before, likelihood = up / (low + up), likelihood, np.log(low + up).mean()
        if done:
            break
        done = abs(likelihood - before) < 0.01
    return 1 - high


def test_the_mixture_against_one_value_at_a_time() -> None:
    losses = np.random.default_rng(1).gamma(1.0, 1.0, 60)
    assert clean_probability(torch.from_numpy(losses)).numpy() == pytest.approx(mixture_by_hand(losses), abs=1e-5)


def test_the_mixture_separates_small_from_large_losses() -> None:
    draw = np.random.default_rng(0)
    losses = np.concatenate([draw.normal(0.3, 0.1, 80), draw.normal(3, 0.5, 20)])
    believed = clean_probability(torch.from_numpy(losses)).numpy()
    assert (believed[:80] > 0.5).all() and (believed[80:] < 0.5).all()


def test_the_mixture_does_not_depend_on_the_units_of_the_losses() -> None:
    losses = torch.rand(50, generator=torch.Generator().manual_seed(0)).double() ** 2
    assert torch.allclose(clean_probability(losses), clean_probability(7 + 3 * losses), atol=1e-5)


def test_equal_losses_are_believed_and_nothing_is_divided_by_nothing() -> None:
    assert torch.isfinite(clean_probability(torch.ones(6))).all()


def test_sharpening_keeps_the_best_class_and_squares_the_odds() -> None:
    shares = torch.from_numpy(np.random.default_rng(0).dirichlet(np.ones(5), 40))
    sharp = sharpen(shares, 0.5)
    assert torch.equal(sharp.argmax(1), shares.argmax(1)) and torch.allclose(sharp.sum(1), torch.ones(40).double())
    assert torch.allclose(sharp[:, 0] / sharp[:, 1], (shares[:, 0] / shares[:, 1]) ** 2)


def test_the_targets_of_dividemix() -> None:
    method, draw = made("dividemix", temperature=0.5), np.random.default_rng(0)
    one, two = draw.dirichlet(np.ones(CLASSES), IMAGES), draw.dirichlet(np.ones(CLASSES), IMAGES)
    w = draw.uniform(0, 1, IMAGES)
    found = method.targets(torch.from_numpy(LABELS), *(torch.from_numpy(part).float() for part in (w, one, two)))
    for i in range(IMAGES):
        label = np.eye(CLASSES)[LABELS[i]]
        raw = (w[i] * label + (1 - w[i]) * one[i]) if w[i] > 0.5 else (one[i] + two[i]) / 2
        assert found[i].numpy() == pytest.approx(raw**2 / (raw**2).sum(), rel=1e-4)
    assert (w > 0.5).any() and (w <= 0.5).any()


def divided(**parameters: float) -> tuple[torch.nn.Module, Batch, list[Tensor]]:
    """DivideMix after its warm-up, a batch, and what its first network is shown."""
    method, seen = made("dividemix", **parameters), batch(epoch=9)
    seen.second = batch(seed=2).images
    method.believed[:, 0] = torch.linspace(0, 1, IMAGES)
    method.believed[:, 1] = torch.linspace(1, 0, IMAGES)
    with torch.no_grad():
        for classifier in method.heads():
            classifier.weight.mul_(20)  # so that the two networks differ in what they predict
    shown: list[Tensor] = []
    method.backbone.register_forward_pre_hook(lambda module, args: shown.append(args[0]))
    return method, seen, shown


def test_mixmatch_of_dividemix_against_its_equations() -> None:
    method, seen, shown = divided(unlabelled_weight=25.0, ramp=4)
    losses, logits = method.loss(seen)
    views, mixture = torch.cat([seen.images, seen.second]), shown[-1]
    flat, mixed = views.flatten(1).double().numpy(), mixture.flatten(1).double().numpy()
    weights = np.linalg.lstsq(flat.T, mixed.T, rcond=None)[0].T  # of each view in each mixture
    again, _, _ = divided()  # once more from the start, to look at the same states
    first, second = again.each(views)
    p = softmax(again.classifier(again.backbone(mixture)))
    settled = again.eval().other_classifier(again.other_backbone(views))
    own, other = (torch.from_numpy(softmax(part)).view(2, IMAGES, -1).mean(0) for part in (first, settled))
    w = method.believed[:, 1]
    targets = weights @ method.targets(seen.labels, w, own, other).repeat(2, 1).numpy()
    labelled = np.tile(w.numpy() > 0.5, 2)
    expected = {
        "first labelled": -(targets * np.log(p)).sum(1)[labelled].mean(),
        "first unlabelled": 25 * ((p - targets) ** 2)[~labelled].mean(),
        "first balance": (np.log(1 / CLASSES / p.mean(0)) / CLASSES).sum(),
    }
    assert {name: float(losses[name].detach()) for name in expected} == pytest.approx(expected, rel=1e-3)
    assert np.allclose(softmax(logits), softmax(first)[:IMAGES], atol=1e-5)
    assert not np.allclose(softmax(settled), softmax(second), atol=1e-3)  # which mode it is in matters


@pytest.mark.parametrize("believed", [0.0, 1.0])
def test_a_batch_without_believed_or_without_other_labels_is_trained(believed: float) -> None:
    method, seen, _ = divided(unlabelled_weight=25.0)
    method.believed.fill_(believed)
    losses, _ = method.loss(seen)
    sum(losses.values()).backward()
    assert float(losses["first labelled" if believed == 0 else "first unlabelled"].detach()) == 0
    assert all(torch.isfinite(p.grad).all() for p in method.parameters())


def test_dividemix_warms_up_by_cross_entropy_of_both_networks() -> None:
    method, seen = made("dividemix", warm_up=2, warm_up_entropy=True), batch(epoch=2)
    losses, logits = method.loss(seen)
    one, two = (softmax(part) for part in method.each(seen.images))
    assert float(losses["first"].detach()) == pytest.approx(-np.log(one[ROWS, LABELS]).mean(), rel=1e-5)
    assert float(losses["second"].detach()) == pytest.approx(-np.log(two[ROWS, LABELS]).mean(), rel=1e-5)
    certainty = (one * np.log(one)).sum(1).mean() + (two * np.log(two)).sum(1).mean()
    assert float(losses["certainty"].detach()) == pytest.approx(certainty, rel=1e-5)


def test_each_network_of_dividemix_is_taught_by_the_survey_of_the_other() -> None:
    method = made("dividemix", warm_up=1).eval()
    seen = batch()
    assert [method.survey_after(epoch) for epoch in (1, 2)] == ["plain", "plain"]
    assert made("dividemix", warm_up=2).survey_after(1) is None
    with torch.no_grad():
        method.survey_batch(Batch(seen.images[6:], seen.labels[6:], seen.index[6:]))
        method.survey_batch(Batch(seen.images[:6], seen.labels[:6], seen.index[:6]))
        both = method.each(seen.images)
    method.after_epoch(1)
    for number, logits in enumerate(both):
        losses = -np.log(softmax(logits)[ROWS, LABELS])
        assert method.surveyed[:, number].numpy() == pytest.approx(losses, rel=1e-4)
        assert torch.equal(method.believed[:, number], clean_probability(method.surveyed[:, number]))
    used = []
    method.targets = lambda labels, w, *rest: used.append(w) or torch.full((IMAGES, CLASSES), 1 / CLASSES)
    after = batch(epoch=2)
    after.second = after.images
    method.train().loss(after)
    assert torch.equal(used[0], method.believed[:, 1]) and torch.equal(used[1], method.believed[:, 0])


def test_both_networks_of_dividemix_predict_and_lambda_u_rises() -> None:
    method = made("dividemix", unlabelled_weight=10.0, warm_up=2, ramp=4).eval()
    images = batch().images
    assert torch.allclose(method.logits(images), sum(method.each(images)))
    assert [method.unlabelled(epoch) for epoch in (3, 4, 9)] == pytest.approx([1.25, 3.75, 10])
    assert float(mean_of(torch.tensor([1.0, 2.0, 6.0]), torch.tensor([True, False, True]))) == 3.5


def test_members_fill_a_pass_and_count_once() -> None:
    rows, counts = members_first(torch.tensor([False, True, False, True, True]))
    assert rows.tolist() == [1, 3, 4, 1, 3] and counts.tolist() == [True, True, True, False, False]
    rows, counts = members_first(torch.zeros(3, dtype=torch.bool))
    assert sorted(rows.tolist()) == [0, 1, 2] and not counts.any()


def chosen_by_hand(method: torch.nn.Module, weak: np.ndarray, strong: np.ndarray) -> list[tuple[bool, bool, bool]]:
    found = []
    for i in range(IMAGES):
        h_w, h_s = (float(method.thresholds[k, i]) for k in (0, 1))
        passed = [weak[i, LABELS[i]] > h_w, strong[i, LABELS[i]] > h_s]
        m = (weak[i] + strong[i]) / 2
        corrected = m.max() > min((h_w + h_s) / 2 + 0.5, 0.99) and not any(passed)
        found.append((all(passed), sum(passed) == 1, corrected))
    return found


def test_disc_chooses_by_the_thresholds_before_they_rise() -> None:
    method, draw = made("disc", momentum=0.9), np.random.default_rng(3)
    weak, strong = (draw.dirichlet(np.full(CLASSES, 0.5), IMAGES) for _ in range(2))
    weak[1, 1] = strong[1, 1] = 0.5
    weak[0] = strong[0] = np.eye(CLASSES)[5] * 0.93 + 0.01  # sure of another class than the given one
    method.thresholds.copy_(torch.from_numpy(draw.uniform(0.05, 0.4, (2, IMAGES))))
    weak[2], strong[2] = np.eye(CLASSES)[5] * 0.93 + 0.01, np.eye(CLASSES)[5] * 0.83 + 0.01
    strong[2, 2] = 0.11  # hard, however sure it is of another class
    method.thresholds[:, 2] = 0.05
    method.weak.copy_(torch.from_numpy(weak)), method.strong.copy_(torch.from_numpy(strong))
    before, expected = method.thresholds.numpy().copy(), chosen_by_hand(method, weak, strong)
    shares = method.after_epoch(1)
    assert [tuple(column) for column in method.chosen.T.tolist()] == expected
    assert all(np.array(expected).any(0))  # every kind occurs
    assert method.corrected_labels.tolist() == (weak + strong).argmax(1).tolist()
    rise = 0.9 * before + 0.1 * np.stack([weak.max(1), strong.max(1)])
    assert method.thresholds.numpy() == pytest.approx(rise, rel=1e-5)
    assert float(shares["clean images"]) == pytest.approx(np.mean([kind[0] for kind in expected]))


def two_views_of(epoch: int) -> Batch:
    seen = batch(epoch)
    seen.second = batch(seed=2).images
    return seen


def test_disc_starts_with_cross_entropy_of_both_views_and_low_thresholds() -> None:
    method = made("disc", warm_up=3)
    assert torch.allclose(method.thresholds, torch.full((2, IMAGES), 1 / IMAGES))
    seen = two_views_of(3)
    losses, logits = method.loss(seen)
    both = softmax(method.logits(torch.cat([seen.images, seen.second])))
    given = np.log(both[np.arange(2 * IMAGES), np.tile(LABELS, 2)])
    assert total(losses) == pytest.approx(-2 * given.mean(), rel=1e-4)
    assert method.weak.numpy() == pytest.approx(both[:IMAGES], rel=1e-3, abs=1e-5)
    assert method.strong.numpy() == pytest.approx(both[IMAGES:], rel=1e-3, abs=1e-5)


def test_disc_gives_each_kind_of_image_its_loss() -> None:
    method, seen = made("disc", warm_up=1, hard_weight=0.5), two_views_of(2)
    kinds = torch.zeros(3, IMAGES, dtype=torch.bool)
    kinds[0, :4], kinds[1, 4:7], kinds[2, 7:9] = True, True, True
    method.chosen.copy_(kinds)
    method.corrected_labels.fill_(3)
    used: list[tuple[Tensor, Tensor]] = []
    method.mixed = lambda view, labels, member, _: used.append((labels, member)) or view.sum() * 0
    losses, _ = method.loss(seen)
    p = softmax(method.logits(torch.cat([seen.images, seen.second])))[np.arange(2 * IMAGES), np.tile(LABELS, 2)]
    weak, strong = p[:IMAGES], p[IMAGES:]
    clean = -(np.log(weak) + np.log(strong))[:4].sum() / IMAGES
    hard = ((1 - weak**0.7) / 0.7 + (1 - strong**0.7) / 0.7)[4:7].sum() / IMAGES
    assert float(losses["clean"].detach()) == pytest.approx(clean, rel=1e-4)
    assert float(losses["hard"].detach()) == pytest.approx(0.5 * hard, rel=1e-4)
    assert used[0][0].tolist() == [*LABELS[:7], 3, 3, *LABELS[9:]] and torch.equal(used[0][1], kinds.any(0))


def test_the_mixtures_of_disc_hold_members_only() -> None:
    method, seen = made("disc"), batch()
    member = torch.arange(IMAGES) % 3 == 0
    labels = torch.arange(IMAGES) % CLASSES
    shown: list[Tensor] = []
    method.backbone.register_forward_pre_hook(lambda module, args: shown.append(args[0]))
    loss = method.mixed(seen.images, labels, member, seen)
    flat, mixed = seen.images.flatten(1).double().numpy(), shown[0].flatten(1).double().numpy()
    weights = np.linalg.lstsq(flat.T, mixed.T, rcond=None)[0].T
    assert np.allclose(weights[:, ~member.numpy()], 0, atol=1e-5) and np.allclose(weights.sum(1), 1, atol=1e-5)
    p = softmax(method.classifier(method.backbone(shown[0])))
    each = -((weights @ np.eye(CLASSES)[LABELS]) * np.log(p)).sum(1)
    assert weights.max(1).min() >= 0.5 - 1e-6
    assert float(loss.detach()) == pytest.approx(each[: int(member.sum())].mean(), rel=1e-3)
    assert float(method.mixed(seen.images, labels, member & False, seen).detach()) == 0


def test_the_wrongness_of_disc_is_the_distance_to_its_best_class() -> None:
    method = made("disc").eval()
    draw = np.random.default_rng(0)
    weak, strong = (draw.dirichlet(np.ones(CLASSES), IMAGES) for _ in range(2))
    method.weak.copy_(torch.from_numpy(weak)), method.strong.copy_(torch.from_numpy(strong))
    mean = (weak + strong) / 2
    assert method.opinion(batch())[1].numpy() == pytest.approx(mean.max(1) - mean[ROWS, LABELS], rel=1e-4, abs=1e-6)
