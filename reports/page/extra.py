"""Pictures beside the tables: divergence from people by kind of image, and what noise does to each class."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from reports.captions import dataset_title, noise_text
from reports.cells import Cell
from reports.table import Table
from reports.transitions import mean_votes, nominal_matrix, realised_matrix
from reports.votes import KINDS
from results.records import Records
from results.schema import class_names

Fact = dict[str, Any]


def people_groups(tables: Sequence[Table], cells: list[Cell]) -> list[Fact]:
    """Of each data set and noise of Table 2, for each row: {kind of image: [mean, low, high]}."""
    groups: dict[tuple[str, str], Fact] = {}
    for fact in (fact for table in tables for fact in table.facts):
        if "noise" not in fact or fact["images_of"] not in ("all", *KINDS):
            continue
        title = f"{dataset_title(cells, fact['dataset'])}, {noise_text(fact['noise'], fact['rate'] or None)}"
        group = groups.setdefault((fact["dataset"], fact["noise"]), {"title": title, "images": {}, "rows": {}})
        group["images"].setdefault(fact["images_of"], fact["images"])
        interval = [fact[name] if fact[name] != "" else None for name in ("mean", "low", "high")]
        group["rows"].setdefault(fact["row"], {})[fact["images_of"]] = interval
    return list(groups.values())


def noise_matrices(cells: list[Cell], records: Records) -> list[Fact]:
    """For each data set, kind and rate: the matrix as asked for and as realised, in per cent, None where it is not known."""
    cells = [cell for cell in cells if cell.records and cell.part == "table" and cell.noise != "none"]
    largest_cells: dict[tuple[str, str, str | None], Cell] = {}
    for cell in cells:
        key = (cell.dataset, cell.noise, cell.rate)
        largest_cells[key] = max(largest_cells.get(key, cell), cell, key=lambda one: len(one.records))
    matrices = []
    for (dataset, noise, rate), cell in largest_cells.items():
        classes = class_names(cell.records[0])
        votes = mean_votes(cell, records) if noise == "votes" else None
        nominal = nominal_matrix(noise, float(rate or 0), classes, votes)
        realised = realised_matrix(cell, records)
        if realised is not None:
            title = f"{dataset_title(cells, dataset)}, {noise_text(noise, rate)}"
            seeds = len(cell.records)
            matrices.append(
                {
                    "title": title,
                    "classes": classes,
                    "n": seeds,
                    "asked": in_per_cent(nominal),
                    "made": in_per_cent(realised),
                }
            )
    return matrices


def in_per_cent(matrix: np.ndarray | None) -> list[list[float | None]]:
    """Rows with one decimal."""
    if matrix is None:
        return []
    return [[round(100 * value, 1) if np.isfinite(value) else None for value in row] for row in matrix.tolist()]
