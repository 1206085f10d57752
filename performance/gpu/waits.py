"""Item 3: does a step wait for the device? Every method's real epoch, pixels on the card and beside it.

torch's own look-out (`torch.cuda.set_sync_debug_mode`) warns of each wait; where it happened and in which part of the
work is noted. An epoch may wait outside of its steps: its order goes to the card, its sums come back.
"""

import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from benchmark.train import loop
from benchmark.train.trainer import Clock
from performance.gpu.course import Notes
from performance.gpu.setting import FEW, Setting, every_method

STEP = ("data", "forward", "backward", "optimiser")
SIDE = 64  # waits do not depend on it
WORDS = "synchronizing CUDA operation"


class Watch(Clock):
    """The engine's clock, which knows the part of the work that runs."""

    now = "outside"

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        before, self.now = self.now, name
        try:
            with super().part(name):
                yield
        finally:
            self.now = before


def waits(setting: Setting, notes: Notes) -> None:
    seen = noted(Watch(), lambda: torch.ones((), device=setting.device).item())
    if setting.cuda and not seen:
        raise RuntimeError("a planted wait was not seen, so nothing here would be")
    start = time.monotonic()
    for name in every_method(setting):
        for resident in (True, False):
            notes.attempt(
                lambda name=name, resident=resident: of_method(setting, name, resident), method=name, resident=resident
            )
    notes["seconds"] = time.monotonic() - start


def of_method(setting: Setting, name: str, resident: bool) -> dict[str, object]:
    """Where the steps of the second epoch waited, and how often it waited outside of them."""
    clock = Watch()
    made = setting.trainer(name, side=SIDE, images=FEW, clock=clock)
    if not resident:
        made.images = made.images.cpu()
    loop.train_epoch(made, 1)
    found = noted(clock, lambda: loop.train_epoch(made, 2))
    inside = {f"{part} {where}": n for (part, where), n in found.items() if part in STEP}
    outside = sum(n for (part, _), n in found.items() if part not in STEP)
    return {"steps": made.run.steps_per_epoch, "waits in steps": inside or "none", "outside": outside}


def noted(clock: Watch, run: Callable[[], object]) -> Counter:
    """{(part of the work, file:line): waits} of a call."""
    found: Counter = Counter()

    def note(message: Warning | str, category: type, filename: str, lineno: int, *_: object) -> None:
        if WORDS in str(message):
            found[clock.now, f"{Path(filename).parent.name}/{Path(filename).name}:{lineno}"] += 1

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = note
        mode = torch.cuda.set_sync_debug_mode if torch.cuda.is_available() else lambda _: None
        mode("warn")
        try:
            run()
        finally:
            mode("default")
    return found
