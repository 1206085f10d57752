"""ReSup: two networks; each weighs an image by how clean the other one holds its label, and both must agree.

IEEE Transactions on Affective Computing 2025 (arXiv 2305.17895). After every epoch a mixture of two beta distributions
is fitted, for each network, to how similar its predictions are to the given labels; the right-hand component is 'clean'.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from methods.base import (
    Adam,
    Augment,
    Backbone,
    Batch,
    Curve,
    LogUniform,
    Method,
    Recipe,
    Run,
    Steps,
    WholeNumber,
    scaled,
    within,
)

INSIDE = (0.001, 0.999)  # what a similarity of exactly 0 or 1 becomes
TINY = 1e-12


class Mixture(NamedTuple):
    """Mixtures of two beta distributions, a row each: [..., 2] parameters and weights; component 1 is 'clean'."""

    alphas: Tensor
    betas: Tensor
    weights: Tensor


def cosine_to_label(logits: Tensor, labels: Tensor) -> Tensor:
    """s_i = cos(e_y, p) = p_y / ||p||, [B]."""
    p = logits.softmax(1)
    return p.gather(1, labels[:, None])[:, 0] / p.norm(dim=1)


def bound_similarities(similarities: Tensor, smallest: float, exact_ones: bool = True) -> Tensor:
    """In float64, away from 0 and 1; with `exact_ones` a 1 first becomes .999, below a slightly less sure .9995."""
    x = similarities.double()
    if exact_ones:
        x = torch.where(similarities >= 1, INSIDE[1], torch.where(similarities <= 0, INSIDE[0], x))
    return x.clamp(smallest, 1 - smallest)


def weighted_densities(x: Tensor, mixture: Mixture) -> Tensor:
    """pi_j Beta(x; alpha_j, beta_j), [..., 2, N]; x: [..., N]."""
    a, b, weights = (parameter[..., None] for parameter in mixture)
    constant = (a + b).lgamma() - a.lgamma() - b.lgamma()
    return weights * ((a - 1) * x[..., None, :].log() + (b - 1) * (1 - x[..., None, :]).log() + constant).exp()


def fit_mixture(x: Tensor, iterations: int) -> Mixture:
    """Expectation and moments in turn, from Beta(1, 2) and Beta(2, 1); x: [..., N] in (0, 1), float64."""
    alphas = torch.arange(1, 3, dtype=x.dtype, device=x.device).expand(*x.shape[:-1], 2)
    mixture = Mixture(alphas, alphas.flip(-1), torch.full_like(alphas, 0.5))
    for _ in range(iterations):
        shares = weighted_densities(x, mixture).clamp(min=TINY)
        shares = shares / shares.sum(-2, keepdim=True)
        share_sums = shares.sum(-1)
        mean = (shares @ x[..., None])[..., 0] / share_sums
        variance = (shares * (x[..., None, :] - mean[..., None]).square()).sum(-1) / share_sums
        alphas = mean * (mean * (1 - mean) / variance - 1)
        mixture = Mixture(alphas, alphas * (1 - mean) / mean, share_sums / x.shape[-1])
    return mixture


def posterior_table(mixture: Mixture, bins: int) -> Tensor:
    """The share of component 1 on a grid from 0 to 1, [..., bins]."""
    grid = torch.linspace(TINY, 1 - TINY, bins, dtype=torch.float64, device=mixture.weights.device)
    densities = weighted_densities(grid.expand(*mixture.weights.shape[:-1], bins), mixture)
    return densities[..., 1, :] / (densities.sum(-2) + TINY)


def flatten_after_maximum(raw: Tensor) -> Tensor:
    """Every entry after the first maximum is the maximum."""
    bin_numbers = torch.arange(raw.shape[-1], device=raw.device)
    return torch.where(bin_numbers > raw.argmax(-1, keepdim=True), raw.amax(-1, keepdim=True), raw)


def make_rising(raw: Tensor) -> Tensor:
    """Each entry is the smallest from it to the right."""
    return raw.flip(-1).cummin(-1).values.flip(-1)


def look_up(table: Tensor, similarities: Tensor, smallest: float) -> Tensor:
    """The probability [B] that a label is clean, in float64; table: [bins]."""
    bins = len(table)
    return table[(bins * similarities).long().clamp(max=bins - 1)].clamp(smallest, 1 - smallest)


class ReSup(Method):
    name = "resup"
    title = "ReSup"
    source = "ReSup: Reliable Label Noise Suppression for Facial Expression Recognition, IEEE TAFFC 2025"
    networks = 2
    survey = "augmented"
    mechanism = (
        Curve("clean share", "Mean weight of the labels (%)", (0.99, 1), "it trusted every label and suppressed none"),
    )
    recipe = Recipe(
        epochs=30,
        batch_size=96,
        optimiser=Adam(lr=2e-4),
        schedule=Steps(after=(10, 20), factor=0.1),
        augment=Augment(flip=0.5, shift=32 / 224, shift_probability=0.2, erase=0.5, erase_area=(0.02, 0.25)),
    )

    search = {"agreement_weight": LogUniform(1, 15), "plain_epochs": WholeNumber(1, 10)}  # of 30

    @dataclass(frozen=True)
    class Parameters:
        """The defaults are the published program's; docs/methods/resup.md says what is surprising about them."""

        agreement_weight: float = 5.0
        plain_epochs: int = scaled(1, "epoch")  # without weights and agreement
        iterations: int = 10  # of the fit
        bins: int = 100
        smallest: float = 1e-4
        similarities: str = "survey"  # or 'steps': those of the epoch's training steps, at no cost
        table: str = "flattened"  # or 'rising'
        exact_ones: bool = True
        predict: str = "first"  # network; or 'mean' of both

        def __post_init__(self) -> None:
            allowed_values = {
                "similarities": ("survey", "steps"),
                "table": ("flattened", "rising"),
                "predict": ("first", "mean"),
            }
            for name, values in allowed_values.items():
                if getattr(self, name) not in values:
                    raise ValueError(f"resup.{name}: {getattr(self, name)!r} is none of {', '.join(values)}")
            within("resup.agreement_weight", self.agreement_weight, 0)
            within("resup.plain_epochs", self.plain_epochs, 0)
            within("resup.iterations", self.iterations, 1, 1000)
            within("resup.bins", self.bins, 2, 100_000)
            within("resup.smallest", self.smallest, 1e-9, 0.1)

    def build(self, backbone: Backbone, classes: int, *others: Backbone) -> None:
        self.backbone = backbone
        self.classifier = nn.Linear(backbone.width, classes)
        self.other_backbone = others[0]
        self.other_classifier = nn.Linear(backbone.width, classes)

    def begin(self, labels: Tensor, run: Run) -> None:
        super().begin(labels, run)
        tensor_options = {"dtype": torch.float64, "device": labels.device}
        self.register_buffer("tables", torch.ones(2, self.settings.bins, **tensor_options))
        self.register_buffer("similar", torch.full((2, run.images), 0.5, **tensor_options))

    def both(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """The logits of the two networks."""
        return self.classifier(self.backbone(images)), self.other_classifier(self.other_backbone(images))

    def logits(self, images: Tensor) -> Tensor:
        if self.settings.predict == "first":
            return self.classifier(self.backbone(images))
        first_log_p, second_log_p = (logits.log_softmax(1) for logits in self.both(images))
        return torch.logaddexp(first_log_p, second_log_p)

    def captured_anew(self, epoch: int) -> Any:
        return epoch <= self.settings.plain_epochs

    def loss(self, batch: Batch) -> tuple[dict[str, Tensor], Tensor]:
        p = self.settings
        first_logits, second_logits = self.both(batch.images)
        ce1, ce2 = (F.cross_entropy(logits, batch.labels, reduction="none") for logits in (first_logits, second_logits))
        similarities = self.remember(batch, first_logits.detach(), second_logits.detach())
        if batch.epoch <= p.plain_epochs:
            return {"first": ce1.mean(), "second": ce2.mean(), "agreement": ce1.new_zeros(())}, first_logits
        clean1, clean2 = (look_up(t, s, p.smallest).to(ce1.dtype) for t, s in zip(self.tables, similarities))
        disagreement = (first_logits.softmax(1) - second_logits.softmax(1)).square().mean(1)
        losses = {
            "first": (clean2 * ce1).mean(),
            "second": (clean1 * ce2).mean(),
            "agreement": p.agreement_weight * disagreement.mean(),
        }
        return losses, first_logits

    @torch.no_grad()
    def remember(self, batch: Batch, first_logits: Tensor, second_logits: Tensor) -> Tensor:
        """The similarities [2, B] of both networks, kept for the next fit."""
        similarities = torch.stack(
            [cosine_to_label(first_logits, batch.labels), cosine_to_label(second_logits, batch.labels)]
        )
        self.similar[:, batch.index] = similarities.double()
        return similarities

    def survey_after(self, epoch: int) -> str | None:
        return self.survey if self.settings.similarities == "survey" else None

    def survey_batch(self, batch: Batch) -> None:
        self.remember(batch, *self.both(batch.images))

    @torch.no_grad()
    def after_epoch(self, epoch: int) -> dict[str, Tensor]:
        """Fit both mixtures; where one cannot be (all similarities equal) its table stays."""
        p = self.settings
        mixture = fit_mixture(bound_similarities(self.similar, p.smallest, p.exact_ones), p.iterations)
        raw_tables = posterior_table(mixture, p.bins)
        new_tables = flatten_after_maximum(raw_tables) if p.table == "flattened" else make_rising(raw_tables)
        usable_fits = torch.stack([fit_values.isfinite().all(-1) for fit_values in (*mixture, raw_tables)]).all(0)
        self.tables.copy_(torch.where(usable_fits[:, None], new_tables, self.tables))
        clean_probabilities = torch.stack([look_up(t, s, p.smallest) for t, s in zip(self.tables, self.similar)])
        return {"clean share": clean_probabilities.mean(), "table minimum": self.tables.min()}

    @torch.no_grad()
    def opinion(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """A label is as likely wrong as both networks hold it; by similarity where a table tells nothing apart."""
        both_logits = self.both(batch.images)
        similarities = [cosine_to_label(logits, batch.labels) for logits in both_logits]
        clean_probabilities = []
        for table, s in zip(self.tables, similarities):
            is_flat = table.max() == table.min()
            clean_probabilities.append(torch.where(is_flat, s, look_up(table, s, self.settings.smallest).to(s.dtype)))
        return both_logits[0].softmax(1), 1 - (clean_probabilities[0] + clean_probabilities[1]) / 2
