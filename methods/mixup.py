"""mixup: the network learns from weighted means of two images, with both labels in the same shares.

Zhang et al., ICLR 2018. The paper has no recipe for expressions, so the baseline's holds.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from methods.base import Batch
from methods.baseline import Baseline


def draw_share(alpha: float, generator: torch.Generator | None, device: torch.device) -> Tensor:
    """The larger of lambda and 1 - lambda with lambda from Beta(alpha, alpha), a scalar.

    With a random partner the two are equally likely, so the loss is the published one and the image's own share is
    never the smaller.
    """
    # torch.distributions.Beta takes no generator.
    gammas = torch._standard_gamma(torch.full((2,), alpha, device=device), generator=generator)
    return gammas.max() / gammas.sum()


class Mixup(Baseline):
    """The accuracies during training (recovered, memorised) are those on the mixtures."""

    name = "mixup"
    title = "mixup"
    source = "Zhang et al., mixup: Beyond Empirical Risk Minimization, ICLR 2018"

    @dataclass(frozen=True)
    class Parameters:
        """A value from the paper's grid for wrong labels, 1, 2, 8 and 32."""

        alpha: float = 8.0

        def __post_init__(self) -> None:
            if not self.alpha > 0:
                raise ValueError(f"mixup.alpha: {self.alpha} is not above 0")

    def loss(self, batch: Batch) -> tuple[dict[str, Tensor], Tensor]:
        own_share = draw_share(self.settings.alpha, batch.generator, batch.images.device)
        partner_rows = torch.randperm(len(batch.labels), generator=batch.generator, device=batch.labels.device)
        logits = self.logits(own_share * batch.images + (1 - own_share) * batch.images[partner_rows])
        losses = {
            "own": own_share * F.cross_entropy(logits, batch.labels),
            "partner": (1 - own_share) * F.cross_entropy(logits, batch.labels[partner_rows]),
        }
        return losses, logits
