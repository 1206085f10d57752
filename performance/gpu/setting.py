"""Where and how large an item measures, and the jobs that it measures: planned, decoded and prepared as any other."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from benchmark import plugins
from benchmark.cache.lookup import open_data
from benchmark.datasets.faces import Faces
from benchmark.plan import recipes
from benchmark.plan.catalogue import method_info
from benchmark.scale import PAPER, SCALES, Scale
from benchmark.task import Place
from benchmark.train.device import exact_arithmetic
from benchmark.train.trainer import Clock, Trainer, prepare_trainer
from results.job import Job
from results.published import METHODS

TINY = {"recipe.backbone": "resnet10_w16", "recipe.batch_size": "50", "lanet.queue": "100"}  # of a rehearsal
FEW = 256  # images, for what does not depend on their number


@dataclass(frozen=True)
class Setting:
    """Where an item measures."""

    out: Path  # the folder of results
    device: str = "cuda"  # or 'cpu'
    rehearse: bool = False  # tiny sizes
    data: dict[str, Path] = field(default_factory=dict)  # {data set: its folder}

    @property
    def cuda(self) -> bool:
        return self.device == "cuda"

    @property
    def images(self) -> int:
        return 100 if self.rehearse else 2048

    @property
    def side(self) -> int:
        return 32 if self.rehearse else 224

    @property
    def methods(self) -> tuple[str, ...]:
        return ("baseline", "lanet") if self.rehearse else tuple(METHODS)

    def faces(self, train: int) -> Path:
        """A folder of so many drawn faces, decoded once."""
        options = Faces.Options(train=train, test=100 if self.rehearse else 256)
        return open_data(Faces(), None, options, self.out / "data").folder

    def draw_faces(self) -> None:
        """Decode all that the items need, before any of them has its time."""
        for train in {self.images, min(self.images, FEW)}:
            self.faces(train)

    def trainer(
        self,
        name: str,
        precision: str = "bf16",
        batch: int | None = None,
        side: int | None = None,
        images: int | None = None,
        **place: Any,
    ) -> Trainer:
        """A job on drawn faces, ready for its first epoch.

        batch: None for the published one. place: fields of `Place`; no CUDA graphs unless `graphs` says so.
        """
        images = min(images or self.images, self.images)
        changed = TINY if self.rehearse else {"recipe.batch_size": str(batch)} if batch else {}
        job, resolved = make_job(name, images, changed, precision, paper_at(min(side or self.side, self.side)))
        fields = {"graphs": False, "device": self.device} | place
        where = Place(results=str(self.out / "scratch"), data=str(self.faces(images)), **fields)
        exact_arithmetic(where.fast)
        return prepare_trainer(job, resolved, where, Clock())

    def wait(self) -> None:
        """Until the device has done what it was handed."""
        if self.cuda:
            torch.cuda.synchronize()


def paper_at(side: int) -> Scale:
    """The paper's scale with smaller images, known to the engine in this process."""
    scale = PAPER if side == PAPER.side else replace(PAPER, name=f"paper at {side} px", side=side)
    return SCALES.setdefault(scale.name, scale)


def make_job(
    name: str, images: int, changed: dict[str, str], precision: str, scale: Scale
) -> tuple[Job, dict[str, Any]]:
    """A job of a method on that many drawn faces, a third of whose labels are wrong, and its resolved recipe."""
    methods = {found: method_info(cls) for found, cls in plugins.find_methods().items()}
    if name == "lanet":  # its queue is a multiple of the batch
        batch = int(changed.get("recipe.batch_size", methods[name]["recipe"]["batch_size"]))
        changed = {"lanet.queue": str(8192 // batch * batch)} | changed
    resolved, overrides = recipes.resolve_recipe(methods, name, changed, scale, "comparison", "faces", images)
    job = Job(
        method=name,
        method_version=methods[name]["version"],
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
