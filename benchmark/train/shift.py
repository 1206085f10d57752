"""Moving images by a padded crop, a batch at a time: one whole number of pixels across and down for each image."""

import torch
from torch import Tensor

from methods.support.recipe import Augment


def shift_draws(count: int, recipe: Augment, side: int, generator: torch.Generator) -> Tensor:
    """[B, 2] int64 pixels across and down by which each crop is moved, uniform in -most .. most; 0 where it is not."""
    most = round(recipe.shift * side)
    draw = torch.rand((3, count), generator=generator, device=generator.device)
    moved = (draw[:2] * (2 * most + 1)).floor().clamp_(max=2 * most) - most
    return torch.where(draw[2] < recipe.shift_probability, moved, 0.0).long().T


def shift_images(images: Tensor, by: Tensor, fill: str) -> Tensor:
    """Pixel (x, y) of each result is pixel (x + across, y + down) of its image; outside of it zero, or its reflection.

    images: uint8 [B, S, S, ch]. by: [B, 2] across, down.
    """
    pixel = torch.arange(images.shape[1], device=images.device)
    columns, rows = pixel + by[:, :1], pixel + by[:, 1:]
    first, last = torch.arange(len(images), device=images.device)[:, None, None], images.shape[1] - 1
    if fill == "reflect":  # without repeating the edge
        columns, rows = (last - (last - line.abs()).abs() for line in (columns, rows))
        return images[first, rows[:, :, None], columns[:, None]]
    inside = ((rows >= 0) & (rows <= last))[:, :, None] & ((columns >= 0) & (columns <= last))[:, None]
    found = images[first, rows.clamp(0, last)[:, :, None], columns.clamp(0, last)[:, None]]
    return found * inside[..., None]
