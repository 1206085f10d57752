"""CLEX: two views exchange the logits of classes that are not the label's, and what those claim is pushed down.

CVPR 2026, from a second-hand reading note: no program is published and the equations' numbers are not known. Wrong labels
do harm through false activations of other classes; here those are made consistent and small. What the note leaves open
is a parameter (docs/methods/clex.md).
"""

from dataclasses import dataclass, replace
from math import floor
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from methods.base import (
    Adam,
    Augment,
    Batch,
    Curve,
    Exponential,
    LogUniform,
    Recipe,
    Uniform,
    spatial_mean,
    within,
)
from methods.eac import ATTENTION, EAC


def random_others(
    labels: Tensor, classes: int, count: int, generator: torch.Generator | None, alike: bool = False
) -> Tensor:
    """`count` random classes other than the label for each image, [B, C] bool; alike: one draw for the whole batch."""
    class_scores = torch.rand(1 if alike else len(labels), classes, generator=generator, device=labels.device)
    class_scores = class_scores.expand(len(labels), -1).scatter(1, labels[:, None], 2.0)  # the label comes last
    return class_scores.argsort(1).argsort(1) < count


def exchange_logits(logits: Tensor, other_logits: Tensor, chosen_classes: Tensor) -> tuple[Tensor, Tensor]:
    """Both views' logits with those of the chosen classes exchanged; gradients follow them into the other view."""
    return torch.where(chosen_classes, other_logits, logits), torch.where(chosen_classes, logits, other_logits)


def project_logits(logits: Tensor, order: float, lower_bound: str, eps: float) -> Tensor:
    """Logits [B, C] on the unit ball of the norm of this order.

    lower_bound: 'logits' (each at least eps: negative ones lose their gradient), 'norm' (at least eps) or 'none'.
    """
    if lower_bound == "logits":
        logits = logits.clamp(min=eps)
    norm = torch.linalg.vector_norm(logits, order, dim=1, keepdim=True)
    return logits / (norm.clamp(min=eps) if lower_bound == "norm" else norm)


def complementary_loss(log_p: Tensor, pushed_classes: Tensor) -> Tensor:
    """Sum of log P_k over the classes that are pushed down, mean over the batch."""
    return (log_p * pushed_classes).sum(1).mean()


class CLEX(EAC):
    name = "clex"
    title = "CLEX (from a reading note)"
    version = 1
    source = "CLEX: Complementary Label Exchange, CVPR 2026, as a reading note describes it"
    recipe = Recipe(
        epochs=60,
        batch_size=32,
        optimiser=Adam(lr=1e-4, weight_decay=1e-4),
        schedule=Exponential(0.9),
        augment=Augment(erase=0.5, second_view="independent"),
    )
    as_published = None
    mechanism = (Curve("loss complementary", "Loss that pushes other classes down"), ATTENTION)

    search = {
        "exchange": Uniform(0.2, 0.8),
        "weight_attention": LogUniform(0.5, 5),
        "weight_complementary": LogUniform(0.3, 3),
        "recipe.augment.erase": Uniform(0, 1),
    }

    @dataclass(frozen=True)
    class Parameters:
        """Weights and shares are the note's; `lower_bound`, `eps`, `draw` and `view2` are ours."""

        exchange: float = 0.5  # gamma: share of the other classes that is exchanged
        norm_order: float = 3.0
        dropped: int = 1  # d: other classes that are not pushed down
        weight_ce: float = 0.4
        weight_attention: float = 2.0
        weight_complementary: float = 1.0
        lower_bound: str = "logits"  # or 'norm', 'none'
        eps: float = 1e-6
        draw: str = "image"  # a random subset an image; or 'batch'
        view2: str = "independent"  # erasing; or 'shared'

        def __post_init__(self) -> None:
            allowed_values = {
                "lower_bound": ("logits", "norm", "none"),
                "draw": ("image", "batch"),
                "view2": ("independent", "shared"),
            }
            for name, values in allowed_values.items():
                if getattr(self, name) not in values:
                    raise ValueError(f"clex.{name}: {getattr(self, name)!r} is none of {', '.join(values)}")
            within("clex.exchange", self.exchange, 0, 1)
            within("clex.norm_order", self.norm_order, 1, 100)
            within("clex.dropped", self.dropped, 0)
            within("clex.eps", self.eps, 1e-12, 1)
            for name in ("weight_ce", "weight_attention", "weight_complementary"):
                within(f"clex.{name}", getattr(self, name), 0)

    @classmethod
    def adapt(cls, recipe: Recipe, parameters: Any, noisy: bool) -> Recipe:
        return replace(recipe, augment=replace(recipe.augment, second_view=parameters.view2))

    def features(self, images: Tensor) -> Tensor:
        return self.backbone.maps(images)

    def loss(self, batch: Batch) -> tuple[dict[str, Tensor], Tensor]:
        p = self.settings
        labels = batch.labels
        view_maps = self.features(batch.images), self.features(batch.second)  # each view has its batch statistics
        logits, second_logits = (self.classifier(spatial_mean(one_view)) for one_view in view_maps)
        losses = {
            "complementary": p.weight_complementary
            * self.complementary(logits, second_logits, labels, batch.generator),
            "ce": p.weight_ce * (F.cross_entropy(logits, labels) + F.cross_entropy(second_logits, labels)),
            "attention": p.weight_attention * self.inconsistency(*view_maps).mean(),
        }
        return losses, logits

    def after_epoch(self, epoch: int) -> dict[str, Tensor]:
        return self.attention_distance()

    def complementary(
        self, logits: Tensor, second_logits: Tensor, labels: Tensor, generator: torch.Generator | None = None
    ) -> Tensor:
        """L_CSL of both views' logits after the exchange."""
        p = self.settings
        classes = logits.shape[1]
        same_for_batch = p.draw == "batch"
        swapped_classes = random_others(labels, classes, floor(p.exchange * (classes - 1)), generator, same_for_batch)
        pushed_classes = random_others(labels, classes, max(0, classes - 1 - p.dropped), generator, same_for_batch)
        exchanged_logits = exchange_logits(logits, second_logits, swapped_classes)
        log_probabilities = [
            project_logits(view_logits, p.norm_order, p.lower_bound, p.eps).log_softmax(1)
            for view_logits in exchanged_logits
        ]
        return sum(complementary_loss(log_p, pushed_classes) for log_p in log_probabilities)
