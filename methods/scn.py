"""Self-Cure Network: images weighted by importance, a gap between important and unimportant ones, labels replaced.

Wang et al., CVPR 2020. In the paper's order: importance weighting, rank regularisation, relabelling.
"""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from methods.base import (
    BASIC,
    Adam,
    Backbone,
    Batch,
    Curve,
    Exponential,
    Method,
    Recipe,
    Run,
    Uniform,
    WholeNumber,
    scaled,
    settings_chosen,
    within,
)


def top_count(images: int, beta: float) -> int:
    """Size of the high-importance group: images * beta in floating point, truncated (90 of 0.7 gives 62)."""
    return int(images * beta)


def rank_regularisation(importance: Tensor, beta: float, margin: float) -> Tensor:
    """L_rank = max(0, margin - (mean of the high group - mean of the low group)).

    importance: [B] in (0, 1). Zero where one of the groups is empty.
    """
    high_count = top_count(len(importance), beta)
    if high_count in (0, len(importance)):
        return importance.sum() * 0
    sorted_importance = importance.sort(descending=True).values
    return F.relu(margin - (sorted_importance[:high_count].mean() - sorted_importance[high_count:].mean()))


def low_importance(importance: Tensor, beta: float) -> Tensor:
    """Which images are in the low-importance group, [B] bool."""
    order = importance.argsort(descending=True, stable=True)
    is_low = torch.arange(len(importance), device=importance.device) >= top_count(len(importance), beta)
    return torch.zeros_like(is_low).scatter(0, order, is_low)


def relabel_by_margin(logits: Tensor, labels: Tensor, margin: float) -> Tensor:
    """New labels [B]: the most probable class where it exceeds the given label's probability by more than `margin`."""
    probability = logits.softmax(1)
    best_probability, best_class = probability.max(1)
    label_probability = probability.gather(1, labels[:, None])[:, 0]
    return torch.where(best_probability - label_probability > margin, best_class, labels)


class SCN(Method):
    name = "scn"
    title = "SCN"
    source = "Wang et al., Suppressing Uncertainties for Large-Scale Facial Expression Recognition, CVPR 2020"
    recipe = Recipe(
        epochs=70,
        batch_size=64,
        optimiser=Adam(lr=1e-3, weight_decay=1e-4),
        schedule=Exponential(0.9),
        augment=BASIC,
    )
    mechanism = (
        Curve("relabelled_so_far", "Images relabelled so far (%)", (0, 0.01), "it trained on the given labels"),
        Curve("relabelled_right", "Images relabelled to their clean label (%)"),
    )
    search = {
        "margin_2": Uniform(0.05, 0.7),
        "relabel_epoch": WholeNumber(7, 56),  # of 70
        "beta": Uniform(0.5, 0.9),
    }
    demo = settings_chosen({"margin_2": 0.374, "relabel_epoch": 33, "beta": 0.754})

    @dataclass(frozen=True)
    class Parameters:
        """The defaults are the published program's; docs/methods/scn.md says where the paper differs."""

        beta: float = 0.7  # share of the high-importance group
        margin_1: float = 0.15  # between the means of the two groups
        margin_2: float = 0.2  # between the probabilities of the new and the given label
        relabel_epoch: int = scaled(10, "epoch")  # the first epoch with relabelling
        relabel_group: str = "all"  # or 'low', the paper's
        gamma: float | None = None  # the paper's weights: gamma L_rank + (1 - gamma) L_ce

        def __post_init__(self) -> None:
            if self.relabel_group not in ("all", "low"):
                raise ValueError(f"scn.relabel_group: {self.relabel_group!r} is neither all nor low")
            for name, value in (("beta", self.beta), ("gamma", self.gamma)):
                if value is not None:
                    within(f"scn.{name}", value, 0, 1)
            for name in ("margin_1", "margin_2"):
                within(f"scn.{name}", getattr(self, name), -1, 1)
            within("scn.relabel_epoch", self.relabel_epoch, 0)

    def build(self, backbone: Backbone, classes: int) -> None:
        self.backbone = backbone
        self.classifier = nn.Linear(backbone.width, classes)
        self.attention = nn.Linear(backbone.width, 1)

    def begin(self, labels: Tensor, run: Run) -> None:
        super().begin(labels, run)
        self.register_buffer("changed", torch.zeros((), dtype=torch.int64, device=labels.device))

    def heads(self) -> list[nn.Module]:
        return [self.classifier, self.attention]

    def weigh(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Importances alpha [B] and weighted logits alpha (W x + b)."""
        importance = self.attention(features).sigmoid()
        return importance[:, 0], importance * self.classifier(features)

    def logits(self, images: Tensor) -> Tensor:
        return self.weigh(self.backbone(images))[1]

    def loss(self, batch: Batch) -> tuple[dict[str, Tensor], Tensor]:
        p = self.settings
        importance, logits = self.weigh(self.backbone(batch.images))
        self.outputs = importance.detach(), logits.detach()
        ce_weight, rank_weight = (1.0, 1.0) if p.gamma is None else (1 - p.gamma, p.gamma)
        losses = {
            "ce": ce_weight * F.cross_entropy(logits, batch.labels),
            "rank": rank_weight * rank_regularisation(importance, p.beta, p.margin_1),
        }
        return losses, logits

    def captured_anew(self, epoch: int) -> Any:
        return epoch >= self.settings.relabel_epoch

    @torch.no_grad()
    def after_step(self, batch: Batch) -> None:
        """Relabel from the outputs before the step; the new labels hold from each image's next visit."""
        p = self.settings
        importance, logits = self.outputs
        self.outputs = None
        if batch.epoch < p.relabel_epoch:
            return
        labels = relabel_by_margin(logits, batch.labels, p.margin_2)
        if p.relabel_group == "low":
            labels = torch.where(low_importance(importance, p.beta), labels, batch.labels)
        self.labels[batch.index] = labels
        self.changed += (labels != batch.labels).sum()

    def after_epoch(self, epoch: int) -> dict[str, Tensor]:
        """The share of the training images that got a new label in this epoch."""
        changed_share = self.changed / len(self.labels)
        self.changed.zero_()
        return {"relabelled": changed_share}

    @torch.no_grad()
    def opinion(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """A given label is as likely wrong as its image is unimportant."""
        importance, logits = self.weigh(self.backbone(batch.images))
        return logits.softmax(1), 1 - importance
