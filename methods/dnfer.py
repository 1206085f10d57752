"""DNFER: an image is trained on only if its label is at least as probable as is usual for that class in the batch.

arXiv 2208.10221, as its program stood at commit bd2ae96. The threshold of a class is made anew for every batch, so no
noise rate is needed and nothing is remembered. A weakly and a strongly altered view of every image must agree.
"""

from dataclasses import dataclass
from math import log
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from methods.base import (
    Adam,
    Augment,
    Backbone,
    Batch,
    Curve,
    Exponential,
    Method,
    Recipe,
    Run,
    Uniform,
    WholeNumber,
    scaled,
    within,
)

SMALLEST = 1e-8  # bound of a probability that is compared


def select_confident(probability: Tensor, labels: Tensor) -> Tensor:
    """p_iy >= h_y [B] bool, with h_k the batch's mean probability of class k."""
    p = probability.clamp(SMALLEST, 1 - SMALLEST)
    return p.gather(1, labels[:, None])[:, 0] >= p.mean(0)[labels]


def supervised_loss(losses: Tensor, chosen_images: Tensor, average: str = "kept") -> Tensor:
    """Mean loss of the chosen images, of all where none is; with 'batch' their sum over the size of the batch."""
    loss_sum = (losses * chosen_images).sum()
    if average == "batch":
        return loss_sum / len(losses)
    return torch.where(chosen_images.any(), loss_sum / chosen_images.sum().clamp(min=1), losses.mean())


def symmetric_divergence(log_p: Tensor, log_q: Tensor) -> Tensor:
    """KL(p || q) + KL(q || p) = sum_k (p_k - q_k)(log p_k - log q_k) in nats, [B]."""
    return ((log_p.exp() - log_q.exp()) * (log_p - log_q)).sum(1)


class DNFER(Method):
    name = "dnfer"
    title = "DNFER"
    source = "Dynamic Adaptive Threshold based Learning for Noisy Annotations Robust FER, arXiv 2208.10221"
    recipe = Recipe(
        epochs=40,
        batch_size=128,
        optimiser=Adam(lr=1e-3, head_lr=1e-2),
        schedule=Exponential(0.95),
        augment=Augment(flip=0.5, shift=4 / 224, shift_fill="reflect", second_view="strong"),
        drop_last=True,
    )

    mechanism = (Curve("kept", "Looks at images that were trained on (%)", (0.99, 1), "it left no label out"),)
    search = {"alpha": Uniform(0.1, 0.9), "warm_up": WholeNumber(1, 20)}  # of 40

    @dataclass(frozen=True)
    class Parameters:
        """The defaults are the program's; docs/methods/dnfer.md names what it does otherwise than one expects."""

        alpha: float = 0.5  # weight of the consistency
        warm_up: int = scaled(5, "epoch")
        base: str = "2"  # of the consistency's logarithm; or 'e'
        average: str = "kept"  # over the images kept; or 'batch'

        def __post_init__(self) -> None:
            for name, allowed_values in (("base", ("2", "e")), ("average", ("kept", "batch"))):
                if getattr(self, name) not in allowed_values:
                    raise ValueError(f"dnfer.{name}: {getattr(self, name)!r} is none of {', '.join(allowed_values)}")
            within("dnfer.alpha", self.alpha, 0, 1)
            within("dnfer.warm_up", self.warm_up, 0)

    def build(self, backbone: Backbone, classes: int) -> None:
        self.backbone = backbone
        self.classifier = nn.Linear(backbone.width, classes)

    def begin(self, labels: Tensor, run: Run) -> None:
        super().begin(labels, run)
        self.register_buffer("counted", torch.zeros(2, device=labels.device))  # looks kept, looks

    def heads(self) -> list[nn.Module]:
        return [self.classifier]

    def logits(self, images: Tensor) -> Tensor:
        return self.classifier(self.backbone(images))

    def captured_anew(self, epoch: int) -> Any:
        return epoch <= self.settings.warm_up

    def loss(self, batch: Batch) -> tuple[dict[str, Tensor], Tensor]:
        p = self.settings
        logits = self.logits(batch.images)  # a pass for each view: weak first
        view_log_p = [logits.log_softmax(1), self.logits(batch.second).log_softmax(1)]
        losses = [F.nll_loss(log_p, batch.labels, reduction="none") for log_p in view_log_p]
        if batch.epoch <= p.warm_up:
            return {"ce": sum(loss.mean() for loss in losses) / 2, "consistency": losses[0].new_zeros(())}, logits
        confident_images = [select_confident(log_p.detach().exp(), batch.labels) for log_p in view_log_p]
        self.counted[0] += sum(confident.sum() for confident in confident_images)
        self.counted[1] += 2 * len(batch.labels)
        supervised = [supervised_loss(loss, confident, p.average) for loss, confident in zip(losses, confident_images)]
        supervised_mean = sum(supervised) / 2
        consistency = symmetric_divergence(*view_log_p).mean() / (log(2) if p.base == "2" else 1)
        return {"ce": (1 - p.alpha) * supervised_mean, "consistency": p.alpha * consistency}, logits

    def after_epoch(self, epoch: int) -> dict[str, Tensor]:
        """The share of looks at images that were trained on; all during the warm-up."""
        look_count = self.counted[1]
        kept_share = torch.where(look_count > 0, self.counted[0] / look_count.clamp(min=1), torch.ones_like(look_count))
        self.counted.zero_()
        return {"kept": kept_share}
