"""A job of a method on 37 random images, put together as the engine prepares one, for whatever is asked of methods."""

import inspect
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmark import plugins
from benchmark.check.contract import require
from benchmark.plan import recipes
from benchmark.plan.catalogue import method_info
from benchmark.scale import DEMO
from benchmark.task import Place
from benchmark.train import assembly, loop
from benchmark.train.trainer import Clock, Trainer
from benchmark.train.training_set import TrainingSet
from methods.base import Backbone, Batch, Method
from noise.expressions import EIGHT
from results.job import Job

IMAGES, BATCH, EPOCHS, TEST = 37, 16, 2, 6  # 37 = 16 + 16 + 5: the last batch is incomplete


def random_data(images: int, classes: int, one_class: bool) -> TrainingSet:
    """Random images, landmarks and labels; one_class: all given labels are equal."""
    generator = np.random.default_rng(0)
    side = DEMO.side
    labels = np.zeros(images, np.int64) if one_class else generator.permutation(np.arange(images) % classes)
    blocks = generator.integers(0, 256, (images + TEST, 8, 8, 1)).astype(np.uint8)
    pixels = np.kron(blocks, np.ones((1, side // 8, side // 8, 1), np.uint8))
    return TrainingSet(
        classes=EIGHT[:classes],
        images=pixels[:images],
        given=labels,
        clean=labels,
        landmarks=generator.uniform(0.1, 0.9, (images, 19, 2)).astype(np.float32),
        usable=np.arange(images) % 4 > 0,
        rows=np.arange(images),
        held_images=pixels[:0],
        held_labels=labels[:0],
        test_images=pixels[images:],
        test_labels=np.arange(TEST),
        test_rows=np.arange(TEST),
        noise={},
        noise_labels=labels,
    )


def prepare_rehearsal(
    cls: type[Method],
    classes: int = 8,
    precision: str = "fp32",
    images: int = IMAGES,
    one_class: bool = False,
    device: str = "cpu",
    epochs: int = EPOCHS,
    backbone: type[Backbone] | None = None,
    settings: Mapping[str, Any] | None = None,
    seed: int = 0,
) -> Trainer:
    """A job as the engine prepares it at demo scale; device: 'cuda' where a card is there or pretended.

    backbone: of one's own, in place of the demo's. settings: parameters in place of the usual ones.
    """
    data = random_data(images, classes, one_class)
    overrides = {"recipe.epochs": str(epochs), "recipe.batch_size": str(BATCH)}
    job = replace(rehearsal_job(cls, precision), seed=seed)
    place = Place(results="", data="", device=device)
    if backbone is not None:
        overrides["recipe.backbone"] = backbone.name
        place = replace(place, methods_path=(str(Path(inspect.getfile(backbone)).parent),))
        job = replace(job, backbone_code=plugins.hash_backbone(backbone.name, place.methods_path))
    cards = {cls.name: method_info(cls)}
    resolved, _ = recipes.resolve_recipe(cards, cls.name, overrides, DEMO, "comparison", "faces", images)
    resolved["parameters"] |= settings or {}
    method, recipe, run = assembly.assemble_method(cls, job, {"weights": {}, **resolved}, place, classes, images)
    assembly.begin_method(method, torch.from_numpy(data.given), run, device)
    keeps_labels = isinstance(getattr(method, "labels", None), Tensor)
    require(keeps_labels, "begin keeps no labels; call super().begin(labels, run)")
    return Trainer(job, place, data, method, recipe, run, Clock())


def rehearsal_job(cls: type[Method], precision: str) -> Job:
    return Job(
        method=cls.name,
        method_version=cls.version,
        data={"name": "check", "fingerprint": "", "landmarks": None},
        noise={"kind": "symmetric", "rate": "0.3", "version": 1},
        seed=0,
        precision=precision,
        preset="comparison",
        scale={"name": DEMO.name, "version": DEMO.version},
        weights="random",
    )


def rehearse_step(trainer: Trainer, rows: list[int], backward: bool = True) -> tuple[dict[str, Tensor], Tensor, Batch]:
    """The losses, logits and batch of one step on the given rows; the optimiser moves if `backward`."""
    batch = loop.make_batch(trainer, torch.tensor(rows), 1, torch.Generator().manual_seed(1))
    trainer.method.train()
    result = trainer.method.loss(batch)
    require(isinstance(result, tuple) and len(result) == 2, "loss returns no pair; return ({name: loss}, logits)")
    losses, logits = result
    is_sound = isinstance(losses, dict) and all(isinstance(v, Tensor) and v.dim() == 0 for v in losses.values())
    require(is_sound and losses, "loss: expected a dictionary of scalar tensors by name")
    for name, value in losses.items():
        require(bool(torch.isfinite(value)), f"loss {name!r} is {float(value.detach())} on {len(rows)} images")
    shape = (len(rows), trainer.run.classes)
    require(tuple(logits.shape) == shape, f"loss returns logits of shape {tuple(logits.shape)}, expected {shape}")
    if backward:
        trainer.optimiser.zero_grad()
        sum(losses.values()).backward()
        trainer.method.after_backward(batch)
        trainer.optimiser.step()
        trainer.method.after_step(batch)
    return losses, logits, batch


def train_to_last_epoch(trainer: Trainer) -> Trainer:
    """Trained from where it stands to its last epoch, by the engine."""
    for epoch in range(trainer.state.epoch + 1, trainer.recipe.epochs + 1):
        loop.train_epoch(trainer, epoch)
        trainer.state.end_epoch(epoch)
    return trainer


def name_differences(first_method: Method, second_method: Method) -> str:
    """The names in which two methods' states, or what learns of them, differ, or ''."""
    first_state = comparable_state(first_method)
    second_state = comparable_state(second_method)
    names = sorted(set(first_state) ^ set(second_state))
    return first_three(names or [n for n in first_state if not torch.equal(first_state[n], second_state[n])])


def comparable_state(method: Method) -> dict[str, Tensor]:
    """A method's state, and whether each parameter learns."""
    learning = {f"{name}.requires_grad": torch.tensor(p.requires_grad) for name, p in method.named_parameters()}
    return method.state_dict() | learning


def first_three(names: list[str]) -> str:
    """The first three names and how many there are beyond."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
