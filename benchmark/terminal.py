"""What a person sees: errors in one line with the nearest valid name, durations, progress."""

import contextlib
import difflib
import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any

from benchmark.task import Outcome


class Usage(ValueError):
    """Wrong arguments or unusable input; the message is the one line that is printed before anything is trained."""


def printable(text: str) -> str:
    """Names of others may hold control characters; a terminal must not see them."""
    return "".join(c if c.isprintable() else "?" for c in text)[:1000]


def one_line(error: Exception) -> str:
    """What an error says, for a terminal."""
    return printable(str(error).partition("\n")[0]) or type(error).__name__


def one_of(option: str, what: str, value: str, known: Iterable[str]) -> str:
    """`value` if it is known, else a Usage error with the nearest valid name."""
    names = sorted(known)
    if value in names:
        return value
    near = difflib.get_close_matches(value, names, 1, 0.5)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    raise Usage(f"{option}: there is no {what} {value!r}{hint}. Known: {', '.join(names)}.")


def duration(seconds: float) -> str:
    """1:05:09, 5:09 or 9 s."""
    hours, rest = divmod(round(seconds), 3600)
    minutes, rest = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}" if minutes else f"{rest} s"


@contextlib.contextmanager
def progress(total: int, seconds: float) -> Iterator[Any]:
    """One line for the matrix on a terminal (done, running, failed, time left); nothing elsewhere."""
    start, counts = time.monotonic(), {"done": 0, "failed": 0}
    shown = sys.stderr.isatty()

    def draw() -> None:
        done = counts["done"] + counts["failed"]
        left = (time.monotonic() - start) * (total - done) / done if done else seconds
        text = f"{counts['done']}/{total} done, {counts['failed']} failed, about {duration(left)} left"
        print(f"\r{text:<60}", end="", file=sys.stderr, flush=True)

    def step(outcome: Outcome) -> None:
        counts["done" if outcome.status in ("ok", "cached") else "failed"] += 1
        if shown:
            draw()

    if shown and total:
        draw()
    yield step
    if shown and total:
        print(file=sys.stderr)


def show_decoding(done: int, total: int) -> None:
    """Progress of decoding a data set, on a terminal only."""
    if sys.stderr.isatty():
        print(f"\rdecoding images: {done:,}/{total:,}", end="\n" if done >= total else "", file=sys.stderr, flush=True)
