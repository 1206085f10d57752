"""LA-Net written out as its equations stand, pair by pair and landmark by landmark.

Slow on purpose: these are what the fast forms in `methods/lanet/` are compared with, in tests and in benchmarks.
"""

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from methods.base import Batch
from methods.lanet.losses import ALPHA, OMEGA, THETA
from methods.lanet.method import LANet
from methods.lanet.parts import EPSILON, LandmarkBranch, PairScore, Projection


def adaptive_wing(prediction: Tensor, target: Tensor) -> Tensor:
    """Both branches of the adaptive wing loss on the pixels that a boolean mask selects."""
    distance = (target - prediction).abs()
    loss = torch.zeros_like(distance)
    near = distance < THETA
    d, power = distance[near], ALPHA - target[near]
    loss[near] = OMEGA * torch.log(1 + d**power)
    d, power = distance[~near], ALPHA - target[~near]
    slope = OMEGA * (1 / (1 + THETA**power)) * power * THETA ** (power - 1)
    loss[~near] = slope * d - (THETA * slope - OMEGA * torch.log(1 + THETA**power))
    return loss


def contrastive_loss(
    query: Tensor, key: Tensor, queue: Tensor, labels: Tensor, queue_labels: Tensor, temperature: float
) -> Tensor:
    """-log(exp(S_ij) / (exp(S_ij) + sum_m exp(q_i b_m / tau))) for all pairs, on a [N, N, 1 + M] tensor."""
    images, size = len(query), queue.shape[1]
    same_as_queue = (labels[:, None] == queue_labels).to(query.dtype)
    negatives = (query @ queue - 1e10 * same_as_queue)[:, None].expand(images, images, size)
    logits = torch.cat([(query @ key.T)[:, :, None], negatives], dim=2) / temperature
    loss = -logits.log_softmax(2)[:, :, 0]
    same = (labels[:, None] == labels).to(query.dtype)
    return ((loss * same).sum(1) / same.sum(1)).mean()


def pair_scores(net: PairScore, features: Tensor) -> Tensor:
    """s_ij for all pairs of the batch, [B, B], on a [B, B, d] tensor."""
    images = len(features)
    own, other = net.split(features).chunk(2, dim=1)
    pairs = torch.cat([own[:, None].expand(-1, images, -1), other[None].expand(images, -1, -1)], dim=2)
    return net.score(net.hidden(net.join(pairs).relu()).relu()).softmax(2)[:, :, 0]


def weigh_predictions(net: PairScore, features: Tensor, predictions: Tensor, k: int) -> Tensor:
    """A [B, C]: every image weighs every other, s_ij times neighbour or not, plus eps / B."""
    images = len(features)
    with torch.no_grad():
        similarity = F.cosine_similarity(features[:, None], features[None], dim=2).fill_diagonal_(-1)
        near = torch.zeros_like(similarity).scatter_(1, similarity.topk(k).indices, 1)
    weights = pair_scores(net, features) * near + EPSILON / images
    return weights @ predictions / weights.sum(1, keepdim=True)


