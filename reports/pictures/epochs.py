"""Accuracy over epochs with the three rules marked: what each of them would report, a small panel a method."""

import textwrap
from dataclasses import dataclass
from typing import Any

import numpy as np

from reports.asked import Options
from reports.captions import dataset_title, describe_foundation, lines_text, noise_text, runs_text
from reports.cells import Cell, group_by
from reports.facts import cell_facts, mean_and_std, pick_columns
from reports.metrics import METRICS, metric_by_rule
from reports.notes import against_note, few_note
from reports.pictures.drawing import INK, SOFT, Drawing, add_panel, epoch_ticks, escape_dollars, new_figure
from reports.statistics import band_widths, sample_std
from results.schema import LAST_EPOCHS, record_seed

PANEL, HIGH, LEFT, BETWEEN, ABOVE, TOP, BOTTOM = 1.68, 1.55, 0.75, 0.12, 0.54, 0.36, 0.45  # inches
WORDS = 0.42  # share of a panel's height that is kept for what the rules report
ACROSS = 5  # panels in a row
NARROW, NARROW_LEFT = 1.25, 0.62  # inches: least width and the height of a panel in a column of a paper, and left of it
COLUMNS = "method row dataset noise rate n asked epoch rule mean std ids metric"
MARKS = (("best", "★ best on test", "#d55e00"), ("last5", "━ last five", "#0072b2"), ("last", "● last", INK))


@dataclass(frozen=True)
class Course:
    """One cell's metric epoch by epoch."""

    cell: Cell
    values: np.ndarray  # [seeds, epochs] per cent
    rules: dict[str, np.ndarray]  # {rule: [seeds]} what each rule reports
    best_epochs: np.ndarray  # [seeds]

    @property
    def epochs(self) -> int:
        return self.values.shape[1]


def read_course(cell: Cell, metric: str) -> Course | None:
    """None where its records do not keep the metric after each epoch, or for different numbers of epochs."""
    curves = [cell.curves.get(record_seed(record)) for record in cell.records]
    if not curves or any(one is None or len(one) < 2 for one in curves) or len({len(one) for one in curves}) > 1:
        return None
    pairs = list(zip(cell.records, np.array(curves), strict=True))
    rules = {
        rule: 100 * np.array([metric_by_rule(record, rule, metric, curve / 100) for record, curve in pairs], float)
        for rule, *_ in MARKS
    }
    best = [
        record["metrics"].get("best_epoch") or 0 if metric == "accuracy" else curve.argmax() + 1
        for record, curve in pairs
    ]
    return Course(cell, np.array(curves), rules, np.array(best, float))


def epochs_picture(stem: str, cells: list[Cell], options: Options) -> Drawing | None:
    """Of one kind of noise at its highest rate with runs; None where no row has a history."""
    highest = max((cell.rate for cell in cells if cell.values), key=lambda rate: float(rate or 0))
    cells_here = [cell for cell in cells if cell.rate == highest]
    courses = [course for cell in cells_here if (course := read_course(cell, options.metric))]
    if not courses:
        return None
    shown = [one.cell for one in courses]
    metric, name = METRICS[options.metric], METRICS[options.metric].title.lower()
    title = f"What each rule of accuracy reports: {noise_text(shown[0].noise, highest)}"
    words = f"test {name} by epoch; {lines_text(options)}; {runs_text(shown)}"
    words += "; thin grey line: the baseline" if any(baseline_course(courses, one) for one in courses) else ""
    lacking = [cell.where for cell in cells_here if not any(cell is other for other in shown)]
    return Drawing(
        name=f"{stem}_epochs",
        title=title,
        caption=(
            f"{metric.caption} in per cent after each epoch; marks: what the best epoch on the test set, the mean of the "
            f"last five epochs and the last epoch report; {lines_text(options)}; {runs_text(shown)}."
        ),
        heading=words,
        render=lambda: draw_epochs(courses, options),
        column_width=options.column_width,
        notes=[
            *few_note(shown),
            *([f"Without a history of test {name}: {'; '.join(lacking)}."] if lacking else []),
            *against_note(shown),
        ],
        stands_on=[
            "Best on test: each seed's own best epoch, so that its mean lies above the line; it stands at the mean of those "
            "epochs.",
            *describe_foundation(shown),
        ],
        facts=[fact for one in courses for fact in course_facts(one, options.metric)],
    )


def course_facts(one: Course, metric: str) -> list[dict[str, Any]]:
    """A row an epoch and a row a rule, for CSV."""
    common = cell_facts(one.cell) | {"metric": metric}
    places = {
        "best": float(one.best_epochs.mean()),
        "last": one.epochs,
        "last5": f"{max(1, one.epochs - LAST_EPOCHS + 1)} to {one.epochs}",
    }
    rows = [(number, "", values, "") for number, values in enumerate(one.values.T, 1)]
    rows += [(places[rule], rule, one.rules[rule], one.cell.id_text) for rule, *_ in MARKS]
    return [
        pick_columns(COLUMNS, common, {"epoch": epoch, "rule": rule, "ids": ids}, mean_and_std(values))
        for epoch, rule, values, ids in rows
    ]


