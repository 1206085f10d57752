"""A search of settings as it was measured: which draw the held-out labels choose in each seed, and what it reaches."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise
from math import comb
from typing import Any

import numpy as np

from reports.cells import Cell, Condition, group_by
from reports.facts import cell_facts
from reports.notes import list_gaps
from results.schema import record_seed

PROTOCOLS = {  # {whether a part of the training images was left out: which images chose}
    False: "held-out images with noisy labels that no run trains on, looked at once, after the last epoch",
    True: "the tenth of the training images, with their noisy labels, that is left out of training, in the last epoch",
}
DIGITS = 9  # of a share that are compared: means of the same answers may differ in their last bits


@dataclass(frozen=True)
class Search:
    """The draws of one method on one data set under one noise that count, on the seeds that count: these have all of them."""

    draws: list[Cell]  # those that count by number, draw 0 as published
    seeds: list[int]
    held_out: np.ndarray  # [draws, seeds] share of held-out noisy labels that are met
    test: np.ndarray  # [draws, seeds] the metric on the test images, last epoch
    asked: int  # draws that were asked for
    asked_seeds: int
    other_seeds: list[int]  # with some of the draws, which do not count
    other_draws: list[int]  # numbers of draws that some of the seeds lack, which do not count

    @property
    def first_draw(self) -> Cell:
        """Draw 0, which says of what method, data set and noise the search is."""
        return self.draws[0]

    @property
    def title(self) -> str:
        return self.first_draw.title

    @property
    def condition(self) -> Condition:
        return self.first_draw.condition

    @property
    def facts(self) -> dict[str, Any]:
        """For CSV."""
        return cell_facts(self.first_draw) | {"n": len(self.seeds)}

    @property
    def is_whole(self) -> bool:
        """Whether every draw that was asked for counts."""
        return len(self.draws) == self.asked

    @property
    def chosen(self) -> np.ndarray:
        """[seeds] the draw with the best held-out accuracy; of equal ones the first."""
        return choose_best(self.held_out)

    @property
    def chosen_on_test(self) -> np.ndarray:
        """[seeds] the draw that a look at the test images would have chosen."""
        return choose_best(self.test)

    def cell_of(self, choice: np.ndarray) -> Cell:
        """The runs of one draw a seed as a cell of a table."""
        records = []
        for draw, number in zip(choice, self.seeds, strict=True):
            records += [record for record in self.draws[draw].records if record_seed(record) == number]
        values = dict(zip(self.seeds, (100 * self.test[choice, np.arange(len(self.seeds))]).tolist(), strict=True))
        return replace(self.first_draw, ids=tuple(record["id"] for record in records), records=records, values=values)

    @property
    def minutes(self) -> float:
        """Of training one draw, mean over all runs."""
        seconds = [record["times"]["total"] for cell in self.draws for record in cell.records]
        return float(np.mean(seconds)) / 60

    def expected_accuracy(self, draws: int) -> np.ndarray:
        """[seeds] expected metric on the test images of the best by held-out labels among so many draws without replacement."""
        draw_count = len(self.draws)
        chance = [comb(draw_count - 1 - place, draws - 1) / comb(draw_count, draws) for place in range(draw_count)]
        order = np.argsort(-self.held_out.round(DIGITS), axis=0, kind="stable")
        return np.array(chance) @ np.take_along_axis(self.test, order, 0)


def read_searches(cells: list[Cell]) -> list[Search]:
    """The searches that some seed has finished, in the order of the cells."""
    draws = (cell for cell in cells if cell.draw is not None)
    groups = group_by(draws, lambda cell: (cell.title, cell.method, *cell.condition))
    searches = [make_search(draws) for draws in groups.values()]
    return [search for search in searches if search is not None]


def make_search(cells: list[Cell]) -> Search | None:
    """None where no draw has a held-out accuracy.

    Seeds that have every draw count with all of them. Where there is none, the seeds that have more than draw 0 count with
    the draws that all of them have; where nothing beyond draw 0 was run, those of draw 0.
    """
    draws = sorted(cells, key=lambda cell: cell.draw)
    held_out_by_draw = [held_out_by_seed(cell) for cell in draws]
    every_seed = set().union(*held_out_by_draw)
    searched_seeds = set().union(*(held_out_by_seed(cell) for cell in draws if cell.draw))
    first_seeds = set(held_out_by_draw[0])
    seeds = sorted(first_seeds.intersection(*held_out_by_draw) or (searched_seeds & first_seeds) or first_seeds)
    if not seeds:
        return None
    kept_draws = [at for at, held_out in enumerate(held_out_by_draw) if set(seeds) <= set(held_out)]
    return Search(
        draws=[draws[at] for at in kept_draws],
        seeds=seeds,
        held_out=np.array([[held_out_by_draw[at][number] for number in seeds] for at in kept_draws]),
        test=np.array([[draws[at].values[number] / 100 for number in seeds] for at in kept_draws]),
        asked=len(draws),
        asked_seeds=max(len(cell.ids) for cell in draws),
        other_seeds=sorted(every_seed - set(seeds)),
        other_draws=[cell.draw or 0 for at, cell in enumerate(draws) if at not in kept_draws],
    )


def held_out_by_seed(cell: Cell) -> dict[int, float]:
    """{seed: share of held-out noisy labels that are met} of the runs that have it."""
    held_out = {record_seed(record): recorded_held_out(record) for record in cell.records}
    return {number: value for number, value in held_out.items() if value is not None}


def choose_best(scores: np.ndarray) -> np.ndarray:
    """The place of the best along the first axis; of equal ones the first."""
    return scores.round(DIGITS).argmax(0)


def recorded_held_out(record: dict[str, Any]) -> float | None:
    """Of images that were not trained on, by their noisy labels, after the last epoch; None where there were none."""
    value = record["metrics"].get("held_out")
    if value is None and record["spec"]["holdout"]:
        value = record["history"]["noisy_validation"][-1]
    return value


def held_out_notes(searches: list[Search]) -> list[str]:
    """Which images chose; with the rows where there are both kinds."""
    rows_by_protocol: dict[bool, dict[str, None]] = {}
    for search in searches:
        for record in (record for cell in search.draws for record in cell.records):
            rows_by_protocol.setdefault(record["spec"]["holdout"], {})[search.first_draw.where] = None
    both_kinds = len(rows_by_protocol) > 1
    return [
        f"Settings were chosen by {PROTOCOLS[holdout]}" + (f" ({'; '.join(where)})." if both_kinds else ".")
        for holdout, where in sorted(rows_by_protocol.items())
    ]


def choose_setting(search: Search) -> int:
    """The place of the draw with the best held-out accuracy averaged over seeds; of equal ones the first."""
    return int(choose_best(search.held_out.mean(1)))


def partial_notes(searches: list[Search]) -> list[str]:
    """Which seeds and draws were measured and do not count; one line a search."""
    lines = []
    for search in searches:
        left_out = [name_numbers("seed", search.other_seeds), name_numbers("draw", search.other_draws)]
        if any(left_out):
            lines.append(
                f"{search.first_draw.where}: {len(search.draws)} of {search.asked} draws count, in "
                f"{name_numbers('seed', search.seeds)}; left out, because runs are missing: "
                f"{' and '.join(filter(None, left_out))}."
            )
    return lines


def search_gaps(cells: list[Cell]) -> list[str]:
    """One line a run of a search that is not there, or whose record has no held-out accuracy."""
    lines = []
    for cell in cells:
        named_cell = cell if cell.draw is None else replace(cell, title=f"{cell.title}, draw {cell.draw}")
        lines += list_gaps([named_cell])
        lines += [
            f"{named_cell.where}: {record['id'][:8]}: its record has no accuracy on held-out images; run it again with --force"
            for record in cell.records
            if cell.draw is not None and recorded_held_out(record) is None
        ]
    return lines


def name_numbers(noun: str, numbers: list[int]) -> str:
    """'seeds 0-3', 'seed 4', or nothing."""
    return f"{noun}{'s' if len(numbers) > 1 else ''} {number_ranges(numbers)}" if numbers else ""


def number_ranges(numbers: Iterable[int]) -> str:
    """'0-3, 7' of 0, 1, 2, 3, 7."""
    ordered = sorted(set(numbers))
    starts = [at for at, (one, two) in enumerate(pairwise(ordered), 1) if two != one + 1]
    groups = [ordered[start:end] for start, end in pairwise([0, *starts, len(ordered)]) if end > start]
    return ", ".join(f"{group[0]}" if len(group) == 1 else f"{group[0]}-{group[-1]}" for group in groups)
