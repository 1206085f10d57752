"""Table 2: how far given labels, and each method's label distributions, are from people's votes."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property, reduce
from typing import Any

import numpy as np

from reports.asked import Options
from reports.cells import Cell, Condition, group_conditions
from reports.facts import round_or_blank
from reports.paired import PAIRS_WITH_OTHERS, pairs_counted
from reports.statistics import Interval, adjust_for_pairs, crossed_interval, jensen_shannon
from reports.votes import (
    KINDS,
    image_kinds,
    one_hot_divergence,
    random_annotator_divergence,
    read_votes,
    votes_to_shares,
)
from results.records import Records
from results.schema import class_names, record_seed

GIVEN = "One-hot given label"


@dataclass(frozen=True)
class ImageGroup:
    """Divergences of some of a row's images."""

    name: str
    images: int  # mean over seeds
    mean: float  # not a number where there are no images
    interval: Interval | None  # None for fewer than two values

    @property
    def facts(self) -> dict[str, Any]:
        """For CSV."""
        low, high = (self.interval.low, self.interval.high) if self.interval else (None, None)
        bounds = {"mean": round_or_blank(self.mean), "low": round_or_blank(low), "high": round_or_blank(high)}
        return {"images_of": self.name, "images": self.images, **bounds}


@dataclass
class Measured:
    """Divergences of one row of the table. values: {seed: [images] in the order of `rows`}; kinds: {seed: [images]}."""

    title: str
    cell: Cell | None
    rows: np.ndarray
    labels: np.ndarray  # classes without noise, for the means of classes
    values: dict[int, np.ndarray] = field(default_factory=dict)
    kinds: dict[int, np.ndarray] = field(default_factory=dict)

    @property
    def asked(self) -> int:
        """How many seeds were asked for."""
        return len(self.cell.ids) if self.cell else len(self.values)

    @cached_property
    def over_seeds_and_images(self) -> np.ndarray:
        """[seeds, images]."""
        return np.stack(list(self.values.values()))

    @cached_property
    def overall(self) -> Interval:
        """Over seeds and images."""
        return crossed_interval(self.over_seeds_and_images)

    @property
    def all_images(self) -> ImageGroup:
        return ImageGroup("all", len(self.rows), self.overall.mean, self.overall)

    @cached_property
    def of_kinds(self) -> list[ImageGroup]:
        return [self.of_kind(kind, name) for kind, name in enumerate(KINDS)]

    def of_kind(self, kind: int, name: str) -> ImageGroup:
        """Interval over seeds and images where the same images are of that kind in every seed, else over seeds."""
        masks = [kinds_of_seed == kind for kinds_of_seed in self.kinds.values()]
        means = [self.values[s][mask].mean() for s, mask in zip(self.kinds, masks, strict=True) if mask.any()]
        if all(np.array_equal(mask, masks[0]) for mask in masks):
            interval = interval_of(self.over_seeds_and_images[:, masks[0]])
        else:
            interval = interval_of(np.array(means)[:, None])
        image_count = round(float(np.mean([mask.sum() for mask in masks])))
        return ImageGroup(name, image_count, float(np.mean(means)) if means else float("nan"), interval)

    def of_classes(self, classes: list[str]) -> list[ImageGroup]:
        return [self.of_class(number, name) for number, name in enumerate(classes)]

    def of_class(self, number: int, name: str) -> ImageGroup:
        """Interval over seeds and images."""
        is_class = self.labels == number
        mean = float(self.over_seeds_and_images.mean(0)[is_class].mean()) if is_class.any() else float("nan")
        return ImageGroup(name, int(is_class.sum()), mean, interval_of(self.over_seeds_and_images[:, is_class]))


def interval_of(values: np.ndarray) -> Interval | None:
    """Of [seeds, images]; None for fewer than two values."""
    return crossed_interval(values) if values.size > 1 else None


@dataclass
class Group:
    """One data set under one noise; annotator: [images] divergences of one person's vote."""

    condition: Condition
    classes: list[str]
    measured: list[Measured]
    annotator: np.ndarray


def group_divergences(cells: list[Cell], records: Records, options: Options) -> Iterator[Group]:
    """Divergences by data set and noise, for those with votes."""
    conditions = group_conditions(cell for cell in cells if cell.records and cell.part == "table")
    votes: dict[str, np.ndarray | None] = {}
    for (dataset, *_), cells_here in conditions.items():
        if dataset not in votes:
            votes[dataset] = read_votes(cells_here[0].records[0], records, options.study)
        if votes[dataset] is not None:
            group = measure_group(cells_here, votes[dataset], records, options)
            if group is not None:
                yield group


def find_row(group: Group, name: str) -> Measured | None:
    """The row of a method, or of the 'given' labels."""
    return next((row for row in group.measured if (row.cell.method if row.cell else "given") == name), None)


