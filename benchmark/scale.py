"""Scales: how large a run is, as data. A third one is one more definition here; nothing compares names.

A scale with a recipe of its own gives all methods one batch size, rate, schedule, augmentation and network. What is
published in units of epochs or steps of the published run keeps its share of the run, with RAF-DB's 12,271 training
images as the published data:

    'epoch'      an epoch e of E       ->  ceil(e E' / E)
    'per epoch'  a factor per epoch f  ->  f^(E / E')
    'per step'   a momentum per step m ->  m^(T / T')
    'queue'      a number of samples   ->  the same share of an epoch, as a multiple of the batch
"""

from dataclasses import dataclass, field, replace
from math import ceil, floor
from typing import Any

import numpy as np

SUBSET_SEED = 2  # of the demo's images, which stay the same from version to version
PRETRAINING_VERSION = 2
PUBLISHED_IMAGES = 12271
FEWEST_HELD_OUT = 200  # images; a choice by fewer would be by chance
HELD_OUT = 0.1  # share of the training images whose noisy labels choose the epoch under `--rule noisy_val`
AFFECTNET_EPOCHS = 20  # the papers do not print it; ours

SHARED_AUGMENT: dict[str, Any] = {
    "flip": 0.5,
    "pixel_noise": 0.0,
    "exclusive": False,
    "crop": [0.85, 1.0],
    "jitter": 0.0,
    "erase": 0.0,
    "erase_area": [0.02, 0.25],
    "resize": "bilinear",
    "mean": [0.485, 0.456, 0.406],  # ImageNet's
    "std": [0.229, 0.224, 0.225],
    "shift": 0.0,
    "shift_probability": 1.0,
    "shift_fill": "zero",
}


