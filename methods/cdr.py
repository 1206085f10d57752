"""CDR: only the weights that matter for the loss follow its gradient; the others are left to weight decay.

Xia et al., ICLR 2021. A weight matters by |w dL/dw|. The paper has no recipe for expressions, so the baseline's holds
but for the optimiser: with Adam a weight whose gradient is set to zero would move on by its momentum.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from methods.base import RECIPE, SGD, Batch
from methods.baseline import Baseline


def kth_largest(importance: Tensor, rank: int) -> Tensor:
    """The `rank`-th largest value of a vector, a scalar, found among the smallest ones: the fewer of the two sides."""
    return importance.topk(len(importance) - rank + 1, largest=False, sorted=False).values.max()


class CDR(Baseline):
    name = "cdr"
    title = "CDR"
    source = "Xia et al., Robust Early-learning: Hindering the Memorization of Noisy Labels, ICLR 2021"
    recipe = replace(RECIPE, optimiser=SGD(1e-2, weight_decay=1e-3))

    @dataclass(frozen=True)
    class Parameters:
        """The paper takes the true noise rate for tau; here it is a fixed number, since a method may not know it."""

        noise_rate: float = 0.2  # tau: this share of the weights is left out

        def __post_init__(self) -> None:
            if not 0 <= self.noise_rate < 1:
                raise ValueError(f"cdr.noise_rate: {self.noise_rate} is not in 0 .. 1 (1 excluded)")

    def after_backward(self, batch: Batch) -> None:
        """Of the weights of linear layers and convolutions, taken together; the kept gradients are multiplied by 1 - tau."""
        kept_share = 1 - self.settings.noise_rate
        weights = [p for p in self.parameters() if p.dim() in (2, 4) and p.grad is not None]
        importance = [(p.detach() * p.grad).abs() for p in weights]
        all_importances = torch.cat([weight_importance.flatten() for weight_importance in importance])
        least_importance = kth_largest(all_importances, max(1, int(kept_share * len(all_importances))))
        for p, weight_importance in zip(weights, importance):
            p.grad.mul_((weight_importance >= least_importance) * kept_share)
