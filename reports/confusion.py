"""Which classes are taken for which: of each run the confusion matrix of its record, and what follows class by class."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from reports.cells import Cell
from results.schema import class_names


@dataclass(frozen=True)
class Confusion:
    """The confusion matrices of a cell, after the last epoch."""

    cell: Cell
    classes: list[str]
    counts: np.ndarray  # [seeds, classes, classes] test images; row = true class

    @property
    def images(self) -> np.ndarray:
        """[classes] test images of each class."""
        return self.counts[0].sum(1).astype(int)

    @property
    def shares(self) -> np.ndarray:
        """[seeds, classes, classes] per cent of the images of a class; not a number where it has none."""
        size = self.counts.sum(2, keepdims=True)
        return 100 * np.divide(self.counts, size, out=np.full(self.counts.shape, np.nan), where=size > 0)

    @property
    def of_class(self) -> np.ndarray:
        """[seeds, classes] accuracy of each class in per cent; not a number where it has no images."""
        return np.diagonal(self.shares, axis1=1, axis2=2)


def read_confusion(cell: Cell) -> Confusion | None:
    """None where a record of the cell has no whole matrix, or there are no records."""
    counts = [matrix_of(record) for record in cell.records]
    if not counts or any(matrix is None for matrix in counts):
        return None
    return Confusion(cell, class_names(cell.records[0]), np.array(counts))


def matrix_of(record: dict[str, Any]) -> np.ndarray | None:
    """[classes, classes] counts of a record; None where it has none."""
    class_count = len(class_names(record))
    try:
        matrix = np.array(record["metrics"]["confusion"], float)
    except (KeyError, TypeError, ValueError):
        return None
    return (
        matrix
        if matrix.shape == (class_count, class_count) and np.isfinite(matrix).all() and (matrix >= 0).all()
        else None
    )


def read_confusions(cells: list[Cell]) -> tuple[list[Confusion], list[str]]:
    """Those of a table's cells, and a note on the cells with runs that have none."""
    measured_cells = [cell for cell in cells if cell.records and cell.part == "table"]
    confusions = [read_confusion(cell) for cell in measured_cells]
    lacking_cells = [
        cell.where for cell, confusion in zip(measured_cells, confusions, strict=True) if confusion is None
    ]
    notes = [f"Without a whole confusion matrix: {'; '.join(lacking_cells)}."] if lacking_cells else []
    return [confusion for confusion in confusions if confusion is not None], notes


def describe_cell(confusion: Confusion) -> dict[str, Any]:
    """The first columns of a CSV."""
    cell = confusion.cell
    return {
        "method": cell.method,
        "row": cell.title,
        "dataset": cell.dataset,
        "noise": cell.noise,
        "rate": cell.rate or "",
        "n": len(confusion.counts),
        "asked": len(cell.ids),
    }


def mean_and_std(values: np.ndarray) -> dict[str, float | str]:
    """Over seeds, for CSV; empty where there is nothing to tell."""
    if not np.isfinite(values).all():
        return {"mean": "", "std": ""}
    std = round(float(values.std(ddof=1)), 6) if len(values) > 1 else ""
    return {"mean": round(float(values.mean()), 6), "std": std}
