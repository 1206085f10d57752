"""What none of the papers shows: what lies behind an accuracy, as blocks of a table, matrices and curves."""

from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np

from reports.captions import dataset_title, noise_text
from reports.cells import Cell
from reports.metrics import read_history
from reports.notes import behind
from reports.table import Block, Entry, signed
from results.schema import class_names, realised, seed

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
CURVES = ("test_accuracy", "recovered", "memorised")


@dataclass(frozen=True)
class Curves:
    """One cell's curves over epochs, mean over seeds: {name: 'x,y x,y ...' in a box of 100 x 50}."""

    title: str
    lines: dict[str, str]
    epochs: int


@dataclass(frozen=True)
class Matrix:
    """One cell's confusion matrix: row = true class, shares of it in per cent, mean over seeds."""

    title: str
    classes: list[str]
    rows: list[list[float]]


def measured(cells: list[Cell]) -> list[Cell]:
    """Cells with runs, each once however many tables show it."""
    kept = {
        tuple(record["id"] for record in cell.records): cell for cell in cells if cell.records and cell.part == "table"
    }
    return list(kept.values())


def values_of(cell: Cell, read: Any, factor: float = 1) -> dict[int, float]:
    """{seed: a number of its record}; records that lack it, or hold something else, are passed over."""
    found = {}
    for record in cell.records:
        try:
            value = read(record)
        except (KeyError, TypeError, IndexError):
            continue
        if isinstance(value, (int, float)) and isfinite(value):
            found[seed(record)] = factor * value
    return found


def number(cell: Cell, read: Any, form: str, factor: float = 1, mark: str = "") -> Entry:
    """Mean over seeds of a number of the records, with what stands behind it."""
    values = values_of(cell, read, factor)
    if not values:
        return Entry("–")
    mean = float(np.mean(list(values.values())))
    return Entry(signed(mean, form) + mark, sort=mean, detail=behind(cell, values, form))


def heading(cells: list[Cell], cell: Cell) -> str:
    return f"{dataset_title(cells, cell.dataset)}, {noise_text(cell.noise, cell.rate)}"


def behind_accuracy(cells: list[Cell]) -> list[Block]:
    """A block a data set and noise: lifts of the best epoch, other measures, realised noise, cost."""
    blocks: dict[str, list[list[Entry]]] = {}
    for cell in measured(cells):
        row = [Entry(cell.title)]
        row += [
            number(cell, lambda r, read=read: read(r["metrics"]), form, factor) for _, read, form, factor in MEASURES
        ]
        row.append(
            number(cell, lambda r: r["history"]["memorised"][-1] if r["noise"]["realised"] else None, ".1f", 100)
        )
        nominal = "" if cell.rate is None else f" of {100 * float(cell.rate):g}"
        row.append(number(cell, realised, ".1f", 100, nominal))
        packed = any(record.get("jobs_on_card", 1) not in (1, None) for record in cell.records)
        passed_on = any("slim" in record for record in cell.records)  # times are of whoever measured them
        for name, read, form in COST:
            timed = name != "parameters"
            row.append(Entry("–") if timed and passed_on else number(cell, read, form, mark=" *" * (packed and timed)))
        blocks.setdefault(heading(cells, cell), []).append(row)
    columns = [
        "Method",
        *(name for name, *_ in MEASURES),
        "memorised %",
        "realised noise",
        *(name for name, *_ in COST),
    ]
    return [Block(name, columns, rows) for name, rows in blocks.items()]


def per_class(cells: list[Cell]) -> list[Block]:
    """Accuracy of each class, last epoch."""
    blocks: dict[str, tuple[list[str], list[list[Entry]]]] = {}
    for cell in measured(cells):
        names = class_names(cell.records[0])
        of_class = [number(cell, lambda r, c=c: r["metrics"]["per_class"][c], ".1f", 100) for c in range(len(names))]
        row = [Entry(cell.title), *of_class]
        blocks.setdefault(heading(cells, cell), (names, []))[1].append(row)
    return [Block(name, ["Method", *names], rows) for name, (names, rows) in blocks.items()]


def confusions(cells: list[Cell]) -> list[Matrix]:
    found = []
    for cell in measured(cells):
        names = class_names(cell.records[0])
        try:
            kept = [np.array(record["metrics"]["confusion"], float) for record in cell.records]
        except (KeyError, TypeError, ValueError):
            continue
        if any(matrix.shape != (len(names),) * 2 or not np.isfinite(matrix).all() for matrix in kept):
            continue
        total = np.sum(kept, axis=0)
        shares = 100 * total / np.maximum(total.sum(1, keepdims=True), 1)
        title = f"{cell.title}, {heading(cells, cell)}; n = {len(kept)} of {len(cell.ids)}"
        found.append(Matrix(title, names, shares.tolist()))
    return found


def curves(cells: list[Cell]) -> list[Curves]:
    """Test accuracy, and the shares of wrong labels that training recovered and memorised, epoch by epoch."""
    found = []
    for cell in measured(cells):
        lines, epochs = {}, 0
        for name in CURVES:
            histories = [read_history(record, name) for record in cell.records]
            histories = [values for values in histories if values is not None]
            if histories and len({len(values) for values in histories}) == 1 and len(histories[0]) > 1:
                epochs = len(histories[0])
                mean = np.clip(np.mean(histories, axis=0), 0, 1)
                lines[name] = " ".join(f"{100 * i / (epochs - 1):.1f},{50 - 50 * y:.1f}" for i, y in enumerate(mean))
        if lines:
            found.append(Curves(f"{cell.title}, {heading(cells, cell)}", lines, epochs))
    return found
