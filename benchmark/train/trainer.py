"""One job's moving parts, put together: data and labels, method on its backbone, optimiser."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmark.cache import decoded
from benchmark.task import Place
from benchmark.train.assembly import build_method, make_optimiser
from benchmark.train.device import place_pixels
from benchmark.train.training_set import TrainingSet, training_set
from methods.base import Method, Run
from methods.support.recipe import Recipe
from results.files import arrays_bytes, write_bytes
from results.job import Job
from results.store import Store


@dataclass
class Clock:
    """Seconds by part of the work. A GPU works behind the loop: there a part is the time it took to hand the work over."""

    parts: dict[str, float] = field(default_factory=dict)

    @contextlib.contextmanager
    def part(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.parts[name] = self.parts.get(name, 0.0) + time.perf_counter() - start


@dataclass
class State:
    """What grows while a job trains, and what a checkpoint holds beside the weights."""

    epoch: int = 0
    history: dict[str, list[float | None]] = field(default_factory=dict)  # a number an epoch
    predictions: list[Tensor] = field(default_factory=list)
    confidence: Tensor | None = None  # of the last epoch's predictions
    margin: Tensor | None = None  # [n, 2] sum of the given label's logit margin, and how often it was seen

    def note(self, values: dict[str, float]) -> None:
        for name, value in values.items():
            self.history.setdefault(name, [missing_value(name)] * self.epoch).append(float(value))

    def end_epoch(self, epoch: int) -> None:
        """Count the epoch, also in the curves that had no value in it: numbers stand at their epochs' places."""
        self.epoch = epoch
        for name, values in self.history.items():
            if len(values) < epoch:
                values.append(missing_value(name))


def missing_value(name: str) -> float | None:
    """Of an epoch without this curve: a loss that was not minimised was 0."""
    return 0.0 if name.startswith("loss ") else None


@dataclass
class Trainer:
    """One job's moving parts, before its first step or after some."""

    job: Job
    place: Place
    data: TrainingSet
    method: Method
    recipe: Recipe
    run: Run
    clock: Clock
    state: State = field(default_factory=State)
    steps: Any = None  # how its steps are taken, see benchmark.train.graph

    def __post_init__(self) -> None:
        """The optimiser, and what steps read on the device."""
        self.optimiser = make_optimiser(self.method, self.recipe, self.device)
        self.images = place_pixels(self.data.images, self.device)
        has_points = self.method.needs_landmarks and self.data.landmarks is not None
        self.landmarks = torch.from_numpy(self.data.landmarks).to(self.device) if has_points else None
        self.usable = torch.from_numpy(self.data.usable).to(self.device) if has_points else None
        self.given = torch.from_numpy(self.data.given).to(self.device)
        self.clean = torch.from_numpy(self.data.clean).to(self.device)
        self.state.margin = torch.zeros(len(self.given), 2, device=self.device)

    @property
    def device(self) -> torch.device:
        return torch.device(self.place.device)

    @property
    def channels(self) -> int:
        return self.method.backbone.channels

    @cached_property
    def generator(self) -> torch.Generator:
        """Of the steps, on the device; seeded anew for every epoch."""
        return torch.Generator(self.device)

    @cached_property
    def test_images(self) -> Tensor:
        return place_pixels(self.data.test_images, self.device)

    @cached_property
    def held_images(self) -> Tensor:
        return place_pixels(self.data.held_images, self.device)


def prepare_trainer(job: Job, resolved: dict[str, Any], place: Place, clock: Clock) -> Trainer:
    """Data, labels, network and optimiser of a job."""
    with clock.part("start"):
        data = training_set(decoded.open_decoded(Path(place.data)), job, place.noise_argument, place.methods_path)
        keep_noise(Store(Path(place.results)), data)
        return Trainer(job, place, data, *build_method(job, resolved, place, data), clock)


def keep_noise(store: Store, data: TrainingSet) -> None:
    """The labels of a cell, once for all its methods."""
    path = store.root / "noise" / f"{data.noise['hash']}.npz"
    if not path.exists():
        write_bytes(path, arrays_bytes({"labels": data.noise_labels.astype(np.uint8)}))
