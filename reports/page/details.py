"""What opens below a row: its course over epochs, classes, confusions, mechanism, settings and runs."""

from itertools import combinations
from typing import Any

import numpy as np

from reports.cells import Cell, common_seeds
from reports.confusion import Confusion, read_confusion
from reports.facts import round_alike, round_or_none
from reports.mechanisms import MechanismCurve, read_curves
from reports.page.views import View, cell_seeds
from reports.paired import Hits
from reports.pictures.epochs import Course, read_course
from reports.statistics import band_widths, crossed_interval
from reports.table import signed_texts
from results.records import Records
from results.schema import class_names, record_seed


def details_of(cell: Cell, settings: list[Any]) -> dict[str, Any]:
    """One row under one condition, last epoch. settings: lists of settings so far, to which a new one is added."""
    first_record = cell.records[0]
    data = first_record["resolved"]["data"]
    cell_settings = settings_of(cell)
    if cell_settings not in settings:
        settings.append(cell_settings)
    course = read_course(cell, "accuracy")
    confusion = read_confusion(cell)
    return {
        "seeds": cell_seeds(cell),
        "ids": [record["id"] for record in sorted(cell.records, key=record_seed)],
        "asked": len(cell.ids),
        "missing": [*([cell.reason] if cell.reason else []), *cell.failed],
        "realised": round_or_none(cell.realised and 100 * cell.realised, 1),
        "against": cell.against,
        "classes": class_names(first_record),
        "train": data.get("train_per_class"),
        "test": data.get("test_per_class"),
        "by_class": class_accuracies(confusion) if confusion else [],
        "confusion": [[round_or_none(share, 1) for share in row] for row in confusion.shares.mean(0)]
        if confusion
        else [],
        "course": course_of(course) if course else None,
        "mechanism": [curve_of(curve) for curve in read_curves(cell)],
        "settings": settings.index(cell_settings),
    }


def class_accuracies(confusion: Confusion) -> list[list[float | None]]:
    """[mean, sample standard deviation] of each class's accuracy in per cent, over seeds; None without test images."""
    spread = confusion.of_class.std(0, ddof=1) if len(confusion.counts) > 1 else np.full(len(confusion.classes), np.nan)
    pairs = zip(confusion.of_class.mean(0), spread, strict=True)
    return [[round_or_none(mean, 1), round_or_none(std, 1)] for mean, std in pairs]


def course_of(course: Course) -> dict[str, Any]:
    """Test accuracy over epochs, and where each rule of accuracy looks."""
    marks = {rule: round_alike(values.mean(), 2) for rule, values in course.rules.items()}
    return as_curve(course.values) | {"marks": marks, "best_epoch": round_alike(course.best_epochs.mean(), 1)}


def curve_of(curve: MechanismCurve) -> dict[str, Any]:
    idle_text = curve.idle_text if curve.idles else ""
    return as_curve(curve.values) | {"title": curve.title, "idle": curve.idle, "idles": idle_text}


def as_curve(values: np.ndarray) -> dict[str, list[float]]:
    """Mean and sample standard deviation over seeds of [seeds, epochs]."""
    columns = {"mean": values.mean(0), "sd": band_widths(values, "sd")}
    # Four digits are more than a picture shows.
    return {name: [float(f"{round_alike(value, 10):.4g}") for value in column] for name, column in columns.items()}


def settings_of(cell: Cell) -> list[list[str]]:
    """[name, published, here] of the recipe and the parameters; published is '' where it is not known."""
    lines = []
    for section, owner in (("parameters", cell.method), ("recipe", "recipe")):
        published = flatten_settings(cell.as_published.get(section))
        used = flatten_settings(cell.records[0]["resolved"].get(section))
        lines += [[f"{owner}.{key}", published.get(key, ""), value] for key, value in used.items()]
    return lines


def flatten_settings(section: Any, prefix: str = "") -> dict[str, str]:
    """{'optimiser.lr': '0.006'} of nested settings, without the names of their kinds where these have fields."""
    flat_settings: dict[str, str] = {}
    for key, value in section.items() if isinstance(section, dict) else ():
        if isinstance(value, dict):
            if "kind" in value:
                flat_settings[f"{prefix}{key}"] = str(value["kind"])
            flat_settings |= flatten_settings(value, f"{prefix}{key}.")
        elif key != "kind":
            flat_settings[f"{prefix}{key}"] = setting_text(value)
    return flat_settings


def setting_text(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "none", True: "yes", False: "no"}[value]
    if isinstance(value, float):
        return f"{value:.4g}"
    return " ".join(map(setting_text, value)) if isinstance(value, list | tuple) else str(value)


def class_differences(view: View, records: Records) -> dict[str, Any]:
    """Of each pair of rows what `views.pairs_of` gives, of the accuracy of each class in the last epoch."""
    hits = Hits(records, "last")
    rows = [cell for cell in view.cells if cell.records]
    seeds = common_seeds(rows)
    right_answers = hits.of_cells(rows, seeds) if len(rows) > 1 and len(seeds) > 1 else None
    if right_answers is None or not right_answers.size:
        return {"rows": [], "n": 0, "pairs": []}
    labels = hits.labels(rows, seeds)
    row_numbers = [next(number for number, cell in enumerate(view.cells) if cell is one) for one in rows]
    pairs = []
    for one, two in combinations(range(len(rows)), 2):
        difference = 100 * (right_answers[one] - right_answers[two])
        pairs.append([class_text(difference[:, labels == c]) for c in range(len(class_names(rows[0].records[0])))])
    return {"rows": row_numbers, "n": len(seeds), "pairs": pairs}


def class_text(difference: np.ndarray) -> list[str]:
    """[mean, low, high] in points of [seeds, images]; empty for a class without test images."""
    if not difference.shape[1]:
        return []
    return signed_texts(crossed_interval(difference), 1)
