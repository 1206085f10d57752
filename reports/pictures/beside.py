"""The pictures beside each table of accuracy."""

from collections.abc import Sequence

from reports.asked import Asked, Options
from reports.cells import Cell
from reports.pictures.drawing import Drawing
from reports.pictures.epochs import epochs_pictures
from reports.pictures.rates import rates_pictures


def pictures_beside(asked: Asked, read: Sequence[tuple[Asked, list[Cell]]], options: Options) -> list[Drawing]:
    """Of one table that was asked for among all of `read`; none without at least one rate of noise and runs at it."""
    if asked.drawing != "accuracy":
        return []
    cells = next(found for one, found in read if one is asked)
    others = [cell for one, found in read if one is not asked and one.drawing == "accuracy" for cell in found]
    return [*rates_pictures(asked, cells, others, options), *epochs_pictures(asked, cells, options)]
