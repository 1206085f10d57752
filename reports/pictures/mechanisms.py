"""Does each method do what it is? The curves that methods declare, over epochs: a row a curve, a column a data set."""

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np

from reports.asked import Asked, Options, output_stem
from reports.captions import UNMEASURED, dataset_title, describe_foundation, noise_text, runs_text, unique_texts
from reports.cells import Cell, read_cells
from reports.facts import cell_facts, mean_and_std, pick_columns
from reports.mechanisms import MechanismCurve, idle_notes, lacking_curves, read_curves
from reports.notes import against_note, few_note, list_gaps
from reports.pictures.drawing import INK, SOFT, Drawing, add_panel, draw_band, epoch_ticks, escape_dollars, new_figure
from reports.pictures.lines import name_ends
from reports.statistics import band_widths
from results.records import Records

PANEL, HIGH, LEFT, RIGHT, ABOVE, TOP, BOTTOM = 2.5, 1.25, 0.55, 0.75, 0.68, 0.45, 0.45  # inches
COLUMNS = "method row dataset noise rate curve title n asked epoch mean std idle_low idle_high idles ids"
# Light to dark with the rate, so that lines stay apart in grey.
COLOURS = ("#e69f00", "#d55e00", "#7a2a1d", "#0072b2", "#009e73", "#222222")
Condition = tuple[str, str | None]  # kind of noise, and its rate


def mechanisms_figure(asked: Asked, records: Records, options: Options) -> Drawing:
    """A panel a declared curve and data set, a line a rate of noise; raises ReportError."""
    cells = read_cells(asked, records, asked.rule(options))
    curves = [curve for cell in cells for curve in read_curves(cell)]
    shown = [cell for cell in cells if any(curve.cell is cell for curve in curves)]
    drawn = "lines: means over seeds at each rate of noise, bands: one sample standard deviation; " + runs_text(shown)
    caption = (
        "What shows each method's idea at work, epoch by epoch; shaded: values at which the idea does nothing; "
        f"{drawn}."
    )
    return Drawing(
        name=output_stem(asked),
        title=asked.heading,
        caption=caption if curves else UNMEASURED,
        heading=drawn if curves else UNMEASURED,
        render=lambda: draw_mechanisms(curves),
        gaps=list_gaps(cells),
        notes=[*idle_notes(shown), *few_note(shown), *lacking_note(cells), *against_note(shown)],
        stands_on=describe_foundation(shown),
        facts=[fact for curve in curves for fact in curve_facts(curve)],
    )


def lacking_note(cells: Sequence[Cell]) -> list[str]:
    """Curves that are declared and that the records do not hold."""
    lacking = unique_texts(f"{cell.title} ({title})" for cell in cells for title in lacking_curves(cell))
    return [f"Not in these records, which were made before it was kept: {', '.join(lacking)}."] if lacking else []


def curve_facts(curve: MechanismCurve) -> list[dict[str, Any]]:
    """A row an epoch, and one of the last half by which it is said whether the curve idles, for CSV."""
    low, high = curve.idle if curve.idle is not None else ("", "")
    common = cell_facts(curve.cell) | {"curve": curve.name, "title": curve.title, "idle_low": low, "idle_high": high}
    half = curve.epochs // 2
    late = curve.values[:, half:].mean(1)
    idles = "" if curve.idle is None else "yes" if curve.idles else "no"
    rows = [(number, values, "", "") for number, values in enumerate(curve.values.T, 1)]
    return [
        pick_columns(COLUMNS, common, {"epoch": epochs, "idles": said, "ids": ids}, mean_and_std(values))
        for epochs, values, said, ids in [*rows, (f"{half + 1}-{curve.epochs}", late, idles, curve.cell.id_text)]
    ]


