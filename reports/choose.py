"""Which functions draw what was asked for."""

from collections.abc import Sequence

from reports.asked import Asked, Options, output_stem
from reports.cells import Cell
from reports.pictures.budget import budget_figure
from reports.pictures.confusion import confusion_figure
from reports.pictures.drawing import Drawing
from reports.pictures.epochs import epochs_picture
from reports.pictures.gallery import gallery_figure
from reports.pictures.lines import by_noise
from reports.pictures.mechanisms import mechanisms_figure
from reports.pictures.rates import rates_picture
from reports.pictures.sensitivity import sensitivity_figure
from reports.pictures.sweeps import sweep_figure
from reports.tables.accuracy import accuracy_table
from reports.tables.classes import classes_table
from reports.tables.cross import cross_table
from reports.tables.divergence import divergence_table
from reports.tables.tuned import tuned_table

TABLES = {
    "accuracy": accuracy_table,
    "classes": classes_table,
    "divergence": divergence_table,
    "tuned": tuned_table,
    "cross": cross_table,
}
FIGURES = {
    "sweep": sweep_figure,
    "gallery": gallery_figure,
    "mechanisms": mechanisms_figure,
    "confusion": confusion_figure,
    "budget": budget_figure,
    "sensitivity": sensitivity_figure,
}


def pictures_beside(asked: Asked, read_tables: Sequence[tuple[Asked, list[Cell]]], options: Options) -> list[Drawing]:
    """Of one of the tables of accuracy that were read; of each kind of noise with at least one rate and runs at it."""
    cells = next(table_cells for table, table_cells in read_tables if table is asked)
    other_cells = [cell for table, table_cells in read_tables if table is not asked for cell in table_cells]
    noises = by_noise(cells)
    name = output_stem(asked)
    stems = {noise: f"{name}_{noise}" if len(noises) > 1 else name for noise in noises}
    rule = asked.rule(options)
    drawings = [rates_picture(stems[noise], rule, here, other_cells, options) for noise, here in noises.items()]
    drawings += [epochs_picture(stems[noise], here, options) for noise, here in noises.items()]
    return [drawing for drawing in drawings if drawing is not None]