def landmark_targets(points: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Heat maps and weight maps [B, P, side, side] of whole points [B, P, 2] in map pixels, one after the other."""
    heat = np.zeros((*points.shape[:2], side, side), np.float32)
    weight = np.ones_like(heat)
    grid = np.arange(side, dtype=np.float32)
    for image, landmark in np.ndindex(*points.shape[:2]):
        (left, right, x), (top, bottom, y) = (gaussian_window(int(q), side) for q in points[image, landmark])
        if left >= right or top >= bottom:
            continue
        squared = (grid[None, left:right] - x) ** 2 + (grid[top:bottom, None] - y) ** 2
        heat[image, landmark, top:bottom, left:right] = np.exp(-squared / (2 * 1.5**2))
        dilated = cv2.dilate(heat[image, landmark], np.ones((3, 3), np.uint8))
        weight[image, landmark][dilated > 0.2] = 10
    return heat, weight


def gaussian_window(q: int, side: int) -> tuple[int, int, int]:
    """First pixel, pixel after the last, and centre of a landmark's Gaussian along one axis."""
    if q >= 5:
        return min(q - 5, side), min(q + 5, side), q
    return max(q - 4, 0), max(q + 5, 0), q + 1


def top_down(landmark: LandmarkBranch, maps: list[Tensor]) -> Tensor:
    """G at the size of h_1, with all its channels."""
    lifted = [lateral(h) for lateral, h in zip(landmark.laterals, maps)]
    total = lifted.pop()
    while lifted:
        total = F.interpolate(total, scale_factor=2, mode="bilinear", align_corners=False) + lifted.pop()
    return total


def encode_images(encoder: nn.ModuleList, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """u, G and v of a query or key encoder."""
    backbone, landmark = encoder[0], encoder[1]
    with backbone.autocast():
        shared = backbone.layer1(backbone.stem(images))
        top = backbone.layer4(backbone.layer3(backbone.layer2(shared)))
        total = top_down(landmark, landmark.maps(shared))
    expression, total = top.to(images.dtype).mean((2, 3)), total.to(images.dtype)
    return expression, total, total.mean((2, 3))


def project_features(net: Projection, features: Tensor) -> Tensor:
    return F.normalize(nn.Sequential.forward(net, features), dim=1)


def literal_losses(method: LANet, batch: Batch) -> dict[str, Tensor]:
    """The four losses of a step on a method's own networks, queues and bank, in the literal forms; changes nothing else
    than the key encoder, as a step does."""
    p, encoder = method.settings, method.query_encoder()
    u, total, v = encode_images(encoder, batch.images)
    logits = method.classifier(u)
    soft = logits.softmax(1)
    smoothed = sum(
        weigh_predictions(method.scores[name], features, soft, p.neighbours)
        for name, features in (("expression", u), ("landmark", v))
    )
    targets = p.label_momentum * method.bank[batch.index] + (1 - p.label_momentum) * smoothed / 2
    prediction = method.heat_maps(total)
    side = prediction.shape[-1]
    whole_points = np.trunc(np.trunc(batch.landmarks.numpy()) / (batch.images.shape[-1] / side) + np.float32(0.5))
    heat, weight = (torch.from_numpy(maps).to(prediction.dtype) for maps in landmark_targets(whole_points, side))
    return {
        "ce": F.cross_entropy(logits, batch.labels),
        "landmark": p.landmark_weight * (adaptive_wing(prediction, heat) * weight).mean(),
        "distribution": p.distribution_weight * F.kl_div(logits.log_softmax(1), targets, reduction="batchmean"),
        "contrastive": p.contrastive_weight * contrast_both_ways(method, encoder, u, v, targets, batch),
    }


def contrast_both_ways(
    method: LANet, encoder: nn.ModuleList, u: Tensor, v: Tensor, targets: Tensor, batch: Batch
) -> Tensor:
    """Both directions of the contrastive loss, with the whole pyramid of the key encoder."""
    p, key = method.settings, method.key
    with torch.no_grad():
        for old, new in zip(key.parameters(), encoder.parameters()):
            old.copy_(p.key_momentum * old + (1 - p.key_momentum) * new)
        key_u, _, key_v = encode_images(key, batch.images)
        keys = [project_features(net, x) for net, x in zip(key[2].values(), (key_u, key_v))]
    queries = [project_features(net, x) for net, x in zip(method.project.values(), (u, v))]
    best = targets.max(1)
    labels = torch.where(best.values < p.confidence, -batch.index, best.indices).to(targets.dtype)
    shared = (labels, method.queue_labels, p.temperature)
    return contrastive_loss(queries[0], keys[1], method.landmark_queue, *shared) + contrastive_loss(
        queries[1], keys[0], method.expression_queue, *shared
    )
