"""Several ways to do a thing, timed in turn: what else the machine does then slows all of them alike."""

import time
from collections.abc import Callable


def time_in_turn(
    ways: dict[str, Callable[[], object]], turns: int, clock: Callable[[], float] = time.perf_counter
) -> dict[str, list[float]]:
    """{name: seconds of each turn}; a turn before them warms up."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(turns + 1):
        for name, run in ways.items():
            start = clock()
            run()
            if turn:
                seconds[name].append(clock() - start)
    return seconds
