"""What can come of a check, and what several checks ask."""

import dataclasses
import random
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmark.plugins import NAMEABLE, is_nameable

if TYPE_CHECKING:
    from torch import Tensor

NEAR = 1e-3  # what an image's values may change by with the images beside it


class Wrong(Exception):
    """A part of the contract that is not kept; the message says what was found and what to do."""


class Skipped(Exception):
    """A check that cannot be made here; the message says why."""


def require(true: bool, text: str) -> None:
    if not true:
        raise Wrong(text)


def global_generators() -> tuple[object, bytes, int]:
    """The states of Python's and numpy's global generators, to be compared."""
    _, keys, position, *_ = np.random.get_state()
    return random.getstate(), keys.tobytes(), position


def check_name(cls: Any, kind: str, project_classes: dict[str, Any]) -> None:
    """A name that runs take and that none of the project's classes has."""
    require(is_nameable(cls.name), f"name is {cls.name!r}; use {NAMEABLE}")
    owner = project_classes.get(cls.name, cls)
    is_own = owner.__module__ == cls.__module__
    require(is_own, f"the name {cls.name!r} belongs to a {kind} of this project; choose another")


def check_frozen(declared: Any, name: str) -> None:
    is_frozen = dataclasses.is_dataclass(declared) and declared.__dataclass_params__.frozen
    require(is_frozen, f"{name} is no frozen dataclass; write @dataclass(frozen=True) above it")


def check_alone(joint: "Tensor", lone: "Tensor", values: str) -> None:
    """An image's values are finite and the same, alone or among others."""
    require(bool(joint.isfinite().all()), f"{values} are not finite")
    difference = float((joint[:1] - lone).abs().max())
    is_near = difference < NEAR
    require(is_near, f"in evaluation an image's {values} change by {difference:.2g} with the images beside it")
