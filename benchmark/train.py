"""One job, from labels to record: one loop for every method.

Every random number comes from a stream derived from the job (`benchmark.job.stream`) and the epoch, so a run that was
interrupted after an epoch goes on with the same bits.
"""

import contextlib
import hashlib
import inspect
import io
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

import methods
from benchmark import cache, facts, scale
from benchmark.augment import augment, plain
from benchmark.job import Job, stream
from benchmark.labels import TrainingSet, training_set
from benchmark.store import Store, arrays_bytes, write_bytes
from methods.backbones import BACKBONES
from methods.base import SGD, Batch, Method, Recipe, Run
from methods.weights import load_backbone

PRECISION = {"fp32": None, "bf16": torch.bfloat16}
EVALUATION_BATCH = 250


class Diverged(ArithmeticError):
    """The loss is not a number."""


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


def train(job: Job, resolved: dict[str, Any], place: Place, clock: Clock | None = None) -> tuple[dict, dict]:
    """Train one job to the end, from its checkpoint if it has one; returns its record and its arrays."""
    torch.use_deterministic_algorithms(not place.fast)
    torch.backends.cudnn.benchmark = place.fast
    trainer = prepare(job, resolved, place, clock or Clock())
    saved = time.monotonic()
    for epoch in range(trainer.state.epoch + 1, trainer.recipe.epochs + 1):
        train_epoch(trainer, epoch)
        with trainer.clock.part("evaluation"):
            evaluate(trainer)
        trainer.state.epoch = epoch
        if epoch < trainer.recipe.epochs and time.monotonic() - saved >= place.checkpoint_seconds:
            save(trainer)
            saved = time.monotonic()
    with trainer.clock.part("evaluation"):
        distribution, wrongness = opinions(trainer)
    return facts.record(trainer, resolved, distribution, wrongness), facts.arrays(trainer, distribution, wrongness)


def prepare(job: Job, resolved: dict[str, Any], place: Place, clock: Clock) -> Trainer:
    """Data, labels, network and optimiser of a job, with the state of an interrupted run if there is one."""
    with clock.part("start"):
        device = torch.device(place.device)
        data = training_set(cache.open_folder(Path(place.data)), job, place.noise_argument, place.methods_path)
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
    if resume(trainer):
        return trainer
    return prepare(job, resolved, place, clock)


def build(job: Job, resolved: dict[str, Any], place: Place, data: TrainingSet) -> tuple[Method, Recipe, Run]:
    """The method on its backbone, with start weights and the given labels."""
    cls = methods.classes(tuple(Path(folder) for folder in place.methods_path))[job.method]
    if cls.needs_landmarks and data.landmarks is None:
        raise ValueError(f"{job.method}: the data set {job.data['name']} has no landmarks; see docs/data.md")
    parameters = cls.Parameters(**resolved["parameters"])
    noisy = job.noise["kind"] != "none"
    recipe = cls.adapt(methods.rebuild(resolved["recipe"]), parameters, noisy)
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
        resolved["weights"]["loaded"] = asdict(load_backbone(backbone, place.weights))
    method = cls(parameters)
    method.build(backbone, run.classes)
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


def fetch(images: Tensor, index: Tensor, device: torch.device) -> Tensor:
    """Rows of the stored pixels, on the device; from pinned memory without waiting where they lie in main memory."""
    if images.device.type == device.type:
        return images[index]
    return images[index.cpu()].pin_memory().to(device, non_blocking=True)


