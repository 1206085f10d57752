"""GJS: the Jensen-Shannon divergence of the given label and the predictions of two views, all three at once.

Englesson and Azizpour, NeurIPS 2021. It is small where both views agree with the label, and bounded. The paper has no
recipe for expressions, so the baseline's holds, with a second draw of its augmentation.
"""

from dataclasses import dataclass, replace
from math import log

import torch
from torch import Tensor

from methods.base import RECIPE, Batch
from methods.baseline import Baseline

SMALLEST = 1e-7  # bound of a probability inside a logarithm, of the published program


def generalised_js(first_logits: Tensor, second_logits: Tensor, labels: Tensor, weight: float) -> Tensor:
    """pi_1 KL(e_y || m) + pi_2 KL(p || m) + pi_3 KL(p' || m), divided by -(1 - pi_1) log(1 - pi_1), averaged.

    first_logits, second_logits: [B, C] of the two views. weight: pi_1; the views share the rest.
    """
    view_weight = (1 - weight) / 2
    p = first_logits.softmax(1)
    second_p = second_logits.softmax(1)
    mean_p = (view_weight * (p + second_p)).scatter_add(1, labels[:, None], torch.full_like(p[:, :1], weight))
    log_mean = mean_p.clamp_min(SMALLEST).log()
    label_term = -log_mean.gather(1, labels[:, None])[:, 0]
    view_terms = [(q * (q.clamp_min(SMALLEST).log() - log_mean)).sum(1) for q in (p, second_p)]
    divergence = weight * label_term + view_weight * (view_terms[0] + view_terms[1])
    return divergence.mean() / -((1 - weight) * log(1 - weight))


class GeneralisedJensenShannon(Baseline):
    name = "gjs"
    title = "GJS"
    source = (
        "Englesson and Azizpour, Generalized Jensen-Shannon Divergence Loss for Learning with Noisy Labels, "
        "NeurIPS 2021"
    )
    recipe = replace(RECIPE, augment=replace(RECIPE.augment, second_view="fresh"))

    @dataclass(frozen=True)
    class Parameters:
        """The paper chooses pi_1 by the noise (0.1 to 0.9), which a method may not know; 0.3 is for 20 %."""

        label_weight: float = 0.3  # pi_1
        together: bool = True  # both views in one pass, with common batch statistics (ours)

        def __post_init__(self) -> None:
            if not 0 < self.label_weight < 1:
                raise ValueError(f"gjs.label_weight: {self.label_weight} is not between 0 and 1")

    def loss(self, batch: Batch) -> tuple[dict[str, Tensor], Tensor]:
        views = (batch.images, batch.second)
        if self.settings.together:
            first_logits, second_logits = self.logits(torch.cat(views)).chunk(2)
        else:
            first_logits, second_logits = map(self.logits, views)
        divergence = generalised_js(first_logits, second_logits, batch.labels, self.settings.label_weight)
        return {"gjs": divergence}, first_logits
