"""DISC: every image has its own thresholds, which rise with what the network is sure of, and decide what it is used for.

Li et al., CVPR 2023. Clean images learn by cross-entropy, hard ones by a robust loss, and these two with images whose
label was corrected by mixup. The paper has no recipe for expressions, so the baseline's holds, with a strong second
view; parameters are those for real noise (Clothing1M).
"""

from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from methods.base import RECIPE, Batch, Curve, Run, scaled, within
from methods.baseline import Baseline
from methods.mixup import draw_share

ALPHA, Q = 5.0, 0.7  # of mixup's Beta distribution and of the robust loss, of the published program


def members_first(member: Tensor) -> tuple[Tensor, Tensor]:
    """Rows [B] that name the members one after the other, again and again, and [B] whether a place is its member's first.

    So a pass over a whole batch holds members only, and how many there are need not be known on the host. Without a
    member all rows are named, and no place counts.
    """
    member_count = member.sum()
    batch_positions = torch.arange(len(member), device=member.device)
    period = torch.where(member_count > 0, member_count, len(member))
    members_in_front = member.logical_not().to(torch.uint8).argsort(stable=True)
    return members_in_front[batch_positions % period], batch_positions < member_count


class DISC(Baseline):
    name = "disc"
    title = "DISC"
    source = (
        "Li et al., DISC: Learning from Noisy Labels via Dynamic Instance-Specific Selection and Correction, CVPR 2023"
    )
    recipe = replace(RECIPE, augment=replace(RECIPE.augment, second_view="strong"))
    mechanism = (
        Curve("clean images", "Images taken for clean (%)", (0.99, 1), "it treated every label as right"),
        Curve("corrected images", "Images with a corrected label (%)"),
    )

    @dataclass(frozen=True)
    class Parameters:
        """momentum 0.95 for asymmetric noise and Clothing1M, hard_weight 0.2 for 60 % and more, in the paper."""

        warm_up: int = scaled(10, "epoch")  # t_0
        momentum: float = scaled(0.99, "per epoch")  # of the thresholds
        hard_weight: float = 1.0
        surplus: float = 0.5  # how far above the thresholds a correction must be
        highest: float = 0.99  # beyond which no correction need be

        def __post_init__(self) -> None:
            within("disc.warm_up", self.warm_up, 1)
            within("disc.momentum", self.momentum, 0, 1)
            within("disc.hard_weight", self.hard_weight, 0)
            within("disc.surplus", self.surplus, 0, 1)
            within("disc.highest", self.highest, 0, 1)

    def begin(self, labels: Tensor, run: Run) -> None:
        super().begin(labels, run)
        for view in ("weak", "strong"):
            self.register_buffer(view, torch.zeros(run.images, run.classes, device=labels.device))  # latest p
        self.register_buffer("thresholds", torch.full((2, run.images), 1 / run.images, device=labels.device))
        self.register_buffer("chosen", torch.zeros(3, run.images, dtype=torch.bool, device=labels.device))
        self.register_buffer("corrected_labels", labels.clone())

    def captured_anew(self, epoch: int) -> Any:
        return epoch <= self.settings.warm_up

    def loss(self, batch: Batch) -> tuple[dict[str, Tensor], Tensor]:
        view_logits = self.logits(torch.cat([batch.images, batch.second])).chunk(2)
        for stored_predictions, logits in zip((self.weak, self.strong), view_logits):
            stored_predictions[batch.index] = logits.detach().softmax(1)
        label_log_p = [logits.log_softmax(1).gather(1, batch.labels[:, None])[:, 0] for logits in view_logits]
        if batch.epoch <= self.settings.warm_up:
            return {"ce": -(label_log_p[0] + label_log_p[1]).mean()}, view_logits[0]
        clean, hard, corrected = self.chosen[:, batch.index]
        robust_losses = sum((1 - (Q * log_p).exp()) / Q for log_p in label_log_p)
        labels = torch.where(corrected, self.corrected_labels[batch.index], batch.labels)
        mix_members = clean | hard | corrected
        losses = {
            "clean": -(clean * (label_log_p[0] + label_log_p[1])).mean(),
            "hard": self.settings.hard_weight * (hard * robust_losses).mean(),
            "mixed": sum(self.mixed(view, labels, mix_members, batch) for view in (batch.images, batch.second)),
        }
        return losses, view_logits[0]

    def mixed(self, images: Tensor, labels: Tensor, mix_members: Tensor, batch: Batch) -> Tensor:
        """Cross-entropy on mixtures of the members of the mix set with each other, in a pass of their own."""
        member_rows, row_counts = members_first(mix_members)
        own_share = draw_share(ALPHA, batch.generator, images.device)
        permutation = torch.randperm(len(member_rows), generator=batch.generator, device=member_rows.device)
        partner_rows = member_rows[permutation]
        logits = self.logits(own_share * images[member_rows] + (1 - own_share) * images[partner_rows])
        own_losses = F.cross_entropy(logits, labels[member_rows], reduction="none")
        partner_losses = F.cross_entropy(logits, labels[partner_rows], reduction="none")
        mixed_losses = own_share * own_losses + (1 - own_share) * partner_losses
        return (mixed_losses * row_counts).sum() / row_counts.sum().clamp_min(1)

    def after_epoch(self, epoch: int) -> dict[str, Tensor]:
        """Choose by the thresholds as they are, then let them rise towards what each view is sure of."""
        p = self.settings
        view_predictions = torch.stack([self.weak, self.strong])
        above_threshold = view_predictions.gather(2, self.labels.expand(2, -1)[:, :, None])[:, :, 0] > self.thresholds
        clean = above_threshold[0] & above_threshold[1]
        hard = above_threshold[0] ^ above_threshold[1]
        confidence, best_class = view_predictions.mean(0).max(1)
        corrected = confidence > (self.thresholds.mean(0) + p.surplus).clamp_max(p.highest)
        self.chosen.copy_(torch.stack([clean, hard, corrected & ~clean & ~hard]))
        self.corrected_labels.copy_(best_class)
        self.thresholds.mul_(p.momentum).add_((1 - p.momentum) * view_predictions.amax(2))
        shares = self.chosen.float().mean(1)
        return dict(zip(("clean images", "hard images", "corrected images"), shares))

    def opinion(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """How far the given label lies behind the best class in the latest predictions of both views."""
        latest_predictions = (self.weak[batch.index] + self.strong[batch.index]) / 2
        label_deficit = latest_predictions.amax(1) - latest_predictions.gather(1, batch.labels[:, None])[:, 0]
        return self.logits(batch.images).softmax(1), label_deficit
