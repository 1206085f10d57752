"""Which function draws which table or figure."""

from typing import Any

from reports.accuracy import accuracy_table
from reports.asked import Options
from reports.drawing import Drawing
from reports.sweeps import sweep_figure
from reports.table import Table
from results.records import Records


def table(what: dict[str, Any], records: Records, options: Options) -> Table:
    """Any table by its name; raises ReportError."""
    if what["name"] == "2":
        from reports.divergence_table import divergence_table

        return divergence_table(what, records, options)
    return accuracy_table(what, records, options)


def figure(what: dict[str, Any], records: Records, options: Options) -> Drawing:
    """Any figure by its name; raises ReportError."""
    if what["name"] == "2":
        from reports.gallery import gallery

        return gallery(what, records, options)
    return sweep_figure(what, records, options)
