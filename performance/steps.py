"""Training steps of every method on random images: the harness's own loop against a plain one, interleaved.

`python -m performance.steps [--device cuda] [--side 224] [--backbone resnet18]`. The harness's side is what a job runs
(channels_last, fused Adam, batched augmentation on the device, the precision asked for). The plain side is the same
method in fp32, channels first, Adam one tensor at a time. Prints images/s, their ratio, the share of a step that the
augmentation takes and, on a GPU, peak memory and achieved FLOP/s.
"""

import argparse
import time
from dataclasses import dataclass, replace
from functools import partial
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
from performance.turns import time_in_turn
from results.published import METHODS

CLASSES, IMAGES, STORED, TURNS = 7, 2048, 100, 5


@dataclass
class Side:
    """One way to train: a method with its optimiser and how its batches are laid out."""

    method: Method
    recipe: Recipe
    optimiser: torch.optim.Optimizer
    layout: torch.memory_format


def make_side(name: str, args: argparse.Namespace, plain: bool) -> Side:
    cls = plugins.find_methods()[name]
    parameters, size = cls.Parameters(), args.batch or cls.recipe.batch_size
    if name == "lanet":
        parameters = replace(parameters, queue=8192 // size * size)
    recipe = replace(cls.adapt(cls.recipe, parameters, True), batch_size=size, backbone=args.backbone)
    networks = [BACKBONES[args.backbone](3) for _ in range(cls.networks)]
    for network in networks:
        network.precision = None if plain else PRECISION[args.precision]
        network.map_side = -(-args.side // network.strides[3])
    method = cls(parameters)
    method.build(networks[0], CLASSES, *networks[1:])
    layout = torch.contiguous_format if plain else torch.channels_last
    method.to(args.device, memory_format=layout)
    labels = torch.arange(IMAGES, device=args.device) % CLASSES
    steps = steps_per_epoch(IMAGES, size, recipe.drop_last)
    method.begin(labels, Run(CLASSES, IMAGES, recipe.epochs, steps, size, args.side, True, 0))
    method.to(args.device).train()
    optimiser = make_optimiser(method, recipe, torch.device(args.device))
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


def measure_sides(name: str, args: argparse.Namespace) -> None:
    """Print images per second of both sides, and what the fast side needs."""
    cuda, draw = args.device == "cuda", np.random.default_rng(0)
    pixels = torch.from_numpy(draw.integers(0, 256, (IMAGES, STORED, STORED, 3), dtype=np.uint8)).to(args.device)
    points = torch.from_numpy(draw.random((IMAGES, 19, 2), dtype=np.float32)).to(args.device)
    fast, plain = make_side(name, args, plain=False), make_side(name, args, plain=True)
    augmentation_seconds: list[float] = []

    def run(side: Side) -> None:
        run_steps(side, pixels, points, args.side, args.steps, augmentation_seconds if side is fast else [])
        if cuda:
            torch.cuda.synchronize()

    if cuda:
        torch.cuda.reset_peak_memory_stats()
    seconds = time_in_turn({"fast": partial(run, fast), "plain": partial(run, plain)}, TURNS)
    fast_step, plain_step = (median(of_side) / args.steps for of_side in seconds.values())
    spread = (max(seconds["fast"]) - min(seconds["fast"])) / args.steps / fast_step
    batch = fast.recipe.batch_size
    memory = f", peak {torch.cuda.max_memory_allocated() / 2**30:.1f} GiB" if cuda else ""
    print(
        f"steps: {name:<9} batch {batch:>3}: {batch / fast_step:8.1f} images/s, plain {batch / plain_step:8.1f}: "
        f"{plain_step / fast_step:.2f}x (spread {100 * spread:.0f} %), "
        f"augmentation {100 * median(augmentation_seconds) / fast_step:.1f} % of a step{memory}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--precision", default="fp32", choices=("fp32", "bf16"))
    parser.add_argument("--backbone", default="resnet18", choices=sorted(BACKBONES))
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--batch", type=int, default=32, help="0: each method's published batch")
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--methods", nargs="+", default=tuple(METHODS))
    args = parser.parse_args()
    if args.device == "cpu":
        torch.set_num_threads(1)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    torch.manual_seed(0)
    text = f"steps: {args.backbone}, {args.side} px, {args.precision}, {args.device}, torch {torch.__version__}"
    print(f"{text}, median of {TURNS} turns of {args.steps} steps, both sides in turn")
    for name in args.methods:
        measure_sides(name, args)


if __name__ == "__main__":
    main()