@dataclass(frozen=True)
class Scale:
    """How large a run is.

    seconds ({device: one worker's}), record_bytes, memory: what planning guesses of a baseline run on 12,271 images, or on
    all that the scale takes, before anything is measured; of a GPU twice what an H200 takes at the two larger scales.
    """

    name: str
    version: int
    side: int  # pixels of a training image
    channels: int  # 1 (grey) or 3
    seeds: int  # how many where none are named
    weights: str  # what a backbone starts from where nothing is named
    pretraining: dict[str, Any]  # how start weights are made from landmarks (`benchmark.train.pretrain`)
    seconds: dict[str, float]
    record_bytes: float
    memory: float
    train_images: int | None = None  # at most so many of a data set (stratified, fixed); None for all
    test_images: int | None = None
    train_floor: int = 0  # images of a rare class where there are as many
    test_floor: int = 0
    held_out_images: int = 0  # at most so many others, whose noisy labels choose settings
    subset: int = SUBSET_SEED  # of the draw of training images
    recipe: dict[str, Any] | None = None  # instead of a method's own; None: as published
    augment: dict[str, Any] = field(default_factory=dict)  # likewise
    epochs: dict[str, int] = field(default_factory=dict)  # {data set: epochs} where no paper prints them
    words: str = ""  # the scale in captions
    network: str = ""  # its recipe's backbone in captions

    @property
    def shortened(self) -> bool:
        """Whether one shortened recipe holds for all methods."""
        return self.recipe is not None

    @property
    def identity(self) -> dict[str, Any]:
        """What a job's identity says of its scale; another subset of the training images is a part of it."""
        identity = {"name": self.name, "version": self.version}
        return identity if self.subset == SUBSET_SEED else identity | {"subset": self.subset}

    def applied(self, published: dict[str, Any], data: str) -> dict[str, Any]:
        """A method's recipe at this scale: only the last partial batch and the views stay its own where it is shared."""
        if self.recipe is None:
            return published | ({"epochs": self.epochs[data]} if data in self.epochs else {})
        return {**published, **self.recipe, "augment": {**published["augment"], **self.augment}}

    def images(self, available: int, held_out: bool = False) -> int:
        """Training images of a run."""
        n = available if self.train_images is None else min(available, self.train_images)
        return n - int(n * HELD_OUT) if held_out else n

    def train_rows(self, labels: np.ndarray, classes: int) -> np.ndarray:
        """Rows of the training split that are used, in ascending order."""
        return choose_subset(labels, classes, self.train_images, self.train_floor, self.subset)

    def unused_images(self, available: int) -> int:
        """How many images of the training split are held out beside those that are trained on."""
        if self.train_images is None or available - self.train_images < FEWEST_HELD_OUT:
            return 0
        return min(self.held_out_images, available - self.train_images)

    def held_out_rows(self, labels: np.ndarray, classes: int) -> np.ndarray:
        """Rows of the training split that are not trained on and whose noisy labels choose settings, ascending."""
        if not self.unused_images(len(labels)):
            return np.arange(0)
        unused = np.setdiff1d(np.arange(len(labels)), self.train_rows(labels, classes))
        image_count = self.unused_images(len(labels))
        return unused[choose_subset(labels[unused], classes, image_count, self.train_floor, self.subset)]

    def test_rows(self, labels: np.ndarray, classes: int) -> np.ndarray:
        return choose_subset(labels, classes, self.test_images, self.test_floor)

    def notes(self, backbone: str = "") -> list[str]:
        """The scale in words, for captions; backbone: of a run, whose own words leave out another one."""
        if self.recipe is None:
            return [f"published recipes at {self.side} px", f"AffectNet: {AFFECTNET_EPOCHS} epochs (ours)"]
        crop = self.augment["crop"]
        augment_text = f"mirroring {self.augment['flip']}, crops of {crop[0]:.0%} to {crop[1]:.0%} of the area"
        if self.augment["erase"]:
            augment_text += f", random erasing {self.augment['erase']}"
        words = f"{self.words}, {self.network}" if backbone in ("", self.recipe["backbone"]) else self.words
        return [
            f"{words}, {self.recipe['epochs']} epochs of batch {self.recipe['batch_size']}, Adam with one cycle to "
            f"{self.recipe['optimiser']['lr']}, uniform sampling, {augment_text}, the same for every method; published "
            "epochs, momenta and queues keep their share of the run"
        ]


def one_cycle_recipe(epochs: int, batch_size: int, backbone: str, learning_rate: float) -> dict[str, Any]:
    """The one recipe of a shortened scale."""
    return {
        "epochs": epochs,
        "batch_size": batch_size,
        "backbone": backbone,
        "optimiser": {"kind": "Adam", "lr": learning_rate, "weight_decay": 0.0, "head_lr": None},
        "schedule": {"kind": "OneCycle", "warm": 0.25, "start": 0.04},
    }


DEMO = Scale(
    name="demo",
    version=5,
    side=48,
    channels=1,
    seeds=3,
    weights="landmarks",
    train_images=1000,
    test_images=1000,
    train_floor=30,
    test_floor=20,
    held_out_images=1000,
    recipe=one_cycle_recipe(epochs=18, batch_size=64, backbone="resnet10_w16", learning_rate=6e-3),
    augment=SHARED_AUGMENT,
    # images: at most so many. views: looks at an image or its mirror image in all; epochs: passes over both at most.
    # held_out: the scale's own training images are left out where there are so many others.
    pretraining={"images": 24_000, "views": 96_000, "epochs": 12, "batch": 64, "rate": 2e-2, "held_out": 5000},
    seconds={"cpu": 15, "cuda": 15},
    record_bytes=40e3,
    memory=0.7e9,
    words="demo scale: at most 1,000 training and 1,000 test images (stratified, fixed), 48 px grey",
    network="ResNet-10 of width 16",
)
SMALL = Scale(
    name="small",
    version=2,
    side=64,
    channels=3,
    seeds=3,
    weights="landmarks",
    recipe=one_cycle_recipe(epochs=20, batch_size=128, backbone="resnet18", learning_rate=1e-3),
    augment=SHARED_AUGMENT,
    pretraining={"images": 100_000, "views": 600_000, "epochs": 12, "batch": 128, "rate": 1e-3, "held_out": None},
    seconds={"cpu": 2200, "cuda": 25},
    record_bytes=400e3,
    memory=2e9,
    words="small scale: all images, 64 px",
    network="ResNet-18",
)
PAPER = Scale(
    name="paper",
    version=1,
    side=224,
    channels=3,
    seeds=5,
    weights="random",
    epochs={"affectnet": AFFECTNET_EPOCHS},
    pretraining={"images": 300_000, "views": 3_000_000, "epochs": 20, "batch": 128, "rate": 1e-3, "held_out": None},
    seconds={"cpu": 40_000, "cuda": 200},
    record_bytes=600e3,
    memory=8e9,
)
SCALES = {scale.name: scale for scale in (DEMO, SMALL, PAPER)}


