"""Which test images each run gets right, and which rows of a table these can tell apart.

Beside the rules of accuracy there is 'cross-fitted': the epoch is chosen on one half of the test images and measured on the
other, both ways, so that chance does not count as skill.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from reports.cells import Cell, common_seeds
from reports.metrics import are_classes, chosen_epochs, confusion_matrices, image_values, metric_of
from reports.statistics import Interval, balanced_interval, compare_rows, crossed_interval, places
from results.published import METHODS
from results.records import Records
from results.schema import ENOUGH_SEEDS, class_names, seed

CROSS_FITTED = "cross-fitted"


@dataclass(frozen=True)
class RunHits:
    """The right answers of one run, or what they add to another metric."""

    rows: np.ndarray  # [images] of the data set's test split
    labels: np.ndarray  # [images] classes
    share: np.ndarray  # [images] of the rule's epochs in which each was right (`reports.metrics.image_values`)


class Hits:
    """The right answers of runs by one rule and metric, each run read once."""

    def __init__(self, records: Records, rule: str, metric: str = "accuracy") -> None:
        self.records, self.rule, self.metric = records, rule, metric
        self.kept: dict[str, RunHits | None] = {}

    def of_run(self, record: dict[str, Any]) -> "RunHits | None":
        """The right answers of one run, None without sound arrays."""
        if record["id"] not in self.kept:
            self.kept[record["id"]] = self.read(record)
        return self.kept[record["id"]]

    def read(self, record: dict[str, Any]) -> "RunHits | None":
        arrays = self.records.arrays(record["id"], ("predictions", "test_labels", "test_rows"))
        if arrays is None or arrays["predictions"].shape[1:] != arrays["test_labels"].shape:
            return None
        labels, correct = arrays["test_labels"], arrays["predictions"] == arrays["test_labels"]
        if self.rule == CROSS_FITTED:
            return RunHits(arrays["test_rows"], labels, cross_fit(correct, labels))
        classes, curve = len(class_names(record)), None
        if self.metric != "accuracy":
            if not are_classes(arrays, classes):
                return None
            curve = metric_of(confusion_matrices(arrays["predictions"], labels, classes), self.metric)
        predictions = arrays["predictions"][chosen_epochs(record, self.rule, curve)]
        if not len(predictions):
            return None
        return RunHits(arrays["test_rows"], labels, image_values(predictions, labels, classes, self.metric))

    def of_cells(self, cells: list[Cell], seeds: list[int]) -> np.ndarray | None:
        """[cells, seeds, images] shares of right answers; None where a run has none, or other test images."""
        runs = self.of_seeds(cells, seeds)
        if not runs or any(run is None or not np.array_equal(run.rows, runs[0].rows) for run in runs):
            return None
        return np.stack([run.share for run in runs]).reshape(len(cells), len(seeds), -1)

    def of_seeds(self, cells: list[Cell], seeds: list[int]) -> list["RunHits | None"]:
        found = []
        for cell in cells:
            of_seed = {seed(record): record for record in cell.records}
            found += [self.of_run(of_seed[number]) for number in seeds]
        return found

    def interval(self, cells: list[Cell], seeds: list[int]) -> Callable[[np.ndarray], Interval]:
        """The interval of differences [seeds, images] of this metric."""
        if self.metric == "accuracy":
            return crossed_interval
        return partial(balanced_interval, labels=self.labels(cells, seeds))

    def labels(self, cells: list[Cell], seeds: list[int]) -> np.ndarray:
        """[images] classes of the test images, where `of_cells` has found that all runs share them."""
        return self.of_seeds(cells, seeds)[0].labels


def cross_fit(correct: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """[images] whether each is right in the epoch that is best on the half of the images that it is not in.

    correct: [epochs, images]. The halves take every second image of each class, so they are the same for all runs.
    """
    order = np.argsort(labels, kind="stable")
    half = np.empty(len(labels), bool)
    half[order] = np.arange(len(labels)) % 2 == 0
    share = np.empty(len(labels))
    for measured in (half, ~half):
        chosen = int(correct[:, ~measured].mean(1).argmax())
        share[measured] = correct[chosen, measured]
    return share


def rank(cells: list[Cell], hits: Hits) -> None:
    """Give each cell its places among the rows of the same data set and noise, where it has at least five seeds.

    Rows are compared on the seeds that all of them have; nothing is said where these are fewer than five.
    """
    conditions: dict[tuple[str, str, str | None], list[Cell]] = {}
    for cell in cells:
        if cell.n >= ENOUGH_SEEDS:
            conditions.setdefault((cell.dataset, cell.noise, cell.rate), []).append(cell)
    for rows in conditions.values():
        seeds = common_seeds(rows)
        right = hits.of_cells(rows, seeds) if len(rows) > 1 and len(seeds) >= ENOUGH_SEEDS else None
        if right is not None and right.size:
            for cell, place in zip(rows, places(right, families(rows), hits.interval(rows, seeds))):
                cell.places = place


def families(rows: list[Cell]) -> list[str]:
    """Which rows are compared among themselves: the paper's methods as they are; all others are one more family."""
    return ["paper" if is_of_paper(cell) else "other" for cell in rows]


