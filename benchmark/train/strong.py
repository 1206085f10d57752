"""The strong view: random operations and a grey square on uint8 images, a batch at a time on the device that trains.

Random augmentation as in later_methods 5.2: each image draws its operations from a table of 14, with replacement. Every
image's operations are applied in its own order.
"""

from collections.abc import Callable
from math import radians

import torch
from torch import Tensor
from torch.nn.functional import conv2d

from benchmark.train.resize import alter_chosen
from methods.support.recipe import Strong

# At level 10. Solarising at full strength changes nothing and stands in the table as a second identity.
TABLE = (
    "identity", "solarise", "autocontrast", "equalise", "posterise", "colour", "contrast", "brightness", "sharpness",
    "rotate", "shear x", "shear y", "translate x", "translate y",
)  # fmt: skip
ROTATION, SHEAR, TRANSLATION = radians(30), 0.3, 10 / 224  # radians, tangent, share of the side; either sign
FACTOR, BITS = 0.9, 4  # a blend's factor is 1 + 0.9; bits taken off by posterising
GREY = 128
LUMINANCE = (0.299, 0.587, 0.114)


def strong_view(images: Tensor, recipe: Strong, generator: torch.Generator) -> Tensor:
    """The operations of each image, then its square; uint8 [B, S, S, ch] in and out."""
    count = len(images)
    strength = recipe.level / 10
    for _ in range(recipe.operations):
        draws = torch.rand((3, count), generator=generator, device=generator.device)
        chosen_operations = (draws[0] * len(TABLE)).long().clamp_(max=len(TABLE) - 1)
        chosen_operations = torch.where(draws[1] < recipe.probability, chosen_operations, 0)
        images = apply_operations(images, chosen_operations, strength, draws[2] < 0.5)
    centre = torch.rand((2, count), generator=generator, device=generator.device) * images.shape[1]
    return paint_square(images, centre.floor(), round(recipe.cutout * images.shape[1]))


def apply_operations(images: Tensor, chosen: Tensor, strength: float, negative: Tensor) -> Tensor:
    """One operation of TABLE for each image.

    images: uint8 [B, S, S, ch]. chosen: [B] int64. strength: 0 .. 1. negative: [B] bool, the sign of a movement.
    """
    sign = 1 - 2 * negative.float()
    black_pixel = torch.zeros((), device=images.device)

    def change(names: tuple[str, ...], work: Callable[[Tensor, Tensor, Tensor], Tensor]) -> None:
        nonlocal images
        numbers = [TABLE.index(name) for name in names]
        mine = (chosen >= numbers[0]) & (chosen <= numbers[-1])
        images = alter_chosen(mine, work, images, chosen, sign)

    change(("autocontrast",), lambda pixels, *_: autocontrast(pixels))
    change(("equalise",), lambda pixels, *_: equalise(pixels))
    change(("posterise",), lambda pixels, *_: pixels & (256 - 2 ** round(BITS * strength)))
    change(("colour",), lambda pixels, *_: blend_images(pixels, luminance(pixels), 1 + FACTOR * strength))
    change(("contrast",), lambda pixels, *_: blend_images(pixels, mean_light(pixels), 1 + FACTOR * strength))
    change(("brightness",), lambda pixels, *_: blend_images(pixels, black_pixel, 1 + FACTOR * strength))
    change(("sharpness",), lambda pixels, *_: blend_images(pixels, smooth_images(pixels), 1 + FACTOR * strength))
    change(TABLE[TABLE.index("rotate") :], lambda pixels, names, signs: move_images(pixels, names, signs * strength))
    return images


def blend_images(images: Tensor, other: Tensor, factor: float) -> Tensor:
    """The image moved away from `other` (factor > 1), clipped and truncated to uint8."""
    return (other + factor * (images - other)).clamp_(0, 255).to(torch.uint8)


def luminance(images: Tensor) -> Tensor:
    """[B, S, S, 1] float, whole grey levels."""
    if images.shape[3] == 1:
        return images.float()
    channels = zip(LUMINANCE, images.float().unbind(3))
    return sum(weight * channel for weight, channel in channels).round()[..., None]


def mean_light(images: Tensor) -> Tensor:
    """[B, 1, 1, 1] float: each image's mean luminance, in whole grey levels."""
    return luminance(images).mean((1, 2, 3), keepdim=True).add(0.5).floor()


