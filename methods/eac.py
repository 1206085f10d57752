"""Erasing Attention Consistency: what is seen in an image and in its mirror image, partly erased, must agree.

Zhang, Wang, Ling and Deng, ECCV 2022. Wrong labels are memorised from parts of a face; consistent attention forbids it.
"""

from dataclasses import dataclass, replace
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
    Uniform,
    settings_chosen,
    spatial_mean,
    within,
)

# What the VGGFace2 networks were trained on: grey levels minus this mean, blue first.
VGGFACE2_MEAN = (131.0912 / 255, 103.8827 / 255, 91.4953 / 255)  # of red, green, blue


def attention_maps(features: Tensor, weight: Tensor) -> Tensor:
    """M_k(h, w) = sum_c sg(W_kc) F_c(h, w) of all classes, [B, K, h, w]; sg: no gradient to the classifier.

    features: [B, width, h, w]. weight: [K, width].
    """
    return torch.einsum("kc,bchw->bkhw", weight.detach(), features)


def flip_distance(maps: Tensor, mirrored: Tensor) -> Tensor:
    """Mean squared difference between each image's maps and its mirror image's, mirrored back; [B]."""
    return (maps - mirrored.flip(-1)).square().mean((1, 2, 3))


ATTENTION = Curve(
    "attention_distance",
    "Attention distance to an image's own mirror image / to another's",
    (0.4, 100),
    "its consistency loss drew attention hardly together",
)


class EAC(Method):
    name = "eac"
    backbone_needs = "maps"
    title = "EAC"
    version = 2
    source = "Zhang et al., Learn from All: Erasing Attention Consistency for Noisy Label FER, ECCV 2022"
    recipe = Recipe(
        epochs=60,
        batch_size=32,
        optimiser=Adam(lr=2e-4, weight_decay=1e-4),
        schedule=Exponential(0.9),
        augment=Augment(pixel_noise=0.5, erase=0.5, second_view="independent"),
    )
    as_published = replace(recipe, backbone="resnet50_vggface2", optimiser=Adam(lr=1e-4, weight_decay=1e-4))
    mechanism = (ATTENTION,)

    search = {"lam": LogUniform(1, 10), "recipe.augment.erase": Uniform(0, 1)}
    demo = settings_chosen({"lam": 1.3, "recipe.augment.erase": 0.293})

    @dataclass(frozen=True)
    class Parameters:
        """The defaults are the published program's; docs/methods/eac.md says where the paper differs."""

        lam: float = 5.0  # weight of the consistency; with 0 there is no second view
        view2: str = "auto"  # 'shared' or 'independent' erasing; auto: independent where labels are noisy
        input_norm: str = "imagenet"  # or 'vggface2', what the VGGFace2 weights were trained on

        def __post_init__(self) -> None:
            allowed_values = {"view2": ("auto", "shared", "independent"), "input_norm": ("imagenet", "vggface2")}
            for name, values in allowed_values.items():
                if getattr(self, name) not in values:
                    raise ValueError(f"eac.{name}: {getattr(self, name)!r} is none of {', '.join(values)}")
            within("eac.lam", self.lam, 0)

    @classmethod
    def adapt(cls, recipe: Recipe, parameters: Any, noisy: bool) -> Recipe:
        second_view = parameters.view2
        if second_view == "auto":
            second_view = "independent" if noisy else "shared"
        augment = replace(recipe.augment, second_view=second_view if parameters.lam else None)
        if parameters.input_norm == "vggface2":
            augment = replace(augment, mean=VGGFACE2_MEAN, std=(1 / 255,) * 3)
        return replace(recipe, augment=augment)

    def build(self, backbone: Backbone, classes: int) -> None:
        self.backbone = backbone
        self.classifier = nn.Linear(backbone.width, classes)
        # Distances of the epoch: to each image's own mirror image, and to that of another image of its batch.
        self.register_buffer("apart", torch.zeros(2), persistent=False)

    def heads(self) -> list[nn.Module]:
        return [self.classifier]

    def features(self, images: Tensor) -> Tensor:
        """Layer4's maps F, [B, width, h, w]."""
        return self.backbone.maps(images.flip(1) if self.settings.input_norm == "vggface2" else images)

    def logits(self, images: Tensor) -> Tensor:
        return self.classifier(spatial_mean(self.features(images)))

    def loss(self, batch: Batch) -> tuple[dict[str, Tensor], Tensor]:
        first_features = self.features(batch.images)
        logits = self.classifier(spatial_mean(first_features))
        losses = {"ce": F.cross_entropy(logits, batch.labels)}
        if self.settings.lam:
            second_features = self.features(batch.second)  # a pass of its own: each view has its batch statistics
            losses["consistency"] = self.settings.lam * self.inconsistency(first_features, second_features).mean()
        return losses, logits

    def inconsistency(self, first_features: Tensor, second_features: Tensor) -> Tensor:
        """Flip distance [B] of the attention maps of two views' features."""
        weight = self.classifier.weight
        maps = attention_maps(first_features, weight)
        mirrored = attention_maps(second_features, weight)
        distances = flip_distance(maps, mirrored)
        if self.training:
            self.watch(distances, maps, mirrored)
        return distances

    @torch.no_grad()
    def watch(self, distances: Tensor, maps: Tensor, mirrored: Tensor) -> None:
        """Count on the device: distances [B] as they are, and between each image and the mirror image of the next one."""
        other_distances = flip_distance(maps, mirrored.roll(1, 0))
        self.apart += torch.stack([distances.float().mean(), other_distances.float().mean()])

    def after_epoch(self, epoch: int) -> dict[str, Tensor]:
        return self.attention_distance() if self.settings.lam else {}

    def attention_distance(self) -> dict[str, Tensor]:
        """How much nearer attention is to an image's own mirror image than to another's: 0 the same, 1 no nearer."""
        own_distance, other_distance = self.apart.clone()
        self.apart.zero_()
        return {"attention_distance": own_distance / other_distance.clamp(min=1e-12)}

    @torch.no_grad()
    def opinion(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """A given label is as likely wrong as an image's attention changes when it is mirrored."""
        image_features = self.features(batch.images)
        mirrored_features = self.features(batch.images.flip(-1))
        distribution = self.classifier(spatial_mean(image_features)).softmax(1)
        return distribution, self.inconsistency(image_features, mirrored_features)
