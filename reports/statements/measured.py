"""All runs of a folder by what they measure, and paired differences between two cells of them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from reports.asked import ReportError
from reports.cells import Cell, add_facts, common_seeds, declared_curves
from reports.paired import Hits, compare_cells
from reports.statistics import Interval, balanced_interval, crossed_interval, in_points, paired_t
from results.published import DATASETS, LATER, METHODS
from results.records import Records
from results.schema import ENOUGH_SEEDS, changed_settings, seed, title

Key = tuple[str, str, str, str | None, tuple[tuple[str, str], ...]]  # data set, method, noise, rate, what was changed


@dataclass(frozen=True)
class Difference:
    """A paired difference on one data set; n: seeds that both sides have."""

    dataset: str
    text: str
    found: Interval
    n: int


@dataclass
class Measured:
    """The runs on whole data sets without a hold-out; a cell's values are accuracies of the last epoch in per cent.

    scale: of which runs are read; None for all, which then must be of one. mechanisms: {method: the curves that it declares
    today}, for records that keep none.
    Raises ReportError where a data set's runs stand on different data, scales, precisions or start weights.
    """

    records: Records
    scale: str | None = None
    mechanisms: dict[str, list[Any]] = field(default_factory=dict)
    cells: dict[Key, Cell] = field(default_factory=dict)
    hits: dict[str, Hits] = field(default_factory=dict)
    ground: dict[str, dict[str, str]] = field(default_factory=dict)  # {data set: what its runs stand on}

    def __post_init__(self) -> None:
        for record in self.records.records():
            spec = record["spec"]
            if self.scale not in (None, spec["scale"]["name"]):
                continue
            self.stand_alike(record["id"], spec)
            if spec["part"] == "all" and not spec["holdout"]:
                noise, changed = spec["noise"], tuple(sorted(changed_settings(record).items()))
                key = (spec["data"]["name"], spec["method"], noise["kind"], noise["rate"], changed)
                words = str(record["resolved"].get("method_title") or spec["method"])
                cell = self.cells.setdefault(key, Cell(words, spec["method"], key[0], noise["kind"], noise["rate"]))
                cell.records.append(record)
                cell.values[seed(record)] = 100 * record["metrics"]["last"]
        add_facts(self.cells.values(), self.records)
        for cell in self.cells.values():
            cell.mechanism = declared_curves(cell.records) or self.mechanisms.get(cell.method, [])

    def stand_alike(self, record_id: str, spec: dict[str, Any]) -> None:
        now = {name: str(spec[name]) for name in ("scale", "preset", "precision", "weights")}
        now["data"] = spec["data"]["fingerprint"]
        before = self.ground.setdefault(spec["data"]["name"], now)
        for name, value in before.items():
            if now[name] != value:
                raise ReportError(
                    f"record {record_id}: {name} {now[name]}, others of {spec['data']['name']} have {value}; findings "
                    "are of one kind of run: give a folder that holds no other (--results)"
                )

    def datasets(self) -> list[str]:
        """Drawn faces first, then the paper's in its order, then others by name."""
        order = ["faces", *DATASETS]
        found = {key[0] for key in self.cells}
        return sorted(found, key=lambda name: (order.index(name) if name in order else len(order), name))

    def title(self, dataset: str) -> str:
        """The data set's name in tables."""
        return next(title(cell.records[0]) for key, cell in self.cells.items() if key[0] == dataset)

    def cell(
        self, dataset: str, method: str, noise: str, rate: str | None, changed: dict[str, str] | None = None
    ) -> Cell | None:
        return self.cells.get((dataset, method, noise, rate, tuple(sorted((changed or {}).items()))))

    def accuracy(
        self,
        text: str,
        first: Cell | None,
        second: Cell | None,
        rules: tuple[str, str] = ("last", "last"),
        balanced: bool = False,
    ) -> Difference | None:
        """First less second in points, over seeds and test images; rules: that of each side. balanced: the mean over classes.

        None where they have fewer than five seeds in common, or other test images.
        """
        if first is None or second is None or first.dataset != second.dataset:
            return None
        seeds = common_seeds([first, second])
        one, two = (
            self.hits.setdefault(rule, Hits(self.records, rule)).of_cells([cell], seeds)
            for rule, cell in zip(rules, (first, second))
        )
        if len(seeds) < ENOUGH_SEEDS or one is None or two is None or one.shape != two.shape:
            return None
        if rules == ("last", "last") and not balanced and (found := self.in_table(first, second)):
            return Difference(self.title(first.dataset), text, in_points(found[0]), found[1])
        points = 100 * (one[0] - two[0])
        labels = self.hits[rules[0]].labels([first], seeds)
        interval = balanced_interval(points, labels) if balanced else crossed_interval(points)
        return Difference(self.title(first.dataset), text, interval, len(seeds))

    def in_table(self, first: Cell, second: Cell) -> tuple[Interval, int] | None:
        """The comparison as the table of both rows makes it, None where they stand in none: rows as they are, alike in noise."""
        condition = (first.dataset, first.noise, first.rate)
        if condition != (second.dataset, second.noise, second.rate):
            return None
        methods = METHODS if {first.method, second.method} <= set(METHODS) else (*METHODS, *LATER)
        rows = [self.cell(first.dataset, method, first.noise, first.rate) for method in methods]
        found = compare_cells(first, second, [row for row in rows if row is not None], self.hits["last"])
        return found if found and found[1] >= ENOUGH_SEEDS else None


def by_seed(cell: Cell | None, read: Callable[[dict[str, Any]], float | None]) -> dict[int, float]:
    """{seed: number} of the runs that hold it."""
    found = {} if cell is None else {seed(record): read(record) for record in cell.records}
    return {number: value for number, value in found.items() if value is not None}


def paired(dataset: str, text: str, first: dict[int, float], second: dict[int, float]) -> Difference | None:
    """First less second, one number a seed (paired t); None below five common seeds."""
    seeds = sorted(first.keys() & second.keys())
    if len(seeds) < ENOUGH_SEEDS:
        return None
    return Difference(dataset, text, paired_t(np.array([first[s] - second[s] for s in seeds])), len(seeds))
