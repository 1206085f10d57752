"""Accuracy against the rate of wrong labels: the picture beside a table, a panel a data set, a line a method."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from reports.asked import Options
from reports.captions import (
    accuracy_caption,
    dataset_title,
    describe_foundation,
    lines_text,
    noise_text,
    published_text,
    runs_text,
)
from reports.cells import Cell, group_by, of_seeds
from reports.facts import cell_facts, pick_columns
from reports.metrics import METRICS
from reports.notes import against_note, few_note
from reports.pictures.drawing import SOFT, Drawing, add_panel, draw_band, escape_dollars, new_figure
from reports.pictures.lines import Style, line_look, line_styles, name_ends
from results.published import Published
from results.schema import RULES

PLOT, HEIGHT, LEFT, TOP, BOTTOM = 2.7, 3.1, 0.62, 0.78, 0.5  # inches
COLUMNS = "method row dataset noise rate n asked mean std published published_std rule ids metric"
LEAST_PLOT = 1.1  # inches, in a column of a paper
STRIP, BREAK = 0.24, 0.06  # shares of a panel's height: published values far from the measured ones, and the gap below


@dataclass(frozen=True)
class Line:
    """One method on one data set: its cells with runs by rate, rate 0 first where it was measured."""

    title: str
    dataset: str
    cells: list[Cell]

    @property
    def points(self) -> list[tuple[float, float, float]]:
        """(rate in per cent, mean, half of the band)."""
        return [(per_cent(c), c.mean, c.half_width or 0.0) for c in self.cells if c.mean is not None]

    @property
    def published(self) -> list[tuple[float, Published]]:
        """(rate in per cent, printed) of values with the class set of the runs, or none that is said."""
        shown = [(per_cent(c), c.published) for c in self.cells if c.published]
        return [(rate, printed) for rate, printed in shown if printed.classes in (None, self.cells[-1].classes)]


def per_cent(cell: Cell) -> float:
    return 100 * float(cell.rate or 0)


def rates_picture(stem: str, rule: str, cells: list[Cell], others: Sequence[Cell], options: Options) -> Drawing | None:
    """Of one kind of noise with at least two rates; others: cells of other tables, for those without added noise."""
    if len({cell.rate for cell in cells if cell.values}) < 2:
        return None
    noise = cells[0].noise
    lines = lines_of(cells, others)
    shown = [cell for line in lines for cell in line.cells]
    title = f"{METRICS[options.metric].title} against the rate of {noise_text(noise, None)}"
    printed = any(line.published for line in lines)
    empty = sum(not c.values for c in shown)
    empty_note = [f"Not measured: {empty} of {len(shown)} points."] if empty else []
    clean = any(cell.rate is None for cell in shown)
    words = f"{RULES[rule]}; {lines_text(options)}; {runs_text(shown)}"
    words += "; dashed: published, other weights and scale" if printed else ""
    return Drawing(
        name=f"{stem}_rates",
        title=title,
        caption=accuracy_caption(shown, rule, options, lines_text(options))
        + ("; dashed: published." if printed else "."),
        heading=words,
        render=lambda: draw_rates(noise, lines, options),
        column_width=options.column_width,
        notes=[*few_note(shown), *empty_note, *against_note(shown)],
        stands_on=[
            "Rates are nominal." + " 0 %: without added noise, measured in the same way." * clean,
            *describe_foundation(shown),
            *published_text(shown),
        ],
        facts=[rate_fact(line, cell, rule, options.metric) for line in lines for cell in line.cells],
    )


def lines_of(cells: Sequence[Cell], others: Sequence[Cell]) -> list[Line]:
    """Lines in the order of the table's rows, those with runs."""
    clean = {row_of(c): c for c in others if c.noise == "none" and c.part == "table" and c.values}
    found = []
    for place, here in group_by(cells, row_of).items():
        if any(cell.values for cell in here):
            wanted = {number for cell in here for number in cell.values}
            first = [replace(of_seeds(clean[place], wanted), rate=None)] if place in clean else []
            found.append(Line(place[0], place[3], [*first, *sorted(here, key=per_cent)]))
    return found


def row_of(cell: Cell) -> tuple[str, str, str | None, str]:
    """What the cells of a line share."""
    return cell.title, cell.method, cell.label, cell.dataset


def rate_fact(line: Line, cell: Cell, rule: str, metric: str) -> dict[str, Any]:
    """One point, for CSV."""
    printed = dict(line.published).get(per_cent(cell))
    of_point = {
        "rate": cell.rate or "0",
        "published": "" if printed is None else printed.mean,
        "published_std": "" if printed is None or printed.std is None else printed.std,
        "rule": rule,
        "metric": metric,
    }
    return pick_columns(COLUMNS, cell_facts(cell), of_point)


