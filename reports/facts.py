"""What stands in CSV files: the facts of a cell, of which each file names its columns."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from reports.cells import Cell
from reports.statistics import sample_std


def cell_facts(cell: Cell) -> dict[str, Any]:
    """What every file can say of a cell; mean and sample standard deviation over seeds, in per cent."""
    return {
        "method": cell.method,
        "row": cell.title,
        "dataset": cell.dataset,
        "noise": cell.noise,
        "rate": cell.rate or "",
        "part": cell.part,
        "n": cell.n,
        "asked": len(cell.ids),
        "mean": round_or_blank(cell.mean),
        "std": round_or_blank(cell.std),
        "ids": cell.id_text,
    }


def pick_columns(columns: str, *facts: dict[str, Any]) -> dict[str, Any]:
    """One line of a file: these columns of all the facts together."""
    known_facts = {name: value for fact in facts for name, value in fact.items()}
    return {name: known_facts[name] for name in columns.split()}


def mean_and_std(values: np.ndarray, digits: int = 6) -> dict[str, float | str]:
    """Over seeds; blank where one of them has no number."""
    if not np.isfinite(values).all():
        return {"mean": "", "std": ""}
    return {"mean": round_or_blank(values.mean(), digits), "std": round_or_blank(sample_std(values), digits)}


def round_or_blank(value: float | None, digits: int = 6) -> float | str:
    rounded = round_or_none(value, digits)
    return "" if rounded is None else rounded


def round_or_none(value: float | None, digits: int) -> float | None:
    """None where there is no number."""
    return None if value is None or not np.isfinite(value) else round_alike(value, digits)


def round_alike(value: float, digits: int) -> float:
    """Rounded alike on all processors: a mean halfway between two numbers may end a last bit above or below it."""
    return round(round(float(value), 10), digits)


def csv_rows(header: Iterable[str], facts: Iterable[dict[str, Any]]) -> str:
    """One line a fact; numbers as they are."""
    import pandas

    return pandas.DataFrame(list(facts), columns=list(header), dtype=object).to_csv(index=False, lineterminator="\n")
