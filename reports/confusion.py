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
    is_whole = matrix.shape == (class_count, class_count) and np.isfinite(matrix).all() and (matrix >= 0).all()
    return matrix if is_whole else None


def read_confusions(cells: list[Cell]) -> tuple[list[Confusion], list[str]]:
    """Those of a table's cells, and a note on the cells with runs that have none."""
    confusions = []
    lacking_cells = []
    for cell in (cell for cell in cells if cell.records and cell.part == "table"):
        if (confusion := read_confusion(cell)) is not None:
            confusions.append(confusion)
        else:
            lacking_cells.append(cell.where)
    notes = [f"Without a whole confusion matrix: {'; '.join(lacking_cells)}."] if lacking_cells else []
    return confusions, notes
