"""ReSup against the published program's numbers: mixture, table, loss, a whole run; and what each option changes."""

import numpy as np
import pytest
import torch
from golden_files import load
from small_networks import Small, close, on_logits

from methods.base import Batch, Run
from methods.resup import (
    Mixture,
    ReSup,
    bound_similarities,
    cosine_to_label,
    fit_mixture,
    flatten_after_maximum,
    look_up,
    make_rising,
    posterior_table,
)

FLOAT64, FLOAT32 = torch.float64, torch.float32


@pytest.mark.parametrize("name", ["resup_mixture_01", "resup_mixture_03"])
def test_the_fit_and_its_table_are_the_published_ones(name: str) -> None:
    golden = load(name)
    collected = torch.from_numpy(golden["similarity"])
    x = bound_similarities(collected, 1e-4)
    close(x, golden["fit_input"], 1e-9)
    for iterations in range(1, 11):
        close(torch.cat(fit_mixture(x, iterations)), golden["trace"][iterations], 1e-9)
    both = fit_mixture(torch.stack([x, x.flip(0)]), 10)  # two networks at once
    for part, kept in zip(both, ("alphas", "betas", "weights")):
        close(part, np.stack([golden[kept]] * 2), 1e-9)
    raw = posterior_table(both, 100)
    close(raw[0], golden["posterior_grid"], 1e-9)
    close(flatten_after_maximum(raw)[1], golden["table"], 1e-9)
    found = look_up(torch.from_numpy(golden["table"]), torch.from_numpy(golden["query"]), 1e-4)
    close(found, golden["clean_probability"], 1e-9)


def method_of(golden: dict, dtype: torch.dtype, **settings: object) -> ReSup:
    labels, classes = torch.from_numpy(golden["labels"]), golden["logits1"].shape[1]
    run = Run(classes, len(labels), 30, 1, 96, 1, True, 0)
    method = on_logits(ReSup(ReSup.Parameters(**settings)), classes, run, labels, networks=2).to(dtype)
    tables = torch.from_numpy(np.stack([golden["table1"], golden["table2"]]))
    method.tables, method.similar = tables.double(), method.similar.double()  # never in single precision
    return method


@pytest.mark.parametrize("name", ["resup_loss_01", "resup_loss_03"])
@pytest.mark.parametrize(("dtype", "tolerance"), [(FLOAT64, 1e-11), (FLOAT32, 1e-5)])
def test_losses_and_gradients_are_the_published_ones(name, dtype, tolerance, monkeypatch) -> None:
    golden = load(name)
    method = method_of(golden, dtype)
    one, two = (torch.from_numpy(golden[f"logits{n}"]).to(dtype).requires_grad_() for n in (1, 2))
    monkeypatch.setattr(method, "both", lambda images: (one, two))
    labels = torch.from_numpy(golden["labels"])
    epoch = int(golden["epoch"])
    losses, logits = method.loss(Batch(one, labels, torch.arange(len(labels)), epoch + 1))
    assert logits is one
    total = sum(losses.values())
    close(total, golden["total"], tolerance)
    total.backward()
    close(one.grad, golden["grad_logits1"], tolerance)
    close(two.grad, golden["grad_logits2"], tolerance)
    if epoch:
        for n in (1, 2):
            close(method.similar[n - 1], golden[f"similarity{n}"], tolerance)
        clean = [golden["clean_probability2"], golden["clean_probability1"]]  # the other network's
        for name, weight, ce in (("first", clean[0], golden["ce1"]), ("second", clean[1], golden["ce2"])):
            close(losses[name], (weight * ce).mean(), tolerance)
        close(losses["agreement"], 5 * golden["disagreement"].mean(), tolerance)


def test_the_loss_files_hold_a_plain_epoch_and_a_weighted_one() -> None:
    epochs = sorted(int(load(name)["epoch"]) for name in ("resup_loss_01", "resup_loss_03"))
    assert epochs[-1] >= 1, epochs


def load_start(method: ReSup, golden: dict) -> dict[str, str]:
    """Fill the two small networks; returns {our name: theirs}."""
    ours = {}
    for name in method.state_dict():
        first, rest = name.split(".", 1) if "." in name else ("", name)
        number = "2" if first.startswith("other") else "1"
        if first.endswith("classifier"):
            ours[name] = f"fc{number}.{rest}"
        elif first.endswith("backbone"):
            layer, part = rest.split(".")
            ours[name] = f"{layer}{number}.{part}"
    start = {
        mine: torch.from_numpy(golden[f"init.{theirs}"]) for mine, theirs in ours.items() if f"init.{theirs}" in golden
    }
    method.load_state_dict(method.state_dict() | start)
    return ours