def is_of_paper(cell: Cell) -> bool:
    """Whether a row is one of the paper's five methods, with nothing changed about it by design."""
    return cell.method in METHODS and not cell.label


def compare_cells(first: Cell, second: Cell, rows: list[Cell], hits: Hits) -> tuple[Interval, int] | None:
    """First less second in shares, p adjusted over the family in `rows` that both are of, and how many seeds it stands on.

    rows: the cells of the same data set and noise; of them the family of both counts. None where runs share no seed or test
    images.
    """
    family = [row for row in rows if is_of_paper(row)] if is_of_paper(first) and is_of_paper(second) else rows
    family = [row for row in family if row.values]
    if not any(row is first for row in family) or not any(row is second for row in family):
        return None
    seeds = common_seeds(family)
    right = hits.of_cells(family, seeds)
    if right is None or not right.size:  # another row has no ranks to give either: the two alone
        family, seeds = [first, second], common_seeds([first, second])
        right = hits.of_cells(family, seeds)
    if right is None or not right.size:
        return None
    one, two = (next(at for at, row in enumerate(family) if row is cell) for cell in (first, second))
    found = compare_rows(right, interval=hits.interval(family, seeds))[min(one, two), max(one, two)]
    return (found if one < two else flip_sign(found)), len(seeds)


def flip_sign(found: Interval) -> Interval:
    return replace(found, mean=-found.mean, low=-found.high, high=-found.low)


def rank_text(cell: Cell) -> str:
    """'2', '1-3' for rows that cannot be told apart, or how many seeds are too few to tell."""
    if cell.places:
        return "-".join(map(str, dict.fromkeys(cell.places)))
    return f"n = {cell.n}" if 0 < cell.n < ENOUGH_SEEDS else ""


def ranks_note(cells: list[Cell], column: bool) -> list[str]:
    """What bold and ranks mean in a table, or why there are none; nothing where no two rows stand beside each other."""
    measured = [cell for cell in cells if cell.values]
    if len({(cell.dataset, cell.noise, cell.rate) for cell in measured}) == len(measured):
        return []
    if not any(cell.places for cell in measured):
        n = max(cell.n for cell in measured)
        why = (
            f"n = {n} is fewer than five seeds" if n < ENOUGH_SEEDS else "rows do not share five seeds and test images"
        )
        return [f"No ranks and no bold: {why}."]
    also = "; rank: the places that it can have, shared by rows that cannot be told apart" if column else ""
    return [
        "Bold: no other row of that data set and rate is shown to be better (paired differences over seeds and test images, "
        f"closed form, 5 %, Holm over all pairs of rows there){also}."
    ]
