"""The pictures beside each table of accuracy."""

from collections.abc import Sequence

from reports.asked import Asked, Options
from reports.cells import Cell
from reports.pictures.drawing import Drawing
from reports.pictures.epochs import epochs_pictures
from reports.pictures.rates import rates_pictures


def pictures_beside(asked: Asked, read_tables: Sequence[tuple[Asked, list[Cell]]], options: Options) -> list[Drawing]:
    """Of one table that was asked for among all of `read`; none without at least one rate of noise and runs at it."""
    if asked.drawing != "accuracy":
        return []
    cells = next(table_cells for table, table_cells in read_tables if table is asked)
    other_cells = [
        cell
        for table, table_cells in read_tables
        if table is not asked and table.drawing == "accuracy"
        for cell in table_cells
    ]
    return [*rates_pictures(asked, cells, other_cells, options), *epochs_pictures(asked, cells, options)]
