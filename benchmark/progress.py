"""How far the work is: one live line on a terminal; elsewhere (SLURM, nohup, a notebook) a plain line a minute."""

import contextlib
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

from benchmark.task import Outcome
from benchmark.terminal import format_duration, is_live, print_note

MINUTE = 60.0  # seconds between two plain lines
REFRESH = 1.0  # seconds between two drawings of the live line
FORMAT = "{desc}: {n_fmt}/{total_fmt} |{bar}| {postfix}"


class Progress:
    """Progress of `total` tasks of which `workers` run at once; expected: seconds that they may take, 0 if unknown."""

    def __init__(self, what: str, total: int, workers: int = 1, expected: float = 0.0) -> None:
        self.what, self.total, self.workers, self.expected = what, total, workers, expected
        self.done = self.failed = 0
        self.start = time.monotonic()
        self.bar: Any = None
        if is_live():
            from tqdm import tqdm

            self.bar = tqdm(
                total=total, desc=what, file=sys.stderr, bar_format=FORMAT, dynamic_ncols=True, mininterval=0
            )
        self.draw()

    def finished(self, outcome: Outcome, words: str) -> None:
        """Count a task that has ended; words: what it was and what came of it, for a line of its own in a log."""
        good = outcome.status in ("ok", "cached")
        self.done, self.failed = self.done + good, self.failed + (not good)
        if self.bar is None:
            print_note(f"{words} ({self.done + self.failed}/{self.total})")
        else:
            self.draw()

    def reached(self, count: int) -> None:
        self.done = count

    def draw(self) -> None:
        """The live line anew, or a plain one."""
        if self.bar is None:
            print_note(f"{self.what}: {self.done}/{self.total} done, {self.rest()}")
            return
        self.bar.n = self.done + self.failed
        self.bar.set_postfix_str(self.rest(), refresh=True)

    def rest(self) -> str:
        """What runs and failed, the time that has passed, and the time that is left."""
        passed, ended = time.monotonic() - self.start, self.done + self.failed
        left = passed * (self.total - ended) / ended if ended else max(0.0, self.expected - passed)
        parts = [f"{self.failed} failed"] if self.failed else []
        parts += [f"{min(self.workers, self.total - ended)} running", f"{format_duration(passed)} passed"]
        return ", ".join([*parts, f"about {format_duration(left)} left"] if ended or self.expected else parts)

    def close(self) -> None:
        if self.bar is not None:
            self.draw()
            self.bar.close()


@contextlib.contextmanager
def show_progress(what: str, total: int, workers: int = 1, expected: float = 0.0) -> Iterator[Progress | None]:
    """A `Progress` that draws itself while the block runs; None where there is nothing to do."""
    if not total:
        yield None
        return
    shown, over = Progress(what, total, workers, expected), threading.Event()

    def tick() -> None:
        while not over.wait(REFRESH if shown.bar is not None else MINUTE):
            shown.draw()

    ticking = threading.Thread(target=tick, daemon=True)
    ticking.start()
    try:
        yield shown
    finally:
        over.set()
        ticking.join()
        shown.close()


class Counted:
    """A callable (done, total) for work that counts itself: a live line, or a plain one a minute and at the end."""

    def __init__(self, what: str) -> None:
        self.what, self.said = what, 0.0
        self.shown: Progress | None = None

    def __call__(self, done: int, total: int) -> None:
        if self.shown is None or done < self.shown.done:
            self.shown, self.said = Progress(self.what, total), time.monotonic()
        self.shown.reached(done)
        if self.shown.bar is not None:
            self.shown.draw()
        elif done < total and time.monotonic() - self.said >= MINUTE:
            self.shown.draw()
            self.said = time.monotonic()
        if done >= total:
            if self.shown.bar is None:
                print_note(
                    f"{self.what}: {done:,}/{total:,} done in {format_duration(time.monotonic() - self.shown.start)}"
                )
            self.shown.close()
            self.shown = None


show_decoding = Counted("decoding images")