def train_epoch(trainer: Trainer, epoch: int) -> None:
    """One pass in the method's order; nothing in it waits for the device."""
    job, method, recipe, clock, device = trainer.job, trainer.method, trainer.recipe, trainer.clock, trainer.device
    streams = (trainer.job.data["name"], job.seed, epoch)
    order = method.order(epoch, torch.Generator().manual_seed(stream("order", *streams))).to(device)
    generator = torch.Generator(device).manual_seed(stream("augment", *streams))
    torch.manual_seed(stream("layers", *streams))
    method.train()
    sums: dict[str, Tensor] = {}
    steps = trainer.run.steps_per_epoch
    for step in range(steps):
        index = order[step * recipe.batch_size : (step + 1) * recipe.batch_size]
        if len(index) == 1:  # batch statistics of one image do not exist
            continue
        factor = recipe.schedule.at((epoch - 1) * steps + step, steps, recipe.epochs)
        for group in trainer.optimiser.param_groups:
            group["lr"] = group["base"] * factor
        with clock.part("data"):
            batch = make_batch(trainer, index, epoch, generator)
        with clock.part("forward"):
            losses, logits = method.loss(batch)
            total = sum(losses.values())
        with clock.part("backward"):
            trainer.optimiser.zero_grad(set_to_none=True)
            total.backward()
        with clock.part("optimiser"):
            trainer.optimiser.step()
            method.after_step(batch)
        with clock.part("forward"):
            tally(sums, losses, logits.detach(), trainer, index)
    finish_epoch(trainer, sums, steps, method.after_epoch(epoch))


def make_batch(trainer: Trainer, index: Tensor, epoch: int, generator: torch.Generator) -> Batch:
    points = None if trainer.landmarks is None else trainer.landmarks[index]
    pixels = fetch(trainer.images, index, trainer.device)
    seen = augment(pixels, trainer.recipe.augment, trainer.run.image_size, generator, points, trainer.channels)
    return Batch(
        images=seen.images.contiguous(memory_format=torch.channels_last),
        labels=trainer.method.labels[index],
        index=index,
        epoch=epoch,
        generator=generator,
        landmarks=seen.landmarks,
        usable=None if trainer.usable is None else trainer.usable[index],
        flipped=seen.flipped,
        second=None if seen.second is None else seen.second.contiguous(memory_format=torch.channels_last),
    )


def tally(sums: dict[str, Tensor], losses: dict[str, Tensor], logits: Tensor, trainer: Trainer, index: Tensor) -> None:
    """Add a step to the epoch's sums, on the device: losses, and what became of the wrong labels."""
    predicted, given, clean = logits.argmax(1), trainer.given[index], trainer.clean[index]
    wrong = given != clean
    values = {f"loss {name}": value.detach().float() for name, value in losses.items()}
    values["wrong"] = wrong.sum()
    values["recovered"] = (wrong & (predicted == clean)).sum()
    values["memorised"] = (wrong & (predicted == given)).sum()
    for name, value in values.items():
        sums[name] = sums[name] + value if name in sums else value.clone()


def finish_epoch(trainer: Trainer, sums: dict[str, Tensor], steps: int, extra: dict[str, Any]) -> None:
    """Write the epoch into the history; the only place where training waits for the device."""
    values = {name: float(value) for name, value in sums.items()}
    wrong = max(1.0, values.pop("wrong", 0.0))
    noted = {name: value / (wrong if name in ("recovered", "memorised") else steps) for name, value in values.items()}
    noted |= {name: float(value) for name, value in extra.items()}
    bad = [name for name, value in noted.items() if not np.isfinite(value)]
    if bad:
        raise Diverged(
            f"epoch {trainer.state.epoch + 1}: {bad[0]} is {noted[bad[0]]}; lower the rate or the loss weight"
        )
    trainer.state.note(noted)


@torch.inference_mode()
def evaluate(trainer: Trainer) -> None:
    """Accuracy on the whole test split (and on the held-out noisy labels), without test-time augmentation."""
    predicted, confidence = predict(trainer, trainer.data.test_images)
    accuracy = float((predicted == torch.from_numpy(trainer.data.test_labels)).double().mean())
    trainer.state.note({"test_accuracy": accuracy})
    trainer.state.predictions.append(predicted.to(torch.uint8))
    trainer.state.confidence = confidence
    if len(trainer.data.held_labels):
        held, _ = predict(trainer, trainer.data.held_images)
        agreement = float((held == torch.from_numpy(trainer.data.held_labels)).double().mean())
        trainer.state.note({"noisy_validation": agreement})


