"""SOP: a sparse noise vector for each image, trained beside the network, takes up what its wrong label says.

Liu et al., ICML 2022 (over-parameterisation), without the two further terms of SOP+. The paper has no recipe for
expressions, so the baseline's holds; the noise vectors keep their own plain gradient descent.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from methods.base import Batch, Curve, Run, within
from methods.baseline import Baseline

START = 1e-8  # deviation of the vectors' first values
SMALLEST = 1e-4  # bound of a probability, of the published program
PUBLISHED_EPOCHS, PUBLISHED_BATCH = 120, 128  # to which the rates of the vectors belong


class SparseOverParameterisation(Baseline):
    name = "sop"
    title = "SOP"
    source = "Liu et al., Robust Training under Label Noise by Over-parameterization, ICML 2022"
    mechanism = (
        Curve(
            "noise at the given class",
            "Share of a label that is explained as noise (%)",
            (0, 0.005),
            "it explained hardly any label as noise",
        ),
    )

    @dataclass(frozen=True)
    class Parameters:
        """The values for CIFAR-10 with symmetric noise; 0.1 and 100 for asymmetric noise."""

        lr_u: float = 1.0
        lr_v: float = 10.0
        detach_u_in_mse: bool = False  # true: u learns from the cross-entropy alone

        def __post_init__(self) -> None:
            within("sop.lr_u", self.lr_u, 0)
            within("sop.lr_v", self.lr_v, 0)

    def begin(self, labels: Tensor, run: Run) -> None:
        """The vectors start at random; a short run or a large batch gives them larger steps (see the method's page)."""
        super().begin(labels, run)
        generator = torch.Generator().manual_seed(run.seed)
        start_values = torch.randn(run.images, 1 + run.classes, generator=generator) * START
        self.register_buffer("u", start_values[:, :1].to(labels.device))
        self.register_buffer("v", start_values[:, 1:].to(labels.device))
        self.faster = run.batch_size / PUBLISHED_BATCH * PUBLISHED_EPOCHS / run.epochs

    def loss(self, batch: Batch) -> tuple[dict[str, Tensor], Tensor]:
        logits = self.logits(batch.images)
        label = F.one_hot(batch.labels, logits.shape[1]).float()
        self.leaves = [noise_vectors[batch.index].requires_grad_() for noise_vectors in (self.u, self.v)]
        added_noise, removed_noise = self.noise(*self.leaves, label)
        explained_p = (logits.softmax(1) + added_noise - removed_noise.detach()).clamp_min(SMALLEST)
        explained_p = (explained_p / explained_p.sum(1, keepdim=True)).clamp(SMALLEST, 1)
        predicted_label = F.one_hot(logits.argmax(1), logits.shape[1]).float()
        if self.settings.detach_u_in_mse:
            added_noise = added_noise.detach()
        losses = {
            "ce": -(label * explained_p.log()).sum(1).mean(),
            "mse": (predicted_label + added_noise - removed_noise - label).square().sum(1).mean(),
        }
        return losses, logits

    @staticmethod
    def noise(u: Tensor, v: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        """What is added at the given class (from u [B, 1]) and taken away at the others (from v [B, C]), [B, C] each."""
        return u.square().clamp(0, 1) * label, v.square().clamp(0, 1) * (1 - label)

    def after_step(self, batch: Batch) -> None:
        for stored_vectors, trained_vectors, learning_rate in zip(
            (self.u, self.v), self.leaves, (self.settings.lr_u, self.settings.lr_v)
        ):
            stored_vectors[batch.index] = trained_vectors.detach() - self.faster * learning_rate * trained_vectors.grad

    def after_epoch(self, epoch: int) -> dict[str, Tensor]:
        return {"noise at the given class": self.u.square().clamp(0, 1).mean()}

    def opinion(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The noise vector at the given class says how little the network explains of the label."""
        return self.logits(batch.images).softmax(1), self.u[batch.index, 0].square().clamp(0, 1)
