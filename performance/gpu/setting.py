"""Where and how large an item measures."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from benchmark import plugins
from benchmark.task import Place
from benchmark.train.trainer import Clock, Trainer
from performance import engine

TINY = {"recipe.backbone": "resnet10_w16", "recipe.batch_size": "50", "lanet.queue": "100"}
FEW = 256  # images, for what does not depend on their number


@dataclass(frozen=True)
class Setting:
    """out: the folder of results. device: 'cuda' or 'cpu'. rehearse: tiny sizes. data: {data set: its folder}."""

    out: Path
    device: str = "cuda"
    rehearse: bool = False
    data: dict[str, Path] = field(default_factory=dict)

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
        return ("baseline", "lanet") if self.rehearse else engine.FIVE

    @property
    def asked(self) -> dict[str, str]:
        """What a rehearsal changes in a recipe."""
        return TINY if self.rehearse else {}

    def faces(self, train: int | None = None) -> Path:
        """A folder of drawn faces, decoded once."""
        return engine.faces(self.out / "data", train or self.images, 100 if self.rehearse else 256)

    def draw(self) -> None:
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
        clock: Clock | None = None,
        **place: Any,
    ) -> Trainer:
        """A job of the engine's on drawn faces, ready for its first epoch. batch: None for the published one.

        place: fields of `Place`; without `engine.AS_RUN` no CUDA graphs are used.
        """
        images = min(images or self.images, self.images)
        asked = self.asked | ({"recipe.batch_size": str(batch)} if batch and not self.rehearse else {})
        scale = engine.paper_at(min(side or self.side, self.side))
        job, resolved = engine.job_of(name, images, asked, precision, scale)
        place = engine.EAGER | {"device": self.device} | place
        where = Place(results=str(self.out / "scratch"), data=str(self.faces(images)), **place)
        return engine.trainer(job, resolved, where, clock)

    def wait(self) -> None:
        """Until the device has done what it was handed."""
        if self.cuda:
            torch.cuda.synchronize()


def every_method(setting: Setting) -> list[str]:
    """The paper's five, then all others."""
    others = [] if setting.rehearse else sorted(set(plugins.find_methods()) - set(setting.methods))
    return [*setting.methods, *others]
