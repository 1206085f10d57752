"""Figures as the numbers that the page's script draws: tuning, ideas, sweeps, confusions, divergence from people, noise."""

from collections.abc import Sequence
from itertools import zip_longest
from typing import Any, NamedTuple

import numpy as np

from reports.asked import Asked
from reports.captions import condition_title, dataset_title, noise_text, unique_texts
from reports.cells import Cell, group_by, group_conditions
from reports.facts import round_or_none
from reports.pictures.drawing import Drawing
from reports.pictures.sweeps import MARKS, method_title
from reports.table import Table
from reports.transitions import mean_votes, nominal_matrix, realised_matrix
from reports.votes import KINDS
from results.records import Records
from results.schema import class_names

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


class Numbers(NamedTuple):
    """What a chart shows, as text."""

    title: str
    head: list[str]
    rows: list[list[str]]


def list_numbers(charts: dict[str, list[Fact]]) -> dict[str, list[Numbers]]:
    """For readers without JavaScript: the numbers of each chart, by section."""
    numbers: dict[str, list[Numbers]] = {section: [] for section in [*SECTIONS.values(), "noise"]}
    for name, columns in (("budget", BUDGET), ("sensitivity", SENSITIVITY)):
        for group in charts[name]:
            rows = [list(map(str, row)) for row in group["rows"]]
            numbers["tuning"].append(Numbers(f"{name.title()}: {group['title']}", list(columns), rows))
    for group in charts["mechanisms"]:
        for curve in group["curves"]:
            columns = [[mean_and_deviation(*point) for point in line] for line in curve["lines"].values()]
            rows = [[str(epoch), *row] for epoch, row in enumerate(zip_longest(*columns, fillvalue=""), 1)]
            title = f"{group['title']}: {curve['title']}"
            numbers["mechanisms"].append(Numbers(title, ["epoch", *curve["lines"]], rows))
    for group in charts["sweeps"]:
        for option in group["options"]:
            rows = [
                [noise, str(value), mean_and_deviation(mean, std)]
                for noise, line in option["lines"].items()
                for value, mean, std in line
            ]
            numbers["sweeps"].append(Numbers(f"{group['title']}: {option['title']}", ["noise", "value", "mean"], rows))
    for group in charts["confusions"]:
        for method, matrix in group["rows"].items():
            numbers["confusions"].append(matrix_numbers(f"{group['title']}: {method}", group["classes"], matrix))
    for group in charts["noise"]:
        for name, matrix in (("as asked for", group["asked"]), ("as realised", group["made"])):
            if matrix:
                numbers["noise"].append(matrix_numbers(f"{group['title']}, {name}", group["classes"], matrix))
    return numbers


def mean_and_deviation(mean: float, deviation: float) -> str:
    return f"{mean:.4g} ± {deviation:.2g}" if deviation else f"{mean:.4g}"


def matrix_numbers(title: str, classes: list[str], matrix: list[list[float | None]]) -> Numbers:
    """A row a true class."""
    rows = [
        [name, *("" if value is None else f"{value:.1f}" for value in shares)]
        for name, shares in zip(classes, matrix, strict=False)
    ]
    return Numbers(title, ["true class", *classes], rows)


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


def fact_title(fact: Fact, cells: list[Cell]) -> str:
    """FERPlus, asymmetric noise, 30 %"""
    return condition_title(cells, (fact["dataset"], fact["noise"], fact["rate"] or None))


def rows_by_condition(facts: Sequence[Fact], cells: list[Cell], columns: Sequence[str]) -> list[Fact]:
    """Facts by data set and noise: {'title', 'rows': [the columns of each]}."""
    groups = group_by(facts, lambda fact: fact_title(fact, cells))
    return [{"title": title, "rows": [[f[name] for name in columns] for f in rows]} for title, rows in groups.items()]


def group_mechanisms(facts: Sequence[Fact], cells: list[Cell]) -> list[Fact]:
    """By data set and kind of noise: {'title', 'curves': [{'title', 'axis', 'idle', 'lines': {rate: [[mean, std], ...]}}]}."""
    of_epochs = [fact for fact in facts if isinstance(fact["epoch"], int)]  # else the mean of the last half
    groups = group_by(of_epochs, lambda f: f"{dataset_title(cells, f['dataset'])}, {noise_text(f['noise'], None)}")
    return [
        {"title": title, "curves": [mechanism_curve(*curve) for curve in group_by(group, curve_title).items()]}
        for title, group in groups.items()
    ]


