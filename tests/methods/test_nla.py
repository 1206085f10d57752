"""NLA against the published program's numbers: loss, gradients, whole epochs; and what each option changes."""

import numpy as np
import pytest
import torch
from golden_files import load
from small_networks import WANDERING, Small, close, on_logits

from methods.base import Batch, Run
from methods.nla import NLA, bell_covariance, bell_density, narrowing_factor, view_disagreement

FLOAT64, FLOAT32 = torch.float64, torch.float32
LOSSES = ("nla_loss_01", "nla_loss_03", "nla_loss_05")
NAMES = {
    "lam_a": "weight_ce", "lam_b": "weight_naw", "lam_c": "weight_consistency", "slope": "slope",
    "t_lambda": "true_factor", "t_std_major": "spread_true", "t_std_ratio": "ratio_true", "f_std_major": "spread_false",
    "f_std_ratio": "ratio_false",
}  # fmt: skip


def settings(golden: dict, **changes: object) -> NLA.Parameters:
    """The parameters of a golden file under our names; the published sum over the batch."""
    theirs = dict(zip(map(str, golden["parameter_names"]), map(float, golden["parameter_values"])))
    ours = {NAMES[name]: value for name, value in theirs.items() if name in NAMES}
    ours |= {
        f"mean_{long}": (theirs[f"mu_x_{short}"], theirs[f"mu_y_{short}"])
        for long, short in (("true", "t"), ("false", "f"))
    }
    return NLA.Parameters(**{"consistency_reduction": "sum"} | ours | changes)


def method_of(golden: dict, parameters: NLA.Parameters, dtype: torch.dtype, batch_size: int = 32) -> NLA:
    labels, classes = torch.from_numpy(golden["labels"]), golden["logits1"].shape[1]
    run = Run(classes, len(labels), int(golden["epochs"]), 1, batch_size, 1, True, 0)
    return on_logits(NLA(parameters), classes, run, labels).to(dtype)


def batch_of(golden: dict, dtype: torch.dtype) -> Batch:
    one, two = (torch.from_numpy(golden[f"logits{n}"]).to(dtype).requires_grad_() for n in (1, 2))
    labels = torch.from_numpy(golden["labels"])
    return Batch(one, labels, torch.arange(len(labels)), epoch=int(golden["epoch"]) + 1, second=two)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize(("dtype", "tolerance"), [(FLOAT64, 1e-10), (FLOAT32, 2e-5)])
def test_losses_and_gradients_are_the_published_ones(name: str, dtype: torch.dtype, tolerance: float) -> None:
    golden = load(name)
    p, batch = settings(golden), batch_of(golden, dtype)
    method = method_of(golden, p, dtype)
    e = narrowing_factor(batch.epoch, method.epochs, p.slope)
    close(e, golden["e"], 1e-12)
    for made, kept in (
        (bell_covariance(p.spread_true, p.ratio_true, -e), "t_cov"),
        (bell_covariance(p.spread_false, p.ratio_false, 1), "f_cov"),
    ):
        close(np.array([made, made[::-1]]), golden[kept], 1e-12)
    weight, leads = method.weights(batch.images.log_softmax(1), batch.labels, batch.epoch)
    assert np.array_equal(leads.numpy(), golden["target_is_max"])
    close(weight, golden["weight"], tolerance)
    losses, logits = method.loss(batch)
    assert torch.equal(logits, batch.images)
    close(losses["ce"], p.weight_ce * golden["ce"].mean(), tolerance)
    close(losses["naw"], p.weight_naw * golden["naw"].mean(), tolerance)
    close(losses["consistency"], p.weight_consistency * golden["jsd"], tolerance)
    total = sum(losses.values())
    close(total, golden["total"], tolerance)
    total.backward()
    defined = np.setdiff1d(np.arange(len(batch.labels)), golden["tie_rows"])
    close(batch.images.grad[defined], golden["grad_logits1"][defined], tolerance)
    close(batch.second.grad, golden["grad_logits2"], tolerance)


