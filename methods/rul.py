"""Relative Uncertainty Learning: features of two images mixed by their uncertainties, learned through both labels.

Zhang, Wang and Deng, NeurIPS 2021. An image that is hard to tell must get the larger share of the mixture to be
recognised in it, so the shares teach the uncertainties.
"""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from methods.base import (
    RECIPE,
    Backbone,
    Batch,
    Curve,
    LogUniform,
    Method,
    Run,
    Uniform,
    WholeNumber,
    scaled,
    settings_chosen,
    within,
)
from methods.scn import relabel_by_margin

EPSILON = 2e-5  # of the heads' batch normalisations


class Head(nn.Module):
    """Linear and batch normalisation, from a dropped-out normalised map to mu or to l = log sigma^2."""

    def __init__(self, inputs: int, features: int) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, features)
        self.norm = nn.BatchNorm1d(features, eps=EPSILON)

    def forward(self, maps: Tensor) -> Tensor:
        """[B, width, h, w] -> [B, features]."""
        x = self.linear(maps.flatten(1))
        norm = self.norm
        if len(x) > 1 or not self.training:
            return norm(x)
        return F.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=EPSILON)


def drop_entries(maps: Tensor, probability: float, generator: torch.Generator | None) -> Tensor:
    """Dropout with its own random numbers."""
    if not probability:
        return maps
    kept_entries = torch.empty_like(maps).bernoulli_(1 - probability, generator=generator)
    return maps * kept_entries / (1 - probability)


def image_uncertainty(log_variance: Tensor, clamp: float | None = None) -> Tensor:
    """s_i = sum_d exp(l_id), [B, 1]; with `clamp`, of l kept in -clamp .. clamp."""
    l = log_variance if clamp is None else log_variance.clamp(-clamp, clamp)  # noqa: E741
    return l.exp().sum(1, keepdim=True)


def relative_spread(values: Tensor) -> Tensor:
    """Standard deviation over mean of positive values, a scalar: their coefficient of variation."""
    return values.std(correction=0) / values.mean()


def mix_features(mu: Tensor, s: Tensor, partner: Tensor) -> tuple[Tensor, Tensor]:
    """z_i = a_i mu_i + (1 - a_i) mu_p(i) with a_i = s_i / (s_i + s_p(i)); returns z [B, d] and a [B, 1]."""
    own_share = s / (s + s[partner])
    return own_share * mu + (1 - own_share) * mu[partner], own_share


def mixed_losses(
    logits: Tensor, labels: Tensor, partner: Tensor, own_weight: float = 0.5, partner_weight: float = 0.5
) -> dict[str, Tensor]:
    """The weighted cross-entropies with each of the two labels in a mixture."""
    return {
        "own": own_weight * F.cross_entropy(logits, labels),
        "partner": partner_weight * F.cross_entropy(logits, labels[partner]),
    }


def any_partner(labels: Tensor, generator: torch.Generator | None) -> Tensor:
    """A random permutation of the batch, [B]; an image may meet itself or its own class."""
    return torch.randperm(len(labels), generator=generator, device=labels.device)


def partner_of_another_class(labels: Tensor, generator: torch.Generator | None) -> Tensor:
    """For each image a random one with another label, [B]; itself where the batch has only one label."""
    draws = torch.rand(len(labels), len(labels), generator=generator, device=labels.device) + 1
    draws = draws.masked_fill(labels[:, None] == labels, 0.0)
    return (draws + 0.5 * torch.eye(len(labels), device=labels.device)).argmax(1)