def draw_epochs(courses: list[Course], options: Options) -> Any:
    """Rows of panels a data set, a panel a method; the baseline's line is faint in all of them."""
    parts = group_by(courses, lambda one: one.cell.dataset)
    wide, most = options.column_width, max(map(len, parts.values()))
    across = min(ACROSS, most) if wide is None else min(most, max(1, int((wide - NARROW_LEFT) / NARROW)))
    lines = [(name, part[at : at + across]) for name, part in parts.items() for at in range(0, len(part), across)]
    if wide is None:
        left_edge, panel, tall, top = LEFT, PANEL, HIGH, TOP
        width = max(LEFT + across * (PANEL + BETWEEN), 4.6)
    else:  # a paper has the words in its caption
        left_edge, width, tall, top = NARROW_LEFT, wide, NARROW, 0.0
        panel = (width - left_edge) / across - BETWEEN
    made = new_figure(width, top + BOTTOM + len(lines) * (tall + ABOVE), layout="none")
    height = made.get_size_inches()[1]
    for line, (name, part) in enumerate(lines):
        low, high = accuracy_limits(parts[name])
        for column, one in enumerate(part):
            left, bottom = left_edge + column * (panel + BETWEEN), height - top - (line + 1) * (tall + ABOVE)
            axes = add_panel(made, left, bottom, panel, tall)
            axes.set_ylim(low, high)
            draw_epochs_panel(axes, one, baseline_course(courses, one), options)
            long = len(one.cell.title) > 13 * panel
            above = textwrap.fill(
                textwrap.shorten(escape_dollars(one.cell.title), 60, placeholder="…"), int(15.5 * panel)
            )
            axes.set_title(above, fontsize=8 if long else 9.5, loc="left", pad=3)
            axes.tick_params(labelsize=8.5, labelleft=column == 0)
            axes.set_xlabel("epoch" if line == len(lines) - 1 else "", fontsize=9)
            if column == 0:
                axes.set_ylabel(
                    f"{escape_dollars(dataset_title([one.cell], name))}\n{METRICS[options.metric].axis}",
                    fontsize=9 if wide is None else 8,
                )
    return made


def baseline_course(courses: list[Course], beside: Course) -> Course | None:
    """The baseline's course on the same data set."""
    found = (one for one in courses if one.cell.method == "baseline" and not one.cell.label)
    return next((one for one in found if one is not beside and one.cell.dataset == beside.cell.dataset), None)


def accuracy_limits(courses: list[Course]) -> tuple[float, float]:
    """Of a data set's panels; the first quarter of the epochs may leave them."""
    high = max(float(one.rules["best"].mean() + (sample_std(one.rules["best"]) or 0)) for one in courses)
    later = [one.values.mean(0)[one.epochs // 4 :] for one in courses]
    low = min(high - 1, *(float(mean.min()) for mean in later))
    return high - (high - low) / (1 - WORDS), high + 0.04 * (high - low)


def draw_epochs_panel(axes: Any, one: Course, beside: Course | None, options: Options) -> None:
    at, mean = np.arange(1, one.epochs + 1), one.values.mean(0)
    band = band_widths(one.values, options.spread)
    if beside is not None:
        axes.plot(np.arange(1, beside.epochs + 1), beside.values.mean(0), color="#bbbbbb", linewidth=1, zorder=1)
    axes.fill_between(at, mean - band, mean + band, color=SOFT, alpha=0.25, linewidth=0)
    axes.plot(at, mean, color=INK, linewidth=1.3, zorder=2)
    means = {rule: float(values.mean()) for rule, values in one.rules.items()}
    places = {"best": one.best_epochs.mean(), "last": one.epochs}
    colours = {rule: colour for rule, _, colour in MARKS}
    five = [max(1, one.epochs - LAST_EPOCHS + 1) - 0.4, one.epochs + 0.4]
    axes.plot(five, [means["last5"]] * 2, color=colours["last5"], linewidth=3, solid_capstyle="butt", zorder=3)
    for rule, marker, size in (("best", "*", 9), ("last", "o", 5)):
        look = {"color": colours[rule], "marker": marker, "markersize": size, "markeredgecolor": "white"}
        axes.plot([places[rule]], [means[rule]], zorder=4, clip_on=False, linestyle="none", **look)
    size = 8.5 if options.column_width is None else 7
    for step, (rule, words, colour) in enumerate(reversed(MARKS)):
        place = {"xycoords": "axes fraction", "xytext": (0, (size + 1.5) * step), "textcoords": "offset points"}
        text = f"{words}  {means[rule]:.{options.decimals}f}"
        axes.annotate(text, (0.99, 0.03), ha="right", fontsize=size, color=colour, **place)
    axes.set_xticks(epoch_ticks(one.epochs))
    axes.set_xlim(0.3, one.epochs + 0.7)
    axes.grid(axis="y", color="#eeeeee", linewidth=0.6)
    axes.spines[["left", "bottom"]].set_color(SOFT)