@pytest.mark.parametrize(("dtype", "tolerance"), [(FLOAT64, 1e-7), (FLOAT32, 1e-2)])
def test_a_whole_run_goes_as_published(dtype: torch.dtype, tolerance: float) -> None:
    golden = load("resup_steps_01")
    width, inputs = golden["init.a1.weight"].shape
    method = ReSup(ReSup.Parameters())
    method.build(Small(inputs, width), 7, Small(inputs, width))
    method.to(dtype)
    ours, labels = load_start(method, golden), torch.from_numpy(golden["labels"])
    size, epochs = int(golden["batch_size"]), len(golden["losses"])
    method.begin(labels, Run(7, len(labels), epochs, 5, size, 1, True, 0))
    optimiser, lr = torch.optim.Adam(method.parameters(), float(golden["lr"])), float(golden["lr"])
    for epoch in range(epochs):
        found = []
        method.train()
        order, images = (torch.from_numpy(golden[f"e{epoch}_train_{part}"]) for part in ("order", "images"))
        for start in range(0, len(order), size):
            rows = order[start : start + size]
            batch = Batch(images[start : start + size].to(dtype), labels[rows], rows, epoch + 1)
            total = sum(method.loss(batch)[0].values())
            optimiser.zero_grad()
            total.backward()
            optimiser.step()
            found.append(float(total.detach()))
        close(np.array(found), golden["losses"][epoch], tolerance)
        method.eval()
        order, images = (torch.from_numpy(golden[f"e{epoch}_survey_{part}"]) for part in ("order", "images"))
        with torch.no_grad():
            method.survey_batch(Batch(images.to(dtype), labels[order], order, epoch + 1))
        mixture = fit_mixture(bound_similarities(method.similar, 1e-4), 10)
        method.after_epoch(epoch + 1)
        for group in optimiser.param_groups:
            group["lr"] = lr * 0.1 ** int((golden["milestones"] <= epoch + 1).sum())
        close(group["lr"], golden[f"e{epoch}_next_lr"], 1e-12)
        if dtype == FLOAT64:
            for n in (1, 2):
                for part, kept in zip(mixture, ("alphas", "betas", "weights")):
                    close(part[n - 1], golden[f"e{epoch}_{kept}{n}"], tolerance)
                close(method.tables[n - 1], golden[f"e{epoch}_table{n}"], tolerance)
            for mine, theirs in ours.items():
                if f"e{epoch}_after.{theirs}" in golden:
                    close(method.state_dict()[mine], golden[f"e{epoch}_after.{theirs}"], tolerance)


def test_an_exact_one_falls_below_a_slightly_less_sure_one() -> None:
    x = torch.tensor([0.0, 0.5, 0.9995, 1.0])
    assert bound_similarities(x, 1e-4).tolist() == pytest.approx([0.001, 0.5, 0.9995, 0.999])
    assert bound_similarities(x, 1e-4, exact_ones=False).tolist() == pytest.approx([1e-4, 0.5, 0.9995, 1 - 1e-4])
    assert cosine_to_label(torch.tensor([[12.0, 0, 0, 0, 0, 0, 0]]), torch.tensor([0])) == 1  # in float32


def test_a_rising_table_never_falls_and_a_flat_one_is_passed_over_in_the_opinion() -> None:
    raw = torch.tensor([[0.9, 0.2, 0.1, 0.4, 0.8], [0.1, 0.3, 0.2, 0.9, 0.5]], dtype=FLOAT64)
    assert torch.equal(
        make_rising(raw), torch.tensor([[0.1, 0.1, 0.1, 0.4, 0.8], [0.1, 0.2, 0.2, 0.5, 0.5]], dtype=FLOAT64)
    )
    assert torch.equal(flatten_after_maximum(raw)[0], torch.full((5,), 0.9, dtype=FLOAT64))
    assert flatten_after_maximum(raw)[1].tolist() == [0.1, 0.3, 0.2, 0.9, 0.9]
    golden = load("resup_loss_01")
    method = method_of(golden, FLOAT64).eval()
    batch = Batch(torch.from_numpy(golden["logits1"]).double(), torch.from_numpy(golden["labels"]), torch.arange(12))
    s = cosine_to_label(batch.images, batch.labels)
    method.tables = torch.full((2, 100), 0.7, dtype=FLOAT64)
    assert torch.allclose(method.opinion(batch)[1], 1 - s)
    method.tables[1, :50] = 0.1
    assert torch.allclose(method.opinion(batch)[1], 1 - (s + torch.where(s < 0.5, 0.1, 0.7)) / 2)


def test_a_mixture_that_cannot_be_fitted_leaves_its_table_and_not_the_others() -> None:
    golden = load("resup_loss_01")
    method = method_of(golden, FLOAT64)
    before = method.tables.clone()
    method.similar[0] = 0.4
    method.similar[1] = torch.linspace(0.1, 0.9, 12)
    found = method.after_epoch(1)
    assert torch.equal(method.tables[0], before[0]) and not torch.equal(method.tables[1], before[1])
    assert method.tables.isfinite().all() and 0 < found["clean share"] < 1


def test_similarities_come_from_the_survey_or_from_the_steps() -> None:
    assert ReSup(ReSup.Parameters()).survey_after(3) == "augmented"
    assert ReSup(ReSup.Parameters(similarities="steps")).survey_after(3) is None


def test_both_networks_can_predict() -> None:
    golden = load("resup_loss_01")
    method = method_of(golden, FLOAT64, predict="mean")
    torch.nn.init.normal_(method.other_classifier.weight, generator=torch.Generator().manual_seed(0))
    images = torch.from_numpy(golden["logits1"]).double()
    one, two = (logits.softmax(1) for logits in method.both(images))
    assert torch.allclose(method.logits(images).softmax(1), (one + two) / 2)


@pytest.mark.parametrize("wrong", [{"table": "flat"}, {"bins": 1}, {"smallest": 0.2}, {"predict": "second"}])
def test_a_setting_that_cannot_be_is_refused(wrong: dict) -> None:
    with pytest.raises(ValueError, match=f"resup.{next(iter(wrong))}"):
        ReSup.Parameters(**wrong)


def test_a_mixture_is_a_row_each() -> None:
    parts = Mixture(
        *(torch.rand(2, 2, dtype=FLOAT64, generator=torch.Generator().manual_seed(n)) + 1 for n in range(3))
    )
    both = posterior_table(parts, 20)
    assert torch.equal(both[1], posterior_table(Mixture(*(part[1] for part in parts)), 20))
