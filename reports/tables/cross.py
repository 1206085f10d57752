"""The table of crossed data sets: trained on one (a block), tested on each (a column), from networks that were kept."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from reports.asked import Asked, AskedCell, Options, output_stem
from reports.captions import accuracy_caption, dataset_title, describe_foundation, noise_text, unique_texts
from reports.cells import Cell, read_cells
from reports.metrics import METRICS, metric_in_last_epoch
from reports.notes import describe_mean, failure_notes, list_gaps
from reports.statistics import sample_std
from reports.table import Block, Entry, Table
from results.crossed import Crossed, read_crossed
from results.records import Records
from results.schema import record_seed

HEADER = (
    *("row", "method", "trained_on", "tested_on", "noise", "rate", "n", "asked", "mean", "std"),
    *("accuracy", "balanced_accuracy", "macro_f1", "worst_class"),
    *("images", "left_out", "unused_classes", "ids", "metric"),
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
    shares: dict[int, dict[str, float]]
    crossed: list[Crossed]
    faults: list[str]
    metric: str  # that is shown

    @property
    def values(self) -> dict[int, float]:
        """{seed: the metric in per cent}"""
        return self.values_of(self.metric)

    def values_of(self, metric: str) -> dict[int, float]:
        share_by_seed = {number: shares[metric] for number, shares in self.shares.items()}
        return {number: 100 * share for number, share in share_by_seed.items() if share is not None}

    @property
    def text(self) -> str:
        return replace(self.cell, values=self.values).text


def cross_table(asked: Asked, records: Records, options: Options) -> Table:
    """A block a data set and noise that networks were trained with, a row a method, a column a data set to test on."""
    cells = read_cells(asked, records, "last", options)
    names = list(dict.fromkeys(cell.dataset for cell in cells))
    rows = [
        [read_tested(cell, asked_cell, name, cells, options.metric) for name in names]
        for cell, asked_cell in zip(cells, asked.cells, strict=True)
    ]
    conditions = list(dict.fromkeys((cell.dataset, cell.noise, cell.rate) for cell in cells))
    all_tested = [tested for row in rows for tested in row]
    return Table(
        name=output_stem(asked),
        title=asked.heading,
        caption=f"{accuracy_caption(cells, 'last', options)}; trained on the data set above a block, tested on that above a "
        "column.",
        blocks=[make_block(condition, rows) for condition in conditions],
        notes=[*class_notes(all_tested), *failure_notes(cells)],
        stands_on=describe_foundation(cells),
        header=HEADER,
        facts=[fact_of(tested) for tested in all_tested],
        gaps=[*list_gaps(cells), *(line for tested in all_tested for line in gaps_of(tested))],
    )


def read_tested(cell: Cell, asked_cell: AskedCell, name: str, cells: list[Cell], metric: str) -> Tested:
    """A cell's networks on the data set `name`: on their own as their records say."""
    title = dataset_title(cells, name)
    crossed = []
    faults = []
    if name == cell.dataset:
        own_shares = {
            record_seed(record): {key: metric_in_last_epoch(record, key) for key in SHARES} for record in cell.records
        }
        return Tested(cell, name, title, own_shares, [], [], metric)
    shares = {}
    files: Mapping[str, Path] = asked_cell.tested.get(name, {})
    for record in cell.records:
        try:
            found_numbers = read_crossed(files[record["id"]], record["id"]) if record["id"] in files else None
        except ValueError as error:
            faults.append(str(error))
            continue
        if found_numbers is not None:
            crossed.append(found_numbers)
            shares[record_seed(record)] = {key: getattr(found_numbers, field) for key, field in SHARES.items()}
    return Tested(cell, name, title, shares, crossed, faults, metric)


def make_block(condition: tuple[str, str, str | None], rows: list[list[Tested]]) -> Block:
    rows_here = [row for row in rows if (row[0].cell.dataset, row[0].cell.noise, row[0].cell.rate) == condition]
    trained_on = next(tested.title for tested in rows_here[0] if tested.data == condition[0])
    columns = [tested.title + (" (its own)" if tested.data == condition[0] else "") for tested in rows_here[0]]
    lines = [[Entry(row[0].cell.title, detail=row[0].cell.method), *map(make_entry, row)] for row in rows_here]
    return Block(f"Trained on {trained_on}, {noise_text(*condition[1:])}", ["Method", *columns], lines)


def make_entry(tested: Tested) -> Entry:
    values = tested.values
    mark = " †" if tested.cell.failed or tested.cell.reason else ""
    return Entry(
        tested.text + mark, sort=fmean(values.values()) if values else None, detail=describe_mean(tested.cell, values)
    )


def class_notes(all_tested: list[Tested]) -> list[str]:
    """What becomes of classes that only one of two data sets has."""
    lines = []
    for tested in all_tested:
        place_text = f"trained on {tested.cell.dataset}, tested on {tested.title}"
        for numbers in tested.crossed:
            lines += [
                f"{place_text}: {count:,} images of {name} are left out, which the network does not know."
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
    lacking_lines = (
        [f"{place_text}: {untested_count} networks were not tested; run the table without --draw"]
        if untested_count
        else []
    )
    older_count = len(tested.shares) - len(tested.values)
    name = METRICS[tested.metric].title.lower()
    if older_count:
        lacking_lines.append(f"{place_text}: {older_count} tests kept no {name}; run the table without --draw")
    return [*(f"{place_text}: {line}" for line in tested.faults), *lacking_lines]


def fact_of(tested: Tested) -> dict[str, Any]:
    """Every number of a field."""
    cell = tested.cell
    values = tested.values
    first_numbers = next(iter(tested.crossed), None)
    spread = sample_std(np.array(list(values.values()))) if values else None
    means = {field: mean_or_blank(tested.values_of(key)) for key, field in SHARES.items()}
    return {
        "row": cell.title,
        "method": cell.method,
        "trained_on": cell.dataset,
        "tested_on": tested.data,
        "noise": cell.noise,
        "rate": cell.rate or "",
        "n": len(values),
        "asked": len(cell.ids),
        "mean": mean_or_blank(values),
        "std": "" if spread is None else round(spread, 6),
        **means,
        "images": first_numbers.images
        if first_numbers
        else (cell.records[0]["resolved"]["data"].get("test_images", "") if values else ""),
        "left_out": " ".join(f"{name}={count}" for name, count in first_numbers.left_out.items())
        if first_numbers
        else "",
        "unused_classes": " ".join(first_numbers.unused) if first_numbers else "",
        "ids": " ".join(record["id"] for record in cell.records if record_seed(record) in values),
        "metric": tested.metric,
    }


def mean_or_blank(values: dict[int, float]) -> float | str:
    return round(fmean(values.values()), 6) if values else ""
