"""Figures of sweeps: accuracy against an option (`--sweep`, Figure 1, tau, omega)."""

import textwrap
from itertools import cycle
from typing import Any

import numpy as np

from reports.asked import DEFAULTS, Asked, Options, output_stem
from reports.captions import (
    accuracy_caption,
    condition_title,
    dataset_title,
    describe_foundation,
    lines_text,
    noise_text,
    runs_text,
    unique_texts,
)
from reports.cells import Cell, group_by, read_cells, swept_value
from reports.facts import cell_facts, pick_columns
from reports.metrics import METRICS
from reports.notes import against_note, few_note, list_gaps
from reports.pictures.drawing import (
    SOFT,
    Axis,
    Drawing,
    draw_band,
    escape_dollars,
    keep_units,
    new_figure,
    place_values,
)
from results.published import METHODS
from results.records import Records
from results.schema import RULES, record_seed

# Dark to light, so that lines stay apart in grey; dashes and markers tell them apart once more.
STYLES = (("#123a6b", "-", "o"), ("#b3471b", "--", "s"), ("#7a9a3a", ":", "^"), ("#8a6fae", "-.", "D"))


# The supplement's symbol of an option, and what it is here.
SYMBOLS = {
    "lanet.confidence": "δ  confidence threshold",
    "lanet.landmark_weight": "α  weight of the landmark loss (assumed)",
    "lanet.contrastive_weight": "β  weight of the contrastive loss (assumed)",
    "lanet.temperature": "τ  temperature",
    "lanet.label_momentum": "ω  momentum of the label distributions",
}
# How a marked value is drawn: dashes, and how far above the panel it is named.
MARKS = {"published": ((4, 3), 1.01), "scale": ((4, 3), 1.01), "chosen": ((1, 2), 1.06)}
COLUMNS = "method dataset noise rate option value published scale chosen n asked mean std rule metric ids"


def sweep_figure(asked: Asked, records: Records, options: Options) -> Drawing:
    """A panel a method and option, a line a noise level, a row of panels a data set."""
    rule = asked.rule(options)
    cells = [cell for cell in read_cells(asked, records, rule, options) if swept_value(cell)]
    empty = sum(not c.values for c in cells)
    shown = "; ".join([RULES[rule], lines_text(options), runs_text(cells)])
    below = f"{shown[:1].upper()}{shown[1:]}. {asked.note}".strip()
    methods = unique_texts(method_title(cells, cell.method) for cell in cells)
    empty_note = [f"Not measured yet: {empty} of {len(cells)} points."] if empty else []
    return Drawing(
        name=output_stem(asked),
        title=asked.heading,
        caption=f"{', '.join(methods)}: {accuracy_caption(cells, rule, options, lines_text(options))}{describe_marks(cells)}.",
        render=lambda: draw_sweep(cells, below, options),
        gaps=list_gaps(cells),
        notes=[*few_note(cells), *empty_note, *same_runs_note(cells), *against_note(cells)],
        stands_on=[*[asked.note] * bool(asked.note), *describe_foundation(cells)],
        facts=[sweep_fact(cell, rule, options) for cell in cells],
        column_width=options.column_width,
    )


def same_runs_note(cells: list[Cell]) -> list[str]:
    """Which values of an option gave the same curves and predictions as others, in every seed that they share."""
    line_texts = []
    for (*panel, noise, rate), line in group_by(cells, lambda c: (*panel_of(c), c.noise, c.rate)).items():
        groups: list[list[Cell]] = []
        for cell in line:
            same_group = next((group for group in groups if have_same_runs(group[0], cell)), None)
            if same_group:
                same_group.append(cell)
            else:
                groups.append([cell])
        dataset, _, option = panel
        where = condition_title(cells, (dataset, noise, rate))
        for group in groups:
            if len(group) > 1:
                values = [cell.settings[option] for cell in group]
                line_texts.append(f"{option} {', '.join(values[:-1])} and {values[-1]} ({where})")
    if not line_texts:
        return []
    return [
        f"These values gave the same runs, number for number, so they change nothing here: {'; '.join(line_texts)}."
    ]


def have_same_runs(first_cell: Cell, second_cell: Cell) -> bool:
    """Whether two points have seeds in common, and the same results and curves in each of them."""
    first_runs, second_runs = (
        {record_seed(record): (record["metrics"], record["history"]) for record in cell.records}
        for cell in (first_cell, second_cell)
    )
    shared_seeds = first_runs.keys() & second_runs.keys()
    return bool(shared_seeds) and all(first_runs[seed] == second_runs[seed] for seed in shared_seeds)


def describe_marks(cells: list[Cell]) -> str:
    """'; vertical lines: the published value and the chosen one', or nothing."""
    words = {"published": "the published value", "scale": "the value of the scale's recipe", "chosen": "the chosen one"}
    marks = unique_texts(mark for cell in cells for mark in cell.marks)
    return f"; vertical lines: {' and '.join(words[mark] for mark in marks)}" if marks else ""


def method_title(cells: list[Cell], method: str) -> str:
    """A method as its records name it, else as the paper does."""
    records = [record for cell in cells if cell.method == method for record in cell.records]
    return str(records[0]["resolved"]["method_title"]) if records else METHODS.get(method, method)