def smooth_images(images: Tensor) -> Tensor:
    """A 3x3 mean with a heavier centre (5 of 13); the outermost pixels stay."""
    planes = images.permute(0, 3, 1, 2).float()
    kernel = torch.ones((1, 1, 3, 3), device=images.device)
    kernel[..., 1, 1] = 5
    inner = conv2d(planes.flatten(0, 1)[:, None], kernel / 13).unflatten(0, planes.shape[:2])[:, :, 0]
    planes[:, :, 1:-1, 1:-1] = inner.round()
    return planes.permute(0, 2, 3, 1)


def autocontrast(images: Tensor) -> Tensor:
    """Each channel stretched from its darkest and lightest pixel to 0 .. 255; a channel of one value stays."""
    darkest, lightest = (edge(images.flatten(1, 2), 1).float()[:, None, None] for edge in (torch.amin, torch.amax))
    stretched = (images - darkest) * (255 / (lightest - darkest).clamp(min=1))
    return torch.where(lightest > darkest, (stretched + 1e-3).clamp(0, 255), images.float()).to(torch.uint8)


def equalise(images: Tensor) -> Tensor:
    """Each channel's grey levels spread so that all are as frequent; a channel of one value stays.

    A level's count of darker pixels, plus half a step, over the step: the pixels but the lightest level's, over 255.
    """
    count, side, _, channels = images.shape
    planes = images.permute(0, 3, 1, 2).flatten(2).flatten(0, 1).contiguous()  # [B ch, S S]
    levels = torch.arange(256, device=images.device, dtype=torch.uint8).expand(len(planes), 256).contiguous()
    sorted_pixels = planes.sort(1).values
    darker_counts = torch.searchsorted(sorted_pixels, levels)
    step = torch.searchsorted(sorted_pixels, sorted_pixels[:, -1:].contiguous()) // 255
    table = torch.where(step > 0, ((step // 2 + darker_counts) // step.clamp(min=1)).clamp(max=255), levels.long())
    spread_levels = table.gather(1, planes.long()).to(torch.uint8)
    return spread_levels.view(count, channels, side, side).permute(0, 2, 3, 1)


def move_images(images: Tensor, chosen: Tensor, amount: Tensor) -> Tensor:
    """Rotated, sheared or translated about the centre, nearest pixel; what comes in from outside is grey.

    chosen: [B] numbers in TABLE. amount: [B], -1 .. 1.
    """
    side = images.shape[1]
    is_one = {name: (chosen == TABLE.index(name)).float() for name in TABLE[TABLE.index("rotate") :]}
    angle = ROTATION * amount * is_one["rotate"]
    across_x = angle.cos()
    across_y = SHEAR * amount * is_one["shear x"] - angle.sin()
    down_x = SHEAR * amount * is_one["shear y"] + angle.sin()
    down_y = angle.cos()
    step = (TRANSLATION * side * amount).round()
    centred_pixels = torch.arange(side, device=images.device) - (side - 1) / 2
    y = centred_pixels[:, None]
    x = centred_pixels[None, :]

    def source(of_x: Tensor, of_y: Tensor, by: Tensor) -> Tensor:
        at = of_x[:, None, None] * x + of_y[:, None, None] * y + by[:, None, None] + (side - 1) / 2
        return at.round().long()

    columns = source(across_x, across_y, step * is_one["translate x"])
    rows = source(down_x, down_y, step * is_one["translate y"])
    is_inside = (columns >= 0) & (columns < side) & (rows >= 0) & (rows < side)
    image_numbers = torch.arange(len(images), device=images.device)[:, None, None]
    moved_pixels = images[image_numbers, rows.clamp(0, side - 1), columns.clamp(0, side - 1)]
    return torch.where(is_inside[..., None], moved_pixels, torch.full_like(moved_pixels, GREY))


def paint_square(images: Tensor, centre: Tensor, size: int) -> Tensor:
    """A grey square of `size` pixels round each image's centre [2, B], cut at the border."""
    pixel = torch.arange(images.shape[1], device=images.device)
    is_covered = [(pixel >= c[:, None] - size // 2) & (pixel < c[:, None] - size // 2 + size) for c in centre]
    return images.masked_fill((is_covered[0][:, :, None] & is_covered[1][:, None, :])[..., None], GREY)
