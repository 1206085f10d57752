"""Accuracy class by class: what the mean over all images hides."""

from typing import Any

import numpy as np

from reports.asked import Asked, Options, output_stem
from reports.captions import UNMEASURED, condition_title, describe_foundation, runs_text
from reports.cells import group_by, read_cells
from reports.confusion import Confusion, read_confusions
from reports.facts import cell_facts, mean_and_std, pick_columns
from reports.notes import against_note, failure_notes, list_gaps
from reports.table import Block, Entry, Table
from results.records import Records

COLUMNS = "method row dataset noise rate n asked class images mean std ids"


def classes_table(asked: Asked, records: Records, options: Options) -> Table:
    """A block a data set and noise, a row a method, a column a class."""
    cells = read_cells(asked, records, "last", Options(decimals=options.decimals))
    confusions, lacking = read_confusions(cells)
    blocks = []
    for condition, confusions_here in group_by(confusions, lambda confusion: confusion.cell.condition).items():
        first = confusions_here[0]
        class_titles = [f"{name} ({images})" for name, images in zip(first.classes, first.images, strict=True)]
        rows = [class_row(confusion, options.decimals) for confusion in confusions_here]
        blocks.append(Block(condition_title(cells, condition), ["Method", *class_titles, "mean"], rows))
    return Table(
        name=output_stem(asked),
        title=asked.heading,
        caption=(
            f"Accuracy of each class in per cent, last epoch, mean over seeds; in brackets: test images; mean: of the "
            f"classes; {runs_text(cells)}."
            if confusions
            else UNMEASURED
        ),
        blocks=blocks,
        notes=[*lacking, *against_note(cells), *failure_notes(cells)],
        stands_on=describe_foundation(cells),
        header=tuple(COLUMNS.split()),
        facts=[fact for confusion in confusions for fact in class_facts(confusion)],
        gaps=list_gaps(cells),
    )


def class_row(confusion: Confusion, decimals: int) -> list[Entry]:
    means = [float(values.mean()) for values in confusion.of_class.T]
    mean_of_classes = float(np.nanmean(means))
    entries = [Entry("–") if np.isnan(mean) else Entry(f"{mean:.{decimals}f}", sort=mean) for mean in means]
    return [Entry(confusion.cell.title), *entries, Entry(f"{mean_of_classes:.{decimals}f}", sort=mean_of_classes)]


def class_facts(confusion: Confusion) -> list[dict[str, Any]]:
    """One row a class, for CSV."""
    common = cell_facts(confusion.cell)
    return [
        pick_columns(COLUMNS, common, {"class": name, "images": int(images)}, mean_and_std(values))
        for name, images, values in zip(confusion.classes, confusion.images, confusion.of_class.T, strict=True)
    ]
