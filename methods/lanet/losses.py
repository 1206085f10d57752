"""The losses of LA-Net as pure functions; each is the cheapest form with the published value and gradient."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

ALPHA, OMEGA, THETA = 2.1, 14.0, 0.5  # of the adaptive wing loss, its epsilon is 1


class AdaptiveWing(torch.autograd.Function):
    """The loss of each pixel, with its slope found on the way instead of through the graph of twenty steps.

    d = |y - yhat|, q = alpha - y: omega log(1 + d^q) where d < theta, else A d - C, the tangent at theta. With
    n = min(d, theta) both are omega log(1 + n^q) + s (d - n), and s = omega q n^(q - 1) / (1 + n^q) is the slope in d:
    no branch, which costs more on a CPU than log and exp together.
    """

    @staticmethod
    def forward(ctx: Any, prediction: Tensor, target: Tensor) -> Tensor:
        difference = prediction - target
        distance = difference.abs()
        power = ALPHA - target
        clamped_distance = distance.clamp(min=torch.finfo(distance.dtype).tiny, max=THETA)
        raised_distance = clamped_distance.log().mul_(power).exp_()
        one_more = raised_distance + 1
        slope = power.mul_(raised_distance).mul_(OMEGA).div_(clamped_distance * one_more)
        # log(1 + x) as log(u) + (x - (u - 1)) / u with u = 1 + x rounded: exact to the last bits, unlike log(u) alone.
        loss = one_more.log().add_(raised_distance.sub_(one_more - 1).div_(one_more)).mul_(OMEGA)
        loss += distance.sub_(clamped_distance).mul_(slope)
        ctx.save_for_backward(slope.mul_(difference.sign_()))
        return loss

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient * ctx.saved_tensors[0], None


def adaptive_wing(prediction: Tensor, target: Tensor) -> Tensor:
    """Adaptive wing loss of each pixel, for target heat maps without gradient (Wang et al., ICCV 2019, equation 3)."""
    return AdaptiveWing.apply(prediction, target)


def landmark_loss(prediction: Tensor, target: Tensor, weight: Tensor, usable: Tensor | None = None) -> Tensor:
    """Weighted adaptive wing loss, mean over images [B] that are usable, points and pixels; 0 if no image is."""
    image_losses = (adaptive_wing(prediction, target) * weight).flatten(1).mean(1)
    if usable is None:
        return image_losses.mean()
    return torch.where(usable, image_losses, 0.0).sum() / usable.sum().clamp(min=1)


def distribution_loss(targets: Tensor, logits: Tensor) -> Tensor:
    """KL(t | softmax(o)), mean over images, with gradient through both; an entry t = 0 contributes 0."""
    log_targets = targets.clamp(min=torch.finfo(targets.dtype).tiny).log()
    return (targets * (log_targets - logits.log_softmax(1))).sum(1).mean()


def contrastive_loss(
    query: Tensor,
    key: Tensor,
    queue: Tensor,
    labels: Tensor,
    queue_labels: Tensor,
    temperature: float,
    group: Tensor | None = None,
    inbatch_negatives: bool = False,
) -> Tensor:
    """One direction of the expression-landmark contrastive loss: mean_i mean_{j: y'_j = y'_i} loss_ij.

    query, key: [B, d] unit rows. queue: [d, M] unit columns. labels: [B], queue_labels: [M], pseudo labels.
    loss_ij = -log(exp(S_ij) / (exp(S_ij) + sum_{m: r_m != y'_i} exp(q_i b_m / tau))) where S_ij = q_i k_j / tau. The
    sum, exp(E_i), does not depend on j, so loss_ij = softplus(E_i - S_ij).
    group: [B], pairs are formed within a group only. inbatch_negatives: keys of other labels count in E_i too.
    """
    masked_value = torch.finfo(query.dtype).min  # finite, so that a row without any negative has loss and gradient 0
    scaled_query = query / temperature
    similarity = scaled_query @ key.T
    same_label = labels[:, None] == labels
    same_group = torch.ones_like(same_label) if group is None else group[:, None] == group
    negatives = (scaled_query @ queue).masked_fill_(labels[:, None] == queue_labels, masked_value)
    if inbatch_negatives:
        negatives = torch.cat([negatives, similarity.masked_fill(same_label | ~same_group, masked_value)], dim=1)
    loss = F.softplus(negatives.logsumexp(1, keepdim=True) - similarity)
    positives = same_label & same_group
    return (torch.where(positives, loss, 0.0).sum(1) / positives.sum(1)).mean()
