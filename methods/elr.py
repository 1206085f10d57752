"""Early-learning regularisation: predictions are held to what the network said early on, before it memorised.

Liu et al., NeurIPS 2020, equations 6 and 9 (ELR, one network, without mixup). The paper has no recipe for expressions,
so the baseline's holds.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from methods.base import Batch, Run, scaled
from methods.baseline import Baseline

SMALLEST = 1e-4  # bound of a probability, of the published program


class EarlyLearningRegularisation(Baseline):
    name = "elr"
    title = "ELR"
    source = "Liu et al., Early-Learning Regularization Prevents Memorization of Noisy Labels, NeurIPS 2020"

    @dataclass(frozen=True)
    class Parameters:
        """The paper's values for CIFAR-10 and Clothing1M."""

        weight: float = 3.0  # lambda
        momentum: float = scaled(0.7, "per epoch")  # beta of the targets: every image is seen once an epoch

        def __post_init__(self) -> None:
            if not 0 <= self.momentum < 1:
                raise ValueError(f"elr.momentum: {self.momentum} is not in 0 .. 1 (1 excluded)")

    def begin(self, labels: Tensor, run: Run) -> None:
        super().begin(labels, run)
        self.register_buffer("targets", torch.zeros(run.images, run.classes, device=labels.device))

    def loss(self, batch: Batch) -> tuple[dict[str, Tensor], Tensor]:
        logits = self.logits(batch.images)
        probability = logits.softmax(1).clamp(SMALLEST, 1 - SMALLEST)
        targets = self.remember(batch.index, probability.detach())
        agreement = (targets * probability).sum(1)
        losses = {
            "ce": F.cross_entropy(logits, batch.labels),
            "elr": self.settings.weight * (1 - agreement).log().mean(),
        }
        return losses, logits

    def remember(self, index: Tensor, probability: Tensor) -> Tensor:
        """t <- beta t + (1 - beta) p of the images `index`; returns the new t [B, C]."""
        momentum = self.settings.momentum
        normalised = probability / probability.sum(1, keepdim=True)
        self.targets[index] = momentum * self.targets[index] + (1 - momentum) * normalised
        return self.targets[index]
