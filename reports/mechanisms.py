"""Whether a method does what it is: the curves that it declares, as its records hold them, and where its idea idles."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np

from reports.captions import dataset_title, list_words, noise_text
from reports.cells import Cell, group_by
from reports.metrics import read_history

SHARE = "(%)"  # at the end of a title: the curve is a share of 1


@dataclass(frozen=True)
class MechanismCurve:
    """A declared curve of one cell, epoch by epoch."""

    cell: Cell
    name: str  # of the records' history
    title: str  # words at its axis
    idle: tuple[float, float] | None  # from and to, both included, in the units of `values`
    idle_text: str
    values: np.ndarray  # [seeds, epochs]; shares in per cent

    @property
    def epochs(self) -> int:
        return self.values.shape[1]

    @property
    def late(self) -> float:
        """The mean of the last half of the epochs, of the mean over seeds, by which it is said whether it idles."""
        return float(self.values.mean(0)[self.epochs // 2 :].mean())

    @property
    def idles(self) -> bool:
        return self.idle is not None and self.idle[0] <= self.late <= self.idle[1]

    @property
    def is_share(self) -> bool:
        return self.title.endswith(SHARE)


def read_curves(cell: Cell) -> list[MechanismCurve]:
    """The cell's curves that all its records hold for as many epochs; those that it lacks are left out."""
    curves = []
    for declared in map(as_declared, cell.mechanism):
        if declared is None:
            continue
        histories = [read_history(record, declared["name"]) for record in cell.records]
        lengths = {0 if values is None else len(values) for values in histories}
        if len(lengths) == 1 and 0 not in lengths:
            unit = 100.0 if declared["title"].endswith(SHARE) else 1.0
            idle = declared["idle"] and (unit * declared["idle"][0], unit * declared["idle"][1])
            curves.append(MechanismCurve(cell, **declared | {"idle": idle}, values=unit * np.array(histories)))
    return curves


def as_declared(curve: Any) -> dict[str, Any] | None:
    """A curve of a record, which may be anyone's; None where it is none."""
    if not isinstance(curve, dict):
        return None
    name, title, idle, text = (curve.get(key) for key in ("name", "title", "idle", "idle_text"))
    if not (isinstance(name, str) and isinstance(title, str) and isinstance(text, str)):
        return None
    if idle is not None:
        is_pair = isinstance(idle, list | tuple) and len(idle) == 2
        if not is_pair or not all(type(value) in (int, float) and isfinite(value) for value in idle):
            return None
    return {"name": name, "title": title, "idle": idle, "idle_text": text}


def lacking_curves(cell: Cell) -> list[str]:
    """Titles of declared curves that the records of a cell do not hold."""
    if not cell.records:
        return []
    held_names = {curve.name for curve in read_curves(cell)}
    declared = [curve for curve in map(as_declared, cell.mechanism) if curve is not None]
    return [lower_title(curve["title"]) for curve in declared if curve["name"] not in held_names]


def lower_title(title: str) -> str:
    """'images called ambiguous', of 'Images called ambiguous (%)'."""
    text = title.removesuffix(SHARE).strip()
    return text[:1].lower() + text[1:]


def idle_notes(cells: Iterable[Cell]) -> list[str]:
    """One sentence a row and curve: which of the row's numbers were measured while its idea did nothing."""
    cells = list(cells)
    idle_curves = [curve for cell in cells for curve in read_curves(cell) if curve.idles]
    curves_by_row = group_by(idle_curves, lambda curve: (curve.cell.title, curve.name))
    return [idle_sentence(curves, cells) for curves in curves_by_row.values()]


def idle_sentence(curves: list[MechanismCurve], cells: list[Cell]) -> str:
    """LA-Net: images called ambiguous 97 to 99 % on FERPlus (asymmetric noise, 10, 20, 30 %), so ..."""
    parts = []
    for (dataset, noise), curves_here in group_by(curves, lambda curve: (curve.cell.dataset, curve.cell.noise)).items():
        rates = [f"{100 * float(curve.cell.rate):g}" for curve in curves_here if curve.cell.rate is not None]
        condition = noise_text(noise, None) + (f", {', '.join(rates)} %" if rates else "")
        parts.append(f"{value_range(curves_here)} on {dataset_title(cells, dataset)} ({condition})")
    first_curve = curves[0]
    return (
        f"{first_curve.cell.title}: {lower_title(first_curve.title)} {list_words(parts)}, so {first_curve.idle_text} "
        "(mean over the last half of the epochs)."
    )


def value_range(curves: list[MechanismCurve]) -> str:
    """'99 %' or '97 to 99 %'."""
    texts = [late_value_text(curve) for curve in sorted(curves, key=lambda curve: curve.late)]
    unit = " %" if curves[0].is_share else ""
    return texts[0] + unit if texts[0] == texts[-1] else f"{texts[0]} to {texts[-1]}{unit}"


def late_value_text(curve: MechanismCurve) -> str:
    """A share in per cent with at most one decimal, another number with two digits."""
    if not curve.is_share:
        return f"{curve.late:.2g}"
    return f"{curve.late:.0f}" if curve.late >= 10 else f"{curve.late:.1f}"
