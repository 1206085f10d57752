"""Table 2: how far given labels, and each method's label distributions, are from people's votes."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from reports import Options, ReportError, stem
from reports.captions import dataset_title, foundation, noise_text
from reports.cells import Cell, read_cells
from reports.records import Records, class_names, seed
from reports.statistics import Interval, bootstrap_mean, jensen_shannon
from reports.tables import Block, Entry, Table, failure_notes, gaps
from reports.votes import (
    KINDS,
    ONE_ANNOTATOR,
    kinds,
    number,
    one_hot_divergence,
    people_text,
    random_annotator_divergence,
    read_votes,
    shares,
    votes_alone,
)
from results.published import facts

COLUMNS = "row method dataset noise rate n asked images_of images mean low high base root people ids"
GIVEN = "One-hot given label"


@dataclass
class Measured:
    """Divergences of one row of the table. values: {seed: [images] in the order of `rows`}; kinds: {seed: [images]}."""

    title: str
    cell: Cell | None
    rows: np.ndarray
    labels: np.ndarray  # classes without noise, for the means of classes
    values: dict[int, np.ndarray] = field(default_factory=dict)
    kinds: dict[int, np.ndarray] = field(default_factory=dict)

    def over_images(self) -> np.ndarray:
        """[images] mean over seeds."""
        return np.mean(list(self.values.values()), axis=0)

    def of_kind(self, kind: int) -> tuple[float, int]:
        """Mean over the images of a kind, averaged over seeds, and how many images that is on average."""
        means = [self.values[s][self.kinds[s] == kind].mean() for s in self.values if (self.kinds[s] == kind).any()]
        many = [int((self.kinds[s] == kind).sum()) for s in self.values]
        return (float(np.mean(means)) if means else float("nan")), round(float(np.mean(many)))

    def of_class(self, number: int) -> float:
        here = self.labels == number
        return float(self.over_images()[here].mean()) if here.any() else float("nan")


@dataclass
class Group:
    """One data set under one noise."""

    dataset: str
    noise: str
    rate: str | None
    classes: list[str]
    measured: list[Measured]
    annotator: np.ndarray | None


def groups(what: dict[str, Any], cells: list[Cell], records: Records, options: Options) -> Iterator[Group]:
    """Divergences by data set and noise, for those with votes."""
    conditions: dict[tuple, list[Cell]] = {}
    for cell in cells:
        if cell.records and cell.part == "table":
            conditions.setdefault((cell.dataset, cell.noise, cell.rate), []).append(cell)
    votes: dict[str, np.ndarray | None] = {}
    for (dataset, noise, rate), here in conditions.items():
        if dataset not in votes:
            votes[dataset] = read_votes(here[0].records[0], records, options.study)
        if votes[dataset] is not None:
            group = measure(dataset, noise, rate, here, votes[dataset], records, options)
            if group.measured:
                yield group


def measure(
    dataset: str, noise: str, rate: str | None, cells: list[Cell], votes: np.ndarray, records: Records, options: Options
) -> Group:
    """The one-hot row, from the labels of each seed, and a row a method, on the images that every run has."""
    runs = {cell.title: list(opened(cell, votes, records)) for cell in cells}
    classes = class_names(cells[0].records[0])
    every = [arrays["train_rows"] for found in runs.values() for _, arrays in found]
    group = Group(dataset, noise, rate, classes, [], None)
    if not every:
        return group
    rows = every[0] if all(np.array_equal(every[0], other) for other in every) else intersection(every)
    people = np.asarray(votes[rows], float)
    voted = people.sum(1) > 0
    rows, people = rows[voted], people[voted]
    if not len(rows):
        return group
    reference = next(arrays for found in runs.values() for _, arrays in found)
    labels = reference["clean"][positions(reference["train_rows"], rows)].astype(int)
    one_hot = Measured(GIVEN, None, rows, labels)
    found_rows, spelling = [one_hot], {"base": options.log_base, "root": options.root}
    for cell in cells:
        made = Measured(row_title(cell), cell, rows, labels)
        for of_seed, arrays in runs[cell.title]:
            at = positions(arrays["train_rows"], rows)
            given = arrays["given"][at].astype(int)
            made.kinds[of_seed] = kinds(people, given, bool(options.study))
            made.values[of_seed] = jensen_shannon(shares(people), shares(arrays["distribution"][at]), **spelling)
            if of_seed not in one_hot.values:
                one_hot.kinds[of_seed] = made.kinds[of_seed]
                one_hot.values[of_seed] = one_hot_divergence(people, given, **spelling)
        found_rows += [made] if made.values else []
    group.measured, group.annotator = found_rows, random_annotator_divergence(people, **spelling)
    return group


def opened(cell: Cell, votes: np.ndarray, records: Records) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
    """(seed, arrays) of a cell's runs whose arrays are sound; the others are noted as failed."""
    for record in cell.records:
        arrays = records.arrays(record["id"], ("train_rows", "given", "clean", "distribution"))
        complaint = records.refused.get(record["id"]) if arrays is None else misfit(arrays, votes)
        if complaint:
            cell.failed.append(f"{record['id'][:8]}: {complaint}")
        elif arrays is not None:
            yield seed(record), arrays


