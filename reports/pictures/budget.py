"""Accuracy against the number of settings tried: what each method reaches for how much work (Dodge et al., EMNLP 2019)."""

from typing import Any

import numpy as np

from reports.asked import Asked, Options, stem
from reports.captions import UNMEASURED, dataset_title, foundation, noise_text, scale_text, unique
from reports.cells import Cell, read_cells
from reports.notes import against_note, gaps
from reports.pictures.drawing import SOFT, Drawing, log_axis, new_figure, plain
from reports.pictures.lines import styles
from reports.search import Search, protocol_text, read_searches
from results.records import Records

WORDS = (
    "Expected test accuracy (last epoch) of the draw that held-out noisy labels choose among so many draws without "
    "replacement, mean over seeds, bands of one sample standard deviation"
)


def budget_figure(asked: Asked, records: Records, options: Options) -> Drawing:
    """A row of two panels a data set and noise: against draws, and against the minutes that they cost."""
    cells = read_cells(asked, records, "last")
    searches = read_searches(cells)
    caption = f"{WORDS}; {scale_text(cells)}." if searches else UNMEASURED
    return Drawing(
        stem(asked),
        asked.heading,
        caption,
        lambda: draw_budget(searches, cells),
        gaps(cells),
        against_note(cells),
        [*held_out_text(searches), *foundation([cell for one in searches for cell in one.draws])],
        [fact for one in searches for fact in facts_of(one)],
    )


def held_out_text(searches: list[Search]) -> list[str]:
    return [f"Held out: {protocol_text(searches)}."] if searches else []


def facts_of(one: Search) -> list[dict[str, Any]]:
    """One line a number of draws."""
    rows = []
    for draws in range(1, len(one.draws) + 1):
        values = 100 * one.expected_accuracy(draws)
        rows.append(
            {"method": one.method, "dataset": one.dataset, "noise": one.noise, "rate": one.rate or "", "draws": draws}
            | {"minutes": round(draws * one.minutes, 3), "mean": round(float(values.mean()), 4)}
            | {"std": round(float(values.std(ddof=1)), 4) if len(values) > 1 else "", "n": len(values)}
        )
    return rows


def draw_budget(searches: list[Search], cells: list[Cell]) -> Any:
    conditions = list(dict.fromkeys((one.dataset, one.noise, one.rate) for one in searches)) or [("", "", None)]
    made = new_figure(8.2, 3.0 * len(conditions) + 0.5)
    grid = made.subplots(len(conditions), 2, squeeze=False, sharey="row")
    looks = styles(unique(one.title for one in searches))
    for (left, right), condition in zip(grid, conditions, strict=True):
        here = [one for one in searches if (one.dataset, one.noise, one.rate) == condition]
        for axes, factor, label in (
            (left, None, "draws of settings"),
            (right, "minutes", "minutes of training a seed"),
        ):
            draw_lines(axes, here, looks, in_minutes=factor is not None)
            axes.set_xlabel(label)
        if here:
            left.set_ylabel(f"{plain(dataset_title(cells, condition[0]))}, {noise_text(*condition[1:])}\naccuracy (%)")
        else:
            left.text(0.5, 0.5, "no runs yet", ha="center", color=SOFT, transform=left.transAxes)
    handles, labels = grid[0][0].get_legend_handles_labels()
    if labels:
        made.legend(handles, labels, loc="outside upper center", ncols=min(6, len(labels)), frameon=False)
    return made


def draw_lines(axes: Any, searches: list[Search], looks: dict[str, tuple[str, str, bool]], in_minutes: bool) -> None:
    for one in searches:
        colour, marker, filled = looks[one.title]
        draws = np.arange(1, len(one.draws) + 1)
        values = np.array([100 * one.expected_accuracy(int(k)) for k in draws])
        mean, spread = values.mean(1), values.std(1, ddof=1) if values.shape[1] > 1 else np.zeros(len(draws))
        x = draws * one.minutes if in_minutes else draws
        face = colour if filled else "white"
        axes.plot(x, mean, color=colour, marker=marker, markersize=3.5, markerfacecolor=face, label=plain(one.title))
        axes.fill_between(x, mean - spread, mean + spread, color=colour, alpha=0.12, linewidth=0)
    if in_minutes and searches:
        log_axis(axes)
