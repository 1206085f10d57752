"""One number of a table: the runs of a cell, their accuracies by seed, and what is missing."""

from collections.abc import Callable, Collection, Hashable, Iterable
from dataclasses import dataclass, field, replace
from functools import cache
from statistics import fmean
from typing import Any, TypeVar

import numpy as np

from reports.asked import DEFAULTS, Asked, AskedCell, Options, ReportError
from reports.metrics import METRICS, metric_after_each_epoch, metric_by_rule
from reports.statistics import half_width, sample_std
from results.published import Published, find_published
from results.records import Records
from results.schema import changed_settings, class_names, realised_rate, record_seed

Condition = tuple[str, str, str | None]  # data set, kind of noise, rate
Item = TypeVar("Item")
Key = TypeVar("Key", bound=Hashable)


def group_by(items: Iterable[Item], read_key: Callable[[Item], Key]) -> dict[Key, list[Item]]:
    """{key: the items that have it}, in the order of first appearance."""
    groups: dict[Key, list[Item]] = {}
    for item in items:
        groups.setdefault(read_key(item), []).append(item)
    return groups


def group_conditions(cells: Iterable["Cell"]) -> dict[Condition, list["Cell"]]:
    """Cells by their condition: rows that stand beside each other."""
    return group_by(cells, lambda cell: cell.condition)


@dataclass
class Cell(AskedCell):
    """What was asked for, with its runs; `mechanism` is what these declare, if they do."""

    records: list[dict[str, Any]] = field(default_factory=list)
    values: dict[int, float] = field(default_factory=dict)  # {seed: the metric in per cent}
    curves: dict[int, np.ndarray] = field(default_factory=dict)  # {seed: the metric after each epoch, in per cent}
    failed: list[str] = field(default_factory=list)  # one line a run that ended badly
    absent: list[str] = field(default_factory=list)  # ids that were not run
    published: Published | None = None
    places: tuple[int, int] | None = (
        None  # best and worst that the row can have among those beside it (`reports.paired`)
    )
    against: str = ""  # the name of the records of others that some runs are, '' where all were made here
    # Of each record the state of the method's file that made it; states that were proved to give the same bits go by the
    # name of the first (`tell_codes`).
    codes: list[str] = field(default_factory=list)
    data_facts: dict[str, Any] = field(default_factory=dict)  # of the data set, as it is decoded here today
    decimals: int = 1  # of numbers as text
    spread: str = "sd"  # what stands behind ± (`reports.statistics.SPREADS`)

    @property
    def condition(self) -> Condition:
        return self.dataset, self.noise, self.rate

    @property
    def by_hand(self) -> dict[str, str]:
        """What `--set` changed about these runs, beyond what the row is about: {'lanet.confidence': '0.5'}."""
        changed_values = {key: value for record in self.records for key, value in changed_settings(record).items()}
        return {key: value for key, value in sorted(changed_values.items()) if key not in self.overrides}

    @property
    def n(self) -> int:
        return len(self.values)

    @property
    def mean(self) -> float | None:
        return fmean(self.values.values()) if self.values else None  # in whatever order they were read

    @property
    def std(self) -> float | None:
        return sample_std(list(self.values.values()))

    @property
    def half_width(self) -> float | None:
        """What stands behind ±, and how wide a band is to each side."""
        return half_width(list(self.values.values()), self.spread)

    @property
    def is_best(self) -> bool:
        """Whether no other row is shown to be better."""
        return self.places is not None and self.places[0] == 1

    @property
    def id_text(self) -> str:
        """The ids of its records, for CSV."""
        return " ".join(record["id"] for record in self.records)

    @property
    def classes(self) -> int | None:
        return len(class_names(self.records[0])) if self.records else None

    @property
    def realised(self) -> float | None:
        rates = [rate for rate in map(realised_rate, self.records) if rate is not None]
        return float(np.mean(rates)) if rates else None

    @property
    def difference(self) -> float | None:
        """Measured minus published; None where the scale is another or the class sets are known to differ."""
        printed = self.published
        if self.mean is None or printed is None or printed.classes not in (None, self.classes):
            return None
        if any(record["spec"].get("scale", {}).get("name") != "paper" for record in self.records):
            return None
        return self.mean - printed.mean

    @property
    def text(self) -> str:
        """84.1±0.3, with (2/3) where fewer runs are there than were asked for."""
        if self.mean is None:
            return "–"
        spread = "" if self.half_width is None else f"±{self.half_width:.{self.decimals}f}"
        seeds_note = f" ({self.n}/{len(self.ids)})" if self.n < len(self.ids) else ""
        return f"{self.mean:.{self.decimals}f}{spread}{seeds_note}"

    @property
    def where(self) -> str:
        condition_parts = [self.title, self.dataset, self.noise + (f" {self.rate}" if self.rate else "")]
        return ", ".join(condition_parts)


