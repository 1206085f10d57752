"""NCE + RCE: a normalised cross-entropy, which is bounded, helped by a reverse cross-entropy, which fits faster.

Ma et al., ICML 2020 (active passive loss). The paper has no recipe for expressions, so the baseline's holds; its
bound on the norm of the gradients is left out, for Adam's steps do not grow with them.
"""

from dataclasses import dataclass
from math import log

from torch import Tensor

from methods.base import Batch
from methods.baseline import Baseline
from methods.sce import reverse_cross_entropy


def normalised_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """log p_y / sum_k log p_k, in 0 .. 1, averaged."""
    log_p = logits.log_softmax(1)
    return (log_p.gather(1, labels[:, None])[:, 0] / log_p.sum(1)).mean()


class NormalisedAndReverse(Baseline):
    name = "nce_rce"
    title = "NCE+RCE"
    source = "Ma et al., Normalized Loss Functions for Deep Learning with Noisy Labels, ICML 2020"

    @dataclass(frozen=True)
    class Parameters:
        """The paper's values for ten classes (CIFAR-10)."""

        alpha: float = 1.0  # of the normalised cross-entropy
        beta: float = 1.0  # of the reverse cross-entropy
        log_zero: float = log(1e-4)  # stands for log 0; SCE takes -4

        def __post_init__(self) -> None:
            if self.log_zero >= 0:
                raise ValueError(f"nce_rce.log_zero: {self.log_zero} is not below 0")

    def loss(self, batch: Batch) -> tuple[dict[str, Tensor], Tensor]:
        logits = self.logits(batch.images)
        p = self.settings
        losses = {
            "nce": p.alpha * normalised_cross_entropy(logits, batch.labels),
            "rce": p.beta * reverse_cross_entropy(logits, batch.labels, p.log_zero),
        }
        return losses, logits
