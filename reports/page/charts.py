"""Figures as the numbers that the page's script draws: tuning, ideas at work, sweeps, and confusions."""

from collections.abc import Sequence
from typing import Any

from reports.asked import Asked
from reports.captions import dataset_title, noise_text
from reports.cells import Cell
from reports.pictures.drawing import Drawing
from reports.pictures.sweeps import MARKS, method_title

Fact = dict[str, Any]

BUDGET = ("method", "draws", "minutes", "mean", "std")
SENSITIVITY = ("method", "draw", "option", "value", "published", "held_out", "test")
SECTIONS = {  # the section of the page that shows a figure, by how it is drawn; all others are pictures
    "budget": "tuning",
    "sensitivity": "tuning",
    "mechanisms": "mechanisms",
    "sweep": "sweeps",
    "confusion": "confusions",
}


def chart_figures(figures: Sequence[tuple[Asked, Drawing]], cells: list[Cell]) -> dict[str, list[Fact]]:
    """The facts of the figures that the page's script draws, grouped as its sections let one choose."""
    facts = {
        name: [fact for asked, drawing in figures if asked.drawing == name for fact in drawing.facts]
        for name in SECTIONS
    }
    return {
        "budget": rows_by_condition(facts["budget"], cells, BUDGET),
        "sensitivity": rows_by_condition(facts["sensitivity"], cells, SENSITIVITY),
        "mechanisms": group_mechanisms(facts["mechanisms"], cells),
        "sweeps": group_sweeps(facts["sweep"], cells),
        "confusions": group_confusions(facts["confusion"], cells),
    }


def condition_title(fact: Fact, cells: list[Cell]) -> str:
    """FERPlus, asymmetric noise, 30 %"""
    return f"{dataset_title(cells, fact['dataset'])}, {noise_text(fact['noise'], fact['rate'] or None)}"


def rows_by_condition(facts: Sequence[Fact], cells: list[Cell], columns: Sequence[str]) -> list[Fact]:
    """Facts by data set and noise: {'title', 'rows': [the columns of each]}."""
    groups: dict[str, Fact] = {}
    for fact in facts:
        title = condition_title(fact, cells)
        rows = groups.setdefault(title, {"title": title, "rows": []})["rows"]
        rows.append([fact[name] for name in columns])
    return list(groups.values())


def group_mechanisms(facts: Sequence[Fact], cells: list[Cell]) -> list[Fact]:
    """By data set and kind of noise: {'title', 'curves': [{'title', 'axis', 'idle', 'lines': {rate: [[mean, std], ...]}}]}."""
    groups: dict[str, dict[str, Fact]] = {}
    for fact in facts:
        if not isinstance(fact["epoch"], int):  # the mean of the last half
            continue
        group_title = f"{dataset_title(cells, fact['dataset'])}, {noise_text(fact['noise'], None)}"
        title = f"{fact['row']}: {fact['title']}"
        idle = None if fact["idle_low"] == "" else [fact["idle_low"], fact["idle_high"]]
        curve = groups.setdefault(group_title, {}).setdefault(
            title, {"title": title, "axis": fact["title"], "idle": idle, "lines": {}}
        )
        rate = f"{100 * float(fact['rate']):g} %" if fact["rate"] else "all rates"
        curve["lines"].setdefault(rate, []).append([fact["mean"], fact["std"] or 0])
    return [{"title": title, "curves": list(curves.values())} for title, curves in groups.items()]


def group_sweeps(facts: Sequence[Fact], cells: list[Cell]) -> list[Fact]:
    """By data set and method: {'title', 'options': [{'title', 'marks', 'lines': {noise: [[value, mean, std], ...]}}]}."""
    groups: dict[str, dict[str, Fact]] = {}
    for fact in facts:
        group_title = f"{dataset_title(cells, fact['dataset'])}: {method_title(cells, fact['method'])}"
        marks = {mark: fact[mark] for mark in MARKS if fact[mark]}
        option = groups.setdefault(group_title, {}).setdefault(
            fact["option"], {"title": fact["option"], "marks": marks, "lines": {}}
        )
        if fact["mean"] != "":
            line = option["lines"].setdefault(noise_text(fact["noise"], fact["rate"] or None), [])
            line.append([fact["value"], fact["mean"], fact["std"] or 0])
    drawn_options = {
        title: [option for option in options.values() if option["lines"]] for title, options in groups.items()
    }
    return [{"title": title, "options": options} for title, options in drawn_options.items() if options]


def group_confusions(facts: Sequence[Fact], cells: list[Cell]) -> list[Fact]:
    """By data set and noise: {'title', 'classes', 'rows': {method: per cent of each true class by predicted class}}."""
    groups: dict[str, Fact] = {}
    for fact in facts:
        title = condition_title(fact, cells)
        group = groups.setdefault(title, {"title": title, "classes": [], "rows": {}})
        if fact["true_class"] not in group["classes"]:
            group["classes"].append(fact["true_class"])
        shares = group["rows"].setdefault(fact["row"], {}).setdefault(fact["true_class"], [])
        shares.append(None if fact["mean"] == "" else round(fact["mean"], 1))
    for group in groups.values():
        group["rows"] = {row: list(of_class.values()) for row, of_class in group["rows"].items()}
    return list(groups.values())
