"""JoCoR: two networks learn together from the images on which both find the label easy and agree with each other.

Wei et al., CVPR 2020. As co-teaching, but with one common loss and one common choice of images. The paper has no recipe
for expressions, so the baseline's holds.
"""

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from methods.base import Batch, scaled, within
from methods.co_teaching import CoTeaching, small_loss


def co_regularisation(first_logits: Tensor, second_logits: Tensor) -> Tensor:
    """KL(p1 || p2) + KL(p2 || p1) of each image, [B], from two sets of logits; no gradient is stopped."""
    log_p1 = first_logits.log_softmax(1)
    log_p2 = second_logits.log_softmax(1)
    return ((log_p1.exp() - log_p2.exp()) * (log_p1 - log_p2)).sum(1)


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
        first_logits = self.logits(batch.images)
        second_logits = self.other_classifier(self.other_backbone(batch.images))
        supervised_losses = sum(
            F.cross_entropy(logits, batch.labels, reduction="none") for logits in (first_logits, second_logits)
        )
        agreement = co_regularisation(first_logits, second_logits)
        joint_losses = (1 - self.settings.lam) * supervised_losses + self.settings.lam * agreement
        kept_rows = small_loss(joint_losses, max(1, int(self.kept(batch.epoch) * len(batch.labels))))
        losses = {
            "supervised": (1 - self.settings.lam) * supervised_losses[kept_rows].mean(),
            "agreement": self.settings.lam * agreement[kept_rows].mean(),
        }
        return losses, first_logits
