"""Item 7: 1, 2 and 4 processes on the card, behind a barrier, the engine's own epochs: which `--per-gpu` is best?"""

import multiprocessing
import time
from typing import Any

from benchmark.train.loop import train_epoch
from performance.engine import AS_RUN
from performance.gpu.course import Notes, words
from performance.gpu.setting import Setting
from performance.gpu.speed import images_of

METHODS, COUNTS, SIDES = ("baseline", "lanet"), (1, 2, 4), (64, 224)
SECONDS, PATIENCE = 3.0, 60.0  # each trains so long; for the slowest start


def together(setting: Setting, notes: Notes) -> None:
    setting.faces()  # decoded once, before any process reads it
    counts = COUNTS[:2] if setting.rehearse else COUNTS
    for side in SIDES[:1] if setting.rehearse else SIDES:
        for name in METHODS[:1] if setting.rehearse else METHODS:
            for count in counts:
                notes.attempt(
                    lambda side=side, name=name, count=count: of_count(setting, name, side, count),
                    method=name,
                    side=side,
                    processes=count,
                )


def of_count(setting: Setting, name: str, side: int, count: int) -> dict[str, Any]:
    """Images/s of all processes together, each over the seconds in which all of them train."""
    fork = multiprocessing.get_context("fork")  # nothing here has touched the card yet
    barrier, answers = fork.Barrier(count), fork.Queue()
    children = [fork.Process(target=train, args=(setting, name, side, barrier, answers)) for _ in range(count)]
    for child in children:
        child.start()
    said = [answers.get(timeout=PATIENCE + 2 * SECONDS) for _ in children]
    for child in children:
        child.join()
    if failed := [text for text in said if isinstance(text, str)]:
        raise RuntimeError(failed[0])
    return {"images/s": sum(said), "of each": said}


def train(setting: Setting, name: str, side: int, barrier: Any, answers: Any) -> None:
    try:
        made, epoch = setting.trainer(name, side=side, **AS_RUN), 2
        train_epoch(made, 1)
        train_epoch(made, 2)
        setting.wait()
        barrier.wait(PATIENCE)
        start = time.perf_counter()
        while time.perf_counter() - start < (0.2 if setting.rehearse else SECONDS):
            epoch += 1
            train_epoch(made, min(epoch, made.recipe.epochs))
            setting.wait()
        passed = time.perf_counter() - start
        answers.put((epoch - 2) * images_of(made) / passed)
    except Exception as error:
        barrier.abort()
        answers.put(words(error))
