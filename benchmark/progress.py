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

    def __init__(self, title: str, total: int, workers: int = 1, expected: float = 0.0) -> None:
        self.what = title
        self.total = total
        self.workers = workers
        self.expected = expected
        self.done = self.failed = 0
        self.start = time.monotonic()
        self.bar: Any = None
        if is_live():
            from tqdm import tqdm

            self.bar = tqdm(
                total=total, desc=title, file=sys.stderr, bar_format=FORMAT, dynamic_ncols=True, mininterval=0
            )
        self.draw()

    def finished(self, outcome: Outcome, outcome_text: str) -> None:
        """Count a task that has ended; outcome_text: what it was and what came of it, for a line of its own in a log."""
        is_success = outcome.status in ("ok", "cached")
        self.done = self.done + is_success
        self.failed = self.failed + (not is_success)
        if self.bar is None:
            print_note(f"{outcome_text} ({self.done + self.failed}/{self.total})")
        else:
            self.draw()

    def draw(self) -> None:
        """The live line anew, or a plain one."""
        if self.bar is None:
            print_note(f"{self.what}: {self.done}/{self.total} done, {self.rest()}")
            return
        self.bar.n = self.done + self.failed
        self.bar.set_postfix_str(self.rest(), refresh=True)

    def rest(self) -> str:
        """What runs and failed, the time that has passed, and the time that is left."""
        passed_seconds = time.monotonic() - self.start
        ended_tasks = self.done + self.failed
        left_seconds = max(0.0, self.expected - passed_seconds)
        if ended_tasks:
            left_seconds = passed_seconds * (self.total - ended_tasks) / ended_tasks
        text_parts = [f"{self.failed} failed"] if self.failed else []
        text_parts += [
            f"{min(self.workers, self.total - ended_tasks)} running",
            f"{format_duration(passed_seconds)} passed",
        ]
        if ended_tasks or self.expected:
            text_parts.append(f"about {format_duration(left_seconds)} left")
        return ", ".join(text_parts)

    def close(self) -> None:
        if self.bar is not None:
            self.draw()
            self.bar.close()


@contextlib.contextmanager
def show_progress(title: str, total: int, workers: int = 1, expected: float = 0.0) -> Iterator[Progress | None]:
    """A `Progress` that draws itself while the block runs; None where there is nothing to do."""
    if not total:
        yield None
        return
    progress = Progress(title, total, workers, expected)
    is_over = threading.Event()

    def tick() -> None:
        while not is_over.wait(REFRESH if progress.bar is not None else MINUTE):
            progress.draw()

    drawing_thread = threading.Thread(target=tick, daemon=True)
    drawing_thread.start()
    try:
        yield progress
    finally:
        is_over.set()
        drawing_thread.join()
        progress.close()


class Counted:
    """A callable (done, total) for work that counts itself: a live line, or a plain one a minute and at the end."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.said = 0.0
        self.shown: Progress | None = None

    def __call__(self, done: int, total: int) -> None:
        if self.shown is None or done < self.shown.done:
            self.shown = Progress(self.what, total)
            self.said = time.monotonic()
        self.shown.done = done
        if self.shown.bar is not None:
            self.shown.draw()
        elif done < total and time.monotonic() - self.said >= MINUTE:
            self.shown.draw()
            self.said = time.monotonic()
        if done >= total:
            if self.shown.bar is None:
                passed_seconds = time.monotonic() - self.shown.start
                print_note(f"{self.what}: {done:,}/{total:,} done in {format_duration(passed_seconds)}")
            self.shown.close()
            self.shown = None


show_decoding = Counted("decoding images")
