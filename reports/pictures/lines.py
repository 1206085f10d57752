"""Lines of methods in pictures: a colour and a marker each, names at their ends."""

from collections.abc import Iterable, Sequence
from itertools import product
from typing import Any

import numpy as np

from reports.captions import unique_texts
from reports.cells import Cell
from reports.pictures.drawing import INK, escape_dollars
from results.published import METHODS

# Told apart with any colour vision (after Okabe and Ito, 2008), and once more by their markers.
COLOURS = ["#222222", "#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#7a4fa3", "#8a6d1c", "#8c8c8c"]
MARKERS = "os^DvPX*<>"
GAP = 10.5  # points between the names of two lines
LABEL = 8  # points of a name's letters
Style = tuple[str, str, bool]  # colour, marker, and whether it is filled


def line_styles(titles: Iterable[str]) -> dict[str, Style]:
    """A colour and a marker for each row of a table, for the paper's methods the same in every picture.

    From the eleventh on markers are hollow.
    """
    found = [(colour, marker, filled) for filled, (colour, marker) in product((True, False), zip(COLOURS, MARKERS))]
    papers = {title: number for number, title in enumerate(METHODS.values())}
    at: dict[str, int] = {}
    for title in titles:
        own = papers.get(title.partition(" (")[0])
        free = (number for number in range(len(papers), 2 * len(found)) if number % len(found) not in at.values())
        at[title] = own if own is not None and own not in at.values() else next(free, 0) % len(found)
    return {title: found[number] for title, number in at.items()}


def line_look(title: str, looks: dict[str, Style]) -> dict[str, Any]:
    """How a row's line is drawn."""
    colour, marker, filled = looks[title]
    face = colour if filled else "white"
    return {"color": colour, "marker": marker, "markerfacecolor": face, "label": escape_dollars(title), "zorder": 3}


def by_noise(cells: Sequence[Cell]) -> dict[str, list[Cell]]:
    """A table's own cells by their kind of noise, of kinds that have rates and runs."""
    kinds = unique_texts(cell.noise for cell in cells if cell.rate and cell.part == "table" and cell.values)
    return {kind: [c for c in cells if c.noise == kind and c.rate and c.part == "table"] for kind in kinds}


def spread_heights(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Heights nearest to the wanted ones that are `gap` apart, in their order, between low and high where they fit."""
    from scipy.optimize import isotonic_regression

    order = np.argsort(wanted, kind="stable")
    gaps_below = gap * np.arange(len(wanted))
    fitted = isotonic_regression(np.array(wanted, float)[order] - gaps_below).x
    heights = np.empty(len(wanted))
    # Isotonic regression within bounds is the clipped one.
    heights[order] = fitted.clip(low, max(low, high - gaps_below[-1])) + gaps_below
    return heights.tolist()


def name_ends(axes: Any, ends: Sequence[tuple[str, str, float, float]], height: float) -> None:
    """Names right of a panel of that height in points; ends: text, colour, and (x, y) of the line's last point."""
    low, high = axes.get_ylim()
    right = axes.get_xlim()[1]
    placed = spread_heights([y for *_, y in ends], GAP * (high - low) / height, low, high)
    for (text, colour, x, y), at in zip(ends, placed):
        axes.plot([x, right], [y, at], color=colour, linewidth=0.8, alpha=0.7, clip_on=False, label="_leader")
        place = {"xytext": (3, 0), "textcoords": "offset points", "va": "center", "fontsize": LABEL, "color": INK}
        axes.annotate(escape_dollars(text), (right, at), annotation_clip=False, **place)
