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

Rules of accuracy: last, best, last5, noisy_val (`reports.records.RULES`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


class ReportError(ValueError):
    """Records that must not be drawn together; the message names them in one line."""


@dataclass(frozen=True)
class Options:
    """rule: which accuracy is shown. floor: the floor and ceiling rows below a table. study: a CSV of people's votes
    (image, then one column a class) that takes the place of the data set's own in Table 2 and Figure 2. root: print
    the Jensen-Shannon distance, the root of the divergence. log_base: of its logarithm, 2 or e.
    """

    rule: str = "last"
    floor: bool = False
    study: Path | None = None
    root: bool = False
    log_base: float = 2.0


@dataclass(frozen=True)
class Drawn:
    """files: what was written. text: the drawing in words for a terminal. gaps: one line for each thing not there."""

    files: list[Path] = field(default_factory=list)
    text: str = ""
    gaps: list[str] = field(default_factory=list)


def draw(what: dict[str, Any], results: Path, out: Path, options: Options | None = None) -> Drawn:
    """Write one table (.md .tex .csv .html) or figure (.pdf .png) into `out`; raises ReportError."""
    from reports.records import Records

    options, records, out = options or Options(), Records(results), Path(out)
    out.mkdir(parents=True, exist_ok=True)
    if what["kind"] == "table":
        from reports.formats import write
        from reports.tables import table

        made = table(what, records, options)
        return Drawn(write(made, out), made.text, made.gaps)
    from reports.figures import figure

    drawing = figure(what, records, options)
    return Drawn(drawing.write(out), drawing.caption, drawing.gaps)


def draw_page(whats: Sequence[dict[str, Any]], results: Path, out: Path, options: Options | None = None) -> Drawn:
    """Write report.html: the claims, then every table and figure of `whats`; raises ReportError."""
    from reports.page import write_page
    from reports.records import Records

    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    return write_page(list(whats), Records(results), out, options or Options())


def stem(what: dict[str, Any]) -> str:
    """table1, table_symmetric, figure1, figure_tau."""
    return f"{what['kind']}{what['name']}" if what["name"].isdigit() else f"{what['kind']}_{what['name']}"
