"""Resampling of uint8 image batches as Pillow does it: antialiased bilinear and bicubic (a = -0.5) filters.

Both Pillow and this round after each axis; on pure noise about one pixel in ten thousand is two grey levels off.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional


def on_host(tensor: Tensor) -> bool:
    """Whether values can be read without waiting for a device."""
    return tensor.is_cpu


def alter_chosen(chosen: Tensor, work: Callable[..., Tensor], images: Tensor, *details: Tensor) -> Tensor:
    """Images [B, ...] of which the `chosen` ones, [B] bool, are replaced by `work(images, *details)`.

    On a CPU only these are worked out; elsewhere all are, since which they are cannot be read without waiting.
    """
    if not on_host(images):
        return torch.where(chosen[:, None, None, None], work(images, *details), images)
    chosen_rows = chosen.nonzero()[:, 0]
    if not len(chosen_rows):
        return images
    images = images.clone()
    images[chosen_rows] = work(images[chosen_rows], *(detail[chosen_rows] for detail in details))
    return images


def resize_images(images: Tensor, side: int, filter: str) -> Tensor:
    """Resize uint8 [B, S, S, ch] to uint8 [B, side, side, ch]."""
    if images.shape[1] == side:
        return images
    planes = images.permute(0, 3, 1, 2)
    if on_host(images):
        return functional.interpolate(planes, (side, side), mode=filter, antialias=True).permute(0, 2, 3, 1)
    whole_box = torch.zeros((1, 4), device=images.device)
    whole_box[:, 2:] = images.shape[1]
    return resample_boxes(images, whole_box, side, filter)


def resized_crop(images: Tensor, boxes: Tensor, filter: str) -> Tensor:
    """Cut a box out of each image and resize it to the whole side.

    images: uint8 [B, S, S, ch]. boxes: [B, 4], whole numbers left, top, width, height. Returns uint8 [B, S, S, ch].
    """
    if not on_host(images):
        return resample_boxes(images, boxes, images.shape[1], filter)
    side = images.shape[1]
    planes = images.permute(0, 3, 1, 2)
    cropped_images = torch.empty_like(images)
    for i, (left, top, width, height) in enumerate(boxes.int().tolist()):
        box_pixels = planes[i : i + 1, :, top : top + height, left : left + width]
        resized_box = functional.interpolate(box_pixels, (side, side), mode=filter, antialias=True)
        cropped_images[i] = resized_box[0].permute(1, 2, 0)
    return cropped_images


def resample_boxes(images: Tensor, boxes: Tensor, side: int, filter: str) -> Tensor:
    """Resize a box of each image without reading the boxes on the host: one matrix an image and axis, all at once.

    images: uint8 [B, S, S, ch]. boxes: [B, 4], or [1, 4] for all. Returns uint8 [B, side, side, ch].
    """
    left, top, width, height = boxes.float().unbind(1)
    across = filter_matrix(left, width, images.shape[1], side, filter)
    down = filter_matrix(top, height, images.shape[1], side, filter)
    planes = images.permute(0, 3, 1, 2).float()
    # Pillow rounds to whole grey levels after each axis, horizontal first.
    planes = _round_pixels(planes @ across.mT[:, None]).float()
    return _round_pixels(down[:, None] @ planes).permute(0, 2, 3, 1)


def filter_matrix(start: Tensor, length: Tensor, stored: int, side: int, filter: str) -> Tensor:
    """Weights [B, side, stored] that resample pixels start .. start + length - 1 of a line to `side` pixels.

    start, length: [B]. Row o holds the weights of output pixel o, which sum to one. The filter widens where it
    shrinks the image, and pixels outside the box have no part in it.
    """
    pixel = torch.arange(stored, device=start.device, dtype=start.dtype)
    scale = length[:, None] / side
    centre = start[:, None] + (torch.arange(side, device=start.device, dtype=start.dtype) + 0.5) * scale
    distance = (pixel + 0.5 - centre[:, :, None]) / scale.clamp(min=1)[:, :, None]
    is_inside = (pixel >= start[:, None]) & (pixel < (start + length)[:, None])
    weight = (_triangle_kernel if filter == "bilinear" else _cubic_kernel)(distance.abs()) * is_inside[:, None]
    return weight / weight.sum(2, keepdim=True)


def _triangle_kernel(x: Tensor) -> Tensor:
    return (1 - x).clamp(min=0)


def _cubic_kernel(x: Tensor, a: float = -0.5) -> Tensor:
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = ((x - 5) * x + 8) * x * a - 4 * a
    return torch.where(x < 1, near, torch.where(x < 2, far, 0.0))


def _round_pixels(planes: Tensor) -> Tensor:
    return planes.add(0.5).clamp(0, 255.5).to(torch.uint8)
