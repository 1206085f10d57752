"""Generalised cross-entropy: between cross-entropy (q -> 0) and mean absolute error (q = 1).

Zhang and Sabuncu, NeurIPS 2018, equation 6. The truncated variant is not used. The paper has no recipe for
expressions, so the baseline's holds.
"""

from dataclasses import dataclass

from torch import Tensor

from methods.base import Batch
from methods.baseline import Baseline


class GeneralisedCrossEntropy(Baseline):
    name = "gce"
    title = "GCE"
    source = (
        "Zhang and Sabuncu, Generalized Cross Entropy Loss for Training Deep Neural Networks with Noisy Labels, "
        "NeurIPS 2018"
    )

    @dataclass(frozen=True)
    class Parameters:
        """The paper's value in all its experiments."""

        q: float = 0.7

        def __post_init__(self) -> None:
            if not 0 < self.q <= 1:
                raise ValueError(f"gce.q: {self.q} is not in 0 .. 1 (0 excluded)")

    def loss(self, batch: Batch) -> tuple[dict[str, Tensor], Tensor]:
        """L_q = (1 - p_y^q) / q; from log p_y, whose gradient is finite where p_y underflows."""
        logits = self.logits(batch.images)
        q = self.settings.q
        label_log_p = logits.log_softmax(1).gather(1, batch.labels[:, None])
        return {"gce": (1 - (q * label_log_p).exp()).mean() / q}, logits
