"""The demo scale: one stated rule that shrinks every published recipe alike, and what stays at paper scale.

All methods share one batch size, rate, schedule, augmentation and network. What is published in units of epochs or
steps of the published run keeps its share of the run, with RAF-DB's 12,271 training images as the published data:

    'epoch'      an epoch e of E       ->  ceil(e E' / E)
    'per epoch'  a factor per epoch f  ->  f^(E / E')
    'per step'   a momentum per step m ->  m^(T / T')
    'queue'      a number of samples   ->  the same share of an epoch, as a multiple of the batch
"""

from math import ceil, floor
from typing import Any

import numpy as np

DEMO_VERSION = 3
SUBSET_SEED = 2  # of the demo's images, which stay the same from version to version
PRETRAINING_VERSION = 2
TRAIN_IMAGES, TEST_IMAGES = 1000, 1000
TRAIN_FLOOR, TEST_FLOOR = 30, 20  # images of a rare class, where there are as many
SIDE = {"demo": 48, "paper": 224}
PUBLISHED_IMAGES = 12271
AFFECTNET_EPOCHS = 20  # the papers do not print it; ours

DEMO_RECIPE: dict[str, Any] = {
    "epochs": 18,
    "batch_size": 64,
    "backbone": "resnet10_w16",
    "optimiser": {"kind": "Adam", "lr": 4e-3, "weight_decay": 0.0, "head_lr": None},
    "schedule": {"kind": "OneCycle", "warm": 0.25, "start": 0.04},
}
DEMO_AUGMENT: dict[str, Any] = {
    "flip": 0.5,
    "pixel_noise": 0.0,
    "exclusive": False,
    "crop": None,
    "jitter": 0.0,
    "erase": 0.25,
    "erase_area": [0.02, 0.25],
    "resize": "bilinear",
    "mean": [0.485, 0.456, 0.406],  # ImageNet's
    "std": [0.229, 0.224, 0.225],
}


def demo_recipe(published: dict[str, Any]) -> dict[str, Any]:
    """The demo's recipe for a method: everything shared, only the last partial batch and the views stay its own."""
    return {**published, **DEMO_RECIPE, "augment": {**published["augment"], **DEMO_AUGMENT}}


def translate(value: Any, rule: str | None, published: dict[str, Any], recipe: dict[str, Any], images: int) -> Any:
    """A parameter given in published units, as a run of `recipe` on `images` training images needs it."""
    if rule is None:
        return value
    epochs, batch = recipe["epochs"], recipe["batch_size"]
    steps = epochs * steps_per_epoch(images, batch, recipe["drop_last"])
    published_steps = published["epochs"] * steps_per_epoch(
        PUBLISHED_IMAGES, published["batch_size"], published["drop_last"]
    )
    if rule == "epoch":
        return ceil(value * epochs / published["epochs"])
    if rule == "per epoch":
        return value ** (published["epochs"] / epochs)
    if rule == "per step":
        return value ** (published_steps / steps)
    if rule == "queue":
        return max(1, round(value / PUBLISHED_IMAGES * images / batch)) * batch
    raise ValueError(f"there is no scaling rule {rule!r}; known: epoch, per epoch, per step, queue")


def steps_per_epoch(images: int, batch: int, drop_last: bool) -> int:
    return max(1, floor(images / batch) if drop_last else ceil(images / batch))


def subset(labels: np.ndarray, classes: int, images: int, floor_per_class: int) -> np.ndarray:
    """Rows of the fixed, stratified part of a split that the demo uses, in ascending order.

    Each class gets its share of `images`, rare ones at least `floor_per_class` where there are as many, the rest is
    taken from the largest classes; within a class the rows are a fixed draw, the same for every seed and method.
    """
    if len(labels) <= images:
        return np.arange(len(labels))
    counts = np.bincount(labels, minlength=classes)
    least = np.minimum(counts, floor_per_class)
    wanted = np.maximum(np.floor(counts * images / len(labels)).astype(int), least)
    while wanted.sum() != images:
        spare = wanted - least if wanted.sum() > images else counts - wanted
        spare = spare if (spare > 0).any() else wanted  # the floors alone are more than `images`
        wanted[np.argmax(spare)] += np.sign(images - wanted.sum())
    draw = np.random.Generator(np.random.PCG64(SUBSET_SEED))
    rows = [draw.permutation(np.flatnonzero(labels == c))[: wanted[c]] for c in range(classes)]
    return np.sort(np.concatenate(rows))


def notes(name: str) -> list[str]:
    """The rule in words, for captions."""
    if name == "paper":
        return [f"published recipes at {SIDE['paper']} px", f"AffectNet: {AFFECTNET_EPOCHS} epochs (ours)"]
    recipe = DEMO_RECIPE
    return [
        f"demo scale: at most {TRAIN_IMAGES:,} training and {TEST_IMAGES:,} test images (stratified, fixed), "
        f"{SIDE['demo']} px grey, ResNet-10 of width 16, {recipe['epochs']} epochs of batch {recipe['batch_size']}, "
        f"Adam with one cycle to {recipe['optimiser']['lr']}, mirroring {DEMO_AUGMENT['flip']}, random erasing "
        f"{DEMO_AUGMENT['erase']}, the same for every method; published epochs, momenta and queues keep their share of "
        "the run"
    ]


HELD_OUT = 0.1  # share of the training images whose noisy labels choose the epoch under `--rule noisy_val`