@pytest.mark.parametrize(("dtype", "tolerance"), [(FLOAT64, 1e-8), (FLOAT32, 1e-4)])
def test_whole_epochs_end_at_the_published_weights(dtype: torch.dtype, tolerance: float) -> None:
    golden = load("nla_steps_01")
    method = NLA(NLA.Parameters(consistency_reduction="sum"))
    method.build(Small(golden["init.a.weight"].shape[1], golden["init.a.weight"].shape[0]), len(golden["init.fc.bias"]))
    method.to(dtype)
    ours = {name: name.replace("backbone.", "").replace("classifier", "fc") for name in method.state_dict()}
    start = {
        mine: torch.from_numpy(golden[f"init.{theirs}"]) for mine, theirs in ours.items() if f"init.{theirs}" in golden
    }
    method.load_state_dict(method.state_dict() | start)
    steps = int(golden["batches_per_epoch"])
    method.begin(torch.zeros(16, dtype=torch.int64), Run(7, 16, int(golden["epochs"]), steps, 16, 1, True, 0))
    method.train()
    optimiser = torch.optim.Adam(method.parameters(), float(golden["lr"]), weight_decay=float(golden["weight_decay"]))
    for epoch in range(3):
        sums = []
        for step in range(epoch * steps, (epoch + 1) * steps):
            one, two = (torch.from_numpy(golden[f"s{step}_view{n}"]).to(dtype) for n in (1, 2))
            labels = torch.from_numpy(golden[f"s{step}_labels"])
            losses, _ = method.loss(Batch(one, labels, torch.arange(16), epoch + 1, second=two))
            optimiser.zero_grad()
            sum(losses.values()).backward()
            optimiser.step()
            sums.append(float(sum(losses.values()).detach()))
        optimiser.param_groups[0]["lr"] *= float(golden["gamma"])
        close(np.mean(sums), golden[f"e{epoch}_mean_loss"], tolerance)
        close(optimiser.param_groups[0]["lr"], golden[f"e{epoch}_next_lr"], 1e-12)
        for mine, theirs in ours.items():
            if f"e{epoch}_after.{theirs}" in golden and (dtype == FLOAT64 or theirs not in WANDERING):
                close(method.state_dict()[mine], golden[f"e{epoch}_after.{theirs}"], tolerance)


def test_the_bell_in_sum_and_difference_is_the_density_of_the_covariance() -> None:
    given, other = torch.rand(2, 50, dtype=FLOAT64, generator=torch.Generator().manual_seed(0))
    a, b = bell_covariance(0.8, 2.0, -0.7)
    joint = torch.distributions.MultivariateNormal(
        torch.tensor([0.5, 0.4], dtype=FLOAT64), torch.tensor([[a, b], [b, a]], dtype=FLOAT64)
    )
    theirs = joint.log_prob(torch.stack([given, other], 1)).exp()
    assert torch.allclose(bell_density(given, other, (0.5, 0.4), (a, b)), theirs, rtol=1e-12)


def test_one_logsumexp_is_the_divergence_from_the_softmax_of_the_mean_logits() -> None:
    one, two = torch.randn(2, 20, 7, dtype=FLOAT64, generator=torch.Generator().manual_seed(0))
    p, q, middle = one.log_softmax(1), two.log_softmax(1), ((one + two) / 2).log_softmax(1)
    literal = ((middle.exp() * (middle - p)).sum(1) + (middle.exp() * (middle - q)).sum(1)) / 2
    assert torch.allclose(view_disagreement(p, q), literal, rtol=1e-10)
    mean = (p.exp() + q.exp()) / 2
    js = ((p.exp() * (p - mean.log())).sum(1) + (q.exp() * (q - mean.log())).sum(1)) / 2
    assert torch.allclose(view_disagreement(p, q, "js"), js, rtol=1e-10) and not torch.allclose(js, literal, rtol=1e-3)


@pytest.mark.parametrize(("reduction", "factor"), [("scaled", 32 / 64), ("mean", 1 / 32), ("sum", 1.0)])
def test_the_consistency_keeps_its_weight_at_another_batch_size(reduction: str, factor: float) -> None:
    golden = load("nla_loss_01")
    method = method_of(golden, settings(golden, consistency_reduction=reduction), FLOAT64, batch_size=64)
    losses, _ = method.loss(batch_of(golden, FLOAT64))
    close(losses["consistency"], 0.5 * factor * golden["jsd"], 1e-10)


def test_a_detached_weight_changes_gradients_and_no_value() -> None:
    golden = load("nla_loss_01")
    batch = batch_of(golden, FLOAT64)
    total = sum(method_of(golden, settings(golden, detach_weight=True), FLOAT64).loss(batch)[0].values())
    close(total, golden["total"], 1e-10)
    total.backward()
    assert np.abs(batch.images.grad.numpy() - golden["grad_logits1"]).max() > 1e-3


def test_curves_and_opinion() -> None:
    golden = load("nla_loss_01")
    method, batch = method_of(golden, settings(golden), FLOAT64), batch_of(golden, FLOAT64)
    method.loss(batch)
    curves = method.after_epoch(1)
    close(curves["mean weight"], golden["weight"].mean(), 1e-6)
    close(curves["given label leads"], golden["target_is_max"].mean(), 1e-6)
    assert not method.tallied.any()
    _, wrongness = method.opinion(batch)
    close(wrongness, golden["p_nn"] - golden["p_gt"], 1e-10)


@pytest.mark.parametrize("wrong", [{"divergence": "kl"}, {"slope": 1.0}, {"weight_ce": -1}, {"mean_true": (1, 2, 3)}])
def test_a_setting_that_cannot_be_is_refused(wrong: dict) -> None:
    with pytest.raises(ValueError, match=f"nla.{next(iter(wrong))}"):
        NLA.Parameters(**wrong)
