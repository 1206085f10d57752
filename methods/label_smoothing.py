"""Label smoothing: a share of every label is spread evenly over all classes.

Szegedy et al., CVPR 2016, section 7. The paper has no recipe for expressions, so the baseline's holds.
"""

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from methods.base import Batch
from methods.baseline import Baseline


class LabelSmoothing(Baseline):
    name = "label_smoothing"
    title = "Label smoothing"
    source = "Szegedy et al., Rethinking the Inception Architecture for Computer Vision, CVPR 2016"

    @dataclass(frozen=True)
    class Parameters:
        """The paper's value, for ImageNet."""

        epsilon: float = 0.1  # share that is spread

        def __post_init__(self) -> None:
            if not 0 <= self.epsilon <= 1:
                raise ValueError(f"label_smoothing.epsilon: {self.epsilon} is not in 0 .. 1")

    def loss(self, batch: Batch) -> tuple[dict[str, Tensor], Tensor]:
        """Cross-entropy with q'(k) = (1 - epsilon) [k = y] + epsilon / C."""
        logits = self.logits(batch.images)
        return {"ce": F.cross_entropy(logits, batch.labels, label_smoothing=self.settings.epsilon)}, logits
