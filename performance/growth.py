"""How each part's time and memory grow with the work: images, classes, bank, batch. Jobs: `performance.scaling`.

`python -m performance.growth [--out FOLDER]` times each part at growing sizes, all sizes in turn, and prints the
exponent p of time ~ size^p and memory ~ size^p over the upper half of the sizes, beside what the part must cost at
least. FOLDER: growth.png, the same as a picture. One CPU thread, fp32, forward and backward where there is one.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from methods.lanet.losses import contrastive_loss
from methods.lanet.order import progressive_order
from methods.lanet.parts import PairScore, aggregate, neighbours, update_bank
from noise.asymmetric import asymmetric
from noise.statistics import realised
from performance.methods import peak_memory, with_gradients

SMALLEST = 1e-4  # seconds; below it a call costs its overhead, which grows with nothing


@dataclass(frozen=True)
class Part:
    """A part of the work at growing sizes; must: the exponent of the size that the result cannot be had below."""

    name: str
    axis: str
    sizes: tuple[int, ...]
    make: Callable[[int], Callable[[], Any]]
    must: float
    why: str


def contrastive(images: int = 128, queue: int = 8192, classes: int = 7) -> Callable[[], Any]:
    query, key = (normalize(torch.randn(images, 64), dim=1) for _ in range(2))
    columns = normalize(torch.randn(64, queue), dim=0)
    labels, columns_labels = torch.randint(classes, (images,)).float(), torch.randint(classes, (queue,)).float()
    return with_gradients(contrastive_loss, query, key, columns, labels, columns_labels, 0.1)


def distribution(images: int = 128, classes: int = 7, k: int = 8) -> Callable[[], Any]:
    """Pair scores of the K nearest only; which they are is asked of all pairs of the batch."""
    features, soft = torch.randn(images, 512), torch.randn(images, classes).softmax(1)
    score, itself = PairScore(512), torch.eye(images, dtype=torch.bool)

    def value(features: Tensor) -> Tensor:
        near = neighbours(features, k, itself)
        return aggregate(score(features, near), near, soft).square().sum()

    return with_gradients(value, features)


def label_bank(images: int, classes: int = 8, batch: int = 128) -> Callable[[], Any]:
    """Read and write a batch's rows: what the number of images must not touch."""
    bank, index = torch.rand(images, classes), torch.randint(images, (batch,))
    targets = torch.rand(batch, classes)

    def run() -> list[Tensor]:
        update_bank(bank, index, targets)
        return [bank[index]]

    return run


def epoch_order(images: int) -> Callable[[], Any]:
    rows = [np.flatnonzero(np.arange(images) % 8 == c) for c in range(8)]
    return lambda: [progressive_order(rows, 10, 60, 0)]


def noisy_labels(images: int) -> Callable[[], Any]:
    labels, target = np.arange(images) % 8, (np.arange(8) + 1) % 8

    def run() -> list:
        given = asymmetric(labels, target, 0.3, Random(0))
        return [realised(labels, given, 8)]

    return run


def gather(images: int, batch: int = 128) -> Callable[[], Any]:
    pixels, index = torch.zeros(images, 48, 48, 1, dtype=torch.uint8), torch.randint(images, (batch,))
    return lambda: [pixels[index]]


THOUSANDS = (1_000, 10_000, 100_000, 300_000)
BATCHES = (32, 64, 128, 256, 512, 1024)
PARTS = (
    Part("a batch's pixels", "images", THOUSANDS, gather, 0, "a batch is a batch"),
    Part("label bank, read and write", "images", THOUSANDS, label_bank, 0, "only a batch's rows"),
    Part("an epoch's order", "images", THOUSANDS, epoch_order, 1, "each image once"),
    Part("noise and its realised rates", "images", THOUSANDS, noisy_labels, 1, "one draw an image"),
    Part("contrastive loss", "bank", (1024, 4096, 16384, 65536), lambda n: contrastive(queue=n), 1, "N x M products"),
    Part("contrastive loss", "batch", BATCHES, lambda n: contrastive(images=n), 1, "N x M products, M = 8,192"),
    Part(
        "label distribution", "batch", BATCHES, lambda n: distribution(images=n), 1, "N K pair scores; N x N to find K"
    ),
    Part("contrastive loss", "classes", (7, 70, 700), lambda n: contrastive(classes=n), 0, "labels are compared"),
    Part("label distribution", "classes", (7, 70, 700), lambda n: distribution(classes=n), 1, "K rows of C an image"),
)


def measure(part: Part, repeats: int) -> tuple[list[float], list[float]]:
    """Median seconds and peak MiB (torch's allocator) of each size; the sizes take turns."""
    runs = [part.make(size) for size in part.sizes]
    seconds: list[list[float]] = [[] for _ in runs]
    for turn in range(repeats + 1):
        for run, times in zip(runs, seconds):
            start = time.perf_counter()
            run()
            if turn:
                times.append(time.perf_counter() - start)
    return [median(times) for times in seconds], [peak_memory(run) / 2**20 for run in runs]


def exponent(sizes: tuple[int, ...], values: list[float], smallest: float) -> float:
    """Slope of log value over log size between the middle and the largest size; 0 where the value is overhead."""
    low, high = sizes[len(sizes) // 2 - 1], sizes[-1]
    first, last = (max(values[i], smallest) for i in (len(sizes) // 2 - 1, -1))
    return float(np.log(last / first) / np.log(high / low))


def draw(found: list[tuple[Part, list[float], list[float]]], path: Path) -> None:
    from matplotlib.figure import Figure

    axes_names = ("images", "bank", "batch", "classes")
    figure = Figure((11, 5.2), layout="constrained")
    for row, (unit, pick) in enumerate((("ms", 1), ("MiB", 2))):
        for column, name in enumerate(axes_names):
            axes = figure.add_subplot(2, len(axes_names), 1 + row * len(axes_names) + column)
            for marker, entry in zip("osD^", [entry for entry in found if entry[0].axis == name]):
                values = [v * (1e3 if unit == "ms" else 1) for v in entry[pick]]
                if any(values):
                    axes.plot(entry[0].sizes, values, marker=marker, markersize=4, label=entry[0].name)
            axes.set(xscale="log", yscale="log", xlabel=name, ylabel=unit if column == 0 else None)
            low, high = axes.get_ylim()
            axes.set_ylim(low / 2, high * 2)  # at least a decade, so that what hardly changes looks flat
            axes.grid(alpha=0.3)
            axes.legend(fontsize=6, loc="upper left")
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--out", type=Path, help="folder for growth.png")
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    print(f"growth: torch {torch.__version__}, one thread, median of {args.repeats}")
    found = []
    for part in PARTS:
        seconds, memory = measure(part, args.repeats)
        found.append((part, seconds, memory))
        times = " ".join(f"{1e3 * s:.2f}" for s in seconds)
        print(
            f"growth: {part.name} over {part.axis} {part.sizes}: {times} ms, {memory[0]:.1f} to {memory[-1]:.1f} MiB; "
            f"time ~ {part.axis}^{exponent(part.sizes, seconds, SMALLEST):.2f}, memory "
            f"^{exponent(part.sizes, memory, 0.1):.2f}, must ^{part.must:g} ({part.why})",
            flush=True,
        )
    if args.out:
        args.out.mkdir(parents=True, exist_ok=True)
        draw(found, args.out / "growth.png")


if __name__ == "__main__":
    main()
