"""Figures: accuracy against a parameter (Figure 1, tau, omega)."""

import textwrap
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import numpy as np

from reports.asked import Asked, Options, stem
from reports.captions import accuracy_caption, dataset_title, foundation, lines_text, noise_text, unique
from reports.cells import Cell, parameter_value, read_cells
from reports.metrics import METRICS
from reports.notes import against_note, gaps
from reports.pictures.drawing import SOFT, Drawing, new_figure, plain
from results.published import METHODS
from results.records import Records

# Dark to light, so that lines stay apart in grey; dashes and markers tell them apart once more.
STYLES = (("#123a6b", "-", "o"), ("#b3471b", "--", "s"), ("#7a9a3a", ":", "^"), ("#8a6fae", "-.", "D"))


@dataclass(frozen=True)
class Parameter:
    """An axis: the supplement's symbol, what it is here, the published value, and whether the axis is logarithmic."""

    symbol: str
    words: str
    published: float
    mark: str
    log: bool = False


PARAMETERS = {
    "confidence": Parameter("δ", "confidence threshold", 0.7, "published default"),
    "landmark_weight": Parameter("α", "weight of the landmark loss (assumed)", 1.0, "published default", log=True),
    "contrastive_weight": Parameter(
        "β", "weight of the contrastive loss (assumed)", 0.1, "published default", log=True
    ),
    "temperature": Parameter("τ", "temperature", 0.1, "published best"),
    "label_momentum": Parameter("ω", "momentum of the label distributions", 0.9, "published best"),
}


def sweep_figure(asked: Asked, records: Records, options: Options) -> Drawing:
    """A panel a parameter, a line a noise level, a row of panels a data set."""
    cells = [cell for cell in read_cells(asked, records, asked.rule(options), options) if parameter_value(cell)]
    title, note = asked.heading, asked.note
    few = [f"{c.where}: n = {c.n} of {len(c.ids)}" for c in cells if 0 < c.n < len(c.ids)]
    empty = sum(not c.values for c in cells)
    spread = f"{lines_text(options)}, vertical line: the published value"
    of_method = "".join(f"{name}: " for name in unique(METHODS.get(cell.method, cell.method) for cell in cells))
    caption = f"{of_method}{accuracy_caption(cells, asked.rule(options), options, spread)}."
    notes = [f"Fewer seeds than asked: {'; '.join(few)}."] if few else []
    notes += [f"Not measured yet: {empty} of {len(cells)} points."] if empty else []
    notes += against_note(cells)
    render = lambda: draw_sweep(cells, note, options)  # noqa: E731
    stands_on = [*[note] * bool(note), *foundation(cells)]
    return Drawing(
        stem(asked), title, caption, render, gaps(cells), notes, stands_on, column_width=options.column_width
    )


def draw_sweep(cells: list[Cell], note: str, options: Options | None = None) -> Any:
    options = options or Options()
    datasets = unique(cell.dataset for cell in cells) or [""]
    names = unique(parameter_value(cell)[0] for cell in cells) or [""]
    width, height, across = 3.1 * len(names) + 0.6, 2.7, len(names)
    if options.column_width is not None:
        width, height, across = options.column_width, 2.2, min(len(names), max(1, int(options.column_width / 1.7)))
    lines = -(-len(names) // across)  # of panels, a data set
    made = new_figure(width, height * len(datasets) * lines + 0.7)
    grid = made.subplots(len(datasets) * lines, across, squeeze=False)
    levels = dict(zip(dict.fromkeys((cell.noise, cell.rate) for cell in cells), cycle(STYLES)))
    for row, dataset in enumerate(datasets):
        for column, name in enumerate(names):
            line, place = divmod(column, across)
            axes = grid[row * lines + line][place]
            here = [c for c in cells if c.dataset == dataset and parameter_value(c)[0] == name and c.values]
            draw_panel(axes, name, here, levels)
            between = ": " if options.column_width is None else "\n"
            named = f"{plain(dataset_title(cells, dataset))}{between}{METRICS[options.metric].axis}"
            axes.set_ylabel(named if place == 0 else "")
            axes.xaxis.label.set_size(9 if options.column_width is None else 7.5)
    for axes in grid.flat:
        axes.set_visible(axes.has_data() or bool(axes.texts))
    legends = [axes.get_legend_handles_labels() for axes in grid.flat]
    levels_drawn = {label: line for handles, labels in legends for line, label in zip(handles, labels)}
    if levels_drawn:
        ncols = len(levels_drawn) if options.column_width is None else max(1, int(options.column_width / 1.7))
        made.legend(levels_drawn.values(), levels_drawn.keys(), loc="outside upper center", ncols=ncols, frameon=False)
    if options.column_width is None:  # a paper has the words in its caption
        made.supxlabel(textwrap.fill(note, 50 * len(names)), fontsize=7, color=SOFT)
    return made


def draw_panel(axes: Any, name: str, cells: list[Cell], levels: dict[tuple[str, str | None], tuple]) -> None:
    """Accuracy against one parameter; levels: the style of each noise level, the same in all panels."""
    known = PARAMETERS.get(name, Parameter(plain(name), "", float("nan"), ""))
    axes.set_xlabel(f"{known.symbol}  {known.words}")
    if not cells:
        axes.text(0.5, 0.5, "no runs yet", ha="center", color=SOFT, transform=axes.transAxes)
        axes.set_xticks([]), axes.set_yticks([])
        return
    for (noise, rate), (colour, dash, marker) in levels.items():
        line = sorted(
            (parameter_value(c)[1], c.mean, c.half_width or 0.0) for c in cells if (c.noise, c.rate) == (noise, rate)
        )
        if not line:
            continue
        x, mean, std = np.array(line).T
        axes.plot(x, mean, dash, color=colour, marker=marker, markersize=4.5, label=plain(noise_text(noise, rate)))
        axes.fill_between(x, mean - std, mean + std, color=colour, alpha=0.15, linewidth=0)
    axes.axvline(known.published, color=SOFT, linewidth=0.8, linestyle=(0, (4, 3)), zorder=0)
    place = {"xycoords": ("data", "axes fraction"), "ha": "center", "va": "bottom", "fontsize": 6.5, "color": SOFT}
    axes.annotate(known.mark, (known.published, 1.01), **place)
    ticks = sorted({parameter_value(cell)[1] for cell in cells})
    if known.log and ticks[0] > 0:
        axes.set_xscale("log")
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
