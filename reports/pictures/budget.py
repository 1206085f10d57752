"""The metric against the number of settings tried: what each method reaches for how much work (Dodge et al., EMNLP 2019)."""

from typing import Any

import numpy as np

from reports.asked import Asked, Options, output_stem
from reports.captions import UNMEASURED, condition_title, describe_foundation, lines_text, scale_text
from reports.cells import Cell, group_by, read_cells
from reports.facts import mean_and_std, pick_columns
from reports.metrics import METRICS
from reports.notes import against_note
from reports.pictures.drawing import SOFT, Drawing, add_panel, draw_band, escape_dollars, new_figure, plain_log_axis
from reports.pictures.lines import Style, line_look, line_styles, name_ends
from reports.search import Search, held_out_notes, partial_notes, read_searches, search_gaps
from reports.statistics import band_widths
from results.records import Records

PLOT, TALL, LEFT, BETWEEN, TOP, ROW, BELOW = 2.7, 2.7, 0.62, 0.4, 0.45, 0.85, 0.45  # inches
LEAST_PLOT = 1.2  # inches; in a narrower column the two panels are below each other
COLUMNS = "method dataset noise rate draws minutes mean std n metric"
WORDS = "on the test images (last epoch) of the draw that held-out noisy labels choose among so many draws without replacement"
COST = (
    "Minutes: the number of draws times the mean time of one run, as the machines that trained the method measured it."
)


def budget_figure(asked: Asked, records: Records, options: Options) -> Drawing:
    """A row of two panels a data set and noise: against draws, and against the minutes that they cost."""
    cells = read_cells(asked, records, "last", options)
    searches = read_searches(cells)
    heading_text = f"settings chosen by held-out noisy labels; {lines_text(options)}; {scale_text(cells)}"
    expected = f"Expected {METRICS[options.metric].title.lower()}"
    return Drawing(
        name=output_stem(asked),
        title=asked.heading,
        caption=f"{expected} {WORDS}; {lines_text(options)}; {scale_text(cells)}." if searches else UNMEASURED,
        heading=heading_text,
        render=lambda: draw_budget(searches, cells, options),
        gaps=search_gaps(cells),
        notes=[*held_out_notes(searches), *partial_notes(searches), *against_note(cells)],
        stands_on=[COST, *describe_foundation([cell for search in searches for cell in search.draws])],
        facts=[fact for search in searches for fact in budget_facts(search, options.metric)],
        column_width=options.column_width,
    )


def budget_facts(search: Search, metric: str) -> list[dict[str, Any]]:
    """One line a number of draws."""
    rows = []
    for draws in range(1, len(search.draws) + 1):
        values = 100 * search.expected_accuracy(draws)
        of_draws = {"draws": draws, "minutes": round(draws * search.minutes, 3), "n": len(values), "metric": metric}
        rows.append(pick_columns(COLUMNS, search.facts, of_draws, mean_and_std(values, 4)))
    return rows


def draw_budget(searches: list[Search], cells: list[Cell], options: Options) -> Any:
    groups = group_by(searches, lambda search: search.condition)
    titles = list(dict.fromkeys(search.title for search in searches))
    looks = line_styles(titles)
    names_width = 0.55 + 0.07 * max(map(len, titles), default=0)  # inches that the names beside the lines need
    panel_height = max(TALL, 0.16 * len(titles) + 0.3)
    column_width = options.column_width
    plot_width = PLOT
    is_stacked = False
    if column_width is not None:
        plot_width = (column_width - LEFT - names_width - BETWEEN) / 2
        is_stacked = plot_width < LEAST_PLOT
        if is_stacked:
            plot_width = max(column_width - LEFT - names_width, LEAST_PLOT / 2)
    above = TOP if column_width is None else 0
    row_height = panel_height + ROW
    panel_rows = 2 if is_stacked else 1
    height = above + panel_rows * max(1, len(groups)) * row_height
    figure = new_figure(column_width or LEFT + 2 * plot_width + names_width + BETWEEN, height, layout="none")
    for row, (condition, searches_here) in enumerate((groups or {None: []}).items()):
        bottom = height - above - (panel_rows * row + 1) * row_height + BELOW
        left = add_panel(figure, LEFT, bottom, plot_width, panel_height)
        right_edge = LEFT if is_stacked else LEFT + plot_width + names_width + BETWEEN - 0.1
        right_bottom = bottom - row_height if is_stacked else bottom
        right = add_panel(figure, right_edge, right_bottom, plot_width, panel_height, sharey=left)
        if condition is None:
            left.text(0.5, 0.5, "no runs yet", ha="center", color=SOFT, transform=left.transAxes)
            continue
        left.set_title(
            escape_dollars(condition_title(cells, condition)), fontsize=9 if column_width is None else 7, loc="left"
        )
        draw_panels(left, right, searches_here, looks, 72 * panel_height, options)
        if is_stacked:
            right.tick_params(labelleft=True)
            right.set_ylabel(left.get_ylabel())
    return figure


def draw_panels(
    left: Any, right: Any, searches: list[Search], looks: dict[str, Style], height: float, options: Options
) -> None:
    """Against draws, with the names of the lines; and the same lines against minutes."""
    most_draws = max(len(search.draws) for search in searches)
    ends = []
    for search in searches:
        draws = np.arange(1, len(search.draws) + 1)
        values = np.array([100 * search.expected_accuracy(int(k)) for k in draws])
        mean = values.mean(1)
        band = band_widths(values.T, options.spread)
        look = line_look(search.title, looks) | {"markersize": 3.5, "linewidth": 1.5}
        for axes, places in ((left, draws), (right, draws * search.minutes)):
            draw_band(axes, places, mean, band, alpha=0.12, **look)
        name = f"{search.title}  {mean[-1]:.{options.decimals}f}"
        ends.append((name, look["color"], float(draws[-1]), float(mean[-1])))
    left.set_xlim(1 - 0.03 * most_draws, most_draws * 1.05 + 0.1)
    left.set_xticks(whole_ticks(most_draws))
    left.set_xlabel("draws of settings")
    left.set_ylabel(METRICS[options.metric].axis)
    plain_log_axis(right)
    right.set_xlabel("minutes of training a seed")
    right.tick_params(labelleft=False)
    for axes in (left, right):
        axes.grid(axis="y", color="#e6e6e6", linewidth=0.6)
    name_ends(left, ends, height)


def whole_ticks(most: int) -> list[int]:
    """1, and round numbers up to `most`."""
    step = next(step for step in (1, 2, 4, 8, 16, 32, 64, 128) if most <= 9 * step)
    return sorted({1, *range(step, most + 1, step)})
