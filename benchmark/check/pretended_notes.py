"""Where tensors lie on a pretended card, what ran there, and what the host would have waited for."""

import contextlib
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._pytree import tree_leaves

from benchmark.check import card_rules

CARD, HOST = "card", "host"
UNPLACED = ""  # made inside torch, without a device; it lies where it is first used
STANDARD = Path(contextlib.__file__).parent  # Python's own library
TRAINING = ("data", "forward", "backward", "optimiser", "replay")  # the parts of a step by the engine's clock


@dataclass(frozen=True)
class Wait:
    """What the host would wait for. kind: 'read', 'shape' or 'upload'. part: of the engine's clock. where: file:line."""

    kind: str
    what: str
    part: str
    where: str


@dataclass
class Seen:
    """What was noted. operations: {part of the work: how often each operation ran on the card}."""

    waits: list[Wait] = field(default_factory=list)
    operations: dict[str, Counter] = field(default_factory=dict)
    replays: int = 0
    part: str = "outside"

    def wait(self, kind: str, what: str) -> None:
        self.waits.append(Wait(kind, what, self.part, project_line()))

    def in_steps(self) -> list[Wait]:
        """The waits inside of training steps, less the constants that a process uploads once."""
        step_waits = [wait for wait in self.waits if wait.part in TRAINING]
        uploads = [wait for wait in step_waits if wait.kind == "upload"]
        constants = [wait for wait in uploads if wait.where.startswith(("train/augment.py", "lanet/parts.py"))]
        return step_waits if len(constants) > 6 else [wait for wait in step_waits if wait not in constants]

    def operation(self, operation: Any) -> None:
        self.operations.setdefault(self.part, Counter())[card_rules.name_of(operation)] += 1


def project_line() -> str:
    """folder/file.py:line of the innermost frame that is neither of a library nor of this pretence."""
    frame = sys._getframe(1)
    while frame:
        path = Path(frame.f_code.co_filename)
        foreign = not path.is_absolute() or path.is_relative_to(STANDARD) or "site-packages" in path.parts
        if not foreign and not path.stem.startswith(("pretended", "card_rules")):
            return f"{path.parent.name}/{path.name}:{frame.f_lineno}"
        frame = frame.f_back
    return "?"


class Places:
    """Where each storage lies, by the address of its record; forgotten with the storage."""

    def __init__(self) -> None:
        self.known: dict[int, tuple[StorageWeakRef, str]] = {}
        self.changes = 0

    def __setitem__(self, tensor: Tensor, place: str) -> None:
        storage = tensor.untyped_storage()
        self.known[storage._cdata] = (StorageWeakRef(storage), place)
        self.changes += 1
        if self.changes % 20_000 == 0:
            self.known = {key: entry for key, entry in self.known.items() if not entry[0].expired()}

    def __getitem__(self, tensor: Tensor) -> str:
        entry = self.known.get(tensor.untyped_storage()._cdata)
        return HOST if entry is None or entry[0].expired() else entry[1]


def tensors_in(values: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(values) if isinstance(leaf, Tensor)]
