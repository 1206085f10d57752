"""One job's moving parts, put together: data and labels, method on its backbone, optimiser."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmark import find, scale
from benchmark.cache import decoded
from benchmark.labels import TrainingSet, training_set
from benchmark.source import code
from methods.backbones import BACKBONES
from methods.base import Method, Run
from methods.recipe import SGD, Recipe, rebuild
from methods.weights import load_backbone
from results.files import arrays_bytes, write_bytes
from results.job import Job, stream
from results.store import Store

PRECISION = {"fp32": None, "bf16": torch.bfloat16}


@dataclass(frozen=True)
class Place:
    """Where a job is run; nothing here changes its result (`fast` may, and is recorded).

    data: the folder of the decoded data set. weights: a checkpoint, or None. device: 'cpu' or 'cuda'. methods_path:
    folders with methods and noises of one's own. noise_argument: what follows the colon of `file:PATH`. fast: give up
    determinism on a GPU. checkpoint_seconds: at least this long between two. jobs_on_card: how many share the GPU.
    """

    results: str
    data: str
    weights: str | None = None
    device: str = "cpu"
    methods_path: tuple[str, ...] = ()
    noise_argument: str = ""
    fast: bool = False
    checkpoint_seconds: float = 30.0
    jobs_on_card: int = 1


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
    history: dict[str, list[float]] = field(default_factory=dict)
    predictions: list[Tensor] = field(default_factory=list)
    confidence: Tensor | None = None  # of the last epoch's predictions

    def note(self, values: dict[str, float]) -> None:
        for name, value in values.items():
            self.history.setdefault(name, []).append(float(value))


@dataclass
class Trainer:
    """One job's moving parts."""

    job: Job
    place: Place
    data: TrainingSet
    method: Method
    recipe: Recipe
    run: Run
    optimiser: torch.optim.Optimizer
    clock: Clock
    state: State
    images: Tensor
    landmarks: Tensor | None
    usable: Tensor | None
    given: Tensor
    clean: Tensor

    @property
    def device(self) -> torch.device:
        return torch.device(self.place.device)

    @property
    def channels(self) -> int:
        return self.method.backbone.channels


def prepare(job: Job, resolved: dict[str, Any], place: Place, clock: Clock) -> Trainer:
    """Data, labels, network and optimiser of a job."""
    with clock.part("start"):
        device = torch.device(place.device)
        data = training_set(decoded.open_folder(Path(place.data)), job, place.noise_argument, place.methods_path)
        keep_noise(Store(Path(place.results)), data)
        method, recipe, run = build(job, resolved, place, data)
        trainer = Trainer(
            job=job,
            place=place,
            data=data,
            method=method,
            recipe=recipe,
            run=run,
            optimiser=make_optimiser(method, recipe, device),
            clock=clock,
            state=State(),
            images=resident(data.images, device),
            landmarks=torch.from_numpy(data.landmarks).to(device) if method.needs_landmarks else None,
            usable=torch.from_numpy(data.usable).to(device) if method.needs_landmarks else None,
            given=torch.from_numpy(data.given).to(device),
            clean=torch.from_numpy(data.clean).to(device),
        )
    return trainer


def build(job: Job, resolved: dict[str, Any], place: Place, data: TrainingSet) -> tuple[Method, Recipe, Run]:
    """The method on its backbone, with start weights and the given labels."""
    cls = find.methods(tuple(Path(folder) for folder in place.methods_path))[job.method]
    if cls.version != job.method_version:
        raise ValueError(f"{job.method}: its file was changed to version {cls.version} since this job was planned")
    if cls.needs_landmarks and data.landmarks is None:
        raise ValueError(f"{job.method}: the data set {job.data['name']} has no landmarks; see docs/data.md")
    code(cls)  # of the file as it is imported
    parameters = cls.Parameters(**resolved["parameters"])
    noisy = job.noise["kind"] != "none"
    recipe = cls.adapt(rebuild(resolved["recipe"]), parameters, noisy)
    side = scale.SIDE[job.scale["name"]]
    run = Run(
        classes=len(data.classes),
        images=len(data.given),
        epochs=recipe.epochs,
        steps_per_epoch=scale.steps_per_epoch(len(data.given), recipe.batch_size, recipe.drop_last),
        batch_size=recipe.batch_size,
        image_size=side,
        noisy=noisy,
        seed=job.seed,
    )
    torch.manual_seed(stream("initialisation", recipe.backbone, run.classes, job.seed))
    backbone = BACKBONES[recipe.backbone](1 if job.scale["name"] == "demo" else 3)
    backbone.precision = PRECISION[job.precision]
    backbone.map_side = -(-side // backbone.strides[3])
    if place.weights:
        loaded = load_backbone(backbone, place.weights)
        if job.weights.startswith("sha256:") and job.weights != f"sha256:{loaded.sha256}":
            raise ValueError(f"{place.weights}: the file was changed since this job was planned; run the command again")
        resolved["weights"]["loaded"] = asdict(loaded)
    method = cls(parameters)
    method.build(backbone, run.classes)
    method.check(run)
    method.to(place.device, memory_format=torch.channels_last)
    method.begin(torch.from_numpy(data.given).to(place.device), run)
    return method.to(place.device), recipe, run


def make_optimiser(method: Method, recipe: Recipe, device: torch.device) -> torch.optim.Optimizer:
    """Two groups: the heads that the method names, at their own rate, and everything else that learns."""
    settings = recipe.optimiser
    heads = {id(p) for module in method.heads() for p in module.parameters()}
    learning = [p for p in method.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in learning if id(p) not in heads], "lr": settings.lr},
        {"params": [p for p in learning if id(p) in heads], "lr": settings.head_lr or settings.lr},
    ]
    groups = [group | {"base": group["lr"]} for group in groups if group["params"]]
    if isinstance(settings, SGD):
        return torch.optim.SGD(groups, momentum=settings.momentum, weight_decay=settings.weight_decay, fused=True)
    return torch.optim.Adam(groups, weight_decay=settings.weight_decay, fused=True)


def resident(images: np.ndarray, device: torch.device) -> Tensor:
    """The stored pixels where training reads them: on the GPU if they take at most 60 % of its free memory."""
    pixels = torch.from_numpy(images) if images.flags.writeable else torch.from_numpy(np.array(images, copy=True))
    if device.type == "cuda" and images.nbytes < 0.6 * torch.cuda.mem_get_info(device)[0]:
        return pixels.to(device)
    return pixels


def keep_noise(store: Store, data: TrainingSet) -> None:
    """The labels of a cell, once for all its methods."""
    path = store.root / "noise" / f"{data.noise['hash']}.npz"
    if not path.exists():
        write_bytes(path, arrays_bytes({"labels": data.noise_labels.astype(np.uint8)}))