def draw_mechanisms(curves: list[MechanismCurve]) -> Any:
    """Rows of panels; above each row the method and its curve, above each panel its data set."""
    rows = list(dict.fromkeys((curve.cell.title, curve.name, curve.title) for curve in curves))
    datasets = unique_texts(curve.cell.dataset for curve in curves)
    conditions = list(dict.fromkeys((curve.cell.noise, curve.cell.rate) for curve in curves))
    colours = {condition: COLOURS[number % len(COLOURS)] for number, condition in enumerate(conditions)}
    width = max(LEFT + (PANEL + RIGHT) * len(datasets), 5.5)
    made = new_figure(width, TOP + BOTTOM + max(1, len(rows)) * (HIGH + ABOVE), layout="none")
    height = made.get_size_inches()[1]
    for row, (method, name, curve_title) in enumerate(rows):
        bottom = height - TOP - (row + 1) * (HIGH + ABOVE)
        of_row = [curve for curve in curves if (curve.cell.title, curve.name) == (method, name)]
        above = escape_dollars(f"{method}: {curve_title}")
        place = {"fontsize": 8.5, "fontweight": "bold", "color": INK, "va": "bottom"}
        made.text(0.1 / width, (bottom + HIGH + 0.2) / height, textwrap.shorten(above, 110, placeholder="…"), **place)
        for column, dataset in enumerate(datasets):
            here = [curve for curve in of_row if curve.cell.dataset == dataset]
            axes = add_panel(made, LEFT + column * (PANEL + RIGHT), bottom, PANEL, HIGH)
            draw_mechanism_panel(axes, here, curve_limits(of_row), colours)
            axes.set_title(
                escape_dollars(dataset_title([curve.cell for curve in curves], dataset)), fontsize=8, loc="left", pad=3
            )
            axes.set_xlabel("epoch" if row == len(rows) - 1 else "", fontsize=8)
    return made


def curve_limits(curves: list[MechanismCurve]) -> tuple[float, float]:
    """Of a row's panels: from 0, where nothing is below, to what is measured, and far enough to show where it idles."""
    means = [curve.values.mean(0) for curve in curves]
    low, high = min(float(mean.min()) for mean in means), max(float(mean.max()) for mean in means)
    low = min(low, 0.0) if low > -0.1 * abs(high) else low - 0.1 * (high - low)
    idle = curves[0].idle
    if idle is not None:
        edge = idle[0] if idle[0] > low else idle[1]
        high = max(high, 1.2 * edge)
    high += 0.08 * (high - low or 1.0)
    return low, min(high, 102.0) if curves[0].is_share else high


def draw_mechanism_panel(
    axes: Any, curves: list[MechanismCurve], bounds: tuple[float, float], colours: dict[Condition, str]
) -> None:
    """One curve on one data set, a line a rate named at its end; the values at which the idea idles are shaded."""
    axes.set_ylim(*bounds)
    axes.tick_params(labelsize=8)
    axes.grid(axis="y", color="#eeeeee", linewidth=0.6)
    if not curves:
        axes.text(0.5, 0.5, "not measured", ha="center", color=SOFT, fontsize=8, transform=axes.transAxes)
        axes.set_xticks([])
        return
    last = max(curve.epochs for curve in curves)
    axes.set_xlim(0.5, last + 0.03 * last)
    axes.set_xticks(epoch_ticks(last))
    if curves[0].idle is not None:
        low, high = max(curves[0].idle[0], bounds[0]), min(curves[0].idle[1], bounds[1])
        axes.axhspan(low, high, color=SOFT, alpha=0.18, linewidth=0, label="idle")
        axes.set_title("shaded: idle", fontsize=7, color=SOFT, loc="right", pad=3)
    ends = []
    for curve in curves:
        mean = curve.values.mean(0)
        band = band_widths(curve.values, "sd")
        colour = colours[curve.cell.noise, curve.cell.rate]
        label = escape_dollars(noise_text(curve.cell.noise, curve.cell.rate))
        draw_band(
            axes, np.arange(1, curve.epochs + 1), mean, band, alpha=0.18, color=colour, linewidth=1.4, label=label
        )
        ends.append((line_name(curve, curves), colour, float(curve.epochs), float(mean[-1])))
    name_ends(axes, ends, 72 * HIGH)


def line_name(curve: MechanismCurve, beside: list[MechanismCurve]) -> str:
    """'30 %'; with the kind of noise where lines beside it are of another."""
    cell = curve.cell
    if len({other.cell.noise for other in beside}) > 1 or cell.rate is None:
        return noise_text(cell.noise, cell.rate)
    return f"{100 * float(cell.rate):g} %"
