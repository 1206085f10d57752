"""The metric of every draw of a search against each option that was drawn."""

import math
import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np

from reports.asked import Asked, Options, output_stem
from reports.captions import UNMEASURED, condition_title, describe_foundation, scale_text
from reports.cells import Cell, read_cells
from reports.facts import pick_columns, round_alike
from reports.metrics import METRICS
from reports.notes import against_note
from reports.pictures.drawing import (
    INK,
    SOFT,
    Axis,
    Drawing,
    add_panel,
    escape_dollars,
    new_figure,
    place_values,
    plain_log_axis,
)
from reports.search import Search, choose_setting, held_out_notes, partial_notes, read_searches, search_gaps
from reports.table import format_signed
from results.records import Records

TEST, HELD_OUT = "#0072b2", "#d55e00"
WIDE, HIGH, STRIP, LEFT, BETWEEN, TOP, ROW, BELOW = 1.95, 0.8, 0.1, 0.62, 0.14, 0.5, 0.95, 0.45  # inches
COLUMNS = "method dataset noise rate draw option value published held_out test n metric"
LEAST_WIDE = 0.9  # inches of a panel in a column of a paper
WORDS = (
    "Each mark: one draw of settings, mean over seeds, last epoch. Circles: {metric} on the test images; squares: accuracy on "
    "held-out images with noisy labels, which chooses. Dashed: the published value; ringed: the draw with the best mean "
    "held-out accuracy"
)
MOVED = "All options of a method are drawn at once: a panel shows one option while the others vary too."


def sensitivity_figure(asked: Asked, records: Records, options: Options) -> Drawing:
    """A row of panels a method and data set, a panel an option."""
    cells = read_cells(asked, records, "last", options)
    searches = read_searches(cells)
    name = METRICS[options.metric].title.lower()
    words = (
        f"test: {name} on test images; held-out: accuracy on noisy labels, which chooses the ringed draw; dashed: published "
        f"value; means over seeds; {scale_text(cells)}"
    )
    return Drawing(
        name=output_stem(asked),
        title=asked.heading,
        caption=f"{WORDS.format(metric=name)}; {scale_text(cells)}." if searches else UNMEASURED,
        heading=words,
        render=lambda: draw_sensitivity(searches, cells, options.column_width),
        gaps=search_gaps(cells),
        notes=[
            *held_out_notes(searches),
            *agreement_notes(searches, cells, name),
            *partial_notes(searches),
            *against_note(cells),
        ],
        stands_on=[MOVED, *describe_foundation([cell for one in searches for cell in one.draws])],
        facts=[fact for one in searches for fact in sensitivity_facts(one, options.metric)],
        column_width=options.column_width,
    )


def sensitivity_facts(one: Search, metric: str) -> list[dict[str, Any]]:
    """One line a draw and option."""
    return [
        pick_columns(
            COLUMNS,
            one.facts,
            {"draw": cell.draw, "option": key, "value": cell.settings.get(key, published), "published": published},
            {"held_out": round_alike(100 * held, 4), "test": round_alike(100 * test, 4), "metric": metric},
        )
        for cell, held, test in zip(one.draws, one.held_out.mean(1), one.test.mean(1), strict=True)
        for key, published in cell.published_settings.items()
    ]