def draw_rates(noise: str, lines: list[Line], options: Options) -> Any:
    """Panels side by side, each with the names of its lines at their right; in a column of a paper also below each other."""
    panels = group_by(lines, lambda line: line.dataset)
    of_line = line_styles(dict.fromkeys(line.title for line in lines))
    most = max(map(len, panels.values()))
    tall = max(HEIGHT, (0.16 * most + 0.3) / (1 - STRIP - BREAK))
    beside = 0.55 + 0.07 * max(len(line.title) for line in lines)  # what the names need
    if options.column_width is None:
        across, plot, step, above = len(panels), PLOT, LEFT + PLOT + beside, TOP
    else:
        beside = 0.5 + 0.06 * max(len(line.title) for line in lines)
        across = min(len(panels), max(1, int(options.column_width / (LEFT + LEAST_PLOT + beside))))
        step, above = options.column_width / across, 0.25
        plot = max(step - LEFT - beside, LEAST_PLOT)
    down = -(-len(panels) // across)
    made = new_figure(step * across, down * (tall + above + BOTTOM), layout="none")
    for number, (name, here) in enumerate(panels.items()):
        row, column = divmod(number, across)
        left = column * step + LEFT
        bottom = (down - 1 - row) * (tall + above + BOTTOM) + BOTTOM
        far = far_apart(here)
        low = (1 - STRIP - BREAK) * tall if far else tall
        axes = add_panel(made, left, bottom, plot, low)
        letters = int((step - LEFT - plot - 0.08) / 0.062)
        draw_rates_panel(axes, here, of_line, 72 * low, options.decimals, letters)
        top = axes
        if far:
            strip_bottom = bottom + (1 - STRIP) * tall
            top = add_panel(made, left, strip_bottom, plot, STRIP * tall, xlim=axes.get_xlim(), xticks=[])
            top.spines["bottom"].set_visible(False)
            top.tick_params(labelsize=8)
        draw_published(top, here, of_line, far)
        every = [cell for line in here for cell in line.cells]
        top.set_title(escape_dollars(dataset_title(every, name)), fontsize=9, loc="left")
        axes.set_xlabel(f"rate of {escape_dollars(noise_text(noise, None))} (%)")
        axes.set_ylabel(METRICS[options.metric].axis if column == 0 else "")
    return made


def far_apart(lines: list[Line]) -> bool:
    """Whether all published values lie away from the measured ones, so that one scale would flatten both."""
    printed = [value.mean for line in lines for _, value in line.published]
    measured = [mean for line in lines for _, mean, _ in line.points]
    gap = max(min(printed) - max(measured), min(measured) - max(printed)) if printed else 0.0
    return gap > 0.3 * (max(measured) - min(measured))


def draw_published(axes: Any, lines: list[Line], of_line: dict[str, Style], alone: bool) -> None:
    """Dashed; alone: in a strip of their own with its own scale."""
    for line in lines:
        if line.published:
            x, y = zip(*((rate, printed.mean) for rate, printed in line.published))
            axes.plot(x, y, "--", color=of_line[line.title][0], marker=".", markersize=3, linewidth=1, alpha=0.8)
    if alone:
        axes.grid(axis="y", color="#e6e6e6", linewidth=0.6)
        place = {"xycoords": "axes fraction", "ha": "right", "va": "bottom", "fontsize": 8, "color": SOFT}
        axes.annotate("published", (1, 1.0), **place)


def draw_rates_panel(
    axes: Any, lines: list[Line], of_line: dict[str, Style], height: float, decimals: int, letters: int
) -> None:
    """height: points. letters: how many fit beside the end of a line."""
    ends, faint = [], 0.14 if len(lines) <= 6 else 0.07
    for line in lines:
        rates, means, bands = np.array(line.points).T
        look = line_look(line.title, of_line) | {"markersize": 4.5, "linewidth": 1.6}
        draw_band(axes, rates, means, bands, faint, **look)
        value = f"{means[-1]:.{decimals}f}"
        room = letters - 2 - len(value)
        name = line.title if len(line.title) <= room else line.title[: room - 1] + "…"
        ends.append((f"{name}  {value}", look["color"], float(rates[-1]), float(means[-1])))
    ticks = sorted({rate for line in lines for rate, *_ in line.points})
    axes.set_xlim(ticks[0] - 1, ticks[-1] + 0.07 * (ticks[-1] - ticks[0]))
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.grid(axis="y", color="#e6e6e6", linewidth=0.6)
    axes.tick_params(labelsize=8)
    name_ends(axes, ends, height)
