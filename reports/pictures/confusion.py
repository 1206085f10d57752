"""Which classes are taken for which: a matrix a method, rows = true classes."""

from typing import Any

import numpy as np

from reports.asked import Asked, Options, output_stem
from reports.captions import UNMEASURED, dataset_title, describe_foundation, noise_text, runs_text
from reports.cells import Cell, group_by, read_cells
from reports.confusion import Confusion, read_confusions
from reports.facts import cell_facts, mean_and_std, pick_columns
from reports.notes import against_note, list_gaps
from reports.pictures.drawing import INK, SOFT, Drawing, add_panel, escape_dollars, new_figure
from results.records import Records

PANEL, LEFT, ABOVE, BELOW, BETWEEN, TOP, ACROSS = 1.9, 0.95, 0.3, 0.8, 0.12, 0.5, 5  # inches, and panels in a row
LEAST_PANEL = 1.15  # inches, in a column of a paper
COLUMNS = "method row dataset noise rate n asked true_class predicted_class images mean std"
WORDS = (
    "per cent of the test images of each true class (rows) by predicted class (columns), last epoch, mean over seeds"
)


def confusion_figure(asked: Asked, records: Records, options: Options) -> Drawing:
    """Rows of panels a data set and noise, a panel a method."""
    cells = read_cells(asked, records, "last")
    confusions, lacking = read_confusions(cells)
    heading_text = f"{WORDS}; {runs_text(cells)}"
    return Drawing(
        name=output_stem(asked),
        title=asked.heading,
        caption=f"{heading_text[:1].upper()}{heading_text[1:]}." if confusions else UNMEASURED,
        heading=heading_text,
        render=lambda: draw_confusions(confusions, cells, options),
        gaps=list_gaps(cells),
        notes=[*lacking, *against_note(cells)],
        stands_on=describe_foundation(cells),
        facts=[fact for confusion in confusions for fact in confusion_facts(confusion)],
        column_width=options.column_width,
    )


def confusion_facts(confusion: Confusion) -> list[dict[str, Any]]:
    """One row a pair of classes, for CSV."""
    common = cell_facts(confusion.cell)
    shares = confusion.shares
    return [
        pick_columns(
            COLUMNS,
            common,
            {"true_class": true, "predicted_class": predicted, "images": int(confusion.images[row])},
            mean_and_std(shares[:, row, column]),
        )
        for row, true in enumerate(confusion.classes)
        for column, predicted in enumerate(confusion.classes)
    ]


def draw_confusions(confusions: list[Confusion], cells: list[Cell], options: Options) -> Any:
    groups = group_by(confusions, lambda confusion: confusion.cell.condition)
    most_panels = max(map(len, groups.values()), default=1)
    column_width = options.column_width
    if column_width is None:
        across = min(ACROSS, most_panels)
        panel = PANEL
        top = TOP
        below = BELOW
    else:  # a paper has the words in its caption
        across = min(most_panels, max(1, int((column_width - LEFT) / LEAST_PANEL)))
        top = 0.1
        below = 0.6
        panel = (column_width - LEFT) / across - BETWEEN
    lines = [(key, group[at : at + across]) for key, group in groups.items() for at in range(0, len(group), across)]
    step = panel + ABOVE + below
    figure = new_figure(LEFT + across * (panel + BETWEEN), top + max(1, len(lines)) * step, layout="none")
    height = figure.get_size_inches()[1]
    for number, (key, group) in enumerate(lines):
        bottom = height - top - (number + 1) * step + below
        for column, confusion in enumerate(group):
            axes = add_panel(figure, LEFT + column * (panel + BETWEEN), bottom, panel, panel)
            draw_matrix(axes, confusion, panel, with_names=column == 0)
            if column == 0:
                condition = f"{escape_dollars(dataset_title(cells, key[0]))}\n{escape_dollars(noise_text(*key[1:]))}"
                axes.set_ylabel(condition, fontsize=7)
    if not lines:
        figure.text(0.5, 0.5, "no runs yet", ha="center", color=SOFT)
    return figure


def draw_matrix(axes: Any, confusion: Confusion, panel: float, with_names: bool) -> None:
    """Shares as colours and as whole numbers."""
    mean = confusion.shares.mean(0)
    class_count = len(confusion.classes)
    letter_size = min(7.0, 38 * panel / class_count)
    axes.imshow(mean, cmap="Blues", vmin=0, vmax=100, aspect="equal")
    for row, column in np.argwhere(mean >= 0.5):
        text_colour = "white" if mean[row, column] > 55 else INK
        axes.text(
            column, row, f"{mean[row, column]:.0f}", ha="center", va="center", fontsize=letter_size, color=text_colour
        )
    names = [escape_dollars(name) for name in confusion.classes]
    axes.set_xticks(range(class_count), names, rotation=90, fontsize=letter_size)
    axes.set_yticks(range(class_count), names if with_names else [""] * class_count, fontsize=letter_size)
    axes.tick_params(length=0, pad=2)
    axes.set_title(escape_dollars(confusion.cell.title), fontsize=8, loc="left", pad=3)
    for side in axes.spines.values():
        side.set(visible=True, color=SOFT, linewidth=0.5)