def compare_distance(row: Measured | None, other: Measured | None) -> tuple[Interval, int] | None:
    """How much nearer to people a row is than another, over seeds and images, and how many seeds; None without a common one."""
    seeds = sorted(row.values.keys() & other.values.keys()) if row and other else []
    if row is None or other is None or not seeds:
        return None
    interval = crossed_interval(np.stack([other.values[number] - row.values[number] for number in seeds]))
    pairs = pairs_counted(row.cell, other.cell) if row.cell and other.cell else PAIRS_WITH_OTHERS
    return adjust_for_pairs(interval, pairs), len(seeds)


def measure_group(cells: list[Cell], votes: np.ndarray, records: Records, options: Options) -> Group | None:
    """The one-hot row, from the labels of each seed, and a row a method, on the images with votes that every run has."""
    runs = {cell.title: list(open_arrays(cell, votes, records)) for cell in cells}
    all_arrays = [arrays for runs_of_cell in runs.values() for _, arrays in runs_of_cell]
    if not all_arrays:
        return None
    reference = all_arrays[0]
    rows = common_rows([arrays["train_rows"] for arrays in all_arrays])
    people = np.asarray(votes[rows], float)
    has_votes = people.sum(1) > 0
    rows = rows[has_votes]
    people = people[has_votes]
    if not len(rows):
        return None
    labels = reference["clean"][find_positions(reference["train_rows"], rows)].astype(int)
    one_hot = Measured(GIVEN, None, rows, labels)
    table_rows = [one_hot]
    spelling = {"base": options.log_base, "root": options.root}
    for cell in cells:
        measured = Measured(row_title(cell), cell, rows, labels)
        for of_seed, arrays in runs[cell.title]:
            positions = find_positions(arrays["train_rows"], rows)
            given_labels = arrays["given"][positions].astype(int)
            measured.kinds[of_seed] = image_kinds(people, given_labels, bool(options.study))
            measured.values[of_seed] = jensen_shannon(
                votes_to_shares(people), votes_to_shares(arrays["distribution"][positions]), **spelling
            )
            if of_seed not in one_hot.values:
                one_hot.kinds[of_seed] = measured.kinds[of_seed]
                one_hot.values[of_seed] = one_hot_divergence(people, given_labels, **spelling)
        if measured.values:
            table_rows.append(measured)
    annotator = random_annotator_divergence(people, **spelling)
    return Group(cells[0].condition, class_names(cells[0].records[0]), table_rows, annotator)


def open_arrays(cell: Cell, votes: np.ndarray, records: Records) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
    """(seed, arrays) of a cell's runs whose arrays are sound; the others are noted as failed."""
    for record in cell.records:
        arrays = records.arrays(record["id"], ("train_rows", "given", "clean", "distribution"))
        complaint = records.refused.get(record["id"]) if arrays is None else find_misfit(arrays, votes)
        if complaint:
            cell.failed.append(f"{record['id'][:8]}: {complaint}")
        elif arrays is not None:
            yield record_seed(record), arrays


def find_misfit(arrays: dict[str, np.ndarray], votes: np.ndarray) -> str | None:
    """Why arrays do not fit the data set's votes."""
    rows, given, clean, distribution = (arrays[name] for name in ("train_rows", "given", "clean", "distribution"))
    if distribution.shape != (len(rows), votes.shape[1]) or given.shape != rows.shape or clean.shape != rows.shape:
        return f"label distributions {distribution.shape} do not fit {len(rows)} images and {votes.shape[1]} classes"
    if len(rows) and not (
        rows.min() >= 0 and rows.max() < len(votes) and max(given.max(), clean.max()) < votes.shape[1]
    ):
        return "rows or labels lie outside the data set"
    if not (np.isfinite(distribution).all() and (distribution >= 0).all() and (distribution.sum(1) > 0).all()):
        return "label distributions hold negative numbers or none"
    return None


def common_rows(rows_by_run: list[np.ndarray]) -> np.ndarray:
    """Rows of the data cache that all the runs trained on, in the order of the first where they are the same."""
    first_rows = rows_by_run[0]
    if all(np.array_equal(first_rows, other) for other in rows_by_run):
        return first_rows
    return reduce(np.intersect1d, rows_by_run)


def find_positions(all_rows: np.ndarray, wanted_rows: np.ndarray) -> np.ndarray:
    """Where each wanted row stands in a run's arrays."""
    order = np.argsort(all_rows)
    return order[np.searchsorted(all_rows, wanted_rows, sorter=order)]


def row_title(cell: Cell) -> str:
    return f"{cell.title}: softmax (control)" if cell.method == "baseline" else f"{cell.title}: label distribution"
