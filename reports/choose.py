"""Which function draws what was asked for."""

from reports.accuracy import accuracy_table
from reports.asked import Asked, Options
from reports.divergence_table import divergence_table
from reports.drawing import Drawing
from reports.gallery import gallery
from reports.sweeps import sweep_figure
from reports.table import Table
from results.records import Records

TABLES = {"accuracy": accuracy_table, "divergence": divergence_table}
FIGURES = {"sweep": sweep_figure, "gallery": gallery}


def table(asked: Asked, records: Records, options: Options) -> Table:
    """Any table; raises ReportError."""
    return TABLES[asked.drawing](asked, records, options)


def figure(asked: Asked, records: Records, options: Options) -> Drawing:
    """Any figure; raises ReportError."""
    return FIGURES[asked.drawing](asked, records, options)
