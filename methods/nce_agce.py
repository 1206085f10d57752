"""NCE + AGCE: a normalised cross-entropy beside an asymmetric loss, whose minimum few wrong labels cannot move.

Zhou et al., ICML 2021 (asymmetric loss functions). The paper has no recipe for expressions, so the baseline's holds.
"""

from dataclasses import dataclass

from torch import Tensor

from methods.base import Batch, within
from methods.baseline import Baseline
from methods.nce_rce import normalised_cross_entropy


def asymmetric_cross_entropy(logits: Tensor, labels: Tensor, a: float, q: float) -> Tensor:
    """AGCE = ((a + 1)^q - (a + p_y)^q) / q, averaged."""
    label_probability = logits.softmax(1).gather(1, labels[:, None])
    return ((a + 1) ** q - (a + label_probability) ** q).mean() / q


class NormalisedAndAsymmetric(Baseline):
    name = "nce_agce"
    title = "NCE+AGCE"
    source = "Zhou et al., Asymmetric Loss Functions for Learning with Noisy Labels, ICML 2021"

    @dataclass(frozen=True)
    class Parameters:
        """The paper's values for ten classes (CIFAR-10); alpha 0, a 0.6, q 0.6 is AGCE alone."""

        alpha: float = 1.0  # of the normalised cross-entropy
        beta: float = 4.0  # of the asymmetric loss
        a: float = 6.0
        q: float = 1.5

        def __post_init__(self) -> None:
            within("nce_agce.a", self.a, 1e-6)
            within("nce_agce.q", self.q, 1e-6)

    def loss(self, batch: Batch) -> tuple[dict[str, Tensor], Tensor]:
        logits = self.logits(batch.images)
        p = self.settings
        losses = {
            "nce": p.alpha * normalised_cross_entropy(logits, batch.labels),
            "agce": p.beta * asymmetric_cross_entropy(logits, batch.labels, p.a, p.q),
        }
        return losses, logits
