"""The losses of each method by name: a record keeps a curve of each, and later records are laid beside earlier ones."""

import pytest
import torch
from small import batch, made

from benchmark import plugins

LOSSES = {
    "baseline": ["ce"],
    "cdr": ["ce"],
    "clex": ["complementary", "ce", "attention"],
    "co_teaching": ["first", "second"],
    "disc": ["ce"],  # in its warm-up
    "dividemix": ["first", "second"],
    "dnfer": ["ce", "consistency"],
    "eac": ["ce", "consistency"],
    "elr": ["ce", "elr"],
    "forward": ["forward"],
    "gce": ["gce"],
    "gjs": ["gjs"],
    "jocor": ["supervised", "agreement"],
    "label_smoothing": ["ce"],
    "mixup": ["own", "partner"],
    "nce_agce": ["nce", "agce"],
    "nce_rce": ["nce", "rce"],
    "nla": ["ce", "naw", "consistency"],
    "otp_ns": ["weighted ce", "consistency"],
    "resup": ["first", "second", "agreement"],
    "sce": ["ce", "rce"],
    "scn": ["ce", "rank"],
    "sop": ["ce", "mse"],
}


@pytest.mark.parametrize("name", LOSSES)
def test_a_method_names_its_losses(name: str) -> None:
    method, first = made(name), batch()
    first.second = first.images.flip(3)
    if plugins.find_methods()[name].survey:
        with torch.no_grad():
            method.eval().survey_batch(first)
        method.train()
    losses, logits = method.loss(first)
    assert list(losses) == LOSSES[name] and all(loss.dim() == 0 for loss in losses.values())
    assert logits.shape == (12, 8)
    again, _ = made(name).loss(first) if not plugins.find_methods()[name].survey else (losses, logits)
    assert list(again) == list(losses)


def test_every_method_but_those_of_larger_images_is_named_here() -> None:
    ours = {name for name, cls in plugins.find_methods().items() if "." not in cls.__module__.removeprefix("methods.")}
    assert ours - set(LOSSES) == {"rul"}


def test_what_was_never_looked_at_counts_as_kept() -> None:
    method = made("dnfer")
    assert method.after_epoch(1) == {"kept": torch.tensor(1.0)}
    method.counted.copy_(torch.tensor([3.0, 4.0]))
    assert method.after_epoch(2)["kept"] == 0.75 and method.counted.tolist() == [0, 0]


def test_probabilities_of_elr_stay_below_one() -> None:
    method = made("elr")
    with torch.no_grad():
        method.classifier.weight.zero_()
        method.classifier.bias.copy_(torch.tensor([500.0] + [0.0] * 7))
    losses, _ = method.loss(batch())
    assert all(torch.isfinite(loss) for loss in losses.values())
    assert 0 < method.targets.max() < 1
