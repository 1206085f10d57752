"""JoCoR: two networks learn together from the images on which both find the label easy and agree with each other.

Wei et al., CVPR 2020. As co-teaching, but with one common loss and one common choice of images. The paper has no recipe
for expressions, so the baseline's holds.
"""

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from methods.base import Batch, scaled, within
from methods.co_teaching import CoTeaching, small_loss


def co_regularisation(first: Tensor, second: Tensor) -> Tensor:
    """KL(p1 || p2) + KL(p2 || p1) of each image, [B], from two sets of logits; no gradient is stopped."""
    one, two = first.log_softmax(1), second.log_softmax(1)
    return ((one.exp() - two.exp()) * (one - two)).sum(1)


class JoCoR(CoTeaching):
    name = "jocor"
    title = "JoCoR"
    source = (
        "Wei et al., Combating Noisy Labels by Agreement: A Joint Training Method with Co-Regularization, CVPR 2020"
    )

    @dataclass(frozen=True)
    class Parameters:
        """The paper takes the true noise rate for tau (half of it for asymmetric noise); here it is a fixed number."""

        forget_rate: float = 0.2  # tau
        forget_epochs: int = scaled(10, "epoch")  # T_k, after which tau is reached
        lam: float = 0.9  # weight of the agreement, the paper's for CIFAR-10

        def __post_init__(self) -> None:
            if not 0 <= self.forget_rate < 1:
                raise ValueError(f"jocor.forget_rate: {self.forget_rate} is not in 0 .. 1 (1 excluded)")
            within("jocor.forget_epochs", self.forget_epochs, 1)
            within("jocor.lam", self.lam, 0, 1)

    def loss(self, batch: Batch) -> tuple[dict[str, Tensor], Tensor]:
        first, second = self.logits(batch.images), self.other_classifier(self.other_backbone(batch.images))
        supervised = sum(F.cross_entropy(logits, batch.labels, reduction="none") for logits in (first, second))
        agreement = co_regularisation(first, second)
        joint = (1 - self.settings.lam) * supervised + self.settings.lam * agreement
        kept = small_loss(joint, max(1, int(self.kept(batch.epoch) * len(batch.labels))))
        losses = {
            "supervised": (1 - self.settings.lam) * supervised[kept].mean(),
            "agreement": self.settings.lam * agreement[kept].mean(),
        }
        return losses, first
