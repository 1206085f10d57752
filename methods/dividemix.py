"""DivideMix: two networks, each taught which labels to believe by a mixture fitted to the losses of the other one.

Li, Socher and Hoi, ICLR 2020. Labels that are not believed are replaced by predictions, and everything is mixed
(MixMatch). Both networks see the same batch, whose rows are labelled or not as the division says (ours; published: as
many of one as of the other). Parameters are those for real noise and pre-trained weights (Clothing1M).
"""

from dataclasses import dataclass, replace
from math import log, pi
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from methods.base import RECIPE, Backbone, Batch, Curve, Method, Run, scaled, within
from methods.mixup import draw_share

LIKELY = 0.5  # a label is believed above this probability
ITERATIONS, TOLERANCE, LEAST_VARIANCE = 10, 0.01, 5e-4  # of the mixture


def clean_probability(losses: Tensor) -> Tensor:
    """[n] posterior of the component with the smaller mean, of two Gaussians fitted to losses [n] scaled to 0 .. 1."""
    x = losses.double()
    x = ((x - x.min()) / (x.max() - x.min()).clamp_min(1e-12))[:, None]
    parameters = component_moments(x, two_means(x))
    previous_likelihood = -torch.inf
    for _ in range(ITERATIONS):
        posterior, likelihood = component_shares(x, *parameters)
        parameters = component_moments(x, posterior)
        if abs(likelihood - previous_likelihood) < TOLERANCE:
            break
        previous_likelihood = likelihood
    posterior, _ = component_shares(x, *parameters)
    return posterior[:, parameters[1].argmin()].float()


def two_means(x: Tensor) -> Tensor:
    """To which of two centres each value [n, 1] is nearer, [n, 2] of 0 and 1; the centres start at the ends (ours)."""
    centres = torch.arange(2, dtype=x.dtype, device=x.device)
    for _ in range(ITERATIONS):
        nearest_centre = F.one_hot((x - centres).square().argmin(1), 2).double()
        centres = (nearest_centre * x).sum(0) / nearest_centre.sum(0).clamp_min(1)
    return nearest_centre


