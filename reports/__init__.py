"""Tables, figures and one page, drawn from records alone.

`draw` is told what to draw as plain data and never decides which runs belong together:

    what  = {"kind": "table" or "figure", "name": "1", "title": words (optional), "cells": [cell, ...],
             "columns": [data set names shown], "methods": [names], "rates": [texts], "seeds": [numbers],
             "data": {data set name: its folder below <results>/data} (optional)}
    cell  = {"row": the row's title, "method": name, "dataset": name, "rate": text or None, "ids": [one a seed]}
            and, where there is something to say,
            "label": what sets the row apart from the method as published; for a figure 'parameter=value',
            "noise": kind (else the one of the records), "part": "table" (else "correct" or "clean", shown below),
            "failures": {id: one line}, "reason": why there can be no runs

Rules of accuracy: last, best, last5, noisy_val (`results.schema.RULES`).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from reports.asked import Drawn, Options, ReportError, stem

__all__ = ["Drawn", "Options", "ReportError", "draw", "draw_page", "stem"]


def draw(what: dict[str, Any], results: Path, out: Path, options: Options | None = None) -> Drawn:
    """Write one table (.md .tex .csv .html) or figure (.pdf .png) into `out`; raises ReportError."""
    from results.records import Records

    options, records, out = options or Options(), Records(results), Path(out)
    out.mkdir(parents=True, exist_ok=True)
    if what["kind"] == "table":
        from reports.choose import table
        from reports.formats import write

        made = table(what, records, options)
        return Drawn(write(made, out), made.text, made.gaps, sorted(records.refused.values()))
    from reports.choose import figure

    drawing = figure(what, records, options)
    return Drawn(drawing.write(out), drawing.caption, drawing.gaps, sorted(records.refused.values()))


def draw_page(whats: Sequence[dict[str, Any]], results: Path, out: Path, options: Options | None = None) -> Drawn:
    """Write report.html: the claims, then every table and figure of `whats`; raises ReportError."""
    from reports.page import write_page
    from results.records import Records

    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    return write_page(list(whats), Records(results), out, options or Options())