def draw_sensitivity(searches: list[Search], cells: list[Cell], column_width: float | None) -> Any:
    """A row a search, a panel an option: the metric on test images above held-out accuracy, each on a scale of its own.

    In a column of a paper a search takes as many rows as its panels need.
    """
    searches = [one for one in searches if one.first_draw.published_settings]
    most_options = max((len(one.first_draw.published_settings) for one in searches), default=3)
    columns, panel_width, top = max(3, most_options), WIDE, TOP
    if column_width is not None:
        columns = min(most_options, max(1, int((column_width - LEFT) / (LEAST_WIDE + BETWEEN))))
        panel_width = (column_width - LEFT) / columns - BETWEEN
        top = 0
    rows = sum(math.ceil(len(one.first_draw.published_settings) / columns) for one in searches)
    height = top + max(1, rows) * (2 * HIGH + ROW)
    made = new_figure(column_width or LEFT + columns * (WIDE + BETWEEN), height, layout="none")
    bottom = height - top + BELOW
    for one in searches:
        shared: tuple[Any, Any] = (None, None)
        for number, key in enumerate(one.first_draw.published_settings):
            column = number % columns
            if column == 0:
                bottom -= 2 * HIGH + ROW
            left = LEFT + column * (panel_width + BETWEEN)
            above, below = (
                add_panel(made, left, low, panel_width, HIGH, sharey=other)
                for low, other in zip((bottom + HIGH + STRIP, bottom), shared, strict=True)
            )
            draw_option(above, below, one, key)
            if column_width is not None:
                below.xaxis.label.set_size(7)
            if column:
                above.tick_params(labelleft=False)
                below.tick_params(labelleft=False)
                continue
            above.set_ylabel("test (%)", fontsize=8)
            below.set_ylabel("held-out (%)", fontsize=8)
            if number:
                continue
            shared = above, below
            row_title = f"{one.title}: {condition_title(cells, one.condition)}"
            above.set_title(escape_dollars(row_title), fontsize=9 if column_width is None else 7, loc="left")
    if not searches:
        made.text(0.5, 0.4, "no runs yet", ha="center", color=SOFT)
    return made


def draw_option(above: Any, below: Any, one: Search, key: str) -> None:
    """Every draw that counts, at its value of one option."""
    published, best = one.first_draw.published_settings[key], choose_setting(one)
    values = [cell.settings.get(key, published) for cell in one.draws]
    axis = place_values([published, *values])
    places = np.array([axis.places[value] for value in values])
    for axes, shares, colour, marker in ((above, one.test, TEST, "o"), (below, one.held_out, HELD_OUT, "s")):
        means = 100 * shares.mean(1)
        axes.scatter(places, means, s=20, color=colour, marker=marker, alpha=0.85, linewidths=0, zorder=3)
        ring = {"s": 75, "facecolors": "none", "edgecolors": INK, "linewidths": 1.1, "zorder": 4}
        axes.scatter(places[best : best + 1], means[best : best + 1], **ring)
        axes.axvline(axis.places[published], color=SOFT, linewidth=0.9, linestyle=(0, (4, 3)), zorder=0)
        axes.margins(y=0.16)
        axes.grid(axis="y", color="#e6e6e6", linewidth=0.6)
        axes.tick_params(labelsize=7.5)
        if axis.names:
            label_words(axes, axis.names)
        else:
            scale_numbers(axes, axis)
    above.tick_params(labelbottom=False)
    below.set_xlabel(escape_dollars(key), fontsize=8)


def scale_numbers(axes: Any, axis: Axis) -> None:
    """A little room at both ends."""
    low = min(axis.places.values())
    high = max(axis.places.values())
    if axis.is_log:
        room = (high / low) ** 0.06
        axes.set_xlim(low / room, high * room)
        plain_log_axis(axes)
        return
    if high > low:
        axes.set_xlim(low - 0.06 * (high - low), high + 0.06 * (high - low))
    axes.locator_params(axis="x", nbins=4)


def label_words(axes: Any, names: Sequence[str]) -> None:
    """Words below the axis; broken, and turned where they are many or long."""
    words = [textwrap.fill(escape_dollars(name), 14) for name in names]
    turned = len(names) > 3 or max(map(len, names)) > 14
    axes.set_xticks(range(len(names)), words, rotation=25 if turned else 0, ha="right" if turned else "center")
    axes.set_xlim(-0.5, len(names) - 0.5)


def agreement_notes(searches: list[Search], cells: list[Cell], name: str) -> list[str]:
    """How well held-out accuracy tells good draws from bad ones: its correlation with the metric `name` on test images."""
    groups: dict[str, list[str]] = {}
    for one in searches:
        held_out, test = one.held_out.mean(1), one.test.mean(1)
        if len(test) > 2 and held_out.std() > 0 and test.std() > 0:
            found = format_signed(float(np.corrcoef(held_out, test)[0, 1]), ".2f")
            groups.setdefault(condition_title(cells, one.condition), []).append(f"{one.title} {found}")
    words = "held-out with test accuracy" if name == "accuracy" else f"held-out accuracy with {name} on the test images"
    said = [f"{where}: {', '.join(rows)}" for where, rows in groups.items()]
    return [f"Correlation of {words} over draws: {'; '.join(said)}."] if said else []
