"""Decoded images as a scale trains on them: converted in blocks, and once for all jobs where a whole split is used.

<decoded data>/fitted-<side>-<channels>/<split>.npy   memory-mapped by every job
"""

import os
import uuid
from pathlib import Path

import numpy as np

from benchmark.cache.decoded import Data
from benchmark.scale import Scale

BLOCK = 500  # images converted at once
GREY = np.array([0.299, 0.587, 0.114], np.float32)  # Rec. 601


def load_resized(data: Data, split: str, rows: np.ndarray, scale: Scale) -> np.ndarray:
    """Rows of a split, uint8 [n, S, S, 1 or 3].

    A scale with a recipe of its own takes them at its side (antialiased bilinear), one with one channel in grey; one
    with published recipes takes them as stored. All rows of a split stay mapped, copied only where they are written.
    """
    images = getattr(data, split).images
    if not scale.shortened:
        return images if len(rows) == len(images) else np.ascontiguousarray(images[rows])
    if len(rows) < len(images):
        return resize_all(images, scale, rows)
    side, _, channels = image_shape(images, scale)
    resized_file = data.folder / f"fitted-{side}-{channels}" / f"{split}.npy"
    if not resized_file.exists():
        try:
            write_resized(images, scale, resized_file)
        except PermissionError:  # the data set of somebody else: resized for this job alone
            return resize_all(images, scale)
    return np.load(resized_file, mmap_mode="c", allow_pickle=False)


def resize_all(images: np.ndarray, scale: Scale, rows: np.ndarray | None = None) -> np.ndarray:
    """Images (or rows of them) as a scale trains on them, in memory."""
    rows = np.arange(len(images)) if rows is None else rows
    if not scale.shortened:
        return images[rows]
    resized_images = np.empty((len(rows), *image_shape(images, scale)), np.uint8)
    resize_rows(images, rows, scale, resized_images)
    return resized_images


def image_shape(images: np.ndarray, scale: Scale) -> tuple[int, int, int]:
    """[S, S, channels] of one image; grey sources stay grey."""
    return scale.side, scale.side, 1 if scale.channels == 1 else images.shape[-1]


def write_resized(images: np.ndarray, scale: Scale, path: Path) -> None:
    """Write a whole split aside and move it into place; of several jobs that do so at once, any one wins."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial_file = path.with_name(f".{path.stem}-{uuid.uuid4().hex}.npy")
    try:
        resized_images = np.lib.format.open_memmap(
            partial_file, "w+", np.uint8, (len(images), *image_shape(images, scale))
        )
        resize_rows(images, np.arange(len(images)), scale, resized_images)
        resized_images.flush()
        os.replace(partial_file, path)
    finally:
        partial_file.unlink(missing_ok=True)


def resize_rows(images: np.ndarray, rows: np.ndarray, scale: Scale, resized_images: np.ndarray) -> None:
    """Fill `resized_images` with rows of `images`, block by block."""
    import torch

    side, _, channels = image_shape(images, scale)
    for start in range(0, len(rows), BLOCK):
        image_block = images[rows[start : start + BLOCK]]
        if image_block.shape[1:] == (side, side, channels):
            resized_images[start : start + BLOCK] = image_block
            continue
        channel_planes = (
            image_block.astype(np.float32) if channels == image_block.shape[-1] else (image_block @ GREY)[..., None]
        )
        pixels = torch.from_numpy(np.ascontiguousarray(channel_planes.transpose(0, 3, 1, 2)))
        if pixels.shape[-1] != side:
            pixels = torch.nn.functional.interpolate(pixels, (side, side), mode="bilinear", antialias=True)
        resized_images[start : start + BLOCK] = pixels.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).numpy()
