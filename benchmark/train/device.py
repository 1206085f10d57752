"""What a job asks of its device: exact arithmetic, and the stored pixels where training reads them."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat

import numpy as np
import torch
from torch import Tensor

MOST = 0.6  # of a card's free memory that pixels may take


def exact_arithmetic(fast: bool = False) -> None:
    """The same bits again, and fp32 that means fp32; with `fast` a GPU's bits may differ from run to run."""
    torch.use_deterministic_algorithms(not fast)
    torch.utils.deterministic.fill_uninitialized_memory = False  # of every fresh tensor, a launch each
    torch.backends.cudnn.benchmark = fast
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False


def place_pixels(images: np.ndarray, device: torch.device) -> Tensor:
    """The stored pixels: on the card if they take at most 60 % of its free memory, else where they are, not copied."""
    pixels = torch.from_numpy(images)
    if device.type == "cuda" and images.nbytes < MOST * torch.cuda.mem_get_info(device)[0]:
        return pixels.to(device)
    return pixels


def iterate_batches(
    images: Tensor, order: Tensor, size: int, device: torch.device
) -> Iterator[tuple[Tensor, Tensor | None]]:
    """(rows, pixels) of each batch of `order` (on the CPU), on the device; pixels is None where `images` lie there."""
    pixels = repeat(None) if images.device.type == device.type else prefetch_pixels(images, order.split(size), device)
    return zip(order.to(device).split(size), pixels)


def in_turn(images: Tensor, size: int, device: torch.device) -> Iterator[Tensor]:
    """All of the pixels, on the device, `size` images at a time."""
    if images.device.type == device.type:
        return iter(images.split(size))
    return prefetch_pixels(images, torch.arange(len(images)).split(size), device)


def prefetch_pixels(images: Tensor, row_parts: Sequence[Tensor], device: torch.device) -> Iterator[Tensor]:
    """Pixels in main memory, on the card: those of the next rows are gathered by a thread while these are used.

    row_parts: rows of `images`, on the CPU, the first no fewer than any other. Two pinned buffers are filled in turn, each
    after its last copy has left it; the copies keep the order of the stream, so nobody waits for the card.
    """
    buffers = [
        torch.empty((len(row_parts[0]), *images.shape[1:]), dtype=images.dtype, pin_memory=True) for _ in range(2)
    ]
    copied = [torch.cuda.Event() for _ in buffers]

    @torch.inference_mode()  # the buffers may have been made in it, and this is another thread
    def gather(part_number: int) -> Tensor:
        rows = row_parts[part_number]
        buffer_number = part_number % 2
        copied[buffer_number].synchronize()
        return torch.index_select(images, 0, rows, out=buffers[buffer_number][: len(rows)])

    with ThreadPoolExecutor(1) as worker:
        next_pixels = worker.submit(gather, 0)
        for part_number in range(len(row_parts)):
            pixels = next_pixels.result().to(device, non_blocking=True)
            copied[part_number % 2].record()
            if part_number + 1 < len(row_parts):
                next_pixels = worker.submit(gather, part_number + 1)
            yield pixels
