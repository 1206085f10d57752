"""Item 8: a plain program as most people would write it, against the engine's epochs, in turn on the same card.

The plain side: a DataLoader with four workers that alter one Pillow image after the other (and paint LA-Net's maps), automatic
mixed precision in bf16, TF32 elsewhere, cuDNN's search, no determinism, torch's default Adam, channels first, LA-Net's
losses in their literal forms, one read of the loss a step. Landmarks are not moved with the crop and LA-Net's queues stand
still, which changes no cost. The engine's side is deterministic bf16, as a job is run (with graphs where it has them).
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import median
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from benchmark.train.device import exact_arithmetic
from benchmark.train.loop import train_epoch
from benchmark.train.trainer import Trainer
from methods.base import Batch
from performance import literal
from performance.data import reference
from performance.engine import AS_RUN
from performance.gpu.course import Notes
from performance.gpu.setting import Setting
from performance.gpu.speed import images_of

WORKERS, TURNS = 4, 2


@dataclass
class Pictures(Dataset):
    """A job's training images, each altered by itself: image, second view, label, row, landmarks, heat and weight maps."""

    made: Trainer
    alter: Callable[[Tensor], Tensor]
    images: Tensor
    landmarks: Tensor | None

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, row: int) -> tuple[Tensor, ...]:
        kind, side = self.made.recipe.augment.second_view, self.made.run.image_size
        image = self.alter(self.images[row])
        second = image.flip(2) if kind == "shared" else self.alter(self.images[row]) if kind else torch.empty(0)
        found = (image, second, torch.tensor(row))
        if self.landmarks is None:
            return found
        points = self.landmarks[row] * side
        heat, weight = literal.painted(points[None].numpy(), side, side // self.made.method.backbone.strides[0])
        return *found, points, torch.from_numpy(heat[0]), torch.from_numpy(weight[0])


def plain(setting: Setting, notes: Notes) -> None:
    notes["plain side"] = (
        f"{1 if setting.rehearse else WORKERS} workers, AMP bf16, TF32, channels first, literal losses"
    )
    for name in setting.methods:
        notes.attempt(lambda name=name: contest(setting, name), method=name)


def contest(setting: Setting, name: str) -> dict[str, Any]:
    """Images/s of both sides, medians of turns after one that warms up."""
    fast, slow = setting.trainer(name, **AS_RUN), setting.trainer(name)
    loader, optimiser = program(slow, 1 if setting.rehearse else WORKERS)
    sides = {
        "images/s": lambda turn: as_a_job(fast, turn),
        "plain images/s": lambda turn: as_a_program(slow, loader, optimiser),
    }
    seconds: dict[str, list[float]] = {key: [] for key in sides}
    for turn in range(1, 2 + (1 if setting.rehearse else TURNS)):
        for key, run in sides.items():
            setting.wait()
            start = time.perf_counter()
            run(turn)
            setting.wait()
            seconds[key].append(time.perf_counter() - start)
    rates = {key: images_of(fast) / median(spent[1:]) for key, spent in seconds.items()}
    return {"batch": fast.recipe.batch_size} | rates | {"ratio": rates["images/s"] / rates["plain images/s"]}


def program(made: Trainer, workers: int) -> tuple[DataLoader, torch.optim.Optimizer]:
    """A job's method and recipe as a plain program holds them: its loader and its optimiser."""
    made.method.to(memory_format=torch.contiguous_format)
    alter = reference(made.recipe.augment, made.run.image_size)
    points = None if made.landmarks is None else made.landmarks.cpu()
    loader = DataLoader(
        Pictures(made, alter, made.images.cpu(), points),
        made.recipe.batch_size,
        shuffle=True,
        drop_last=made.recipe.drop_last,
        num_workers=workers,
        pin_memory=made.device.type == "cuda",
        persistent_workers=True,
        multiprocessing_context="fork",
    )
    groups = [{"params": group["params"], "lr": group["lr"]} for group in made.optimiser.param_groups]
    return loader, torch.optim.Adam(groups)


def as_a_job(made: Trainer, epoch: int) -> None:
    exact_arithmetic()
    train_epoch(made, epoch)


def as_a_program(made: Trainer, loader: Iterable, optimiser: torch.optim.Optimizer) -> None:
    """One pass over the loader."""
    torch.use_deterministic_algorithms(False)
    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = True
    method, device = made.method.train(), made.device
    for parts in loader:
        images, second, index, *landmarks = (part.to(device, non_blocking=True) for part in parts)
        batch = Batch(
            images=images,
            labels=method.labels[index],
            index=index,
            generator=torch.Generator(device),
            landmarks=landmarks[0] if landmarks else None,
            usable=torch.ones_like(index, dtype=torch.bool),
            flipped=torch.zeros_like(index, dtype=torch.bool),
            second=second if second.numel() else None,
        )
        losses = literal.loss(method, batch, tuple(landmarks[1:])) if landmarks else method.loss(batch)[0]
        total = sum(losses.values())
        optimiser.zero_grad()
        total.backward()
        optimiser.step()
        if not landmarks:
            method.after_step(batch)
        float(total)
