"""Jobs of the engine's own on drawn faces, for whatever measures its loop: planned, decoded and prepared as any other."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmark import plugins
from benchmark.cache.lookup import open_data
from benchmark.datasets.faces import Faces
from benchmark.plan import recipes
from benchmark.plan.catalogue import card
from benchmark.scale import PAPER, SCALES, Scale
from benchmark.task import Place
from benchmark.train.device import exact_arithmetic
from benchmark.train.trainer import Clock, Trainer, prepare
from results.job import Job
from results.published import METHODS

EAGER, AS_RUN = {"graphs": False}, {"graphs": True}
FIVE = tuple(METHODS)


def faces(root: Path, train: int, test: int = 100) -> Path:
    """The folder of that many drawn faces, decoded below `root`."""
    return open_data(Faces(), None, Faces.Options(train=train, test=test), root).folder


def paper_at(side: int) -> Scale:
    """The paper's scale with smaller images, known to the engine in this process."""
    scale = PAPER if side == PAPER.side else replace(PAPER, name=f"paper at {side} px", side=side)
    return SCALES.setdefault(scale.name, scale)


def job_of(
    name: str, images: int, asked: dict[str, str] | None = None, precision: str = "bf16", scale: Scale = PAPER
) -> tuple[Job, dict[str, Any]]:
    """A job of a method on that many drawn faces, a third of whose labels are wrong, and its resolved recipe."""
    cards = {found: card(cls) for found, cls in plugins.find_methods().items()}
    asked = fitting(name, {} if asked is None else asked, cards[name]["recipe"]["batch_size"])
    resolved, overrides = recipes.resolve(cards, name, asked, scale, "comparison", "faces", images)
    job = Job(
        method=name,
        method_version=cards[name]["version"],
        data={"name": "faces", "fingerprint": "", "landmarks": None},
        noise={"kind": "symmetric", "rate": "0.3", "version": 1},
        seed=0,
        precision=precision,
        preset="comparison",
        scale={"name": scale.name, "version": scale.version},
        weights="random",
        overrides=overrides,
    )
    return job, resolved | {"data": {}, "weights": {"text": "random weights"}}


def fitting(name: str, asked: dict[str, str], published: int) -> dict[str, str]:
    """What was asked, with LA-Net's queue a multiple of the batch."""
    batch = int(asked.get("recipe.batch_size", published))
    return {"lanet.queue": str(8192 // batch * batch)} | asked if name == "lanet" else asked


def trainer(job: Job, resolved: dict[str, Any], place: Place, clock: Clock | None = None) -> Trainer:
    """A job ready for its first epoch, its settings set."""
    exact_arithmetic(place.fast)
    return prepare(job, resolved, place, clock or Clock())
