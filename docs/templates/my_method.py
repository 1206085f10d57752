"""My method: what it does against wrong labels, in one sentence.

Authors, venue and year; the equations that are used.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from methods.base import Adam, Augment, Backbone, Batch, Exponential, Method, Recipe, Run, scaled


class MyMethod(Method):
    """As an example: images whose loss has been small so far weigh more, after some epochs of plain cross-entropy."""

    name = "my_method"
    title = "My method"
    source = ""
    recipe = Recipe(
        epochs=60,
        batch_size=64,
        optimiser=Adam(lr=2e-4, weight_decay=1e-4),
        schedule=Exponential(0.9),
        augment=Augment(flip=0.5, erase=0.5),
    )

    @dataclass(frozen=True)
    class Parameters:
        """Every parameter has its published value as its default."""

        warm_up: int = scaled(10, "epoch")  # epochs of plain cross-entropy
        momentum: float = scaled(0.9, "per epoch")  # of the remembered losses
        temperature: float = 1.0

        def __post_init__(self) -> None:
            if not self.temperature > 0:
                raise ValueError(f"my_method.temperature: {self.temperature} is not above 0")

    def build(self, backbone: Backbone, classes: int) -> None:
        self.backbone, self.classifier = backbone, nn.Linear(backbone.width, classes)

    def begin(self, labels: Tensor, run: Run) -> None:
        super().begin(labels, run)
        self.register_buffer("remembered", torch.zeros(run.images, device=labels.device))

    def logits(self, images: Tensor) -> Tensor:
        return self.classifier(self.backbone(images))

    def loss(self, batch: Batch) -> tuple[dict[str, Tensor], Tensor]:
        p, logits = self.settings, self.logits(batch.images)
        each = F.cross_entropy(logits, batch.labels, reduction="none")
        self.losses = each.detach()
        if batch.epoch <= p.warm_up:
            return {"ce": each.mean()}, logits
        weight = (-self.remembered[batch.index] / p.temperature).softmax(0)
        return {"ce": (weight * each).sum()}, logits

    @torch.no_grad()
    def after_step(self, batch: Batch) -> None:
        p, losses, self.losses = self.settings, self.losses, None
        self.remembered[batch.index] = p.momentum * self.remembered[batch.index] + (1 - p.momentum) * losses

    def after_epoch(self, epoch: int) -> dict[str, Tensor]:
        return {"remembered": self.remembered.mean()}
