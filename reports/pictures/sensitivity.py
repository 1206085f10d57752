"""Accuracy of every draw of a search against each option that was drawn."""

from typing import Any

import numpy as np

from reports.asked import Asked, Options, stem
from reports.captions import UNMEASURED, dataset_title, foundation, noise_text, scale_text, unique
from reports.cells import Cell, read_cells
from reports.notes import against_note, gaps
from reports.pictures.budget import held_out_text
from reports.pictures.drawing import SOFT, Drawing, log_axis, new_figure, plain
from reports.search import Search, read_searches
from results.records import Records

TEST, HELD_OUT = "#0072b2", "#d55e00"
WIDE = 10.0  # a larger ratio of values is drawn on a logarithmic axis
WORDS = (
    "Each point: one draw of settings, mean over seeds, last epoch. Filled: test images; hollow: held-out images with noisy "
    "labels, which choose. Dashed: the published value"
)


def sensitivity_figure(asked: Asked, records: Records, options: Options) -> Drawing:
    """A row of panels a method and data set, a panel an option."""
    cells = read_cells(asked, records, "last")
    searches = read_searches(cells)
    return Drawing(
        stem(asked),
        asked.heading,
        f"{WORDS}; {scale_text(cells)}." if searches else UNMEASURED,
        lambda: draw_sensitivity(searches, cells),
        gaps(cells),
        against_note(cells),
        [*held_out_text(searches), *foundation([cell for one in searches for cell in one.draws])],
        [fact for one in searches for fact in facts_of(one)],
    )


def facts_of(one: Search) -> list[dict[str, Any]]:
    """One line a draw and option."""
    return [
        {"method": one.method, "dataset": one.dataset, "noise": one.noise, "rate": one.rate or "", "draw": cell.draw}
        | {"option": key, "value": cell.settings.get(key, published), "published": published}
        | {"held_out": round(100 * float(held), 4), "test": round(100 * float(test), 4), "n": len(one.seeds)}
        for cell, held, test in zip(one.draws, one.held_out.mean(1), one.test.mean(1), strict=True)
        for key, published in cell.published_settings.items()
    ]


def draw_sensitivity(searches: list[Search], cells: list[Cell]) -> Any:
    searches = [one for one in searches if one.draws[0].published_settings]
    columns = max((len(one.draws[0].published_settings) for one in searches), default=1)
    made = new_figure(2.5 * columns + 0.8, 2.2 * max(1, len(searches)) + 0.5)
    grid = made.subplots(max(1, len(searches)), columns, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    if not searches:
        grid[0][0].text(0.5, 0.5, "no runs yet", ha="center", color=SOFT, transform=grid[0][0].transAxes)
    for row, one in zip(grid, searches):
        for column, key in enumerate(one.draws[0].published_settings):
            row[column].set_axis_on()
            draw_option(row[column], one, key)
        where = f"{plain(dataset_title(cells, one.dataset))}, {noise_text(one.noise, one.rate)}"
        row[0].set_ylabel(f"{plain(one.title)}\n{where}\naccuracy (%)", fontsize=7)
    handles, labels = grid[0][0].get_legend_handles_labels()
    if labels:
        made.legend(handles, labels, loc="outside upper center", ncols=2, frameon=False)
    return made


def draw_option(axes: Any, one: Search, key: str) -> None:
    published = one.draws[0].published_settings[key]
    values = [cell.settings.get(key, published) for cell in one.draws]
    places, mark, names = axis_places(values, published)
    face = {TEST: TEST, HELD_OUT: "none"}
    for colour, shares, label in ((TEST, one.test, "test images"), (HELD_OUT, one.held_out, "held-out noisy labels")):
        axes.scatter(places, 100 * shares.mean(1), s=16, facecolors=face[colour], edgecolors=colour, label=label)
    axes.axvline(mark, color=SOFT, linewidth=0.8, linestyle=(0, (4, 3)), zorder=0)
    if names:
        axes.set_xticks(range(len(names)), names)
        axes.set_xlim(-0.5, len(names) - 0.5)
    elif min(places) > 0 and max(places) / min(places) > WIDE:
        log_axis(axes)
    axes.set_xlabel(plain(key), fontsize=8)
    axes.tick_params(labelsize=7)


def axis_places(values: list[str], published: str) -> tuple[np.ndarray, float, list[str]]:
    """Where values lie on an axis, where the published one does, and their names where they are words."""
    try:
        return np.array([float(value) for value in values]), float(published), []
    except ValueError:
        names = unique([published, *values])
        return np.array([names.index(value) for value in values], float), 0.0, names
