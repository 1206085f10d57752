"""A method whose logits are known: of an image they follow its brightness, and each epoch they turn by one class.

It learns nothing (its one number has no effect) and notes its logits and its two networks in the file that SPY names.
"""

import hashlib
import json
import os
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from methods.base import RECIPE, Backbone, Batch, Method, Run


def told(backbone: nn.Module) -> str:
    """What a network starts from, as a hash."""
    content = b"".join(tensor.detach().numpy().tobytes() for tensor in backbone.state_dict().values())
    return hashlib.sha256(content).hexdigest()


class Seer(Method):
    name, title = "seer", "Seer"
    recipe = RECIPE

    @dataclass(frozen=True)
    class Parameters:
        """None."""

    def note(self, what: str, **facts: Any) -> None:
        with open(os.environ["SPY"], "a") as file:
            plain = {name: fact.tolist() if torch.is_tensor(fact) else fact for name, fact in facts.items()}
            file.write(json.dumps({"what": what, **plain}) + "\n")

    def build(self, backbone: Backbone, classes: int, *others: Backbone) -> None:
        self.backbone, self.classes, self.number = backbone, classes, nn.Parameter(torch.zeros(()))
        self.register_buffer("turn", torch.zeros((), dtype=torch.long))
        self.head = nn.Linear(3, 2).requires_grad_(False)  # its draws follow those of the first network
        self.note("networks", hashes=[told(network) for network in (backbone, *others)], head=told(self.head))

    def begin(self, labels: Tensor, run: Run) -> None:
        super().begin(labels, run)
        self.note("begin", labels=labels)

    def logits(self, images: Tensor) -> Tensor:
        bright = images.double().mean((1, 2, 3)) * 40
        classes = torch.arange(self.classes)
        found = torch.cos(bright[:, None] + classes) * 2 - 0.1 * classes
        found = found.roll(int(self.turn), 1).float()
        self.note("logits", training=self.training, logits=found)
        return found

    def loss(self, batch: Batch) -> tuple[dict[str, Tensor], Tensor]:
        logits = self.logits(batch.images)
        where = batch.index.float().mean()
        self.note("batch", epoch=batch.epoch, index=batch.index, logits=logits)
        losses = {"where": self.number + where, "twice": self.number + 2 * where}
        if batch.epoch in (2, 3):
            losses["at times"] = self.number + batch.epoch
        return losses, logits

    def after_epoch(self, epoch: int) -> dict[str, Tensor]:
        self.turn += 1
        return {"turned": self.turn.float()} | ({"even": torch.tensor(epoch)} if epoch % 2 == 0 else {})


class Pair(Seer):
    """The same on two networks."""

    name, title, networks = "pair", "Pair", 2
