"""Batched augmentation on the device that trains: stored uint8 images in, normalised float images out.

Every random choice is drawn for each image by itself. On a CUDA device nothing is read back to the host: candidates
are drawn up front and chosen by masks. On a CPU the same boxes are used as slices, one image at a time, in uint8 as
long as possible, because that is several times faster there.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import log, prod, sqrt

import torch
from torch import Tensor

from benchmark.train.resize import alter_chosen, on_host, resize_images, resized_crop
from benchmark.train.shift import shift_draws, shift_images
from benchmark.train.strong import strong_view
from methods.support.recipe import Augment, Strong

TRIES = 10  # of a random crop or erasing before it is given up
CROP_ASPECT = (3 / 4, 4 / 3)
ERASE_ASPECT = (0.3, 3.3)
NOISE_VARIANCE = 30  # grey levels squared
LUMINANCE = (0.299, 0.587, 0.114)
CACHED = 2**19  # values worked on at once on a CPU


@dataclass
class Augmented:
    """A training batch.

    images: [B, C, side, side] float, normalised. flipped: [B] bool. landmarks: [B, P, 2] in pixels of `images`, or
    None. second: the second view, where the recipe asks for one. boxes: [B, 4] of the crop, moved: [B, 2] of the shift.
    """

    images: Tensor
    flipped: Tensor
    landmarks: Tensor | None = None
    second: Tensor | None = None
    boxes: Tensor | None = None
    moved: Tensor | None = None


def augment_images(
    images: Tensor,
    recipe: Augment,
    side: int,
    generator: torch.Generator,
    landmarks: Tensor | None = None,
    channels: int = 3,
) -> Augmented:
    """Alter a batch of training images as the recipe says.

    images: uint8 [B, S, S, ch]. side: of the training images. generator: on the device of the images. landmarks:
    [B, P, 2], (x, y) as fractions of the stored image. channels: of the backbone; grey images are repeated for 3.
    """
    _check_images(images, channels)
    first_view = _make_view(images, recipe, side, generator, landmarks, channels)
    if recipe.second_view == "shared":
        first_view.second = first_view.images.flip(3)
    elif recipe.second_view == "independent":
        first_view.second = _mirror_view(images, recipe, side, generator, first_view, channels)
    elif recipe.second_view in ("fresh", "strong"):
        strong_recipe = recipe.strong if recipe.second_view == "strong" else None
        first_view.second = _make_view(images, recipe, side, generator, None, channels, strong_recipe).images
    return first_view


def plain_images(images: Tensor, recipe: Augment, side: int, channels: int = 3) -> Tensor:
    """Images for evaluation: uint8 [B, S, S, ch] resized and normalised to float [B, channels, side, side]."""
    _check_images(images, channels)
    return _normalise_images(resize_images(images, side, recipe.resize), recipe, channels)


def _check_images(images: Tensor, channels: int) -> None:
    if images.dtype != torch.uint8 or images.dim() != 4 or images.shape[1] != images.shape[2]:
        raise ValueError(f"images are {images.dtype} {tuple(images.shape)}, expected uint8 [B, S, S, channels]")
    if channels not in (1, 3) or images.shape[3] not in (1, channels):
        raise ValueError(f"images of {images.shape[3]} channels cannot feed a backbone of {channels} channels")


def _make_view(
    images: Tensor,
    recipe: Augment,
    side: int,
    generator: torch.Generator,
    landmarks: Tensor | None,
    channels: int,
    strong: Strong | None = None,
) -> Augmented:
    flipped, noisy = _flip_and_noise(len(images), recipe, generator)
    if recipe.flip:
        images = mirror_images(images, flipped)
    if recipe.pixel_noise:
        images = alter_chosen(noisy, lambda pixels: _draw_noise(pixels, generator), images)
    images = resize_images(images, side, recipe.resize)
    boxes = moved = None
    if recipe.shift:
        moved = shift_draws(len(images), recipe, side, generator)
        images = shift_images(images, moved, recipe.shift_fill)
    if recipe.crop:
        boxes = crop_boxes(len(images), recipe.crop, side, generator)
        images = resized_crop(images, boxes, recipe.resize)
    if strong:
        images = strong_view(images, strong, generator)
    colour_change = jitter_draws(len(images), recipe.jitter, generator) if recipe.jitter else None
    view_images = _normalise_images(images, recipe, channels, colour_change)
    if recipe.erase:
        blank_boxes(view_images, erase_boxes(len(view_images), recipe.erase, recipe.erase_area, side, generator))
    if landmarks is not None:
        landmarks = move_landmarks(landmarks * side, side, flipped, boxes, moved)
    return Augmented(view_images, flipped, landmarks, boxes=boxes, moved=moved)


def _mirror_view(
    images: Tensor, recipe: Augment, side: int, generator: torch.Generator, first_view: Augmented, channels: int
) -> Tensor:
    """The mirror image of the part of each raw image that the first view shows, erased on its own."""
    images = resize_images(mirror_images(images, ~first_view.flipped), side, recipe.resize)
    if first_view.moved is not None:
        across, down = first_view.moved.unbind(1)
        images = shift_images(images, torch.stack([-across, down], 1), recipe.shift_fill)
    if first_view.boxes is not None:
        left, top, width, height = first_view.boxes.unbind(1)
        images = resized_crop(images, torch.stack([side - left - width, top, width, height], 1), recipe.resize)
    view_images = _normalise_images(images, recipe, channels)
    if recipe.erase:
        blank_boxes(view_images, erase_boxes(len(view_images), recipe.erase, recipe.erase_area, side, generator))
    return view_images


@lru_cache(maxsize=64)
def _device_constant(values: tuple[float, ...], device: torch.device) -> Tensor:
    """Kept on the device: copying it there for each batch would wait for it."""
    return torch.tensor(values, dtype=torch.float32, device=device)


def _draw_uniform(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    return torch.rand(shape, generator=generator, device=generator.device)


def _cached_blocks(images: Tensor) -> Iterator[slice]:
    """Slices of a batch that fit a CPU's cache; all of it on another device."""
    block_size = max(1, CACHED // prod(images.shape[1:])) if on_host(images) else len(images)
    return (slice(start, start + block_size) for start in range(0, len(images), block_size))


def _flip_and_noise(count: int, recipe: Augment, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Which images are mirrored and which get pixel noise, [B] bool each."""
    if not recipe.flip and not recipe.pixel_noise:
        no_images = torch.zeros(count, dtype=torch.bool, device=generator.device)
        return no_images, no_images
    draws = _draw_uniform((2, count), generator)
    flipped = draws[0] < recipe.flip
    if recipe.exclusive:
        return flipped, (draws[0] >= recipe.flip) & (draws[0] < recipe.flip + recipe.pixel_noise)
    return flipped, draws[1] < recipe.pixel_noise


def mirror_images(images: Tensor, flipped: Tensor) -> Tensor:
    """Mirror the images [B, S, S, ch] that are `flipped`, from left to right."""
    return alter_chosen(flipped, lambda pixels: pixels.flip(2), images)


def _draw_noise(images: Tensor, generator: torch.Generator) -> Tensor:
    noise = torch.randn(images.shape, generator=generator, device=images.device)
    return add_pixel_noise(images, noise * sqrt(NOISE_VARIANCE))


def add_pixel_noise(images: Tensor, noise: Tensor) -> Tensor:
    """Add noise in grey levels to uint8 images, clip to 0 .. 255 and truncate."""
    return (images + noise).clamp_(0, 255).to(torch.uint8)


def crop_boxes(count: int, area: tuple[float, float], side: int, generator: torch.Generator) -> Tensor:
    """[B, 4] boxes (left, top, width, height): the first of ten candidates that fits, else the whole image."""
    draws = _draw_uniform((4, count, TRIES), generator)
    boxes, fits = crop_box(_scale_draw(draws[0], area), _draw_aspect(draws[1], CROP_ASPECT), draws[2], draws[3], side)
    whole_image = _device_constant((0, 0, side, side), boxes.device)
    return torch.where(fits.any(1)[:, None], _first_fit(boxes, fits), whole_image)


def crop_box(area: Tensor, aspect: Tensor, across: Tensor, down: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """Candidate boxes of a resized crop and whether they fit into the image.

    area: as a fraction of the image's. aspect: height / width. across, down: place in [0, 1) among the possible ones.
    All of one shape; returns [..., 4] left, top, width, height, and bool [...].
    """
    width = (area / aspect).sqrt().mul(side).round()
    height = (area * aspect).sqrt().mul(side).round()
    fits = (width >= 1) & (width <= side) & (height >= 1) & (height <= side)
    left = (across * (side - width + 1)).floor()
    top = (down * (side - height + 1)).floor()
    return torch.stack([left, top, width, height], -1), fits


def move_landmarks(
    points: Tensor, side: int, flipped: Tensor, boxes: Tensor | None, moved: Tensor | None = None
) -> Tensor:
    """Landmarks [B, P, 2] in pixels after mirroring (x <- side - x), shift and resized crop; channels keep their order."""
    x, y = points.unbind(2)
    x = torch.where(flipped[:, None], side - x, x)
    if moved is not None:
        x = x - moved[:, :1]
        y = y - moved[:, 1:]
    if boxes is not None:
        left, top, width, height = boxes.to(points.dtype)[:, :, None].unbind(1)
        x = (x - left) / width * side
        y = (y - top) / height * side
    return torch.stack([x, y], 2)


def jitter_draws(count: int, strength: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Factors [B, 3] of brightness, contrast and saturation, and the order [B, 3] in which they are applied."""
    factors = _scale_draw(_draw_uniform((count, 3), generator), (max(0.0, 1 - strength), 1 + strength))
    return factors, _draw_uniform((count, 3), generator).argsort(1)


def jitter_colours(images: Tensor, factors: Tensor, order: Tensor) -> Tensor:
    """Change brightness (0), contrast (1) and saturation (2) in each image's own order; clip after each.

    images: uint8 [B, S, S, ch]. factors, order: [B, 3]. Returns float [B, S, S, ch] of 0 .. 255. Each change blends
    the image with black, its mean luminance or its luminance: a matrix over the channels and an offset.
    """
    count, side, _, channels = images.shape
    luminance_weights = _device_constant(LUMINANCE if channels == 3 else (1.0,), images.device)
    factor = factors.gather(1, order)
    to_luminance = (1 - factor) * (order == 2)
    to_mean = (1 - factor) * (order == 1)
    identity = torch.eye(channels, device=images.device)
    matrix = factor[:, :, None, None] * identity + to_luminance[:, :, None, None] * luminance_weights
    planes = images.reshape(count, side * side, channels).mT.to(torch.float32, memory_format=torch.contiguous_format)
    for step in range(3):
        offset = to_mean[:, step] * (planes.mean(2) @ luminance_weights)
        planes = torch.baddbmm(offset[:, None, None], matrix[:, step], planes).clamp_(0, 255)
    return planes.mT.view(count, side, side, channels)


def _normalise_images(
    images: Tensor, recipe: Augment, channels: int, change: tuple[Tensor, Tensor] | None = None
) -> Tensor:
    """Uint8 [B, S, S, ch], jittered by `change`, to normalised [B, channels, S, S], channels last in memory."""
    count, side = images.shape[:2]
    mean = recipe.mean
    std = recipe.std
    if channels == 1:
        mean = (sum(mean) / 3,)
        std = (sum(std) / 3,)
    # One row of the image at a time, so that the inner loop is long.
    scale = _device_constant(tuple(1 / (255 * s) for s in std) * side, images.device)
    shift = _device_constant(tuple(-m / s for m, s in zip(mean, std)) * side, images.device)
    normalised = torch.empty((count, side, side * channels), device=images.device)
    for block in _cached_blocks(normalised):
        values = images[block] if change is None else jitter_colours(images[block], change[0][block], change[1][block])
        normalised[block].view(-1, side, side, channels).copy_(values)
        normalised[block].mul_(scale).add_(shift)
    return normalised.view(count, side, side, channels).permute(0, 3, 1, 2)


def erase_boxes(
    count: int, probability: float, area: tuple[float, float], side: int, generator: torch.Generator
) -> Tensor:
    """[B, 4] boxes (left, top, width, height): the first of ten candidates that fits, else empty."""
    draws = _draw_uniform((4, count, TRIES + 1), generator)
    is_erased = draws[0, :, TRIES] < probability
    draws = draws[:, :, :TRIES]
    boxes, fits = erase_box(_scale_draw(draws[0], area), _draw_aspect(draws[1], ERASE_ASPECT), draws[2], draws[3], side)
    return _first_fit(boxes, fits) * (is_erased & fits.any(1))[:, None]


def erase_box(area: Tensor, aspect: Tensor, across: Tensor, down: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """Candidate boxes of a random erasing, which are smaller than the image; arguments as of `crop_box`."""
    boxes, _ = crop_box(area, aspect, across, down, side)
    return boxes, (boxes[..., 2] < side) & (boxes[..., 3] < side)


def blank_boxes(images: Tensor, boxes: Tensor) -> None:
    """Set the box of each image [B, C, S, S] to zero, in place."""
    if on_host(images):
        for i, (left, top, width, height) in enumerate(boxes.int().tolist()):
            if width:
                images[i, :, top : top + height, left : left + width] = 0
        return
    pixel = torch.arange(images.shape[3], device=images.device)
    left, top, width, height = boxes[:, :, None].unbind(1)
    columns = (pixel >= left) & (pixel < left + width)
    rows = (pixel >= top) & (pixel < top + height)
    images.masked_fill_((rows[:, :, None] & columns[:, None, :])[:, None], 0)


def _scale_draw(draw: Tensor, limits: tuple[float, float]) -> Tensor:
    return limits[0] + draw * (limits[1] - limits[0])


def _draw_aspect(draw: Tensor, limits: tuple[float, float]) -> Tensor:
    return _scale_draw(draw, (log(limits[0]), log(limits[1]))).exp()


def _first_fit(boxes: Tensor, fits: Tensor) -> Tensor:
    """The first candidate of each image that fits: boxes [B, tries, 4], fits [B, tries] -> [B, 4]."""
    first_number = fits.int().argmax(1)
    return boxes.gather(1, first_number[:, None, None].expand(-1, 1, 4))[:, 0]
