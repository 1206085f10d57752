"""Navigating Label Ambiguity: cross-entropy counts more where the given label and the strongest other class compete.

AAAI 2025. The weight is a bell over the probabilities of those two; it narrows during training. An image and its mirror
image must agree. docs/methods/nla.md says what the published program does otherwise than its paper.
"""

from dataclasses import dataclass
from math import exp, log, pi
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from methods.base import (
    Adam,
    Augment,
    Backbone,
    Batch,
    Curve,
    Exponential,
    LogUniform,
    Method,
    Recipe,
    Run,
    range_of,
    within,
)

MEAN = (0.577, 0.4494, 0.4001)
STD = (0.2628, 0.2395, 0.2383)
PUBLISHED_BATCH = 32  # the batch at which the published sum over a batch has its published weight


def narrowing_factor(epoch: int, epochs: int, slope: float) -> float:
    """e = 1 - exp(slope t / E) with t finished epochs: 0 in the whole first epoch, then up to 1."""
    return 1 - exp(slope * (epoch - 1) / epochs)


def bell_covariance(spread: float, ratio: float, turn: float) -> tuple[float, float]:
    """Diagonal and off-diagonal of a bell with the axes s along and s / r across; turn: -1 .. 1 of its direction."""
    variance_along = spread**2
    variance_across = (spread / ratio) ** 2
    return variance_along + variance_across, turn * (variance_along - variance_across)


def bell_density(
    label_probability: Tensor, rival_probability: Tensor, mean: tuple[float, float], spread: tuple[float, float]
) -> Tensor:
    """Density of a Gaussian over two probabilities; spread: the diagonal a and the off-diagonal b of its covariance.

    In the sum u and the difference d of the deviations the two are independent, with variances 2 (a + b), 2 (a - b).
    """
    plus = spread[0] + spread[1]
    minus = spread[0] - spread[1]
    label_deviation = label_probability - mean[0]
    rival_deviation = rival_probability - mean[1]
    u = label_deviation + rival_deviation
    d = label_deviation - rival_deviation
    return (-(u**2) / (4 * plus) - d**2 / (4 * minus)).exp() / (2 * pi * (plus * minus) ** 0.5)


