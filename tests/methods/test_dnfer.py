"""DNFER against its program's numbers: thresholds, losses, gradients, whole epochs; and what each option changes."""

import numpy as np
import pytest
import torch
from golden_files import load
from small_networks import WANDERING, Small, close, on_logits

from methods.base import Batch, Run
from methods.dnfer import DNFER, select_confident, supervised_loss

FLOAT64, FLOAT32 = torch.float64, torch.float32
LOSSES = ("dnfer_loss_01", "dnfer_loss_03")


def loss_of(golden: dict, dtype: torch.dtype, epoch: int = 9, **settings: object) -> tuple[DNFER, Batch, dict]:
    labels, classes = torch.from_numpy(golden["labels"]), golden["logits_weak"].shape[1]
    parameters = DNFER.Parameters(**{"alpha": float(golden["alpha"])} | settings)
    method = on_logits(DNFER(parameters), classes, Run(classes, len(labels), 40, 1, 128, 1, True, 0), labels).to(dtype)
    weak, strong = (torch.from_numpy(golden[f"logits_{n}"]).to(dtype).requires_grad_() for n in ("weak", "strong"))
    batch = Batch(weak, labels, torch.arange(len(labels)), epoch, second=strong)
    return method, batch, method.loss(batch)[0]


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize(("dtype", "tolerance"), [(FLOAT64, 1e-11), (FLOAT32, 1e-5)])
def test_losses_and_gradients_are_the_published_ones(name: str, dtype: torch.dtype, tolerance: float) -> None:
    golden = load(name)
    method, batch, losses = loss_of(golden, dtype)
    both = 0
    for view, logits in (("weak", batch.images), ("strong", batch.second)):
        chosen = select_confident(logits.detach().softmax(1), batch.labels)
        assert np.array_equal(chosen.numpy(), golden[f"kept_{view}"])
        ce = torch.nn.functional.cross_entropy(logits.detach(), batch.labels, reduction="none")
        close(supervised_loss(ce, chosen), golden[f"supervision_{view}"], tolerance)
        both += golden[f"kept_{view}"].mean() / 2
    alpha = float(golden["alpha"])
    close(losses["ce"], (1 - alpha) * (golden["supervision_weak"] + golden["supervision_strong"]) / 2, tolerance)
    close(losses["consistency"], alpha * golden["consistency"], tolerance)
    total = sum(losses.values())
    close(total, golden["total"], tolerance)
    total.backward()
    close(batch.images.grad, golden["grad_logits_weak"], tolerance)
    close(batch.second.grad, golden["grad_logits_strong"], tolerance)
    close(method.after_epoch(9)["kept"], both, 1e-6)
    _, _, warm = loss_of(golden, dtype, epoch=5)
    close(sum(warm.values()), golden["warm_up_total"], tolerance)


@pytest.mark.parametrize(("dtype", "tolerance"), [(FLOAT64, 1e-8), (FLOAT32, 1e-4)])
def test_whole_epochs_end_at_the_published_weights(dtype: torch.dtype, tolerance: float) -> None:
    golden = load("dnfer_steps_01")
    method = DNFER(DNFER.Parameters(alpha=float(golden["alpha"]), warm_up=int(golden["warm_up_epochs"])))
    method.build(
        Small(golden["init.a.weight"].shape[1], golden["init.a.weight"].shape[0]), len(golden["init.classifier.bias"])
    )
    method.to(dtype)
    ours = {name: name.replace("backbone.", "") for name in method.state_dict()}
    start = {
        mine: torch.from_numpy(golden[f"init.{theirs}"]) for mine, theirs in ours.items() if f"init.{theirs}" in golden
    }
    method.load_state_dict(method.state_dict() | start)
    epochs, steps = int(golden["epochs"]), int(golden["batches_per_epoch"])
    method.begin(torch.zeros(16, dtype=torch.int64), Run(7, 16, epochs, steps, 16, 1, True, 0))
    method.train()
    (head,) = method.heads()
    groups = [
        {"params": method.backbone.parameters(), "lr": float(golden["lr_backbone"])},
        {"params": head.parameters(), "lr": float(golden["lr_classifier"])},
    ]
    optimiser = torch.optim.Adam(groups)
    for epoch in range(epochs):
        close(np.array([group["lr"] for group in optimiser.param_groups]), golden[f"e{epoch}_lrs"], 1e-12)
        for step in range(epoch * steps, (epoch + 1) * steps):
            weak, strong = (torch.from_numpy(golden[f"s{step}_{view}"]).to(dtype) for view in ("weak", "strong"))
            labels = torch.from_numpy(golden[f"s{step}_labels"])
            losses, _ = method.loss(Batch(weak, labels, torch.arange(16), epoch + 1, second=strong))
            optimiser.zero_grad()
            sum(losses.values()).backward()
            optimiser.step()
        for group in optimiser.param_groups:
            group["lr"] *= float(golden["factor"])
        for mine, theirs in ours.items():
            if f"e{epoch}_after.{theirs}" in golden and (dtype == FLOAT64 or theirs not in WANDERING):
                close(method.state_dict()[mine], golden[f"e{epoch}_after.{theirs}"], tolerance)


def test_a_label_as_probable_as_its_class_on_average_is_kept() -> None:
    assert select_confident(torch.tensor([[0.5, 0.25, 0.25]] * 4), torch.tensor([0, 1, 2, 0])).all()
    assert select_confident(torch.tensor([[0.75, 0.25], [0.25, 0.75]]), torch.tensor([1, 1])).tolist() == [False, True]


def test_nats_are_smaller_than_bits_and_a_batch_average_than_that_of_the_kept() -> None:
    golden = load("dnfer_loss_01")
    close(
        loss_of(golden, FLOAT64, base="e")[2]["consistency"], golden["alpha"] * golden["consistency"] * np.log(2), 1e-11
    )
    losses = torch.tensor([1.0, 2.0, 4.0, 9.0])
    chosen = torch.tensor([True, False, True, False])
    assert supervised_loss(losses, chosen) == 2.5 and supervised_loss(losses, chosen, "batch") == 1.25
    assert supervised_loss(losses, ~chosen.new_ones(4)) == 4.0


@pytest.mark.parametrize("wrong", [{"base": "10"}, {"average": "all"}, {"alpha": 2}, {"warm_up": -1}])
def test_a_setting_that_cannot_be_is_refused(wrong: dict) -> None:
    with pytest.raises(ValueError, match=f"dnfer.{next(iter(wrong))}"):
        DNFER.Parameters(**wrong)
