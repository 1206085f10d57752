"""What none of the papers shows: what lies behind an accuracy, as blocks of a table."""

from math import isfinite
from typing import Any

import numpy as np

from reports.captions import dataset_title, noise_text
from reports.cells import Cell
from reports.notes import describe_mean
from reports.table import Block, Entry, format_signed
from results.schema import realised_rate, record_seed

MEASURES = (
    ("best − last", lambda m: m["best"] - m["last"], "+.1f", 100),
    ("best − last five", lambda m: m["best"] - m["last5"], "+.1f", 100),
    ("best − noisy val", lambda m: m["best"] - m["noisy_val"], "+.1f", 100),
    ("balanced accuracy", lambda m: m["balanced_accuracy"], ".1f", 100),
    ("macro F1", lambda m: m["macro_f1"], ".1f", 100),
    ("calibration error", lambda m: m["calibration_error"], ".1f", 100),
)
COST = (
    ("parameters", lambda r: r["cost"]["parameters"], ",.0f"),
    ("training s", lambda r: r["times"]["total"], ",.1f"),
    ("images/s, inference", lambda r: r["cost"]["inference_images_per_second"], ",.0f"),
)


def cells_with_runs(cells: list[Cell]) -> list[Cell]:
    """Cells with runs, each once however many tables show it."""
    cell_by_ids = {
        tuple(record["id"] for record in cell.records): cell for cell in cells if cell.records and cell.part == "table"
    }
    return list(cell_by_ids.values())


def values_of(cell: Cell, read_number: Any, factor: float = 1) -> dict[int, float]:
    """{seed: a number of its record}; records that lack it, or hold something else, are passed over."""
    value_by_seed = {}
    for record in cell.records:
        try:
            value = read_number(record)
        except (KeyError, TypeError, IndexError):
            continue
        if isinstance(value, (int, float)) and isfinite(value):
            value_by_seed[record_seed(record)] = factor * value
    return value_by_seed


def mean_entry(cell: Cell, read_number: Any, form: str, factor: float = 1, mark: str = "") -> Entry:
    """Mean over seeds of a number of the records, with what stands behind it."""
    values = values_of(cell, read_number, factor)
    if not values:
        return Entry("–")
    mean = float(np.mean(list(values.values())))
    return Entry(format_signed(mean, form) + mark, sort=mean, detail=describe_mean(cell, values, form))


def condition_heading(cells: list[Cell], cell: Cell) -> str:
    return f"{dataset_title(cells, cell.dataset)}, {noise_text(cell.noise, cell.rate)}"


def behind_accuracy(cells: list[Cell]) -> list[Block]:
    """A block a data set and noise: lifts of the best epoch, other measures, realised noise, cost."""
    blocks: dict[str, list[list[Entry]]] = {}
    for cell in cells_with_runs(cells):
        row = [Entry(cell.title)]
        row += [
            mean_entry(cell, lambda r, read=read: read(r["metrics"]), form, factor)
            for _, read, form, factor in MEASURES
        ]
        row.append(
            mean_entry(cell, lambda r: r["history"]["memorised"][-1] if r["noise"]["realised"] else None, ".1f", 100)
        )
        nominal_text = "" if cell.rate is None else f" of {100 * float(cell.rate):g}"
        row.append(mean_entry(cell, realised_rate, ".1f", 100, nominal_text))
        shared_gpu = any(record.get("jobs_on_card", 1) not in (1, None) for record in cell.records)
        is_slim = any("slim" in record for record in cell.records)  # times are of whoever measured them
        for name, read, form in COST:
            is_time = name != "parameters"
            if is_time and is_slim:
                row.append(Entry("–"))
            else:
                row.append(mean_entry(cell, read, form, mark=" *" if shared_gpu and is_time else ""))
        blocks.setdefault(condition_heading(cells, cell), []).append(row)
    columns = [
        "Method",
        *(name for name, *_ in MEASURES),
        "memorised %",
        "realised noise",
        *(name for name, *_ in COST),
    ]
    return [Block(name, columns, rows) for name, rows in blocks.items()]