def rival_probabilities(p: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """The probabilities of the given label and of the strongest other class, [B] each."""
    return p.gather(1, labels[:, None])[:, 0], p.scatter(1, labels[:, None], -1.0).amax(1)


def view_disagreement(log_p: Tensor, log_q: Tensor, divergence: str = "logits") -> Tensor:
    """J_i of two views' log-probabilities, [B].

    'logits': half the divergences of the softmax of the mean logits from either view, which is the Bhattacharyya
    distance -log sum_k sqrt(p_k q_k). 'js': Jensen-Shannon, with the mean of the probabilities.
    """
    if divergence == "logits":
        return -((log_p + log_q) / 2).logsumexp(1)
    log_mean = torch.logaddexp(log_p, log_q) - log(2)
    return ((log_p.exp() * (log_p - log_mean)).sum(1) + (log_q.exp() * (log_q - log_mean)).sum(1)) / 2


class NLA(Method):
    name = "nla"
    title = "NLA"
    source = "Navigating Label Ambiguity for Facial Expression Recognition in the Wild, AAAI 2025 (arXiv 2502.09993)"
    recipe = Recipe(
        epochs=60,
        batch_size=32,
        optimiser=Adam(lr=1e-4, weight_decay=1e-4),
        schedule=Exponential(0.9),
        augment=Augment(
            flip=0.5, pixel_noise=0.5, erase=0.5, erase_area=(0.02, 0.3), mean=MEAN, std=STD, second_view="shared"
        ),
    )
    mechanism = (
        Curve(
            "weight_spread",
            "Spread of the images' weights (standard deviation / mean)",
            (0, 0.05),
            "it weighed all images nearly alike",
        ),
        Curve("given label leads", "Images whose given label leads (%)"),
    )

    search = {"weight_naw": LogUniform(0.15, 1.5), "weight_consistency": LogUniform(0.15, 1.5)}

    @dataclass(frozen=True)
    class Parameters:
        """The defaults are the published program's but for `consistency_reduction`; see docs/methods/nla.md."""

        weight_ce: float = 0.5
        weight_naw: float = 0.5
        weight_consistency: float = 0.5
        slope: float = -15.0  # of the narrowing
        mean_true: tuple[float, float] = (0.5, 0.5)  # of the bell where the given label leads
        mean_false: tuple[float, float] = (0.30, 0.15)  # and where another class leads
        spread_true: float = 0.8
        ratio_true: float = 2.0
        spread_false: float = 0.91
        ratio_false: float = 6.0
        true_factor: float = 1.0
        detach_weight: bool = False
        divergence: str = "logits"  # or 'js'
        consistency_reduction: str = "scaled"  # the published sum at its batch of 32; or 'sum', 'mean'

        def __post_init__(self) -> None:
            allowed_values = {"divergence": ("logits", "js"), "consistency_reduction": ("scaled", "sum", "mean")}
            for name, values in allowed_values.items():
                if getattr(self, name) not in values:
                    raise ValueError(f"nla.{name}: {getattr(self, name)!r} is none of {', '.join(values)}")
            for name in ("weight_ce", "weight_naw", "weight_consistency", "true_factor"):
                within(f"nla.{name}", getattr(self, name), 0)
            within("nla.slope", self.slope, -1e6, 0)
            for name in ("true", "false"):
                range_of(f"nla.mean_{name}", sorted(getattr(self, f"mean_{name}")), -10, 10)
                within(f"nla.spread_{name}", getattr(self, f"spread_{name}"), 1e-3)
                within(f"nla.ratio_{name}", getattr(self, f"ratio_{name}"), 1e-3)

    def build(self, backbone: Backbone, classes: int) -> None:
        self.backbone = backbone
        self.classifier = nn.Linear(backbone.width, classes)

    def begin(self, labels: Tensor, run: Run) -> None:
        super().begin(labels, run)
        self.epochs = run.epochs
        self.batch_size = run.batch_size
        # Of the epoch: weights, their squares, leading labels, images.
        self.register_buffer("tallied", torch.zeros(4, device=labels.device), persistent=False)

    def logits(self, images: Tensor) -> Tensor:
        return self.classifier(self.backbone(images))

    def weights(self, log_p: Tensor, labels: Tensor, epoch: int) -> tuple[Tensor, Tensor]:
        """w [B], and whether the given label leads [B] (a tie counts as leading)."""
        p = log_p.exp()
        settings = self.settings
        label_probability, rival_probability = rival_probabilities(p, labels)
        label_leads = label_probability >= rival_probability
        turn = -narrowing_factor(epoch, self.epochs, settings.slope)
        true_covariance = bell_covariance(settings.spread_true, settings.ratio_true, turn)
        false_covariance = bell_covariance(settings.spread_false, settings.ratio_false, 1.0)
        true_weight = settings.true_factor * bell_density(
            label_probability, rival_probability, settings.mean_true, true_covariance
        )
        false_weight = bell_density(label_probability, rival_probability, settings.mean_false, false_covariance)
        return torch.where(label_leads, true_weight, false_weight), label_leads

    def captured_anew(self, epoch: int) -> Any:
        return narrowing_factor(epoch, self.epochs, self.settings.slope)

    def loss(self, batch: Batch) -> tuple[dict[str, Tensor], Tensor]:
        p = self.settings
        logits = self.logits(batch.images)
        second_logits = self.logits(batch.second)  # a pass of its own: each view has its batch statistics
        log_p = logits.log_softmax(1)
        ce = F.nll_loss(log_p, batch.labels, reduction="none")
        weight, label_leads = self.weights(log_p, batch.labels, batch.epoch)
        weight = weight.detach() if p.detach_weight else weight
        disagreements = view_disagreement(log_p, second_logits.log_softmax(1), p.divergence).sum()
        reduction_factors = {"scaled": PUBLISHED_BATCH / self.batch_size, "sum": 1.0, "mean": 1 / len(logits)}
        with torch.no_grad():
            self.tallied += torch.stack(
                [weight.sum(), weight.square().sum(), label_leads.sum(), torch.ones_like(ce).sum()]
            )
        losses = {
            "ce": p.weight_ce * ce.mean(),
            "naw": p.weight_naw * (weight * ce).mean(),
            "consistency": p.weight_consistency * reduction_factors[p.consistency_reduction] * disagreements,
        }
        return losses, logits

    def after_epoch(self, epoch: int) -> dict[str, Tensor]:
        """The mean weight, how far weights spread around it, and the share of images whose given label leads."""
        mean_weight, mean_square, leading_share, _ = self.tallied / self.tallied[3].clamp(min=1)
        self.tallied.zero_()
        weight_spread = (mean_square - mean_weight.square()).clamp(min=0).sqrt() / mean_weight.clamp(min=1e-12)
        return {"mean weight": mean_weight, "weight_spread": weight_spread, "given label leads": leading_share}

    @torch.no_grad()
    def opinion(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """A given label is as likely wrong as the strongest other class is ahead of it."""
        p = self.logits(batch.images).softmax(1)
        label_probability, rival_probability = rival_probabilities(p, batch.labels)
        return p, rival_probability - label_probability
