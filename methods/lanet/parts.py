"""The pieces of LA-Net's network and of its label-distribution estimation, one for each equation.

Whatever the published program computes in a larger form is here in the smallest one with the same value and gradient:
the pooled landmark feature without the top-down pass, heat maps of P instead of 64 channels, pair scores of the K
neighbours instead of all pairs.
"""

from copy import deepcopy
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from methods.base import Backbone, spatial_mean

EPSILON = 1e-8


class LandmarkBranch(nn.Module):
    """Stages 2 to 4 of its own behind the shared stage 1, and lateral 1x1 convolutions R_1 .. R_4 without bias."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.width = backbone.widths[0]
        self.layers = nn.ModuleList(deepcopy(stage) for stage in (backbone.layer2, backbone.layer3, backbone.layer4))
        self.laterals = nn.ModuleList(nn.Conv2d(width, self.width, 1, bias=False) for width in backbone.widths)

    def maps(self, shared: Tensor) -> list[Tensor]:
        """h_1 .. h_4, each half as wide and high as the one before, from the shared h_1."""
        maps = [shared]
        for layer in self.layers:
            maps.append(layer(maps[-1]))
        return maps

    def feature(self, maps: list[Tensor]) -> Tensor:
        """v = sum_i R_i mean(h_i), [B, width]: the mean of the top-down map G, which is not needed for it."""
        weights = [lateral.weight.flatten(1) for lateral in self.laterals]
        pooled_maps = [spatial_mean(h, weights[0].dtype) for h in maps]
        return sum(F.linear(pooled_map, weight) for pooled_map, weight in zip(pooled_maps, weights))

    def heat_maps(self, maps: list[Tensor], head: nn.Conv2d) -> Tensor:
        """Predicted heat maps head(G), [B, P, S, S]: G <- up(G) + R_i h_i from the smallest map to the largest.

        head commutes with up and R_i, so head R_i is formed first and P channels travel up.
        """
        heat = None
        for lateral, h in zip(reversed(self.laterals), reversed(maps)):
            weight = torch.einsum("pd...,dc...->pc...", head.weight, lateral.weight)
            lateral_heat = F.conv2d(h.to(weight.dtype), weight)
            heat = lateral_heat if heat is None else double_maps(heat) + lateral_heat
        return heat


def double_maps(maps: Tensor) -> Tensor:
    """Bilinear enlargement x2 with half-pixel centres, as U X U' with the [2S, S] matrix U of one axis."""
    up = doubling_matrix(maps.shape[-1], maps.dtype, maps.device)
    return up @ maps @ up.T


@lru_cache(maxsize=32)
def doubling_matrix(side: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """U [2S, S], kept on its device: the same in every step."""
    with torch.inference_mode(False), torch.no_grad():
        identity = torch.eye(side, dtype=dtype, device=device)
        return F.interpolate(identity[None], scale_factor=2, mode="linear", align_corners=False)[0].T


class Projection(nn.Sequential):
    """Linear, ReLU, Linear, then unit length: the space of the contrastive loss."""

    def __init__(self, features: int, width: int) -> None:
        super().__init__(nn.Linear(features, width), nn.ReLU(), nn.Linear(width, width))

    def forward(self, features: Tensor) -> Tensor:
        return F.normalize(super().forward(features), dim=1)


class PairScore(nn.Module):
    """s_ij in (0, 1): how much image i should believe the prediction for its neighbour j; not symmetric."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.split = nn.Linear(width, width)
        self.join = nn.Linear(width, width // 2)
        self.hidden = nn.Linear(width // 2, width // 4)
        self.score = nn.Linear(width // 4, 2)

    def forward(self, features: Tensor, near: Tensor) -> Tensor:
        """features: [B, d]. near: [B, K] rows of the neighbours. Returns s of the K neighbours only, [B, K].

        [a_i; c_i] = W0 f_i + b0 and W1 [a_i; c_j] = W1' a_i + W1'' c_j, so W1 meets each image once, not each pair.
        """
        own_features, neighbour_features = self.split(features).chunk(2, dim=1)
        weight_own, weight_other = self.join.weight.chunk(2, dim=1)
        own_part = F.linear(own_features, weight_own, self.join.bias)
        other_part = F.linear(neighbour_features, weight_other)
        z = self.score(self.hidden((own_part[:, None] + other_part[near]).relu()).relu())
        return torch.sigmoid(z[..., 0] - z[..., 1])


@torch.no_grad()
def find_neighbours(features: Tensor, k: int, excluded: Tensor) -> Tensor:
    """Rows of the k most similar (cosine) of each image, [B, k] int64; excluded: [B, B] bool, similarity -1."""
    unit_features = F.normalize(features, dim=1)
    return (unit_features @ unit_features.T).masked_fill(excluded, -1.0).topk(k, dim=1).indices


def aggregate_predictions(scores: Tensor, neighbour_rows: Tensor, predictions: Tensor) -> Tensor:
    """A_i = (sum_j s_ij p_j + eps mean(p)) / (sum_j s_ij + eps) over the neighbours j of i, [B, C]; rows sum to 1."""
    weighted_predictions = torch.einsum("bk,bkc->bc", scores, predictions[neighbour_rows])
    return (weighted_predictions + EPSILON * predictions.mean(0)) / (scores.sum(1, keepdim=True) + EPSILON)


def label_distribution(bank: Tensor, expression: Tensor, landmark: Tensor, momentum: float) -> Tensor:
    """t_i = omega D_i + (1 - omega) (A_i^u + A_i^v) / 2, with the gradient of the aggregated predictions, [B, C]."""
    return momentum * bank + (1 - momentum) * (expression + landmark) / 2


def update_bank(bank: Tensor, index: Tensor, targets: Tensor) -> None:
    """D[n_i] <- t_i in place; of several rows for the same image the last one counts, on every device."""
    position = torch.arange(len(index), device=index.device)
    last_positions = torch.where(index[:, None] == index, position, -1).amax(1)
    bank.index_copy_(0, index, targets.detach()[last_positions])


def pseudo_labels(targets: Tensor, index: Tensor, confidence: float, offset: int = 0) -> Tensor:
    """y'_i = argmax t_i where max t_i >= delta, else -(n_i + offset), a label of the image's own; [B] in t's type.

    As published, offset is 0, so an ambiguous image 0 cannot be told from class 0.
    """
    best = targets.detach().max(1)
    return torch.where(best.values < confidence, -(index + offset), best.indices).to(targets.dtype)


def enqueue_rows(queue: Tensor, rows: Tensor, pointer: Tensor) -> None:
    """Overwrite the oldest columns of queue [d, M] or [M] with rows [B, d] or [B], from column `pointer` on."""
    columns = (pointer + torch.arange(len(rows), device=pointer.device)) % queue.shape[-1]
    queue.index_copy_(-1, columns, rows.t())
