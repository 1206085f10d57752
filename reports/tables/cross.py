"""The table of crossed data sets: trained on one (a block), tested on each (a column), from networks that were kept."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from reports.asked import Asked, Options, output_stem
from reports.captions import accuracy_caption, dataset_title, describe_foundation, noise_text, unique_texts
from reports.cells import Cell, group_by, read_cells
from reports.facts import cell_facts, pick_columns, round_or_blank
from reports.metrics import METRICS, metric_in_last_epoch
from reports.notes import describe_mean, failure_notes, list_gaps
from reports.table import Block, Entry, Table
from results.crossed import Crossed, read_crossed
from results.records import Records
from results.schema import record_seed

COLUMNS = (
    "row method trained_on tested_on noise rate n asked mean std accuracy balanced_accuracy macro_f1 worst_class images "
    "left_out unused_classes ids metric"
)
SHARES = {  # the field of `Crossed`, and the column of the CSV, of each metric
    "accuracy": "accuracy",
    "balanced": "balanced_accuracy",
    "macro-f1": "macro_f1",
    "worst-class": "worst_class",
}


@dataclass
class Tested:
    """A row's networks on one data set. shares: {seed: {a name of METRICS: a fraction of 1, None where it is not known}}."""

    cell: Cell
    data: str
    title: str
    metric: str  # that is shown
    shares: dict[int, dict[str, float]] = field(default_factory=dict)
    crossed: list[Crossed] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    @property
    def measured(self) -> Cell:
        """The row with what its networks reach on this data set."""
        return replace(self.cell, values=self.values_of(self.metric))

    def values_of(self, metric: str) -> dict[int, float]:
        """{seed: in per cent}"""
        share_by_seed = {number: shares[metric] for number, shares in self.shares.items()}
        return {number: 100 * share for number, share in share_by_seed.items() if share is not None}


def cross_table(asked: Asked, records: Records, options: Options) -> Table:
    """A block a data set and noise that networks were trained with, a row a method, a column a data set to test on."""
    cells = read_cells(asked, records, "last", options)
    names = list(dict.fromkeys(cell.dataset for cell in cells))
    rows = [[read_tested(cell, name, cells, options.metric) for name in names] for cell in cells]
    all_tested = [tested for row in rows for tested in row]
    return Table(
        name=output_stem(asked),
        title=asked.heading,
        caption=f"{accuracy_caption(cells, 'last', options)}; trained on the data set above a block, tested on that above a "
        "column.",
        blocks=[make_block(group) for group in group_by(rows, lambda row: row[0].cell.condition).values()],
        notes=[*class_notes(all_tested), *failure_notes(cells)],
        stands_on=describe_foundation(cells),
        header=tuple(COLUMNS.split()),
        facts=[fact_of(tested) for tested in all_tested],
        gaps=[*list_gaps(cells), *(line for tested in all_tested for line in gaps_of(tested))],
    )


def read_tested(cell: Cell, name: str, cells: list[Cell], metric: str) -> Tested:
    """A cell's networks on the data set `name`: on their own as their records say."""
    tested = Tested(cell, name, dataset_title(cells, name), metric)
    files: Mapping[str, Path] = cell.tested.get(name, {})
    for record in cell.records:
        seed = record_seed(record)
        if name == cell.dataset:
            tested.shares[seed] = {key: metric_in_last_epoch(record, key) for key in SHARES}
            continue
        try:
            numbers = read_crossed(files[record["id"]], record["id"]) if record["id"] in files else None
        except ValueError as error:
            tested.faults.append(str(error))
            continue
        if numbers is not None:
            tested.crossed.append(numbers)
            tested.shares[seed] = {key: getattr(numbers, name) for key, name in SHARES.items()}
    return tested


def make_block(rows: list[list[Tested]]) -> Block:
    first_cell = rows[0][0].cell
    trained_on = next(tested.title for tested in rows[0] if tested.data == first_cell.dataset)
    columns = [tested.title + (" (its own)" if tested.data == first_cell.dataset else "") for tested in rows[0]]
    lines = [[Entry(row[0].cell.title, detail=row[0].cell.method), *map(make_entry, row)] for row in rows]
    heading = f"Trained on {trained_on}, {noise_text(first_cell.noise, first_cell.rate)}"
    return Block(heading, ["Method", *columns], lines)


def make_entry(tested: Tested) -> Entry:
    cell = tested.measured
    mark = " †" if cell.failed or cell.reason else ""
    return Entry(cell.text + mark, sort=cell.mean, detail=describe_mean(cell, cell.values))


def class_notes(all_tested: list[Tested]) -> list[str]:
    """What becomes of classes that only one of two data sets has."""
    lines = []
    for tested in all_tested:
        place_text = f"trained on {tested.cell.dataset}, tested on {tested.title}"
        for numbers in tested.crossed:
            lines += [
                f"{place_text}: {name} is left out, which the network does not know (images: {count:,})."
                for name, count in numbers.left_out.items()
            ]
            lines += [
                f"{place_text}: the network chooses among the other classes than {name}." for name in numbers.unused
            ]
    return [f"{line[:1].upper()}{line[1:]}" for line in unique_texts(lines)]


def gaps_of(tested: Tested) -> list[str]:
    """One line for each network that was not tested on a data set of others."""
    untested_count = len(tested.cell.records) - len(tested.shares) - len(tested.faults)
    place_text = f"{tested.cell.where}: on {tested.title}"
    older_count = len(tested.shares) - tested.measured.n
    lines = list(tested.faults)
    if untested_count:
        networks_text = "1 network was" if untested_count == 1 else f"{untested_count} networks were"
        lines.append(f"{networks_text} not tested; run the table without --draw")
    if older_count:
        name = METRICS[tested.metric].title.lower()
        lines.append(f"{older_count} tests kept no {name}; run the table without --draw")
    return [f"{place_text}: {line}" for line in lines]


def fact_of(tested: Tested) -> dict[str, Any]:
    """Every number of a field."""
    cell = tested.measured
    numbers = next(iter(tested.crossed), None)
    own_images = cell.records[0]["resolved"]["data"].get("test_images", "") if cell.values else ""
    of_test = {
        "trained_on": cell.dataset,
        "tested_on": tested.data,
        "images": numbers.images if numbers else own_images,
        "left_out": " ".join(f"{name}={count}" for name, count in numbers.left_out.items()) if numbers else "",
        "unused_classes": " ".join(numbers.unused) if numbers else "",
        "ids": " ".join(r["id"] for r in cell.records if record_seed(r) in cell.values),
        "metric": tested.metric,
    }
    for metric, column in SHARES.items():
        values = tested.values_of(metric).values()
        of_test[column] = round_or_blank(fmean(values) if values else None)
    return pick_columns(COLUMNS, cell_facts(cell), of_test)