def misfit(arrays: dict[str, np.ndarray], votes: np.ndarray) -> str | None:
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


def intersection(every: list[np.ndarray]) -> np.ndarray:
    """Rows of the data cache that all the runs trained on."""
    common = every[0]
    for other in every[1:]:
        common = np.intersect1d(common, other)
    return common


def positions(all_rows: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Where each wanted row stands in a run's arrays."""
    order = np.argsort(all_rows)
    return order[np.searchsorted(all_rows, wanted, sorter=order)]


def row_title(cell: Cell) -> str:
    return f"{cell.title}: softmax (control)" if cell.method == "baseline" else f"{cell.title}: label distribution"


def divergence_table(what: dict[str, Any], records: Records, options: Options) -> Table:
    """Table 2; raises ReportError."""
    cells = read_cells(what, records, "last")
    blocks, rows_of_csv, with_votes = [], [], set()
    for group in groups(what, cells, records, options):
        with_votes.add(group.dataset)
        intervals = {row.title: bootstrap_mean(row.over_images()) for row in group.measured}
        blocks += [overall_block(group, cells, intervals), class_block(group, cells)]
        rows_of_csv += [fact for row in group.measured for fact in csv_rows(group, row, intervals[row.title], options)]
    without_runs = votes_alone(what.get("data", {}), records.root, options)
    rows_of_csv = [fact | csv_spelling(options) for alone in without_runs for fact in alone.facts] + rows_of_csv
    if options.study and not (with_votes or without_runs) and (what.get("data") or any(cell.records for cell in cells)):
        raise ReportError(f"{options.study}: none of its images is a training image of {', '.join(what['columns'])}")
    lacking = dict.fromkeys(cell.dataset for cell in cells if cell.records and cell.dataset not in with_votes)
    notes = [f"{dataset_title(cells, name)}: no people's votes, so nothing to compare with." for name in lacking]
    return Table(
        name=stem(what),
        title=f"Table 2. {what.get('title') or 'Jensen-Shannon divergence from people'}",
        caption=[*explanation(options), *foundation([c for c in cells if c.dataset in with_votes])],
        blocks=[*(alone.block for alone in without_runs), *blocks, published_block()],
        notes=[*notes, *failure_notes(cells)],
        header=tuple(COLUMNS.split()),
        facts=rows_of_csv,
        gaps=gaps(cells),
    )


def base_text(options: Options) -> str:
    return "e" if options.log_base == np.e else f"{options.log_base:g}"


def explanation(options: Options) -> list[str]:
    annotators = "the image's annotators" if options.study else "the annotators (5 of ten)"
    measure_name = "Jensen-Shannon distance (root of the divergence)" if options.root else "Jensen-Shannon divergence"
    return [
        f"{measure_name} to base {base_text(options)} between the shares of people's votes and the labels that a method was "
        "given (one-hot), or its label distribution of the un-augmented training image after the last epoch; lower is "
        "closer to people.",
        f"People: {people_text(options.study)}.",
        "Brackets: 95 % bootstrap interval over images, of means over seeds. The baseline's softmax is the control: what "
        "any trained network reaches without a model of labels.",
        f"Wrong: another class has more votes than the given label, whatever else holds; ambiguous: at most half of "
        f"{annotators} agree on one class; clear: the rest. Classes are those of the labels before noise.",
        "Published: LA-Net supplement (ICCV 2023), Table 2, 50 images of AffectNet and a study of its own; it does not say "
        "to which base, or whether a root, so the values are not comparable digit by digit.",
    ]


def overall_block(group: Group, cells: list[Cell], intervals: dict[str, Interval]) -> Block:
    counts = [group.measured[0].of_kind(kind)[1] for kind in range(3)]
    columns = ["Labels", f"all ({len(group.measured[0].rows):,})"]
    columns += [f"{name} ({many:,})" for name, many in zip(KINDS, counts)]
    best = min((intervals[row.title].mean for row in group.measured[1:]), default=None)
    rows = []
    for row in group.measured:
        found = intervals[row.title]
        text = f"{found.mean:.4f} [{found.low:.4f}, {found.high:.4f}]"
        n, asked = len(row.values), len(row.cell.ids) if row.cell else len(row.values)
        text += f" ({n}/{asked})" if n < asked else ""
        ids = "" if row.cell is None else "; records " + " ".join(record["id"] for record in row.cell.records)
        first = Entry(text, found.mean == best, sort=found.mean, detail=f"n = {n} of {asked}{ids}")
        of_kinds = [row.of_kind(kind)[0] for kind in range(3)]
        rows.append([Entry(row.title), first, *(Entry(number(v), sort=None if np.isnan(v) else v) for v in of_kinds)])
    expected = float(group.annotator.mean())
    one_person = [Entry(ONE_ANNOTATOR), Entry(f"{expected:.4f}", sort=expected), *[Entry("")] * 3]
    heading = f"{dataset_title(cells, group.dataset)}, {noise_text(group.noise, group.rate)}"
    return Block(heading, columns, [rows[0], one_person, *rows[1:]])


def class_block(group: Group, cells: list[Cell]) -> Block:
    rows = []
    for row in group.measured:
        values = [row.of_class(c) for c in range(len(group.classes))]
        rows.append([Entry(row.title), *(Entry(number(v), sort=None if np.isnan(v) else v) for v in values)])
    heading = f"{dataset_title(cells, group.dataset)}, {noise_text(group.noise, group.rate)}, by class"
    return Block(heading, ["Labels", *group.classes], rows)


def published_block() -> Block:
    printed = facts()
    rows = [("One-hot label", "js_onehot_vs_user_study"), ("LA-Net", "js_label_distribution_vs_user_study")]
    fields = [[Entry(name), Entry(printed[key], published=True, sort=float(printed[key]))] for name, key in rows]
    return Block("Published: AffectNet, 50 images, user study", ["Labels", "published"], fields)


def csv_spelling(options: Options) -> dict[str, Any]:
    return {"base": base_text(options), "root": options.root, "people": people_text(options.study)}


def csv_rows(group: Group, row: Measured, overall: Interval, options: Options) -> Iterator[dict[str, Any]]:
    """One row for all images, each kind and each class."""
    common = {"row": row.title, "method": row.cell.method if row.cell else "", "dataset": group.dataset}
    common |= {"noise": group.noise, "rate": group.rate or "", "n": len(row.values)}
    common["asked"] = len(row.cell.ids) if row.cell else len(row.values)
    ids = " ".join(record["id"] for record in row.cell.records) if row.cell else ""
    rest = csv_spelling(options) | {"ids": ids}
    images = len(row.rows)
    bounds = {"mean": round(overall.mean, 6), "low": round(overall.low, 6), "high": round(overall.high, 6)}
    yield common | {"images_of": "all", "images": images} | bounds | rest
    parts = [(KINDS[kind], *row.of_kind(kind)) for kind in range(3)]
    parts += [(name, row.of_class(c), int((row.labels == c).sum())) for c, name in enumerate(group.classes)]
    for name, mean, images in parts:
        shown = "" if np.isnan(mean) else round(mean, 6)
        yield common | {"images_of": name, "images": images, "mean": shown, "low": "", "high": ""} | rest