def sweep_fact(cell: Cell, rule: str, options: Options) -> dict[str, Any]:
    """One point, for CSV."""
    option, value = swept_value(cell) or ("", "")
    of_point = {"option": option, "value": value, "rule": rule, "metric": options.metric}
    return pick_columns(COLUMNS, cell_facts(cell), of_point, {mark: cell.marks.get(mark, "") for mark in MARKS})


def draw_sweep(cells: list[Cell], note: str, options: Options = DEFAULTS) -> Any:
    """The figure: panels of one method and option below each other, one a data set."""
    panels = group_by(cells, panel_of)
    datasets = list(dict.fromkeys(dataset for dataset, *_ in panels)) or [""]
    columns = list(dict.fromkeys(tuple(place) for _, *place in panels)) or [("", "")]
    several = len({method for method, _ in columns}) > 1
    narrow = options.column_width is not None  # a column of a paper: panels below each other
    across = min(len(columns), max(1, int(options.column_width / 1.7))) if narrow else len(columns)
    lines = -(-len(columns) // across)  # of panels, a data set
    width, height = (options.column_width, 2.2) if narrow else (3.1 * len(columns) + 0.6, 2.7)
    made = new_figure(width, height * len(datasets) * lines + 0.7)
    grid = made.subplots(len(datasets) * lines, across, squeeze=False)
    levels = dict(zip(dict.fromkeys((cell.noise, cell.rate) for cell in cells), cycle(STYLES)))
    for row, dataset in enumerate(datasets):
        for column, (method, option) in enumerate(columns):
            line, place = divmod(column, across)
            axes = grid[row * lines + line][place]
            draw_sweep_panel(axes, panels.get((dataset, method, option), []), levels)
            prefix = f"{method_title(cells, method)}: " if several else ""
            axes.set_xlabel(escape_dollars(prefix + SYMBOLS.get(option, option)), fontsize=7.5 if narrow else 9)
            between = "\n" if narrow else ": "
            named = f"{escape_dollars(dataset_title(cells, dataset))}{between}{METRICS[options.metric].axis}"
            axes.set_ylabel(named if place == 0 else "")
    for axes in grid.flat:
        axes.set_visible(axes.has_data() or bool(axes.texts))
    legends = [axes.get_legend_handles_labels() for axes in grid.flat]
    drawn = {label: line for handles, labels in legends for line, label in zip(handles, labels)}
    if drawn:
        ncols = across if narrow else len(drawn)
        made.legend(drawn.values(), drawn.keys(), loc="outside upper center", ncols=ncols, frameon=False)
    if not narrow:  # a paper has the words in its caption
        made.supxlabel(textwrap.fill(keep_units(note), 50 * len(columns)), fontsize=7, color=SOFT)
    return made


def panel_of(cell: Cell) -> tuple[str, str, str]:
    """Data set, method, option."""
    option, _ = swept_value(cell) or ("", "")
    return cell.dataset, cell.method, option


def draw_sweep_panel(axes: Any, cells: list[Cell], levels: dict[tuple[str, str | None], tuple]) -> None:
    """Accuracy against one option; levels: the style of each noise level, the same in all panels."""
    measured = [cell for cell in cells if cell.values]
    if not measured:
        axes.text(0.5, 0.5, "no runs yet", ha="center", color=SOFT, transform=axes.transAxes)
        axes.set_xticks([]), axes.set_yticks([])
        return
    values, marks = [cell.settings[option] for cell in measured for option in cell.settings], measured[0].marks
    axis = place_values([*values, *marks.values()])
    for (noise, rate), (colour, dash, marker) in levels.items():
        line = sorted(
            (axis.places[value], cell.mean, cell.half_width or 0.0)
            for cell, value in zip(measured, values)
            if (cell.noise, cell.rate) == (noise, rate)
        )
        if not line:
            continue
        x, mean, std = np.array(line).T
        look = {"color": colour, "marker": marker, "markersize": 4.5, "label": escape_dollars(noise_text(noise, rate))}
        if axis.names:  # nothing lies between two words
            axes.errorbar(x, mean, std, linestyle="none", capsize=2, **look)
            continue
        draw_band(axes, x, mean, std, alpha=0.15, linestyle=dash, **look)
    for mark, value in marks.items():
        draw_mark(axes, mark, axis.places[value])
    set_ticks(axes, axis, {axis.places[value] for value in values})


def draw_mark(axes: Any, mark: str, x: float) -> None:
    """A vertical line at a marked value, and its name above the panel."""
    dashes, height = MARKS[mark]
    axes.axvline(x, color=SOFT, linewidth=0.8, linestyle=(0, dashes), zorder=0)
    place = {"xycoords": ("data", "axes fraction"), "ha": "center", "va": "bottom", "fontsize": 6.5, "color": SOFT}
    axes.annotate("the scale's" if mark == "scale" else mark, (x, height), **place)


def set_ticks(axes: Any, axis: Axis, ticks: set[float]) -> None:
    """A tick at each value that was measured."""
    if axis.names:
        axes.set_xticks(range(len(axis.names)), [textwrap.fill(escape_dollars(name), 14) for name in axis.names])
        axes.set_xlim(-0.5, len(axis.names) - 0.5)
        return
    if axis.is_log:
        axes.set_xscale("log")
    axes.set_xticks(sorted(ticks), [f"{tick:g}" for tick in sorted(ticks)])
    axes.minorticks_off()
