"""A check and what can come of it."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from benchmark.plugins import NAMEABLE, is_nameable


class Wrong(Exception):
    """A part of the contract that is not kept; the message says what was found and what to do."""


class Skipped(Exception):
    """A check that cannot be made here; the message says why."""


@dataclass(frozen=True)
class Check:
    """One part of a contract. run: raises Wrong, Skipped or any error."""

    name: str
    run: Callable[[], None]


def of_class(cls: type, named: dict[str, Callable[[Any], None]]) -> list[Check]:
    """Checks by name, each a function of the class."""
    return [Check(name, partial(function, cls)) for name, function in named.items()]


def require(true: bool, text: str) -> None:
    if not true:
        raise Wrong(text)


def global_generators() -> tuple[object, bytes, int]:
    """The states of Python's and numpy's global generators, to be compared."""
    _, keys, position, *_ = np.random.get_state()
    return random.getstate(), keys.tobytes(), position


def check_name(name: object) -> None:
    """A name that runs take."""
    require(is_nameable(name), f"name is {name!r}; use {NAMEABLE}")
