"""Which test images each run gets right, and which rows of a table these can tell apart."""

from typing import Any

import numpy as np

from reports.cells import Cell, common_seeds
from reports.statistics import places
from results.records import Records
from results.schema import ENOUGH_SEEDS, LAST_EPOCHS, seed


class Hits:
    """The right answers of runs by one rule of accuracy, each run read once."""

    def __init__(self, records: Records, rule: str) -> None:
        self.records, self.rule = records, rule
        self.kept: dict[str, tuple[np.ndarray, np.ndarray] | None] = {}

    def of_run(self, record: dict[str, Any]) -> tuple[np.ndarray, np.ndarray] | None:
        """(rows of the test images, share of the rule's epochs in which each was right), None without sound arrays."""
        if record["id"] not in self.kept:
            self.kept[record["id"]] = self.read(record)
        return self.kept[record["id"]]

    def read(self, record: dict[str, Any]) -> tuple[np.ndarray, np.ndarray] | None:
        arrays = self.records.arrays(record["id"], ("predictions", "test_labels", "test_rows"))
        if arrays is None or arrays["predictions"].shape[1:] != arrays["test_labels"].shape:
            return None
        hits = arrays["predictions"][epochs(record, self.rule)] == arrays["test_labels"]
        return (arrays["test_rows"], hits.mean(0)) if len(hits) else None

    def of_cells(self, cells: list[Cell], seeds: list[int]) -> np.ndarray | None:
        """[cells, seeds, images] shares of right answers; None where a run has none, or other test images."""
        found = []
        for cell in cells:
            of_seed = {seed(record): record for record in cell.records}
            found += [self.of_run(of_seed[number]) for number in seeds]
        if not found or any(one is None or not np.array_equal(one[0], found[0][0]) for one in found):
            return None
        return np.stack([one[1] for one in found]).reshape(len(cells), len(seeds), -1)


def epochs(record: dict[str, Any], rule: str) -> slice:
    """The epochs whose predictions a rule looks at."""
    if rule == "last5":
        return slice(-LAST_EPOCHS, None)
    if rule == "last":
        return slice(-1, None)
    chosen = record["metrics"]["best_epoch"] - 1
    if rule == "noisy_val":
        chosen = int(np.argmax(record["history"]["noisy_validation"]))
    return slice(chosen, chosen + 1)


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
            for cell, place in zip(rows, places(right)):
                cell.places = place


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
        "Bold: no other row of that data set and rate is better by the seeds and test images (paired bootstrap, 10,000 "
        f"resamples, 5 %, Holm over all pairs of rows there){also}."
    ]
