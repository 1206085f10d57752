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
    for one in confusions:
        cell = one.cell
        heading = f"{dataset_title(cells, cell.dataset)}, {noise_text(cell.noise, cell.rate)}"
        columns = ["Method", *map(class_title, one.classes, one.images), "mean"]
        blocks.setdefault(heading, Block(heading, columns, [])).rows.append(class_row(one, options.decimals))
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
        facts=[fact for one in confusions for fact in class_facts(one)],
        gaps=list_gaps(cells),
    )


def class_title(name: str, images: int) -> str:
    return f"{name} ({images})"


def class_row(one: Confusion, decimals: int) -> list[Entry]:
    means = [float(values.mean()) for values in one.of_class.T]
    whole = float(np.nanmean(means))
    entries = [Entry("–") if np.isnan(mean) else Entry(f"{mean:.{decimals}f}", sort=mean) for mean in means]
    return [Entry(one.cell.title), *entries, Entry(f"{whole:.{decimals}f}", sort=whole)]


def class_facts(one: Confusion) -> list[dict[str, Any]]:
    """One row a class, for CSV."""
    ids = " ".join(record["id"] for record in one.cell.records)
    return [
        {**describe_cell(one), "class": name, "images": int(images), **mean_and_std(values), "ids": ids}
        for name, images, values in zip(one.classes, one.images, one.of_class.T, strict=True)
    ]
