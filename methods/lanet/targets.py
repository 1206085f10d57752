"""LA-Net's landmark targets: a Gaussian heat map for every landmark, and a map that weighs its neighbourhood.

Both are drawn for a whole batch on the device that trains. A Gaussian is the outer product of two one-dimensional
profiles, and so is its dilation: only the profiles [B, P, 2, S] are computed, then multiplied out.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

PUBLISHED_SIDE = 56
HEAVY = 10.0
LIGHT = 1.0
HEAVY_FROM = 0.2


@dataclass(frozen=True)
class Brush:
    """How a landmark is painted, in pixels of the map: standard deviation, reach before and after it, dilation."""

    sigma: float = 1.5
    before: int = 5
    after: int = 4
    dilation: int = 1


def brush_for(side: int) -> Brush:
    """The published brush at 56 pixels a side, lengths in proportion elsewhere, sigma at least 0.75 pixels."""
    sigma = max(0.75, Brush.sigma * side / PUBLISHED_SIDE)
    size_ratio = sigma / Brush.sigma
    return Brush(
        sigma, round(Brush.before * size_ratio), round(Brush.after * size_ratio), round(Brush.dilation * size_ratio)
    )


def map_points(landmarks: Tensor, ratio: float, exact: bool = False) -> Tensor:
    """Landmarks in pixels of a map that is `ratio` times smaller than the image.

    As published, coordinates are truncated twice, in the image and in the map: q = trunc(trunc(l) / ratio + 0.5), so
    slightly negative ones become 0. `exact` leaves them as they are.
    """
    return landmarks / ratio if exact else torch.trunc(torch.trunc(landmarks) / ratio + 0.5)


def gaussian_profiles(points: Tensor, side: int, brush: Brush, exact: bool = False) -> Tensor:
    """One-dimensional Gaussians [..., 2, side] of points [..., 2], zero outside the brush.

    As published, a point nearer than `before` pixels to the left or top border is painted one pixel too far from it,
    and the reach is longer before a point than after it. `exact` centres the Gaussian on the point, equal reach.
    """
    q = points[..., None]
    pixel = torch.arange(side, device=points.device, dtype=points.dtype)
    if exact:
        centre = q
        first_pixel = q - brush.before
        last_pixel = q + brush.before
    else:
        first_pixel = torch.where(q >= brush.before, q - brush.before, q - brush.before + 1)
        centre = first_pixel + brush.before
        last_pixel = q + brush.after
    is_inside = (pixel >= first_pixel) & (pixel <= last_pixel)
    distance = (pixel - centre).clamp(-brush.before, brush.before)  # farther is outside, and exp is slow near underflow
    return torch.exp(-(distance**2) / (2 * brush.sigma**2)) * is_inside


def heat_maps(profile: Tensor) -> Tensor:
    """H(y, x) = exp(-((x - cx)^2 + (y - cy)^2) / (2 sigma^2)) inside the brush, [..., side, side]."""
    return profile[..., 1, :, None] * profile[..., 0, None, :]


def weight_maps(profile: Tensor, dilation: int = 1) -> Tensor:
    """10 where the heat map, dilated by `dilation` pixels, exceeds 0.2, and 1 elsewhere, [..., side, side]."""
    flat_profile = profile.flatten(0, -2)
    dilated_profile = F.max_pool1d(flat_profile, 2 * dilation + 1, stride=1, padding=dilation).reshape(profile.shape)
    return heat_maps(dilated_profile).gt_(HEAVY_FROM).mul_(HEAVY - LIGHT).add_(LIGHT)


@torch.no_grad()
def landmark_targets(
    landmarks: Tensor, image_side: int, side: int, brush: Brush, exact: bool = False
) -> tuple[Tensor, Tensor]:
    """Heat maps and weight maps [B, P, side, side], float32, of landmarks [B, P, 2], (x, y) in pixels of the image."""
    points = map_points(landmarks.float(), image_side / side, exact)
    profile = gaussian_profiles(points, side, brush, exact)
    return heat_maps(profile), weight_maps(profile, brush.dilation)
