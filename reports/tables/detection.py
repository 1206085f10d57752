"""How well wrong training labels are found: by a method's own opinion, and by the margin that every run keeps."""

from reports.cells import Cell
from reports.table import Block, Entry
from reports.tables.extras import cells_with_runs, condition_heading, mean_entry

# Column, the number in a record's metrics, its form, its factor.
COLUMNS = (
    ("own AUROC", "wrong_label_auroc", ".3f", 1),
    ("own missed %", "wrong_label_fnr", ".1f", 100),
    ("margin AUROC", "margin_auroc", ".3f", 1),
    ("margin missed %", "margin_fnr", ".1f", 100),
)
CAPTION = "How well wrong training labels are found, by area under the curve and by share missed; means over seeds."
STANDS_ON = (
    "Wrong-label AUROC: how often a wrong training label is ranked before a right one (0.5 is chance).",
    "Missed: share of the wrong labels that are not among the flagged when as many images are flagged as are wrong.",
    "Own: by the method's own opinion; margin: the given label's logit less the largest other one, averaged over epochs "
    "(Pleiss et al., NeurIPS 2020), of the same run.",
    "Not kept: the records are older than the measure.",
)


def detection_blocks(cells: list[Cell]) -> list[Block]:
    """A block a data set and noise, for those under which labels are wrong."""
    blocks: dict[str, list[list[Entry]]] = {}
    for cell in cells_with_runs(cells):
        if cell.realised:
            fields = [detection_entry(cell, key, form, factor) for _, key, form, factor in COLUMNS]
            blocks.setdefault(condition_heading(cells, cell), []).append([Entry(cell.title), *fields])
    return [Block(name, ["Method", *(column[0] for column in COLUMNS)], rows) for name, rows in blocks.items()]


def detection_entry(cell: Cell, key: str, form: str, factor: float) -> Entry:
    if not any(key in record["metrics"] for record in cell.records):
        return Entry("not kept")
    return mean_entry(cell, lambda record: record["metrics"][key], form, factor)
