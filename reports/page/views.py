"""What the page lets one choose: each table's numbers, ranks and paired differences by condition, measure and rule."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any

from reports.asked import DEFAULTS, Asked, Options, output_stem
from reports.captions import dataset_title, noise_text
from reports.cells import Cell, Condition, common_seeds, group_conditions, read_cells
from reports.facts import round_or_none
from reports.metrics import METRICS
from reports.paired import Hits, compare_cells, rank_cells, rank_text
from reports.statistics import is_sure
from reports.table import signed_texts
from results.records import Records
from results.schema import RULES, record_seed


@dataclass(frozen=True)
class Measure:
    """A number that can be chosen, in per cent or, of label-error detection, an area under the curve."""

    key: str
    title: str
    unit: str  # of differences
    decimals: int
    rules: tuple[str, ...]
    field: str = ""  # of a record's metrics, where there is one number a run


def list_measures(options: Options) -> list[Measure]:
    """Every number that can be chosen."""
    found_by = "Wrong labels found by the"
    return [
        *(Measure(key, metric.title, "points", options.decimals, tuple(RULES)) for key, metric in METRICS.items()),
        Measure("own-auroc", f"{found_by} method's own score (AUROC)", "AUROC", 3, ("last",), "wrong_label_auroc"),
        Measure("margin-auroc", f"{found_by} averaged margin (AUROC)", "AUROC", 3, ("last",), "margin_auroc"),
    ]


@dataclass
class View:
    """The rows of one table under one condition. results: {(measure, rule): numbers of these rows}, of those that exist."""

    table: str
    condition: Condition
    cells: list[Cell]
    results: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)

    @property
    def scale(self) -> str:
        return next(str(record["spec"]["scale"]["name"]) for cell in self.cells for record in cell.records)


def read_views(wanted: Sequence[Asked], records: Records, options: Options) -> list[View]:
    """Every condition of every table of accuracy that has runs, with all that can be chosen there."""
    return [view for asked in wanted if asked.drawing == "accuracy" for view in views_of(asked, records, options)]


def views_of(asked: Asked, records: Records, options: Options) -> list[View]:
    view_by_condition: dict[Condition, View] = {}
    for measure in list_measures(options):
        for rule in measure.rules:
            cells, hits = read_measure(asked, records, options, measure, rule)
            for condition, rows in group_conditions(cells).items():
                if measure.key == "accuracy" and rule == "last" and any(cell.records for cell in rows):
                    view_by_condition[condition] = View(output_stem(asked), condition, rows)
                if condition in view_by_condition and any(cell.values for cell in rows):
                    view_by_condition[condition].results[measure.key, rule] = numbers_of(rows, hits, measure)
    return list(view_by_condition.values())


def read_measure(
    asked: Asked, records: Records, options: Options, measure: Measure, rule: str
) -> tuple[list[Cell], Hits | None]:
    """A table's cells by one measure and rule with their ranks; no hits where a run has one number alone."""
    hits = None if measure.field else Hits(records, rule, measure.key)
    metric_options = DEFAULTS if measure.field else replace(options, metric=measure.key)
    cells = [c for c in read_cells(asked, records, rule, metric_options) if c.part == "table"]
    if measure.field:
        cells = [with_field(cell, measure) for cell in cells]
    rank_cells(cells, hits)
    return cells, hits


def with_field(cell: Cell, measure: Measure) -> Cell:
    """A cell whose values are a number of its records' metrics, where wrong labels are there to be found."""
    values = {record_seed(record): record["metrics"].get(measure.field) for record in cell.records if cell.realised}
    known_values = {number: float(value) for number, value in values.items() if isinstance(value, (int, float))}
    return replace(cell, values=known_values, decimals=measure.decimals, published=None)


def numbers_of(rows: list[Cell], hits: Hits | None, measure: Measure) -> dict[str, Any]:
    """What is shown of rows by one measure: texts as in tables, numbers to draw, ranks, and all pairs of rows."""
    digits = 2 if measure.unit == "points" else 4
    return {
        "text": [cell.text for cell in rows],
        "mean": [round_or_none(cell.mean, 3) for cell in rows],
        "sd": [round_or_none(cell.std, 3) for cell in rows],
        "rank": [rank_text(cell) for cell in rows],
        "best": [int(cell.is_best) for cell in rows],
        "runs": [[round_or_none(cell.values.get(number), digits) for number in cell_seeds(cell)] for cell in rows],
        "pairs": [pair_of(one, two, hits, measure) for one, two in combinations(rows, 2)],
    }


def cell_seeds(cell: Cell) -> list[int]:
    return sorted(record_seed(record) for record in cell.records)


def pair_of(one: Cell, two: Cell, hits: Hits | None, measure: Measure) -> list[Any] | None:
    """[mean, low, high] of one less two and p, as texts, whether it is sure, and seeds; None if they share too little."""
    comparison = compare_cells(one, two, hits) if len(common_seeds([one, two])) > 1 else None
    if comparison is None:
        return None
    interval, seeds = comparison
    p = "< 0.001" if interval.p < 0.001 else f"{interval.p:.2g}"
    return [*signed_texts(interval, measure.decimals), p, int(is_sure(interval)), seeds]


def titles_of(views: list[View]) -> dict[str, dict[str, str]]:
    """The names of data sets and of conditions, as tables write them."""
    cells = [cell for view in views for cell in view.cells]
    return {
        "datasets": {name: dataset_title(cells, name) for name in dict.fromkeys(cell.dataset for cell in cells)},
        "noises": {name: noise_text(name, None) for name in dict.fromkeys(cell.noise for cell in cells)},
    }
