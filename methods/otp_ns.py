"""OTP-NS: supervised by a mean teacher and a pool of its best former states; the mean of the pool predicts.

CVPR 2026, from a second-hand reading note: no program is published. A mean teacher drifts towards its student and hands
noise back, which former teachers do not. What the note leaves open is a parameter (docs/methods/otp_ns.md).
"""

from dataclasses import dataclass
from math import exp
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
    Frozen,
    LogUniform,
    Method,
    OneCycle,
    Recipe,
    Run,
    Uniform,
    WholeNumber,
    scaled,
    within,
)

MEMBERS = 3  # of the pool


def teacher_share(epoch: int, epochs: int, gamma: float) -> float:
    """b = gamma exp(-t / E), t finished epochs; 1 in the first epoch, when there is no pool."""
    return 1.0 if epoch == 1 else gamma * exp(-(epoch - 1) / epochs)


def similarity_to_label(q: Tensor, labels: Tensor) -> Tensor:
    """S_i = q_y / ||q||, [B]."""
    return q.gather(1, labels[:, None])[:, 0] / q.norm(dim=1)


def smoothing_strength(similar: Tensor, low: float, high: float) -> Tensor:
    """eps_i = low + (high - low)(1 - S_i), [B]: the less the label agrees, the smoother."""
    return low + (high - low) * (1 - similar)


def soft_labels(q: Tensor, eps: Tensor, threshold: float) -> Tensor:
    """Classes above the threshold share 1 - eps in proportion to q, the others eps in equal parts; [B, C], rows sum to 1.

    The largest class (the first, where q is uniform) is always one of the former.
    """
    likely_classes = (q > threshold) | F.one_hot(q.argmax(1), q.shape[1]).bool()
    other_count = (~likely_classes).sum(1, keepdim=True)
    spread_share = torch.where(other_count > 0, eps[:, None], 0.0)
    likely_q = torch.where(likely_classes, q, 0.0)
    return torch.where(
        likely_classes,
        (1 - spread_share) * likely_q / likely_q.sum(1, keepdim=True),
        spread_share / other_count.clamp(min=1),
    )


def class_means(features: Tensor, labels: Tensor, classes: int) -> tuple[Tensor, Tensor]:
    """Mean features [C, d] of the classes in a batch, and which classes those are [C, 1] bool."""
    class_members = F.one_hot(labels, classes).to(features.dtype)
    class_counts = class_members.sum(0)[:, None]
    return class_members.T @ features / class_counts.clamp(min=1), class_counts > 0