def of_seeds(cell: Cell, wanted_seeds: Collection[int]) -> Cell:
    """A cell with these seeds alone; as it is where none of them was measured."""
    values = {number: value for number, value in cell.values.items() if number in wanted_seeds}
    kept_records = [record for record in cell.records if record_seed(record) in wanted_seeds]
    ids = (*(record["id"] for record in kept_records), *cell.absent)
    return replace(cell, values=values, records=kept_records, ids=ids) if values else cell


def read_cells(asked: Asked, records: Records, rule: str, options: Options = DEFAULTS) -> list[Cell]:
    """The cells of a table or figure with their runs; raises ReportError where a column mixes two data sets.

    options: the metric and how numbers are written; without them accuracy.
    """
    cells = [read_cell(cell, asked, records, rule, options) for cell in asked.cells]
    need_one_data_set(asked, cells)
    add_facts(cells, records)
    for cell in cells:
        cell.mechanism = declared_curves(cell.records) or cell.mechanism
    return cells


def need_one_data_set(asked: Asked, cells: list[Cell]) -> None:
    """Raises ReportError where runs of a column were trained on different data."""
    first_records: dict[str, dict[str, Any]] = {}
    for cell, record in ((one, record) for one in cells for record in one.records):
        first = first_records.setdefault(cell.dataset, record)
        first_print, second_print = (r["spec"]["data"]["fingerprint"] for r in (first, record))
        if first_print != second_print:
            raise ReportError(
                f"{asked.kind} {asked.name}: {cell.where}: runs {first['id']} and {record['id']} were trained on "
                f"different data (fingerprints {first_print[:12]} and {second_print[:12]}); give the same data, or another "
                "--results"
            )


def declared_curves(records: Iterable[dict[str, Any]]) -> list[Any]:
    """What the first record says that keeps any."""
    kept_curves = (record["resolved"].get("mechanism") for record in records)
    return next((curves for curves in kept_curves if isinstance(curves, list) and curves), [])


def add_facts(cells: Iterable[Cell], records: Records) -> None:
    """Fill in what more than one record tells: `codes`, and `data_facts` of the data set that is decoded here."""
    cells = [cell for cell in cells if cell.records]
    tell_codes(cells, records)
    for cells_here in group_by(cells, lambda c: (c.dataset, c.records[0]["spec"]["data"]["fingerprint"])).values():
        facts_here = records.data_facts(cells_here[0].records[0])
        for cell in cells_here:
            cell.data_facts = facts_here


def tell_codes(cells: Iterable[Cell], records: Records) -> None:
    """Fill in `codes`."""
    same_bits = cache(records.same_bits)
    states_by_method = {}
    for cell in cells:
        known_states = states_by_method.setdefault(cell.method, [])
        for code in (str(record.get("code", "")) for record in cell.records):
            same_state = next((state for state in known_states if same_bits(cell.method, state, code)), None)
            if same_state is None:
                known_states.append(code)
            cell.codes.append(code if same_state is None else same_state)


def read_cell(asked_cell: AskedCell, asked: Asked, records: Records, rule: str, options: Options) -> Cell:
    cell = Cell(**vars(asked_cell), decimals=options.decimals, spread=options.spread)
    for record_id in cell.ids:
        record = records.get(record_id)
        why = cell.failures.get(record_id) or records.refused.get(record_id)
        curve = metric_after_each_epoch(record, options.metric, records) if record else None
        value = metric_by_rule(record, rule, options.metric, curve) if record else None
        if record is not None and value is not None:
            cell.records.append(record)
            cell.values[record_seed(record)] = 100 * value
            if curve is not None:
                cell.curves[record_seed(record)] = 100 * curve
            cell.against = asked.against if record_id in cell.elsewhere else cell.against
            continue
        if record is not None:
            why = f"the record has no {METRICS[options.metric].title.lower()} by the rule {rule}"
        if why:
            cell.failed.append(f"{record_id[:8]}: {why}")
        else:
            cell.absent.append(record_id)
    add_published(cell, asked)
    return cell


def add_published(cell: Cell, asked: Asked) -> None:
    """Fill in what was printed for a cell of the table's own rows."""
    if asked.published and not cell.label and cell.part == "table":
        cell.published = find_published(cell.noise, cell.rate, cell.method, cell.dataset, cell.classes)


def common_seeds(cells: list[Cell]) -> list[int]:
    """Seeds that every one of the cells has."""
    return sorted(set.intersection(*(set(cell.values) for cell in cells))) if cells else []


def swept_value(cell: Cell) -> tuple[str, str] | None:
    """('lanet.confidence', '0.7') of a point of a sweep; None of any other cell."""
    return next(iter(cell.settings.items()), None) if cell.draw is None else None
