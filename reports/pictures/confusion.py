"""Which classes are taken for which: a matrix a method, rows = true classes."""

from typing import Any

import numpy as np

from reports.asked import Asked, Options, output_stem
from reports.captions import UNMEASURED, dataset_title, describe_foundation, noise_text, scale_text, seeds_text
from reports.cells import Cell, read_cells
from reports.confusion import Confusion, describe_cell, mean_and_std, read_confusions
from reports.notes import against_note, list_gaps
from reports.pictures.drawing import INK, SOFT, Drawing, escape_dollars, new_figure
from reports.pictures.lines import draw_heading
from results.records import Records

PANEL, LEFT, ABOVE, BELOW, BETWEEN, TOP, ACROSS = 1.9, 0.95, 0.3, 0.8, 0.12, 0.5, 5  # inches, and panels in a row
LEAST_PANEL = 1.15  # inches, in a column of a paper
WORDS = (
    "per cent of the test images of each true class (rows) by predicted class (columns), last epoch, mean over seeds"
)


def confusion_figure(asked: Asked, records: Records, options: Options) -> Drawing:
    """Rows of panels a data set and noise, a panel a method."""
    cells = read_cells(asked, records, "last")
    confusions, lacking = read_confusions(cells)
    words = f"{WORDS}; {seeds_text(cells)}; {scale_text(cells)}"
    return Drawing(
        name=output_stem(asked),
        title=asked.heading,
        caption=f"{words[:1].upper()}{words[1:]}." if confusions else UNMEASURED,
        render=lambda: draw_confusions(asked.heading, words, confusions, cells, options),
        gaps=list_gaps(cells),
        notes=[*lacking, *against_note(cells)],
        stands_on=describe_foundation(cells),
        facts=[fact for one in confusions for fact in confusion_facts(one)],
        column_width=options.column_width,
    )


def confusion_facts(one: Confusion) -> list[dict[str, Any]]:
    """One row a pair of classes, for CSV."""
    shares, size = one.shares, one.images
    return [
        {**describe_cell(one), "true_class": true, "predicted_class": predicted, "images": int(size[row])}
        | mean_and_std(shares[:, row, column])
        for row, true in enumerate(one.classes)
        for column, predicted in enumerate(one.classes)
    ]


def draw_confusions(title: str, words: str, confusions: list[Confusion], cells: list[Cell], options: Options) -> Any:
    groups: dict[tuple[str, str, str | None], list[Confusion]] = {}
    for one in confusions:
        groups.setdefault((one.cell.dataset, one.cell.noise, one.cell.rate), []).append(one)
    most, wide = max(map(len, groups.values()), default=1), options.column_width
    if wide is None:
        across, panel, top, below = min(ACROSS, most), PANEL, TOP, BELOW
    else:  # a paper has the words in its caption
        across, top, below = min(most, max(1, int((wide - LEFT) / LEAST_PANEL))), 0.1, 0.6
        panel = (wide - LEFT) / across - BETWEEN
    lines = [(key, group[at : at + across]) for key, group in groups.items() for at in range(0, len(group), across)]
    step = panel + ABOVE + below
    made = new_figure(LEFT + across * (panel + BETWEEN), top + max(1, len(lines)) * step, layout="none")
    width, height = made.get_size_inches()
    for number, (key, group) in enumerate(lines):
        bottom = height - top - (number + 1) * step + below
        for column, one in enumerate(group):
            left = LEFT + column * (panel + BETWEEN)
            axes = made.add_axes((left / width, bottom / height, panel / width, panel / height))
            draw_matrix(axes, one, panel, with_names=column == 0)
            if column == 0:
                place = f"{escape_dollars(dataset_title(cells, key[0]))}\n{escape_dollars(noise_text(*key[1:]))}"
                axes.set_ylabel(place, fontsize=7)
    if not lines:
        made.text(0.5, 0.5, "no runs yet", ha="center", color=SOFT)
    if wide is None:
        draw_heading(made, title, words)
    return made


def draw_matrix(axes: Any, one: Confusion, panel: float, with_names: bool) -> None:
    """Shares as colours and as whole numbers."""
    mean, many = one.shares.mean(0), len(one.classes)
    letters = min(7.0, 38 * panel / many)
    axes.imshow(mean, cmap="Blues", vmin=0, vmax=100, aspect="equal")
    for row, column in np.argwhere(mean >= 0.5):
        ink = "white" if mean[row, column] > 55 else INK
        axes.text(column, row, f"{mean[row, column]:.0f}", ha="center", va="center", fontsize=letters, color=ink)
    names = [escape_dollars(name) for name in one.classes]
    axes.set_xticks(range(many), names, rotation=90, fontsize=letters)
    axes.set_yticks(range(many), names if with_names else [""] * many, fontsize=letters)
    axes.tick_params(length=0, pad=2)
    axes.set_title(escape_dollars(one.cell.title), fontsize=8, loc="left", pad=3)
    for side in axes.spines.values():
        side.set(visible=True, color=SOFT, linewidth=0.5)
