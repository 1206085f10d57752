"""A search of settings as it was measured: which draw the held-out labels choose in each seed, and what it reaches."""

from dataclasses import dataclass
from math import comb
from typing import Any

import numpy as np

from reports.cells import Cell
from results.schema import seed


@dataclass(frozen=True)
class Search:
    """The draws of one method on one data set under one noise, on the seeds that have all of them."""

    title: str
    method: str
    dataset: str
    noise: str
    rate: str | None
    draws: list[Cell]  # complete ones by number, draw 0 as published
    seeds: list[int]
    held_out: np.ndarray  # [draws, seeds] share of held-out noisy labels that are met
    test: np.ndarray  # [draws, seeds] accuracy on the test images, last epoch
    asked: int  # draws that were asked for

    @property
    def chosen(self) -> np.ndarray:
        """[seeds] the draw with the best held-out accuracy; of equal ones the first."""
        return self.held_out.argmax(0)

    @property
    def chosen_on_test(self) -> np.ndarray:
        """[seeds] the draw that a look at the test images would have chosen."""
        return self.test.argmax(0)

    def accuracy_of(self, choice: np.ndarray) -> np.ndarray:
        """[seeds] test accuracy of one draw a seed."""
        return self.test[choice, np.arange(len(self.seeds))]

    def cell_of(self, choice: np.ndarray) -> Cell:
        """The runs of one draw a seed as a cell of a table."""
        first = self.draws[0]
        records = [record_of(self.draws[draw], number) for draw, number in zip(choice, self.seeds, strict=True)]
        made = Cell(self.title, self.method, self.dataset, self.noise, self.rate, ids=[r["id"] for r in records])
        made.records, made.published = records, first.published
        values = 100 * self.accuracy_of(choice)
        made.values = dict(zip(self.seeds, values.tolist(), strict=True))
        return made

    @property
    def minutes(self) -> float:
        """Of training one draw, mean over all runs."""
        seconds = [record["times"]["total"] for cell in self.draws for record in cell.records]
        return float(np.mean(seconds)) / 60

    def expected_accuracy(self, draws: int) -> np.ndarray:
        """[seeds] expected test accuracy of the best by held-out labels among so many draws without replacement."""
        every = len(self.draws)
        chance = [comb(every - 1 - place, draws - 1) / comb(every, draws) for place in range(every)]
        order = np.argsort(-self.held_out, axis=0, kind="stable")
        return np.array(chance) @ np.take_along_axis(self.test, order, 0)


def read_searches(cells: list[Cell]) -> list[Search]:
    """The searches that some seed has finished, in the order of the cells."""
    groups: dict[tuple, list[Cell]] = {}
    for cell in cells:
        if cell.draw is not None:
            groups.setdefault((cell.title, cell.method, cell.dataset, cell.noise, cell.rate), []).append(cell)
    return [found for key, draws in groups.items() if (found := make_search(key, draws)) is not None]


def make_search(key: tuple, cells: list[Cell]) -> Search | None:
    """None where no draw has a held-out accuracy.

    Seeds that have every draw count with all of them. Where there is none, the seeds of draw 0 count with the draws that
    all of them have.
    """
    draws = sorted(cells, key=lambda cell: cell.draw)
    measured = [{seed(record): held_out_accuracy(record) for record in cell.records} for cell in draws]
    measured = [{number: value for number, value in found.items() if value is not None} for found in measured]
    seeds = sorted(set.intersection(*(set(found) for found in measured))) or sorted(measured[0])
    if not seeds:
        return None
    kept = [at for at, found in enumerate(measured) if set(seeds) <= set(found)]
    return Search(
        *key,
        draws=[draws[at] for at in kept],
        seeds=seeds,
        held_out=np.array([[measured[at][number] for number in seeds] for at in kept]),
        test=np.array([[draws[at].values[number] / 100 for number in seeds] for at in kept]),
        asked=len(draws),
    )


def held_out_accuracy(record: dict[str, Any]) -> float | None:
    """Of images that were not trained on, by their noisy labels, after the last epoch; None where there were none."""
    value = record["metrics"].get("held_out")
    if value is None and record["spec"]["holdout"]:
        value = record["history"]["noisy_validation"][-1]
    return value


def record_of(cell: Cell, number: int) -> dict[str, Any]:
    return next(record for record in cell.records if seed(record) == number)


def protocol_text(searches: list[Search]) -> str:
    """Which images chose."""
    apart = {record["spec"]["holdout"] for one in searches for cell in one.draws for record in cell.records}
    words = {
        False: "held-out images with noisy labels that no run trains on",
        True: "the tenth of the training images, with their noisy labels, that is left out of training",
    }
    return "; ".join(words[holdout] for holdout in sorted(apart))


def choose_setting(search: Search) -> int:
    """The place of the draw with the best held-out accuracy averaged over seeds; of equal ones the first."""
    return int(search.held_out.mean(1).argmax())
