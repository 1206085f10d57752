"""Item 3: images/s of the engine's own epochs: as a job is run, with `--fast`, without graphs, in fp32; larger batches."""

import gc
import time
from statistics import median
from typing import Any

import torch

from benchmark.train.loop import train_epoch
from benchmark.train.trainer import Trainer
from performance.gpu.course import Notes
from performance.gpu.setting import Setting

LARGE = 256


def measure_speed(setting: Setting, notes: Notes) -> None:
    """The published batch first, in every setting; then the large one. A cell that fails is a result, the next goes on."""
    kinds: dict[str, dict[str, Any]] = {
        "as run": {"graphs": True},
        "fast": {"graphs": True, "fast": True},
        "without graphs": {},
        "fp32": {"graphs": True, "precision": "fp32"},
    }
    names = setting.methods[:1] if setting.rehearse else setting.methods
    cells = [(kind, None, name) for kind in kinds for name in names]
    cells += [("as run", LARGE, name) for name in names]
    for kind, batch, name in cells:
        wanted = {"precision": "bf16"} | kinds[kind]
        notes.measure_row(lambda n=name, b=batch, w=wanted: measure_cell(setting, n, b, w), method=name, setting=kind)


def measure_cell(setting: Setting, name: str, batch: int | None, wanted: dict[str, Any]) -> dict[str, Any]:
    if setting.cuda:
        gc.collect()  # the last job and its steps hold each other
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    made = setting.trainer(name, batch=batch, **wanted)
    rate = images_per_second(setting, made)
    peak = torch.cuda.max_memory_allocated() / 2**30 if setting.cuda else None
    row = {"batch": made.recipe.batch_size, "images/s": rate, "peak GiB": peak}
    return row | ({"graph used": made.steps.used} if wanted.get("graphs") else {})


def images_per_second(setting: Setting, made: Trainer, epochs: int = 3) -> float:
    """Of the median epoch, its sums read at the end as always; two epochs warm up."""
    warm, epochs = (1, 1) if setting.rehearse else (2, epochs)
    seconds = []
    for epoch in range(1, warm + epochs + 1):
        setting.wait()
        start = time.perf_counter()
        train_epoch(made, epoch)
        setting.wait()
        seconds.append(time.perf_counter() - start)
    return images_of(made) / median(seconds[warm:])


def images_of(made: Trainer) -> int:
    """Images that an epoch trains on."""
    return min(made.run.steps_per_epoch * made.recipe.batch_size, made.run.images)
