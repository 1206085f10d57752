"""Two networks; each trains on the images whose labels the other one finds likelier than the average label."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from methods.base import Adam, Augment, Backbone, Batch, Curve, Method, Recipe, Run, Steps, scaled


class MyPair(Method):
    name = "my_pair"
    title = "My pair"
    networks = 2
    survey = "plain"
    recipe = Recipe(
        epochs=60, batch_size=64, optimiser=Adam(2e-4), schedule=Steps(after=(40, 50)), augment=Augment(flip=0.5)
    )
    mechanism = (Curve("kept", "Labels trained on (%)", (0.99, 1), "it trained on every label"),)

    @dataclass(frozen=True)
    class Parameters:
        warm_up: int = scaled(3, "epoch")  # epochs in which both learn from all images

    def build(self, backbone: Backbone, classes: int, *others: Backbone) -> None:
        self.backbone, self.classifier = backbone, nn.Linear(backbone.width, classes)
        self.other_backbone, self.other_classifier = others[0], nn.Linear(backbone.width, classes)

    def begin(self, labels: Tensor, run: Run) -> None:
        super().begin(labels, run)
        self.register_buffer("likely", torch.ones(2, run.images, device=labels.device))  # p_y as each network sees it
        self.register_buffer("kept", torch.ones(2, run.images, device=labels.device))

    def both(self, images: Tensor) -> Tensor:
        """[2, B, classes]: the logits of the two networks."""
        return torch.stack([self.classifier(self.backbone(images)), self.other_classifier(self.other_backbone(images))])

    def logits(self, images: Tensor) -> Tensor:
        return self.both(images).softmax(2).mean(0).log()

    def loss(self, batch: Batch) -> tuple[dict[str, Tensor], Tensor]:
        both = self.both(batch.images)
        ce = torch.stack([F.cross_entropy(logits, batch.labels, reduction="none") for logits in both])
        kept = self.kept.flip(0)[:, batch.index]  # as the other network has it
        if batch.epoch <= self.settings.warm_up:
            kept = torch.ones_like(kept)
        first, second = (ce * kept).sum(1) / kept.sum(1).clamp(min=1)
        return {"first": first, "second": second}, both[0]

    def survey_batch(self, batch: Batch) -> None:
        given = batch.labels[None, :, None].expand(2, -1, 1)
        self.likely[:, batch.index] = self.both(batch.images).softmax(2).gather(2, given)[..., 0]

    def after_epoch(self, epoch: int) -> dict[str, Tensor]:
        self.kept.copy_(self.likely >= self.likely.mean(1, keepdim=True))
        return {"kept": self.kept.mean()}