def leave_out_network(notes: list[str]) -> list[str]:
    """The notes of a scale without the network that its recipe names."""
    for scale in filter(lambda scale: scale.network, SCALES.values()):
        notes = [note.replace(f"{scale.words}, {scale.network}", scale.words) for note in notes]
    return notes


def restore_scale(identity: dict[str, Any]) -> Scale:
    """The scale that a job names."""
    return replace(SCALES[identity["name"]], subset=identity.get("subset", SUBSET_SEED))


def translate_value(
    value: Any, rule: str | None, published: dict[str, Any], recipe: dict[str, Any], images: int
) -> Any:
    """A parameter given in published units, as a run of `recipe` on `images` training images needs it."""
    if rule is None:
        return value
    epochs = recipe["epochs"]
    batch_size = recipe["batch_size"]
    steps = count_steps(images, recipe)
    published_steps = count_steps(PUBLISHED_IMAGES, published)
    if rule == "epoch":
        return ceil(value * epochs / published["epochs"])
    if rule == "per epoch":
        return value ** (published["epochs"] / epochs)
    if rule == "per step":
        return value ** (published_steps / steps)
    if rule == "queue":
        return max(1, round(value / PUBLISHED_IMAGES * images / batch_size)) * batch_size
    raise ValueError(f"there is no scaling rule {rule!r}; known: epoch, per epoch, per step, queue")


def steps_per_epoch(images: int, batch: int, drop_last: bool) -> int:
    return max(1, floor(images / batch) if drop_last else ceil(images / batch))


def count_steps(images: int, recipe: dict[str, Any]) -> int:
    return recipe["epochs"] * steps_per_epoch(images, recipe["batch_size"], recipe["drop_last"])


def choose_subset(
    labels: np.ndarray, classes: int, images: int | None, floor_per_class: int, seed: int = SUBSET_SEED
) -> np.ndarray:
    """Rows of the fixed, stratified part of a split that a scale uses, in ascending order.

    Each class gets its share of `images`, rare ones at least `floor_per_class` where there are as many, the rest is
    taken from the largest classes; within a class the rows are a fixed draw, the same for every seed and method.
    """
    if images is None or len(labels) <= images:
        return np.arange(len(labels))
    counts = np.bincount(labels, minlength=classes)
    least_counts = np.minimum(counts, floor_per_class)
    class_counts = np.maximum(np.floor(counts * images / len(labels)).astype(int), least_counts)
    while class_counts.sum() != images:
        spare_images = class_counts - least_counts if class_counts.sum() > images else counts - class_counts
        if not (spare_images > 0).any():  # the floors alone are more than `images`
            spare_images = class_counts
        class_counts[np.argmax(spare_images)] += np.sign(images - class_counts.sum())
    generator = np.random.Generator(np.random.PCG64(seed))
    rows = [generator.permutation(np.flatnonzero(labels == c))[: class_counts[c]] for c in range(classes)]
    return np.sort(np.concatenate(rows))
