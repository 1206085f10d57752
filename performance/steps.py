"""Training steps of every method on random images: the harness's own loop against a plain one, interleaved.

`python -m performance.steps [--device cuda] [--side 224] [--backbone resnet18]`. The harness's side is what a job runs
(channels_last, fused Adam, batched augmentation on the device, the precision asked for). The plain side is the same
method in fp32, channels first, Adam one tensor at a time. Prints images/s, their ratio, the share of a step that the
augmentation takes and, on a GPU, peak memory and achieved FLOP/s.
"""

import argparse
import time
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

import numpy as np
import torch

from benchmark import plugins
from benchmark.scale import steps_per_epoch
from benchmark.train.assembly import PRECISION, make_optimiser
from benchmark.train.augment import augment_images
from methods.base import Batch, Method, Run
from methods.support.backbones import BACKBONES
from methods.support.recipe import Recipe
from results.published import METHODS

NAMES = tuple(METHODS)
CLASSES, IMAGES, STORED = 7, 2048, 100


@dataclass
class Side:
    """One way to train: a method with its optimiser and how its batches are laid out."""

    method: Method
    recipe: Recipe
    optimiser: torch.optim.Optimizer
    layout: torch.memory_format


def make_side(name: str, backbone: str, side: int, device: str, precision: str, plain: bool, batch: int | None) -> Side:
    cls = plugins.find_methods()[name]
    parameters, size = cls.Parameters(), batch or cls.recipe.batch_size
    if name == "lanet":
        parameters = replace(parameters, queue=8192 // size * size)
    recipe = replace(cls.adapt(cls.recipe, parameters, True), batch_size=size, backbone=backbone)
    networks = [BACKBONES[backbone](3) for _ in range(cls.networks)]
    for network in networks:
        network.precision = None if plain else PRECISION[precision]
        network.map_side = -(-side // network.strides[3])
    method = cls(parameters)
    method.build(networks[0], CLASSES, *networks[1:])
    layout = torch.contiguous_format if plain else torch.channels_last
    method.to(device, memory_format=layout)
    labels = torch.arange(IMAGES, device=device) % CLASSES
    steps = steps_per_epoch(IMAGES, size, recipe.drop_last)
    method.begin(labels, Run(CLASSES, IMAGES, recipe.epochs, steps, size, side, True, 0))
    method.to(device).train()
    optimiser = make_optimiser(method, recipe, torch.device(device))
    if plain:
        groups = [{"params": group["params"], "lr": group["lr"]} for group in optimiser.param_groups]
        optimiser = torch.optim.Adam(groups, foreach=False, fused=False)
    return Side(method, recipe, optimiser, layout)


def run_steps(side: Side, pixels: Any, points: Any, size: int, count: int, timer: list[float]) -> None:
    """`count` training steps; the time of augmentation alone goes to `timer` (CPU only: a GPU is not waited for)."""
    device = pixels.device
    generator = torch.Generator(device).manual_seed(0)
    for step in range(count):
        index = (torch.arange(side.recipe.batch_size, device=device) * 31 + step * 997) % len(pixels)
        start = time.perf_counter()
        seen = augment_images(pixels[index], side.recipe.augment, size, generator, points[index], 3)
        timer.append(time.perf_counter() - start)
        second = None if seen.second is None else seen.second.contiguous(memory_format=side.layout)
        batch = Batch(
            images=seen.images.contiguous(memory_format=side.layout),
            labels=side.method.labels[index],
            index=index,
            epoch=1,
            generator=generator,
            landmarks=seen.landmarks,
            usable=torch.ones_like(index, dtype=torch.bool),
            flipped=seen.flipped,
            second=second,
        )
        losses, _ = side.method.loss(batch)
        side.optimiser.zero_grad(set_to_none=True)
        sum(losses.values()).backward()
        side.method.after_backward(batch)
        side.optimiser.step()
        side.method.after_step(batch)


def measure_sides(name: str, args: argparse.Namespace) -> dict[str, Any]:
    """Images per second of both sides, in turn, and what the fast side needs."""
    cuda, draw = args.device == "cuda", np.random.default_rng(0)
    pixels = torch.from_numpy(draw.integers(0, 256, (IMAGES, STORED, STORED, 3), dtype=np.uint8)).to(args.device)
    points = torch.from_numpy(draw.random((IMAGES, 19, 2), dtype=np.float32)).to(args.device)
    sides = {
        "fast": make_side(name, args.backbone, args.side, args.device, args.precision, False, args.batch),
        "plain": make_side(name, args.backbone, args.side, args.device, "fp32", True, args.batch),
    }
    seconds, data = {key: [] for key in sides}, []
    if cuda:
        torch.cuda.reset_peak_memory_stats()
    for turn in range(args.repeats + 1):
        for key, side in sides.items():
            timer: list[float] = []
            start = time.perf_counter()
            run_steps(side, pixels, points, args.side, args.steps, timer)
            if cuda:
                torch.cuda.synchronize()
            if turn:  # the first turn warms up
                seconds[key].append((time.perf_counter() - start) / args.steps)
                data += timer if key == "fast" else []
    batch, fast, plain = sides["fast"].recipe.batch_size, median(seconds["fast"]), median(seconds["plain"])
    return {
        "method": name,
        "batch": batch,
        "images_per_second": batch / fast,
        "plain_images_per_second": batch / plain,
        "ratio": plain / fast,
        "data_share": median(data) / fast,
        "spread": (max(seconds["fast"]) - min(seconds["fast"])) / fast,
        "peak_gib": torch.cuda.max_memory_allocated() / 2**30 if cuda else None,
    }


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    p.add_argument("--precision", default="fp32", choices=("fp32", "bf16"))
    p.add_argument("--backbone", default="resnet18", choices=sorted(BACKBONES))
    p.add_argument("--side", type=int, default=64)
    p.add_argument("--batch", type=int, default=32, help="0: each method's published batch")
    p.add_argument("--steps", type=int, default=2)
    p.add_argument("--repeats", type=int, default=5)
    p.add_argument("--methods", nargs="+", default=NAMES)
    return p


def main(arguments: list[str] | None = None) -> list[dict[str, Any]]:
    args = parser().parse_args(arguments)
    if args.device == "cpu":
        torch.set_num_threads(1)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    torch.manual_seed(0)
    text = f"steps: {args.backbone}, {args.side} px, {args.precision}, {args.device}, torch {torch.__version__}"
    print(f"{text}, median of {args.repeats} turns of {args.steps} steps, both sides in turn")
    rows = []
    for name in args.methods:
        row = measure_sides(name, args)
        memory = "" if row["peak_gib"] is None else f", peak {row['peak_gib']:.1f} GiB"
        print(
            f"steps: {name:<9} batch {row['batch']:>3}: {row['images_per_second']:8.1f} images/s, plain "
            f"{row['plain_images_per_second']:8.1f}: {row['ratio']:.2f}x (spread {100 * row['spread']:.0f} %), "
            f"augmentation {100 * row['data_share']:.1f} % of a step{memory}",
            flush=True,
        )
        rows.append(row)
    return rows


if __name__ == "__main__":
    main()