def component_moments(x: Tensor, shares: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Weights, means and variances [2] of two components, from each value's shares [n, 2] in them."""
    component_sizes = shares.sum(0) + 1e-12
    means = (shares * x).sum(0) / component_sizes
    return component_sizes / len(x), means, (shares * (x - means).square()).sum(0) / component_sizes + LEAST_VARIANCE


def component_shares(x: Tensor, weights: Tensor, means: Tensor, variances: Tensor) -> tuple[Tensor, float]:
    """Each value's shares [n, 2] in two components, and the mean log likelihood."""
    density = weights.log() - 0.5 * (log(2 * pi) + variances.log() + (x - means).square() / variances)
    return density.softmax(1), float(density.logsumexp(1).mean())


def sharpen(shares: Tensor, temperature: float) -> Tensor:
    """Shares [B, C] to the power of 1 / T, with a sum of 1."""
    raised_shares = shares ** (1 / temperature)
    return raised_shares / raised_shares.sum(1, keepdim=True)


class DivideMix(Method):
    name = "dividemix"
    title = "DivideMix"
    source = "Li, Socher and Hoi, DivideMix: Learning with Noisy Labels as Semi-supervised Learning, ICLR 2020"
    networks = 2
    recipe = replace(RECIPE, augment=replace(RECIPE.augment, second_view="fresh"))
    mechanism = (
        Curve(
            "believed labels", "Labels that are believed (%)", (0.99, 1), "it had no unlabelled images to learn from"
        ),
    )

    @dataclass(frozen=True)
    class Parameters:
        """Clothing1M's values; CIFAR-10's are 10, 25, 4, with the entropy for asymmetric noise."""

        warm_up: int = scaled(1, "epoch")
        unlabelled_weight: float = 0.0  # lambda_u
        alpha: float = 0.5
        temperature: float = 0.5
        ramp: int = scaled(16, "epoch")  # of lambda_u after the warm-up
        warm_up_entropy: bool = False  # the warm-up's predictions are kept from being sure

        def __post_init__(self) -> None:
            for name, lowest in (("warm_up", 1), ("unlabelled_weight", 0), ("alpha", 1e-3), ("temperature", 1e-3)):
                within(f"dividemix.{name}", getattr(self, name), lowest)
            within("dividemix.ramp", self.ramp, 1)

    def build(self, backbone: Backbone, classes: int, *others: Backbone) -> None:
        self.backbone = backbone
        self.classifier = nn.Linear(backbone.width, classes)
        self.other_backbone = others[0]
        self.other_classifier = nn.Linear(backbone.width, classes)
        self.pair = ((self.backbone, self.classifier), (self.other_backbone, self.other_classifier))

    def heads(self) -> list[nn.Module]:
        return [self.classifier, self.other_classifier]

    def begin(self, labels: Tensor, run: Run) -> None:
        super().begin(labels, run)
        self.register_buffer("believed", torch.ones(run.images, 2, device=labels.device))  # w of each network's mixture
        self.register_buffer("surveyed", torch.zeros_like(self.believed), persistent=False)

    def each(self, images: Tensor) -> list[Tensor]:
        """The logits of both networks, [B, C] each."""
        return [classifier(backbone(images)) for backbone, classifier in self.pair]

    def logits(self, images: Tensor) -> Tensor:
        return sum(self.each(images))

    def captured_anew(self, epoch: int) -> Any:
        return (epoch <= self.settings.warm_up, epoch > self.settings.warm_up and self.unlabelled(epoch))

    def loss(self, batch: Batch) -> tuple[dict[str, Tensor], Tensor]:
        if batch.epoch <= self.settings.warm_up:
            return self.warm_up(batch)
        both_views = torch.cat([batch.images, batch.second])
        with torch.no_grad():
            logits = self.each(both_views)
            learning_predictions = [two_views(network_logits) for network_logits in logits]
            for backbone, _ in self.pair:
                backbone.eval()
            settled_predictions = [two_views(network_logits) for network_logits in self.each(both_views)]
            for backbone, _ in self.pair:
                backbone.train()
        losses = {}
        for network_index, network_name in enumerate(("first", "second")):
            w = self.believed[batch.index, 1 - network_index]
            targets = self.targets(
                batch.labels, w, learning_predictions[network_index], settled_predictions[1 - network_index]
            )
            losses |= self.mixmatch(
                network_index, network_name, both_views, targets.repeat(2, 1), (w > LIKELY).repeat(2), batch
            )
        return losses, logits[0][: len(batch.labels)]

    def warm_up(self, batch: Batch) -> tuple[dict[str, Tensor], Tensor]:
        """Cross-entropy, less the entropy of the predictions where that is asked for."""
        both_logits = self.each(batch.images)
        losses = {name: F.cross_entropy(logits, batch.labels) for name, logits in zip(("first", "second"), both_logits)}
        if self.settings.warm_up_entropy:
            negative_entropies = [
                (network_logits.softmax(1) * network_logits.log_softmax(1)).sum(1).mean()
                for network_logits in both_logits
            ]
            losses["certainty"] = negative_entropies[0] + negative_entropies[1]
        return losses, both_logits[0]

    def targets(self, labels: Tensor, w: Tensor, own_predictions: Tensor, other_predictions: Tensor) -> Tensor:
        """Co-refinement where the label is believed, co-guessing elsewhere, [B, C]; w [B] is the other network's."""
        share_of_label = w[:, None]
        one_hot_labels = F.one_hot(labels, own_predictions.shape[1]).float()
        refined_labels = share_of_label * one_hot_labels + (1 - share_of_label) * own_predictions
        guessed_labels = (own_predictions + other_predictions) / 2
        return sharpen(torch.where(share_of_label > LIKELY, refined_labels, guessed_labels), self.settings.temperature)

    def mixmatch(
        self, network_index: int, network_name: str, views: Tensor, targets: Tensor, labelled: Tensor, batch: Batch
    ) -> dict[str, Tensor]:
        """L_X, L_U and the regulariser of one network, on mixtures of all views [2B, ...] with any others."""
        larger_share = draw_share(self.settings.alpha, batch.generator, views.device)
        partner_rows = torch.randperm(len(views), generator=batch.generator, device=views.device)
        backbone, classifier = self.pair[network_index]
        logits = classifier(backbone(larger_share * views + (1 - larger_share) * views[partner_rows]))
        targets = larger_share * targets + (1 - larger_share) * targets[partner_rows]
        p = logits.softmax(1)
        classes = logits.shape[1]
        cross_entropy = -(targets * logits.log_softmax(1)).sum(1)
        distance = (p - targets).square().mean(1)
        return {
            f"{network_name} labelled": mean_of(cross_entropy, labelled),
            f"{network_name} unlabelled": self.unlabelled(batch.epoch) * mean_of(distance, ~labelled),
            f"{network_name} balance": -(p.mean(0) * classes).log().mean(),
        }

    def unlabelled(self, epoch: int) -> float:
        """lambda_u, rising over `ramp` epochs; within an epoch its middle stands for all its steps (ours)."""
        p = self.settings
        return p.unlabelled_weight * min(1.0, (epoch - 0.5 - p.warm_up) / p.ramp)

    def survey_after(self, epoch: int) -> str | None:
        return "plain" if epoch >= self.settings.warm_up else None

    def survey_batch(self, batch: Batch) -> None:
        for network_index, logits in enumerate(self.each(batch.images)):
            self.surveyed[batch.index, network_index] = F.cross_entropy(logits, batch.labels, reduction="none")

    def after_epoch(self, epoch: int) -> dict[str, Tensor]:
        if epoch >= self.settings.warm_up:
            self.believed.copy_(torch.stack([clean_probability(losses) for losses in self.surveyed.T], 1))
        return {"believed labels": (self.believed > LIKELY).float().mean()}

    def opinion(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The mean of both predictions; a label is suspect as far as the two mixtures do not believe it."""
        both_logits = self.each(batch.images)
        return (both_logits[0].softmax(1) + both_logits[1].softmax(1)) / 2, 1 - self.believed[batch.index].mean(1)


def two_views(logits: Tensor) -> Tensor:
    """The mean softmax [B, C] over two views, from their logits [2B, C]."""
    return torch.stack(logits.softmax(1).chunk(2)).mean(0)


def mean_of(values: Tensor, chosen: Tensor) -> Tensor:
    """The mean of the chosen values, 0 where none is."""
    return (values * chosen).sum() / chosen.sum().clamp_min(1)
