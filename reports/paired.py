"""Which test images each run gets right, and which rows of a table these can tell apart.

Beside the rules of accuracy there is 'cross-fitted': the epoch is chosen on one half of the test images and measured on the
other, both ways, so that chance does not count as skill.
"""

from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import Any

import numpy as np

from reports.cells import Cell, common_seeds, group_conditions
from reports.metrics import are_classes, chosen_epochs, confusion_matrices, image_values, metric_of
from reports.statistics import (
    Interval,
    adjust_for_pairs,
    balanced_interval,
    crossed_interval,
    in_points,
    is_sure,
    paired_t,
    possible_places,
)
from results.published import GENERAL_ROWS, LATER_ROWS, METHODS
from results.records import Records
from results.schema import ENOUGH_SEEDS, class_names, record_seed

CROSS_FITTED = "cross-fitted"
SIDE_BY_SIDE = (tuple(METHODS), LATER_ROWS, GENERAL_ROWS)  # the methods of a table, smallest first
PAIRS_OF_FIVE, PAIRS_OF_LATER, PAIRS_OF_GENERAL = (comb(len(methods), 2) for methods in SIDE_BY_SIDE)
PAIRS_WITH_OTHERS = comb(len(METHODS) + 2, 2)  # the paper's five beside two rows of another kind
COUNTED = (
    "p times the pairs of the smallest table that has both rows: "
    f"{PAIRS_OF_FIVE} for the paper's five methods, {PAIRS_OF_LATER} with a later one, {PAIRS_OF_GENERAL} with a general one; "
    f"{PAIRS_WITH_OTHERS} with any other row"
)


@dataclass(frozen=True)
class RunHits:
    """The right answers of one run, or what they add to another metric."""

    rows: np.ndarray  # [images] of the data set's test split
    labels: np.ndarray  # [images] classes
    share: np.ndarray  # [images] of the rule's epochs in which each was right (`reports.metrics.image_values`)


class Hits:
    """The right answers of runs by one rule and metric, each run read once."""

    def __init__(self, records: Records, rule: str, metric: str = "accuracy") -> None:
        self.records = records
        self.rule = rule
        self.metric = metric
        self.kept: dict[str, RunHits | None] = {}  # {id of a record: its right answers}

    def read(self, record: dict[str, Any]) -> "RunHits | None":
        """The right answers of one run, None without sound arrays."""
        arrays = self.records.arrays(record["id"], ("predictions", "test_labels", "test_rows"))
        if arrays is None or arrays["predictions"].shape[1:] != arrays["test_labels"].shape:
            return None
        labels = arrays["test_labels"]
        if self.rule == CROSS_FITTED:
            return RunHits(arrays["test_rows"], labels, cross_fit(arrays["predictions"] == labels, labels))
        classes = len(class_names(record))
        curve = None
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
        run_hits = []
        for cell in cells:
            of_seed = {record_seed(record): record for record in cell.records}
            for number in seeds:
                record = of_seed[number]
                if record["id"] not in self.kept:
                    self.kept[record["id"]] = self.read(record)
                run_hits.append(self.kept[record["id"]])
        return run_hits

    def interval(self, difference: np.ndarray, cells: list[Cell], seeds: list[int]) -> Interval:
        """Of the differences [seeds, images] of these cells in this metric, in points."""
        if self.metric == "accuracy":
            return in_points(crossed_interval(difference))
        return in_points(balanced_interval(difference, self.labels(cells, seeds)))

    def labels(self, cells: list[Cell], seeds: list[int]) -> np.ndarray:
        """[images] classes of the test images, where `of_cells` has found that all runs share them."""
        return self.of_seeds(cells, seeds)[0].labels


