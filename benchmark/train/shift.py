"""Moving images by a padded crop, a batch at a time: one whole number of pixels across and down for each image."""

import torch
from torch import Tensor

from methods.support.recipe import Augment


def shift_draws(count: int, recipe: Augment, side: int, generator: torch.Generator) -> Tensor:
    """[B, 2] int64 pixels across and down by which each crop is moved, uniform within the recipe's shift; 0 where it is not."""
    largest_shift = round(recipe.shift * side)
    draws = torch.rand((3, count), generator=generator, device=generator.device)
    shifts = (draws[:2] * (2 * largest_shift + 1)).floor().clamp_(max=2 * largest_shift) - largest_shift
    return torch.where(draws[2] < recipe.shift_probability, shifts, 0.0).long().T


def shift_images(images: Tensor, by: Tensor, fill: str) -> Tensor:
    """Pixel (x, y) of each result is pixel (x + across, y + down) of its image; outside of it zero, or its reflection.

    images: uint8 [B, S, S, ch]. by: [B, 2] across, down.
    """
    pixel = torch.arange(images.shape[1], device=images.device)
    columns = pixel + by[:, :1]
    rows = pixel + by[:, 1:]
    image_numbers = torch.arange(len(images), device=images.device)[:, None, None]
    last_pixel = images.shape[1] - 1
    if fill == "reflect":  # without repeating the edge
        columns, rows = (last_pixel - (last_pixel - line.abs()).abs() for line in (columns, rows))
        return images[image_numbers, rows[:, :, None], columns[:, None]]
    is_inside = ((rows >= 0) & (rows <= last_pixel))[:, :, None] & ((columns >= 0) & (columns <= last_pixel))[:, None]
    moved_pixels = images[image_numbers, rows.clamp(0, last_pixel)[:, :, None], columns.clamp(0, last_pixel)[:, None]]
    return moved_pixels * is_inside[..., None]
