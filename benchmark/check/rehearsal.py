"""A job of a method on 37 random images, put together as the engine prepares one, for whatever is asked of methods."""

import inspect
from dataclasses import replace
from pathlib import Path

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
from benchmark.train.trainer import Clock, Trainer, trainer_of
from benchmark.train.training_set import TrainingSet
from methods.base import Backbone, Batch, Method
from noise.expressions import EIGHT
from results.job import Job

IMAGES, BATCH, EPOCHS, TEST = 37, 16, 2, 6  # 37 = 16 + 16 + 5: the last batch is incomplete


def random_data(images: int, classes: int, one_class: bool) -> TrainingSet:
    """Random images, landmarks and labels; one_class: all given labels are equal."""
    draw, side = np.random.default_rng(0), DEMO.side
    given = np.zeros(images, np.int64) if one_class else draw.permutation(np.arange(images) % classes)
    blocks = draw.integers(0, 256, (images + TEST, 8, 8, 1)).astype(np.uint8)
    pixels = np.kron(blocks, np.ones((1, side // 8, side // 8, 1), np.uint8))
    return TrainingSet(
        classes=EIGHT[:classes],
        images=pixels[:images],
        given=given,
        clean=given,
        landmarks=draw.uniform(0.1, 0.9, (images, 19, 2)).astype(np.float32),
        usable=np.arange(images) % 4 > 0,
        rows=np.arange(images),
        held_images=pixels[:0],
        held_labels=given[:0],
        test_images=pixels[images:],
        test_labels=np.arange(TEST),
        test_rows=np.arange(TEST),
        noise={},
        noise_labels=given,
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
) -> Trainer:
    """A job as the engine prepares it at demo scale; device: 'cuda' where a card is there or pretended.

    backbone: of one's own, in place of the demo's.
    """
    data = random_data(images, classes, one_class)
    asked = {"recipe.epochs": str(epochs), "recipe.batch_size": str(BATCH)}
    own: tuple[str, ...] = ()
    if backbone is not None:
        asked["recipe.backbone"], own = backbone.name, (str(Path(inspect.getfile(backbone)).parent),)
    resolved, _ = recipes.resolve_recipe(
        {cls.name: method_info(cls)}, cls.name, asked, DEMO, "comparison", "faces", images
    )
    asked_for, place = rehearsal_job(cls, precision), Place(results="", data="", device=device, methods_path=own)
    if backbone is not None:
        asked_for = replace(asked_for, backbone_code=plugins.hash_backbone(backbone.name, own))
    method, recipe, run = assembly.assemble_method(cls, asked_for, {"weights": {}, **resolved}, place, classes, images)
    method.to(device, memory_format=torch.channels_last)
    method.begin(torch.from_numpy(data.given).to(device), run)
    kept = isinstance(getattr(method, "labels", None), Tensor)
    require(kept, "begin keeps no labels; call super().begin(labels, run)")
    return trainer_of(asked_for, place, data, assembly.move_to_device(method, device), recipe, run, Clock())


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


def rehearse_step(made: Trainer, rows: list[int], backward: bool = True) -> tuple[dict[str, Tensor], Tensor, Batch]:
    """The losses, logits and batch of one step on the given rows; the optimiser moves if `backward`."""
    batch = loop.make_batch(made, torch.tensor(rows), 1, torch.Generator().manual_seed(1))
    made.method.train()
    result = made.method.loss(batch)
    require(isinstance(result, tuple) and len(result) == 2, "loss returns no pair; return ({name: loss}, logits)")
    losses, logits = result
    good = isinstance(losses, dict) and all(isinstance(v, Tensor) and v.dim() == 0 for v in losses.values())
    require(good and losses, "loss: expected a dictionary of scalar tensors by name")
    for name, value in losses.items():
        require(bool(torch.isfinite(value)), f"loss {name!r} is {float(value.detach())} on {len(rows)} images")
    shape = (len(rows), made.run.classes)
    require(tuple(logits.shape) == shape, f"loss returns logits of shape {tuple(logits.shape)}, expected {shape}")
    if backward:
        made.optimiser.zero_grad()
        sum(losses.values()).backward()
        made.method.after_backward(batch)
        made.optimiser.step()
        made.method.after_step(batch)
    return losses, logits, batch


def train_to_last_epoch(made: Trainer) -> Trainer:
    """Trained from where it stands to its last epoch, by the engine."""
    for epoch in range(made.state.epoch + 1, made.recipe.epochs + 1):
        loop.train_epoch(made, epoch)
        made.state.epoch = epoch
    return made


def name_differences(one: Method, two: Method) -> str:
    """The names in which two methods' states, or what learns of them, differ, or ''."""
    a, b = comparable_state(one), comparable_state(two)
    names = sorted(set(a) ^ set(b)) or [n for n in a if a[n].shape != b[n].shape or not torch.equal(a[n], b[n])]
    return first_three(names)


def comparable_state(method: Method) -> dict[str, Tensor]:
    """A method's state, and whether each parameter learns."""
    learning = {f"{name}.requires_grad": torch.tensor(p.requires_grad) for name, p in method.named_parameters()}
    return method.state_dict() | learning


def first_three(names: list[str]) -> str:
    """The first three names and how many there are beyond."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
