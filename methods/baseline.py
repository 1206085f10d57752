"""Baseline: a backbone, a linear classifier and cross-entropy with the given labels; nothing against their noise.

The recipe is RUL's, so that what RUL adds is the only difference; `--set recipe.like=METHOD` gives it another method's.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from methods.base import RECIPE, Backbone, Batch, Method


class Baseline(Method):
    name = "baseline"
    title = "Baseline"
    recipe = RECIPE

    def build(self, backbone: Backbone, classes: int) -> None:
        self.backbone = backbone
        self.classifier = nn.Linear(backbone.width, classes)

    def heads(self) -> list[nn.Module]:
        return [self.classifier]

    def logits(self, images: Tensor) -> Tensor:
        return self.classifier(self.backbone(images))

    def loss(self, batch: Batch) -> tuple[dict[str, Tensor], Tensor]:
        logits = self.logits(batch.images)
        return {"ce": F.cross_entropy(logits, batch.labels)}, logits
