"""The losses of LA-Net as pure functions; each is the cheapest form with the published value and gradient."""

from math import log

import torch
import torch.nn.functional as F
from torch import Tensor

ALPHA, OMEGA, THETA = 2.1, 14.0, 0.5  # of the adaptive wing loss, its epsilon is 1


def adaptive_wing(prediction: Tensor, target: Tensor) -> Tensor:
    """Adaptive wing loss of each pixel, for target heat maps without gradient (Wang et al., ICCV 2019, equation 3).

    d = |y - yhat|, q = alpha - y: omega log(1 + d^q) where d < theta, else A d - C, the tangent at theta. So both are
    omega log(1 + min(d, theta)^q) + A (d - min(d, theta)): no branch, and log and exp for the slower pow.
    """
    distance, power = (target - prediction).abs(), ALPHA - target
    near = distance.clamp(max=THETA)
    to_the_power = (power * near.clamp(min=torch.finfo(near.dtype).tiny).log()).exp()
    at_theta = (power * log(THETA)).exp()
    slope = OMEGA * power * at_theta / (THETA * (1 + at_theta))
    return OMEGA * torch.log1p(to_the_power) + slope * (distance - near)


def landmark_loss(prediction: Tensor, target: Tensor, weight: Tensor, usable: Tensor | None = None) -> Tensor:
    """Weighted adaptive wing loss, mean over images [B] that are usable, points and pixels; 0 if no image is."""
    each = (adaptive_wing(prediction, target) * weight).flatten(1).mean(1)
    if usable is None:
        return each.mean()
    return torch.where(usable, each, 0.0).sum() / usable.sum().clamp(min=1)


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
    nothing = torch.finfo(query.dtype).min  # finite, so that a row without any negative has loss and gradient 0
    scaled_query = query / temperature
    similarity = scaled_query @ key.T
    same = labels[:, None] == labels
    together = torch.ones_like(same) if group is None else group[:, None] == group
    negatives = (scaled_query @ queue).masked_fill_(labels[:, None] == queue_labels, nothing)
    if inbatch_negatives:
        negatives = torch.cat([negatives, similarity.masked_fill(same | ~together, nothing)], dim=1)
    loss = F.softplus(negatives.logsumexp(1, keepdim=True) - similarity)
    positives = same & together
    return (torch.where(positives, loss, 0.0).sum(1) / positives.sum(1)).mean()