class OTPNS(Method):
    name = "otp_ns"
    title = "OTP-NS (reconstructed)"
    source = "OTP-NS: optimal teacher pool, CVPR 2026, as a reading note describes it"
    recipe = Recipe(
        epochs=60,
        batch_size=64,
        optimiser=Adam(lr=2e-4, weight_decay=1e-4),
        schedule=OneCycle(warm=1 / 12, start=0.04),
        augment=Augment(flip=0.5, erase=0.5),
    )
    mechanism = (
        Curve(
            "pool_overrules",
            "Images for which the pool overrules the teacher (%)",
            (0, 0.005),
            "its pool said what the teacher said",
        ),
    )

    search = {
        "gamma": Uniform(0.4, 0.95),
        "smoothing_high": Uniform(0.1, 0.6),
        "consistency_weight": LogUniform(0.2, 5),
        "replace_every": WholeNumber(3, 30),  # of 60
    }

    @dataclass(frozen=True)
    class Parameters:
        """The note's numbers first; from `threshold` on ours."""

        teacher_momentum: float = scaled(0.999, "per step")
        gamma: float = 0.7  # share of the current teacher in the second epoch, about
        smoothing_low: float = 0.1
        smoothing_high: float = 0.3
        replace_every: int = scaled(10, "epoch")  # K: the worst member is replaced in any case
        threshold: float | None = None  # tau; None: 1 / classes
        consistency_weight: float = 1.0
        centre_momentum: float = scaled(0.9, "per step")  # omega
        sigma: float | None = None  # start of the slope in the distance; None: -1 / sqrt(width)
        beta: float = 2.0  # start of the offset
        scale_bias: bool = True  # a (W x + b), else a W x + b
        similarity: str = "fused"  # or 'teacher': whose prediction is compared with the label

        def __post_init__(self) -> None:
            for name in ("teacher_momentum", "gamma", "smoothing_low", "smoothing_high", "centre_momentum"):
                within(f"otp_ns.{name}", getattr(self, name), 0, 1)
            within("otp_ns.replace_every", self.replace_every, 1)
            within("otp_ns.consistency_weight", self.consistency_weight, 0)
            if self.threshold is not None:
                within("otp_ns.threshold", self.threshold, 0, 1)
            if self.similarity not in ("fused", "teacher"):
                raise ValueError(f"otp_ns.similarity: {self.similarity!r} is none of fused, teacher")

    def build(self, backbone: Backbone, classes: int) -> None:
        p = self.settings
        self.backbone = backbone
        self.classifier = nn.Linear(backbone.width, classes)
        self.sigma = nn.Parameter(torch.tensor(-(backbone.width**-0.5) if p.sigma is None else float(p.sigma)))
        self.beta = nn.Parameter(torch.tensor(float(p.beta)))
        self.teacher = Frozen(self.student)
        self.predicting = Frozen(self.student)
        self.pool = nn.ModuleList(Frozen(self.student) for _ in range(MEMBERS))

    @property
    def student(self) -> nn.Sequential:
        return nn.Sequential(self.backbone, self.classifier)

    def begin(self, labels: Tensor, run: Run) -> None:
        super().begin(labels, run)
        self.epochs = run.epochs
        device = labels.device
        self.register_buffer("centres", torch.zeros(run.classes, self.backbone.width, device=device))
        self.register_buffer("known", torch.zeros(run.classes, 1, dtype=torch.bool, device=device))
        self.register_buffer("accuracies", torch.zeros(MEMBERS, device=device))  # of the pool, on the training labels
        # Of the epoch: hits of the teacher, images for which the pool overrules it, images.
        self.register_buffer("hits", torch.zeros(3, device=device), persistent=False)

    def logits(self, images: Tensor) -> Tensor:
        return self.classifier(self.backbone(images)) if self.training else self.predicting(images)

    def captured_anew(self, epoch: int) -> Any:
        return teacher_share(epoch, self.epochs, self.settings.gamma)

    def loss(self, batch: Batch) -> tuple[dict[str, Tensor], Tensor]:
        p = self.settings
        labels = batch.labels
        features = self.backbone(batch.images)
        logits = self.classifier(features)
        self.features = features.detach()
        soft = self.supervision(batch)
        log_p = logits.log_softmax(1)
        losses = {
            "weighted ce": F.cross_entropy(self.scaled_logits(features, logits, labels), labels),
            "consistency": p.consistency_weight * (log_p.exp() * (log_p - soft.log())).sum(1).mean(),
        }
        return losses, logits

    def scaled_logits(self, features: Tensor, logits: Tensor, labels: Tensor) -> Tensor:
        """a_i z_i, a_i = sigmoid(sigma ||x_i - mu_y|| + beta); a class not met before has its centre from this batch."""
        batch_centres, _ = class_means(self.features, labels, len(self.centres))
        centres = torch.where(self.known, self.centres, batch_centres)
        nearness = (self.sigma * (features - centres[labels]).norm(dim=1) + self.beta).sigmoid()[:, None]
        return (
            nearness * logits
            if self.settings.scale_bias
            else nearness * (logits - self.classifier.bias) + (self.classifier.bias)
        )

    @torch.no_grad()
    def supervision(self, batch: Batch) -> Tensor:
        """Soft labels [B, C] of the teacher and the pool."""
        p = self.settings
        teacher_logits = self.teacher(batch.images)
        current_share = teacher_share(batch.epoch, self.epochs, p.gamma)
        fused_logits = teacher_logits
        if current_share < 1:
            weights = self.accuracies / self.accuracies.sum().clamp(min=1e-12)
            pool_logits = sum(weight * member(batch.images) for weight, member in zip(weights, self.pool))
            fused_logits = current_share * teacher_logits + (1 - current_share) * pool_logits
        teacher_labels = teacher_logits.argmax(1)
        image_flags = (
            teacher_labels == batch.labels,
            teacher_labels != fused_logits.argmax(1),
            torch.ones_like(batch.labels),
        )
        self.hits += torch.stack([flags.sum() for flags in image_flags])
        q = fused_logits.softmax(1)
        label_similarity = similarity_to_label(
            q if p.similarity == "fused" else teacher_logits.softmax(1), batch.labels
        )
        threshold = 1 / q.shape[1] if p.threshold is None else p.threshold
        return soft_labels(q, smoothing_strength(label_similarity, p.smoothing_low, p.smoothing_high), threshold)

    @torch.no_grad()
    def after_step(self, batch: Batch) -> None:
        """The teacher follows the student, the centres follow their classes."""
        p = self.settings
        features = self.features
        self.features = None
        self.teacher.follow(self.student, p.teacher_momentum)
        batch_centres, classes_met = class_means(features, batch.labels, len(self.centres))
        moved_centres = torch.where(self.known, self.centres.lerp(batch_centres, 1 - p.centre_momentum), batch_centres)
        self.centres.copy_(torch.where(classes_met, moved_centres, self.centres))
        self.known |= classes_met

    @torch.no_grad()
    def after_epoch(self, epoch: int) -> dict[str, Tensor]:
        """The teacher takes the place of the worst member if it is better, and every K epochs in any case."""
        accuracy, overruled_share, _ = self.hits / self.hits[2].clamp(min=1)
        worst_member = int(self.accuracies.argmin())
        self.hits.zero_()
        replaced_members = []
        if epoch == 1:
            replaced_members = list(range(MEMBERS))
        elif epoch % self.settings.replace_every == 0 or accuracy > self.accuracies[worst_member]:
            replaced_members = [worst_member]
        for member in replaced_members:
            self.pool[member].follow(self.teacher.network, 0.0)
            self.accuracies[member] = accuracy
        self.predicting.average(self.pool)
        return {
            "teacher accuracy": accuracy,
            "pool accuracy": self.accuracies.mean(),
            "pool_overrules": overruled_share,
        }