def cross_fit(correct: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """[images] whether each is right in the epoch that is best on the half of the images that it is not in.

    correct: [epochs, images]. The halves take every second image of each class, so they are the same for all runs.
    """
    order = np.argsort(labels, kind="stable")
    is_first_half = np.empty(len(labels), bool)
    is_first_half[order] = np.arange(len(labels)) % 2 == 0
    share = np.empty(len(labels))
    for measured in (is_first_half, ~is_first_half):
        best_epoch = int(correct[:, ~measured].mean(1).argmax())
        share[measured] = correct[best_epoch, measured]
    return share


def compare_cells(first: Cell, second: Cell, hits: Hits | None) -> tuple[Interval, int] | None:
    """First less second over the seeds that both have, in points, and how many these are; None without a common one.

    hits: right answers, so that test images count beside seeds; None compares one number a seed. The p counts the comparisons
    that one makes (`pairs_counted`). It rests on the two alone, so a comparison has one p in every table and sentence.
    """
    seeds = common_seeds([first, second])
    if hits is None:
        if len(seeds) < 2:
            return None
        interval = paired_t(np.array([first.values[number] - second.values[number] for number in seeds]))
    else:
        right_answers = hits.of_cells([first, second], seeds)
        if right_answers is None or not right_answers.size:
            return None
        interval = hits.interval(right_answers[0] - right_answers[1], [first], seeds)
    return adjust_for_pairs(interval, pairs_counted(first, second)), len(seeds)


def pairs_counted(first: Cell, second: Cell) -> int:
    """How many pairs a comparison is one of, whatever else a table shows.

    A row with something changed about it by design (`label`) belongs to no table of methods.
    """
    if not first.label and not second.label:
        for methods in SIDE_BY_SIDE:
            if {first.method, second.method} <= set(methods):
                return comb(len(methods), 2)
    return PAIRS_WITH_OTHERS


def rank_cells(cells: list[Cell], hits: Hits | None) -> None:
    """Give each cell its places among the rows of the same data set and noise, where it has at least five seeds.

    Nothing is said of rows of which two do not share five seeds and the test images.
    """
    for rows in group_conditions(cell for cell in cells if cell.n >= ENOUGH_SEEDS).values():
        better_rows = better_pairs(rows, hits) if len(rows) > 1 else None
        if better_rows is not None:
            for cell, place in zip(rows, possible_places(len(rows), better_rows), strict=True):
                cell.places = place


def better_pairs(rows: list[Cell], hits: Hits | None) -> list[tuple[int, int]] | None:
    """(better, worse) for each pair of rows that is told apart; None where two of them cannot be compared."""
    pairs = []
    for one, other in combinations(range(len(rows)), 2):
        compared = compare_cells(rows[one], rows[other], hits)
        if compared is None or compared[1] < ENOUGH_SEEDS:
            return None
        if is_sure(compared[0]):
            pairs.append((one, other) if compared[0].mean > 0 else (other, one))
    return pairs


def rank_text(cell: Cell) -> str:
    """'2', '1-3' for rows that cannot be told apart, or how many seeds are too few to tell."""
    if cell.places:
        return "-".join(map(str, dict.fromkeys(cell.places)))
    return f"n = {cell.n}" if 0 < cell.n < ENOUGH_SEEDS else ""


def ranks_note(cells: list[Cell], column: bool) -> list[str]:
    """What bold and ranks mean in a table, or why there are none; nothing where no two rows stand beside each other."""
    measured_cells = [cell for cell in cells if cell.values]
    if len({cell.condition for cell in measured_cells}) == len(measured_cells):
        return []
    if not any(cell.places for cell in measured_cells):
        n = max(cell.n for cell in measured_cells)
        reason = (
            f"n = {n} is fewer than five seeds" if n < ENOUGH_SEEDS else "rows do not share five seeds and test images"
        )
        return [f"No ranks and no bold: {reason}."]
    rank_note = "; rank: the places that it can have, shared by rows that cannot be told apart" if column else ""
    return [
        "Bold: no other row of that data set and rate is shown to be better (paired differences over seeds and test images, "
        f"closed form, 5 %; {COUNTED}){rank_note}."
    ]