def predict(trainer: Trainer, images: np.ndarray) -> tuple[Tensor, Tensor]:
    """The predicted class and its softmax for each image, on the CPU."""
    trainer.method.eval()
    found = []
    for start in range(0, len(images), EVALUATION_BATCH):
        logits = trainer.method.logits(plain_batch(trainer, images[start : start + EVALUATION_BATCH]))
        found.append(logits.float().softmax(1).max(1))
    return torch.cat([f.indices for f in found]).cpu(), torch.cat([f.values for f in found]).cpu()


def plain_batch(trainer: Trainer, images: np.ndarray) -> Tensor:
    pixels = torch.from_numpy(np.array(images)).to(trainer.device)
    seen = plain(pixels, trainer.recipe.augment, trainer.run.image_size, trainer.channels)
    return seen.contiguous(memory_format=torch.channels_last)


@torch.inference_mode()
def opinions(trainer: Trainer) -> tuple[np.ndarray, np.ndarray]:
    """The method's label distribution and wrongness score of every un-augmented training image."""
    trainer.method.eval()
    given, found = trainer.given, []
    for start in range(0, len(given), EVALUATION_BATCH):
        rows = torch.arange(start, min(start + EVALUATION_BATCH, len(given)), device=trainer.device)
        images = plain_batch(trainer, trainer.data.images[start : start + EVALUATION_BATCH])
        found.append(trainer.method.opinion(Batch(images=images, labels=given[rows], index=rows)))
    distribution, wrongness = (torch.cat(part).float().cpu().numpy() for part in zip(*found))
    return distribution, wrongness


def keep_noise(store: Store, data: TrainingSet) -> None:
    """The labels of a cell, once for all its methods."""
    path = store.root / "noise" / f"{data.noise['hash']}.npz"
    if not path.exists():
        write_bytes(path, arrays_bytes({"labels": data.noise_labels.astype(np.uint8)}))


def save(trainer: Trainer) -> None:
    """Write a checkpoint; where it cannot be written, training goes on without."""
    state = mark(trainer) | {
        "epoch": trainer.state.epoch,
        "history": trainer.state.history,
        "predictions": trainer.state.predictions,
        "method": trainer.method.state_dict(),
        "optimiser": trainer.optimiser.state_dict(),
        "seconds": trainer.clock.parts,
    }
    content = io.BytesIO()
    torch.save(state, content)
    try:
        write_bytes(checkpoint(trainer), content.getvalue())
    except OSError as error:
        print(f"{checkpoint(trainer)}: no checkpoint written: {error.strerror}", flush=True)


def checkpoint(trainer: Trainer) -> Path:
    return Store(Path(trainer.place.results)).checkpoint(trainer.job.id)


def mark(trainer: Trainer) -> dict[str, str]:
    """What must be the same for a checkpoint to be gone on from: else a run would be half of one thing, half of another."""
    code = hashlib.sha256(Path(inspect.getfile(type(trainer.method))).read_bytes()).hexdigest()
    return {"id": trainer.job.id, "code": code, "torch": torch.__version__, "device": trainer.place.device}


def resume(trainer: Trainer) -> bool:
    """Go on from the checkpoint, if there is one; False, and the checkpoint gone, if it cannot be gone on from.

    The trainer may then be half overwritten and has to be made anew.
    """
    path = checkpoint(trainer)
    if not path.exists():
        return True
    try:
        state = torch.load(path, map_location=trainer.device, weights_only=True)
        if {key: state[key] for key in mark(trainer)} != mark(trainer):
            raise ValueError("made by another version")
        trainer.method.load_state_dict(state["method"])
        trainer.optimiser.load_state_dict(state["optimiser"])
        predictions = [part.cpu() for part in state["predictions"]]
        trainer.state = State(state["epoch"], state["history"], predictions)
        for name, seconds in state["seconds"].items():
            trainer.clock.parts[name] = trainer.clock.parts.get(name, 0.0) + seconds
    except Exception as error:  # torch raises many kinds for a broken file
        print(f"{path}: passed over ({type(error).__name__}: {str(error)[:200]}); the run starts again", flush=True)
        path.unlink()
        return False
    return True
