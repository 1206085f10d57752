"""What none of the papers shows, as tables of the page: what lies behind an accuracy, and how wrong labels are found."""

from collections.abc import Callable
from math import isfinite
from typing import Any

import numpy as np

from reports.captions import condition_title
from reports.cells import Cell, group_conditions
from reports.notes import describe_mean
from reports.table import Block, Entry, Table, format_signed
from results.schema import realised_rate, record_seed

BEHIND = "What lies behind an accuracy: means over seeds, accuracies in per cent."
BEHIND_STANDS_ON = [
    "best − last and best − last five: what choosing the epoch on the test set adds.",
    "Balanced accuracy, macro F1 and the expected calibration error (15 bins) are of the last epoch.",
    "Memorised: share of the wrong training labels that the network gives back in the last epoch.",
    "Realised noise: share of the training labels that are wrong, in per cent, beside the nominal rate.",
    "*: other jobs ran on the same GPU; not comparable. –: records that were passed on without all their arrays.",
]
DETECTION = "How well wrong training labels are found, by area under the curve and by share missed; means over seeds."
DETECTION_STANDS_ON = [
    "Wrong-label AUROC: how often a wrong training label is ranked before a right one (0.5 is chance).",
    "Missed: share of the wrong labels that are not among the flagged when as many images are flagged as are wrong.",
    "Own: by the method's own opinion; margin: the given label's logit less the largest other one, averaged over epochs "
    "(Pleiss et al., NeurIPS 2020), of the same run.",
    "Not kept: the records are older than the measure.",
]
Number = Callable[[dict[str, Any]], Any]  # of a record
# Columns: what is read of a record, how it is written, and by which factor.
MEASURES: dict[str, tuple[Number, str, float]] = {
    "best − last": (lambda r: r["metrics"]["best"] - r["metrics"]["last"], "+.1f", 100),
    "best − last five": (lambda r: r["metrics"]["best"] - r["metrics"]["last5"], "+.1f", 100),
    "best − noisy val": (lambda r: r["metrics"]["best"] - r["metrics"]["noisy_val"], "+.1f", 100),
    "balanced accuracy": (lambda r: r["metrics"]["balanced_accuracy"], ".1f", 100),
    "macro F1": (lambda r: r["metrics"]["macro_f1"], ".1f", 100),
    "calibration error": (lambda r: r["metrics"]["calibration_error"], ".1f", 100),
    "memorised %": (lambda r: r["history"]["memorised"][-1] if r["noise"]["realised"] else None, ".1f", 100),
    "realised noise": (realised_rate, ".1f", 100),
    "parameters": (lambda r: r["cost"]["parameters"], ",.0f", 1),
    "training s": (lambda r: r["times"]["total"], ",.1f", 1),
    "images/s, inference": (lambda r: r["cost"]["inference_images_per_second"], ",.0f", 1),
}
TIMES = ("training s", "images/s, inference")
FOUND = {  # the number in a record's metrics
    "own AUROC": ("wrong_label_auroc", ".3f", 1),
    "own missed %": ("wrong_label_fnr", ".1f", 100),
    "margin AUROC": ("margin_auroc", ".3f", 1),
    "margin missed %": ("margin_fnr", ".1f", 100),
}


def extra_tables(cells: list[Cell]) -> list[Table]:
    """Of cells with runs, each once however many tables show it."""
    cell_by_ids = {cell.id_text: cell for cell in cells if cell.records and cell.part == "table"}
    measured_cells = list(cell_by_ids.values())
    noisy_cells = [cell for cell in measured_cells if cell.realised]
    behind = make_blocks(measured_cells, list(MEASURES), behind_entry)
    found = make_blocks(noisy_cells, list(FOUND), detection_entry)
    tables = [
        Table("behind", "Behind the accuracies", BEHIND, behind, stands_on=BEHIND_STANDS_ON),
        Table("detection", "Wrong labels found", DETECTION, found, stands_on=DETECTION_STANDS_ON),
    ]
    return [table for table in tables if table.blocks]


def make_blocks(cells: list[Cell], columns: list[str], make_entry: Callable[[Cell, str], Entry]) -> list[Block]:
    """A block a data set and noise, a row a cell."""
    blocks = []
    for condition, cells_here in group_conditions(cells).items():
        rows = [[Entry(cell.title), *(make_entry(cell, name) for name in columns)] for cell in cells_here]
        blocks.append(Block(condition_title(cells, condition), ["Method", *columns], rows))
    return blocks


def values_of(cell: Cell, read_number: Number, factor: float = 1) -> dict[int, float]:
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


def mean_entry(cell: Cell, read_number: Number, form: str, factor: float = 1, mark: str = "") -> Entry:
    """Mean over seeds of a number of the records, with what stands behind it."""
    values = values_of(cell, read_number, factor)
    if not values:
        return Entry("–")
    mean = float(np.mean(list(values.values())))
    return Entry(format_signed(mean, form) + mark, sort=mean, detail=describe_mean(cell, values, form))


def behind_entry(cell: Cell, name: str) -> Entry:
    mark = ""
    if name in TIMES:
        if any("slim" in record for record in cell.records):  # times are of whoever measured them
            return Entry("–")
        mark = " *" if any(record.get("jobs_on_card", 1) not in (1, None) for record in cell.records) else ""
    if name == "realised noise" and cell.rate is not None:
        mark = f" of {100 * float(cell.rate):g}"
    return mean_entry(cell, *MEASURES[name], mark)


def detection_entry(cell: Cell, name: str) -> Entry:
    key, form, factor = FOUND[name]
    if not any(key in record["metrics"] for record in cell.records):
        return Entry("not kept")
    return mean_entry(cell, lambda record: record["metrics"][key], form, factor)