class RUL(Method):
    name = "rul"
    backbone_needs = "maps"
    title = "RUL"
    source = "Zhang, Wang and Deng, Relative Uncertainty Learning for Facial Expression Recognition, NeurIPS 2021"
    recipe = RECIPE
    mechanism = (
        Curve(
            "uncertainty_spread",
            "Spread of the uncertainties (standard deviation / mean)",
            (0, 0.05),
            "it mixed all images in nearly equal shares",
        ),
    )

    search = {
        "own_weight": LogUniform(0.15, 1.5),
        "partner_weight": LogUniform(0.15, 1.5),
        "features": WholeNumber(20, 192),
        "dropout": Uniform(0.1, 0.7),
    }
    demo = settings_chosen({"own_weight": 0.157, "partner_weight": 0.342, "features": 120, "dropout": 0.473})

    @dataclass(frozen=True)
    class Parameters:
        """The defaults are the published program's; docs/methods/rul.md says where the paper differs."""

        dropout: float = 0.4  # of the maps in front of each head
        features: int = 64  # width of mu and log sigma^2
        own_weight: float = 0.5  # of the loss with an image's own label
        partner_weight: float = 0.5  # of the loss with the label that it is mixed with
        pairs: str = "any"  # or 'different_class', the paper's
        clamp: float | None = None  # bound of |log sigma^2|
        relabel: str = "none"  # or 'scn': SCN's rule on the un-mixed predictions, as in the paper's noise tables
        relabel_epoch: int = scaled(10, "epoch")
        margin_2: float = 0.2

        def __post_init__(self) -> None:
            for name, allowed_values in (("pairs", ("any", "different_class")), ("relabel", ("none", "scn"))):
                if getattr(self, name) not in allowed_values:
                    raise ValueError(f"rul.{name}: {getattr(self, name)!r} is none of {', '.join(allowed_values)}")
            within("rul.dropout", self.dropout, 0, 0.99)
            within("rul.features", self.features, 1, 100_000)
            for name in ("own_weight", "partner_weight"):
                within(f"rul.{name}", getattr(self, name), 0)
            within("rul.relabel_epoch", self.relabel_epoch, 0)
            within("rul.margin_2", self.margin_2, -1, 1)
            if self.clamp is not None:
                within("rul.clamp", self.clamp, 0)

    def build(self, backbone: Backbone, classes: int) -> None:
        inputs = backbone.width * backbone.map_side**2
        self.backbone = backbone
        # Both published heads begin with this normalisation; without weights of its own it is the same in both.
        self.normalise = nn.BatchNorm2d(backbone.width, eps=EPSILON, affine=False)
        self.register_buffer("spread", torch.zeros(2), persistent=False)  # summed over steps; their number
        features = self.settings.features
        self.mu = Head(inputs, features)
        self.log_variance = Head(inputs, features)
        self.classifier = nn.Linear(features, classes)

    def begin(self, labels: Tensor, run: Run) -> None:
        super().begin(labels, run)
        self.register_buffer("changed", torch.zeros((), dtype=torch.int64, device=labels.device))

    def heads(self) -> list[nn.Module]:
        return [self.classifier]

    def logits(self, images: Tensor) -> Tensor:
        return self.classifier(self.mu(self.normalise(self.backbone.maps(images))))

    def loss(self, batch: Batch) -> tuple[dict[str, Tensor], Tensor]:
        p = self.settings
        draw_partner = any_partner if p.pairs == "any" else partner_of_another_class
        partner = draw_partner(batch.labels, batch.generator)
        mixed_features, mu, _ = self.mixture(batch.images, partner, batch.generator)
        with torch.no_grad():
            self.unmixed = self.classifier(mu)
        losses = mixed_losses(self.classifier(mixed_features), batch.labels, partner, p.own_weight, p.partner_weight)
        return losses, self.unmixed

    def mixture(
        self, images: Tensor, partner: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Mixed features z [B, features], the images' own mu [B, features] and their shares a [B, 1]."""
        return self.mixed_maps(self.backbone.maps(images), partner, generator)

    def mixed_maps(
        self, maps: Tensor, partner: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """`mixture` from layer4's maps [B, width, h, w]."""
        p = self.settings
        maps = self.normalise(maps)
        mu = self.mu(drop_entries(maps, p.dropout, generator))
        log_variance = self.log_variance(drop_entries(maps, p.dropout, generator))
        s = image_uncertainty(log_variance, p.clamp)
        mixed_features, own_share = mix_features(mu, s, partner)
        self.watch(s.detach())
        return mixed_features, mu, own_share

    @torch.no_grad()
    def watch(self, s: Tensor) -> None:
        """Count on the device how far the uncertainties [B, 1] of a batch differ."""
        spread = relative_spread(s.float())
        self.spread += torch.stack([spread, torch.ones_like(spread)])

    def captured_anew(self, epoch: int) -> Any:
        return self.settings.relabel == "scn" and epoch >= self.settings.relabel_epoch

    @torch.no_grad()
    def after_step(self, batch: Batch) -> None:
        """SCN's relabelling, where asked for, from the un-mixed predictions before the step."""
        p = self.settings
        logits = self.unmixed
        self.unmixed = None
        if p.relabel == "scn" and batch.epoch >= p.relabel_epoch:
            labels = relabel_by_margin(logits, batch.labels, p.margin_2)
            self.labels[batch.index] = labels
            self.changed += (labels != batch.labels).sum()

    def after_epoch(self, epoch: int) -> dict[str, Tensor]:
        """The mean spread of a batch's uncertainties; with relabelling the share of images with a new label, too."""
        spread_sum, step_count = self.spread.clone()
        self.spread.zero_()
        values = {"uncertainty_spread": spread_sum / step_count.clamp(min=1)}
        if self.settings.relabel == "scn":
            values["relabelled"] = self.changed / len(self.labels)
            self.changed.zero_()
        return values

    @torch.no_grad()
    def opinion(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """A given label is as likely wrong as its image is uncertain: the mean of sigma^2."""
        maps = self.normalise(self.backbone.maps(batch.images))
        error_score = image_uncertainty(self.log_variance(maps), self.settings.clamp)[:, 0] / self.settings.features
        return self.classifier(self.mu(maps)).softmax(1), error_score
