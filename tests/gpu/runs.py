"""Whole jobs on a fake CUDA device: published recipes on 44 random images and a narrow network, labels to record."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from benchmark import plugins
from benchmark.check.pretended import Card, clock_of
from benchmark.check.pretended_notes import Seen
from benchmark.plan import recipes
from benchmark.plan.catalogue import method_info as card_of
from benchmark.scale import PAPER, SCALES
from benchmark.task import Place
from benchmark.train import loop, trainer
from benchmark.train.training_set import TrainingSet
from results.job import Job

IMAGES, TEST, CLASSES, BATCH, STORED, SIDE = 44, 6, 7, 16, 40, 32  # 44 = 16 + 16 + 12
SCALE = replace(PAPER, name="pretended", side=SIDE)
SHORT = {"recipe.epochs": "2", "recipe.batch_size": str(BATCH), "recipe.backbone": "resnet10_w16"}
OPTIONS = {  # what makes two epochs reach every branch of a step
    "scn": {"scn.relabel_epoch": "1", "scn.relabel_group": "low"},
    "rul": {"rul.relabel": "scn", "rul.relabel_epoch": "1", "rul.pairs": "different_class"},
    "lanet": {"lanet.queue": str(4 * BATCH)},
    "co_teaching": {"co_teaching.forget_epochs": "1"},
}


def random_data() -> TrainingSet:
    """Random images, labels and landmarks, read-only as a mapped cache is."""
    draw = np.random.default_rng(0)
    pixels = draw.integers(0, 256, (IMAGES + TEST, STORED, STORED, 3), dtype=np.uint8)
    given, clean = (draw.permutation(np.arange(IMAGES) % CLASSES) for _ in range(2))
    return TrainingSet(
        classes=tuple("abcdefg"),
        images=pixels[:IMAGES],
        given=given,
        clean=clean,
        landmarks=draw.uniform(0.1, 0.9, (IMAGES, 19, 2)).astype(np.float32),
        usable=np.arange(IMAGES) % 4 > 0,
        rows=np.arange(IMAGES),
        held_images=pixels[:5],
        held_labels=given[:5],
        test_images=pixels[IMAGES:],
        test_labels=np.arange(TEST) % CLASSES,
        test_rows=np.arange(TEST),
        noise={"hash": "0" * 20, "realised": 0.3, "per_class": [], "nominal": 0.3},
        noise_labels=given,
    )


def job_of(name: str, options: dict[str, str], precision: str) -> tuple[Job, dict[str, Any]]:
    methods = {found: card_of(cls) for found, cls in plugins.find_methods().items()}
    resolved, overrides = recipes.resolve_recipe(methods, name, SHORT | options, SCALE, "comparison", "rafdb", IMAGES)
    job = Job(
        method=name,
        method_version=plugins.find_methods()[name].version,
        data={"name": "pretended", "fingerprint": "", "landmarks": None},
        noise={"kind": "symmetric", "rate": "0.3", "version": 1},
        seed=0,
        precision=precision,
        preset="comparison",
        scale={"name": SCALE.name, "version": 1},
        weights="random",
        overrides=overrides,
    )
    return job, resolved | {"data": {}, "weights": {"text": "random weights"}}


@contextmanager
def small() -> Iterator[None]:
    with ExitStack() as stack:
        stack.enter_context(mock.patch.dict(SCALES, {SCALE.name: SCALE}))
        stack.enter_context(mock.patch.object(trainer, "training_set", lambda *_: random_data()))
        stack.enter_context(mock.patch.object(trainer.decoded, "open_decoded", lambda *_: None))
        yield


def run(
    name: str, folder: Path, options: dict[str, str] | None = None, card: Card | None = None, **more: Any
) -> tuple[Seen, dict, dict]:
    """A job on the fake CUDA device, without CUDA graphs unless they are asked for; what was seen, the record, its arrays.

    more: `precision`, or fields of `Place`.
    """
    card = card or Card()
    job, resolved = job_of(name, OPTIONS.get(name, {}) if options is None else options, more.pop("precision", "fp32"))
    place = Place(
        **{"results": str(folder), "data": "", "device": "cuda", "checkpoint_seconds": 0.0, "graphs": False} | more
    )
    with small(), card.there():
        record, arrays = loop.train_job(job, resolved, place, clock_of(card))
    return card.seen, record, arrays
