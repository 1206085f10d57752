"""A check and what can come of it."""

import random
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


class Wrong(Exception):
    """A part of the contract that is not kept; the message says what was found and what to do."""


class Skipped(Exception):
    """A check that cannot be made here; the message says why."""


@dataclass(frozen=True)
class Check:
    """One part of a contract. run: raises Wrong, Skipped or any error."""

    name: str
    run: Callable[[], None]


def require(true: bool, text: str) -> None:
    if not true:
        raise Wrong(text)


def global_generators() -> tuple[object, bytes, int]:
    """The states of Python's and numpy's global generators, to be compared."""
    _, keys, position, *_ = np.random.get_state()
    return random.getstate(), keys.tobytes(), position


def check_name(name: object) -> None:
    """A name that can be typed and stand in a file name."""
    good = isinstance(name, str) and name.isascii() and name.isidentifier() and name == name.lower()
    require(good, f"name is {name!r}; use lower-case letters, digits and underscores")
