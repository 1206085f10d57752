"""Co-teaching: two networks, each trained on the images of a batch that the other one finds easy.

Han et al., NeurIPS 2018, algorithm 1. Both start from the backbone's weights, as the paper's do where it starts from
pre-trained ones; their classifiers are drawn apart, so they part from the first step. The first one predicts. The
paper has no recipe for expressions, so the baseline's holds.
"""

from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from methods.base import RECIPE, Backbone, Batch, Method, scaled


def small_loss(losses: Tensor, kept_count: int) -> Tensor:
    """Indices [kept_count] of the smallest losses, ties in the order of the batch."""
    return losses.detach().argsort(stable=True)[:kept_count]


class CoTeaching(Method):
    name = "co_teaching"
    title = "Co-teaching"
    source = (
        "Han et al., Co-teaching: Robust Training of Deep Neural Networks with Extremely Noisy Labels, NeurIPS 2018"
    )
    recipe = RECIPE

    @dataclass(frozen=True)
    class Parameters:
        """The paper takes the true noise rate for tau; here it is a fixed number, since a method may not know it."""

        forget_rate: float = 0.2  # tau
        forget_epochs: int = scaled(10, "epoch")  # T_k, after which tau is reached

        def __post_init__(self) -> None:
            if not 0 <= self.forget_rate < 1:
                raise ValueError(f"co_teaching.forget_rate: {self.forget_rate} is not in 0 .. 1 (1 excluded)")
            if self.forget_epochs < 1:
                raise ValueError(f"co_teaching.forget_epochs: {self.forget_epochs} is not at least 1")

    def build(self, backbone: Backbone, classes: int) -> None:
        self.backbone = backbone
        self.classifier = nn.Linear(backbone.width, classes)
        self.other_backbone = deepcopy(backbone)
        self.other_classifier = nn.Linear(backbone.width, classes)

    def heads(self) -> list[nn.Module]:
        return [self.classifier, self.other_classifier]

    def logits(self, images: Tensor) -> Tensor:
        return self.classifier(self.backbone(images))

    def kept(self, epoch: int) -> float:
        """R(T) = 1 - min(tau T / T_k, tau) after T finished epochs: the first epoch keeps every image."""
        p = self.settings
        return 1 - min(p.forget_rate * (epoch - 1) / p.forget_epochs, p.forget_rate)

    def captured_anew(self, epoch: int) -> Any:
        return self.kept(epoch)

    def loss(self, batch: Batch) -> tuple[dict[str, Tensor], Tensor]:
        logits = self.logits(batch.images)
        other_logits = self.other_classifier(self.other_backbone(batch.images))
        losses = F.cross_entropy(logits, batch.labels, reduction="none")
        other_losses = F.cross_entropy(other_logits, batch.labels, reduction="none")
        kept_count = max(1, int(self.kept(batch.epoch) * len(batch.labels)))
        exchanged_losses = {
            "first": losses[small_loss(other_losses, kept_count)].mean(),
            "second": other_losses[small_loss(losses, kept_count)].mean(),
        }
        return exchanged_losses, logits
