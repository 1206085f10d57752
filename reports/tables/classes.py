"""Accuracy class by class: what the mean over all images hides."""

from typing import Any

import numpy as np

from reports.asked import Asked, Options, output_stem
from reports.captions import UNMEASURED, dataset_title, describe_foundation, noise_text, scale_text, seeds_text
from reports.cells import read_cells
from reports.confusion import Confusion, describe_cell, mean_and_std, read_confusions
from reports.notes import against_note, failure_notes, list_gaps
from reports.table import Block, Entry, Table
from results.records import Records

HEADER = ("method", "row", "dataset", "noise", "rate", "n", "asked", "class", "images", "mean", "std", "ids")


def classes_table(asked: Asked, records: Records, options: Options) -> Table:
    """A block a data set and noise, a row a method, a column a class."""
    cells = read_cells(asked, records, "last", Options(decimals=options.decimals))
    confusions, lacking = read_confusions(cells)
    blocks: dict[str, Block] = {}
    for confusion in confusions:
        cell = confusion.cell
        heading = f"{dataset_title(cells, cell.dataset)}, {noise_text(cell.noise, cell.rate)}"
        columns = ["Method", *map(class_title, confusion.classes, confusion.images), "mean"]
        blocks.setdefault(heading, Block(heading, columns, [])).rows.append(class_row(confusion, options.decimals))
    return Table(
        name=output_stem(asked),
        title=asked.heading,
        caption=(
            f"Accuracy of each class in per cent, last epoch, mean over seeds; in brackets: test images; mean: of the "
            f"classes; {seeds_text(cells)}; {scale_text(cells)}."
            if confusions
            else UNMEASURED
        ),
        blocks=list(blocks.values()),
        notes=[*lacking, *against_note(cells), *failure_notes(cells)],
        stands_on=describe_foundation(cells),
        header=HEADER,
        facts=[fact for confusion in confusions for fact in class_facts(confusion)],
        gaps=list_gaps(cells),
    )


def class_title(name: str, images: int) -> str:
    return f"{name} ({images})"


def class_row(confusion: Confusion, decimals: int) -> list[Entry]:
    means = [float(values.mean()) for values in confusion.of_class.T]
    mean_of_classes = float(np.nanmean(means))
    entries = [Entry("–") if np.isnan(mean) else Entry(f"{mean:.{decimals}f}", sort=mean) for mean in means]
    return [Entry(confusion.cell.title), *entries, Entry(f"{mean_of_classes:.{decimals}f}", sort=mean_of_classes)]


def class_facts(confusion: Confusion) -> list[dict[str, Any]]:
    """One row a class, for CSV."""
    ids = " ".join(record["id"] for record in confusion.cell.records)
    return [
        {**describe_cell(confusion), "class": name, "images": int(images), **mean_and_std(values), "ids": ids}
        for name, images, values in zip(confusion.classes, confusion.images, confusion.of_class.T, strict=True)
    ]