def curve_title(fact: Fact) -> str:
    return f"{fact['row']}: {fact['title']}"


def mechanism_curve(title: str, facts: list[Fact]) -> Fact:
    first = facts[0]
    idle = None if first["idle_low"] == "" else [first["idle_low"], first["idle_high"]]
    by_rate = group_by(facts, lambda fact: f"{100 * float(fact['rate']):g} %" if fact["rate"] else "all rates")
    lines_of_curve = {rate: [[fact["mean"], fact["std"] or 0] for fact in line] for rate, line in by_rate.items()}
    return {"title": title, "axis": first["title"], "idle": idle, "lines": lines_of_curve}


def group_sweeps(facts: Sequence[Fact], cells: list[Cell]) -> list[Fact]:
    """By data set and method: {'title', 'options': [{'title', 'marks', 'lines': {noise: [[value, mean, std], ...]}}]}."""
    measured = [fact for fact in facts if fact["mean"] != ""]
    groups = group_by(
        measured, lambda fact: f"{dataset_title(cells, fact['dataset'])}: {method_title(cells, fact['method'])}"
    )
    return [
        {"title": title, "options": [swept_option(*one) for one in group_by(group, lambda f: f["option"]).items()]}
        for title, group in groups.items()
    ]


def swept_option(option: str, facts: list[Fact]) -> Fact:
    marks = {mark: facts[0][mark] for mark in MARKS if facts[0][mark]}
    by_noise = group_by(facts, lambda fact: noise_text(fact["noise"], fact["rate"] or None))
    lines_of_curve = {noise: [[f["value"], f["mean"], f["std"] or 0] for f in line] for noise, line in by_noise.items()}
    return {"title": option, "marks": marks, "lines": lines_of_curve}


def group_confusions(facts: Sequence[Fact], cells: list[Cell]) -> list[Fact]:
    """By data set and noise: {'title', 'classes', 'rows': {method: per cent of each true class by predicted class}}."""
    return [
        {
            "title": title,
            "classes": unique_texts(fact["true_class"] for fact in group),
            "rows": {row: confusion_rows(facts) for row, facts in group_by(group, lambda fact: fact["row"]).items()},
        }
        for title, group in group_by(facts, lambda fact: fact_title(fact, cells)).items()
    ]


def confusion_rows(facts: list[Fact]) -> list[list[float | None]]:
    by_class = group_by(facts, lambda fact: fact["true_class"])
    return [[None if f["mean"] == "" else round(f["mean"], 1) for f in line] for line in by_class.values()]


def people_groups(tables: Sequence[Table], cells: list[Cell]) -> list[Fact]:
    """Of each data set and noise of Table 2, for each row: {kind of image: [mean, low, high]}."""
    groups: dict[tuple[str, str], Fact] = {}
    for fact in (fact for table in tables for fact in table.facts):
        if "noise" not in fact or fact["images_of"] not in ("all", *KINDS):
            continue
        title = fact_title(fact, cells)
        group = groups.setdefault((fact["dataset"], fact["noise"]), {"title": title, "images": {}, "rows": {}})
        group["images"].setdefault(fact["images_of"], fact["images"])
        interval = [fact[name] if fact[name] != "" else None for name in ("mean", "low", "high")]
        group["rows"].setdefault(fact["row"], {})[fact["images_of"]] = interval
    return list(groups.values())


def noise_matrices(cells: list[Cell], records: Records) -> list[Fact]:
    """For each data set, kind and rate: the matrix as asked for and as realised, in per cent, None where it is not known."""
    cells = [c for c in cells if c.records and c.part == "table" and c.noise != "none"]
    matrices = []
    for (_, noise, rate), cells_here in group_conditions(cells).items():
        cell = max(cells_here, key=lambda one: len(one.records))
        classes = class_names(cell.records[0])
        votes = mean_votes(cell, records) if noise == "votes" else None
        nominal = nominal_matrix(noise, float(rate or 0), classes, votes)
        realised = realised_matrix(cell, records)
        if realised is not None:
            title = condition_title(cells, cell.condition)
            shares = {"asked": in_per_cent(nominal), "made": in_per_cent(realised)}
            matrices.append({"title": title, "classes": classes, "n": len(cell.records), **shares})
    return matrices


def in_per_cent(matrix: np.ndarray | None) -> list[list[float | None]]:
    """Rows with one decimal."""
    return [] if matrix is None else [[round_or_none(100 * value, 1) for value in row] for row in matrix.tolist()]
