"""Symmetric cross-entropy: cross-entropy and its reverse, in which prediction and label change places.

Wang et al., ICCV 2019, equations 5 to 7. The paper has no recipe for expressions, so the baseline's holds.
"""

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from methods.base import Batch
from methods.baseline import Baseline


def reverse_cross_entropy(logits: Tensor, labels: Tensor, log_zero: float) -> Tensor:
    """-sum_k p(k) log q(k) of a one-hot q with log 0 = `log_zero`: -log_zero (1 - p_y), averaged."""
    label_probability = logits.softmax(1).gather(1, labels[:, None])
    return -log_zero * (1 - label_probability).mean()


class SymmetricCrossEntropy(Baseline):
    name = "sce"
    title = "SCE"
    source = "Wang et al., Symmetric Cross Entropy for Robust Learning with Noisy Labels, ICCV 2019"

    @dataclass(frozen=True)
    class Parameters:
        """The paper's values for ten classes (CIFAR-10)."""

        alpha: float = 0.1  # of cross-entropy
        beta: float = 1.0  # of reverse cross-entropy
        log_zero: float = -4.0  # the paper's A, which stands for log 0

        def __post_init__(self) -> None:
            if self.log_zero >= 0:
                raise ValueError(f"sce.log_zero: {self.log_zero} is not below 0")

    def loss(self, batch: Batch) -> tuple[dict[str, Tensor], Tensor]:
        logits = self.logits(batch.images)
        p = self.settings
        losses = {
            "ce": p.alpha * F.cross_entropy(logits, batch.labels),
            "rce": p.beta * reverse_cross_entropy(logits, batch.labels, p.log_zero),
        }
        return losses, logits
