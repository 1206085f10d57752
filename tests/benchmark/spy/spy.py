"""A method that learns two numbers and writes down all that it is given, in order, into the file that SPY names.

Its gradients are known, so what the optimiser did to its two numbers tells the rates, the momenta and the decay.
"""

import json
import os
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from methods.base import RECIPE, Backbone, Batch, Method, Run


def drawn(batch: Batch) -> dict[str, int]:
    """Of which stream the batch's random numbers are."""
    return {"stream": batch.generator.initial_seed()}


class Number(nn.Module):
    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.tensor(value))


class Spy(Method):
    name, title = "spy", "Spy"
    recipe = RECIPE

    @dataclass(frozen=True)
    class Parameters:
        relabels: bool = False
        survey: str = "plain"

    def note(self, what: str, **facts: Any) -> None:
        plain = {name: fact.tolist() if torch.is_tensor(fact) else fact for name, fact in facts.items()}
        with open(os.environ["SPY"], "a") as file:
            file.write(json.dumps({"what": what, **plain}) + "\n")

    def build(self, backbone: Backbone, classes: int) -> None:
        self.backbone, self.classes = backbone, classes
        self.body, self.head = Number(0.5), Number(-0.25)

    def heads(self) -> list[nn.Module]:
        return [self.head]

    def begin(self, labels: Tensor, run: Run) -> None:
        super().begin(labels, run)
        self.note("begin", labels=labels, run=asdict(run))

    def order(self, epoch: int, generator: torch.Generator) -> Tensor:
        rows = super().order(epoch, generator)
        self.note("order", epoch=epoch, rows=rows)
        return rows

    def logits(self, images: Tensor) -> Tensor:
        return torch.zeros(len(images), self.classes)

    def loss(self, batch: Batch) -> tuple[dict[str, Tensor], Tensor]:
        pull = float(1 + batch.index[0])
        rows = {"index": batch.index, "labels": batch.labels, "flipped": batch.flipped}
        images = batch.images.mean(1).flatten(1)
        self.note("batch", epoch=batch.epoch, training=self.training, pull=pull, images=images, **rows, **drawn(batch))
        return {"body": pull * self.body.value, "head": -pull * self.head.value}, self.logits(batch.images)

    def after_backward(self, batch: Batch) -> None:
        numbers = {name: getattr(self, name).value for name in ("body", "head")}
        facts = {name: number.item() for name, number in numbers.items()}
        facts |= {f"{name} gradient": number.grad.item() for name, number in numbers.items()}
        self.note("backward", epoch=batch.epoch, index=batch.index, **facts)

    def after_step(self, batch: Batch) -> None:
        self.note("step", epoch=batch.epoch, body=self.body.value.item(), head=self.head.value.item())
        if self.settings.relabels:
            self.labels[batch.index] = (batch.labels + 1) % self.classes

    def survey_batch(self, batch: Batch) -> None:
        rows = {"index": batch.index, "labels": batch.labels, "images": batch.images.mean(1).flatten(1)}
        self.note("survey", epoch=batch.epoch, training=self.training, flipped=batch.flipped, **rows, **drawn(batch))

    def survey_after(self, epoch: int) -> str | None:
        return self.settings.survey

    def after_epoch(self, epoch: int) -> dict[str, Tensor]:
        self.note("epoch", epoch=epoch)
        return {}

    def opinion(self, batch: Batch) -> tuple[Tensor, Tensor]:
        self.note("opinion", index=batch.index, labels=batch.labels)
        return super().opinion(batch)
