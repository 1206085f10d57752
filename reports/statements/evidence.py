"""Runs by what they measure, and the comparisons that statements are made of."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from reports.asked import DEFAULTS, Options, ReportError
from reports.cells import Cell, add_facts, common_seeds, declared_curves
from reports.paired import PAIRS_OF_FIVE, Hits, compare_cells
from reports.statistics import Interval, adjust_for_pairs, crossed_interval, in_points, is_sure, paired_t
from results.published import DATASETS
from results.records import Records
from results.schema import ENOUGH_SEEDS, changed_settings, data_title, record_seed

SIDES = {1: "above", -1: "below", 0: "not told apart"}
ALIKE = ("scale", "preset", "precision", "weights")  # fields that all runs on a data set share


@dataclass(frozen=True)
class Comparison:
    """A paired difference on one data set."""

    dataset: str  # its name
    text: str  # what is compared
    found: Interval | None = None  # None: not measured
    n: int = 0  # seeds that both sides have

    @property
    def p(self) -> float:
        return self.found.p if self.found else 1.0

    @property
    def side(self) -> int:
        """1: surely above 0; -1: surely below; 0: not told apart, or not measured with five seeds."""
        if self.found is None or self.n < ENOUGH_SEEDS or not is_sure(self.found):
            return 0
        return 1 if self.found.mean > 0 else -1

    @property
    def verdict(self) -> str:
        if self.found is None:
            return "not measured"
        return "too few seeds" if self.n < ENOUGH_SEEDS else SIDES[self.side]


class Evidence:
    """Cells by what they measure, and what is compared between them; options: by which rule of accuracy.

    variations: {'random start weights': the evidence of runs that differ from the others in that alone}.
    """

    def __init__(self, records: Records, cells: Iterable[Cell], options: Options = DEFAULTS) -> None:
        self.records = records
        self.options = options
        self.cells = [cell for cell in cells if cell.part == "table"]
        self.by_key = {(c.method, *c.condition, c.label or ""): c for c in self.cells}
        self.hits: dict[tuple[str, str], Hits] = {}
        self.variations: dict[str, Evidence] = {}

    def datasets(self) -> list[str]:
        """Drawn faces first, then the paper's in its order, then others by name."""
        order = ["faces", *DATASETS]
        dataset_names = {cell.dataset for cell in self.cells}
        return sorted(dataset_names, key=lambda name: (order.index(name) if name in order else len(order), name))

    def cell(self, dataset: str, method: str, noise: str, rate: str | None, changed: str = "") -> Cell | None:
        return self.by_key.get((method, dataset, noise, rate, changed))

    def hits_by(self, rule: str, metric: str = "accuracy") -> Hits:
        return self.hits.setdefault((rule, metric), Hits(self.records, rule, metric))

    def compare(
        self, dataset: str, text: str, first: Cell | None, second: Cell | None, metric: str = "accuracy"
    ) -> Comparison:
        """First less second in points, over seeds and test images; metric: 'accuracy' or 'balanced'."""
        if first is None or second is None:
            return Comparison(dataset, text)
        return Comparison(dataset, text, *(compare_cells(first, second, self.hits_by(self.options.rule, metric)) or ()))

    def compare_rules(self, dataset: str, text: str, cell: Cell | None, rules: tuple[str, str]) -> Comparison:
        """One row by the first rule less the same by the second, in points."""
        seeds = common_seeds([cell]) if cell else []
        sides = [self.hits_by(rule).of_cells([cell], seeds) for rule in rules] if cell and seeds else []
        if not sides or any(side is None for side in sides):
            return Comparison(dataset, text)
        interval = in_points(crossed_interval(sides[0][0] - sides[1][0]))  # type: ignore[index]
        return Comparison(dataset, text, adjust_for_pairs(interval, PAIRS_OF_FIVE), len(seeds))

    def compare_numbers(self, dataset: str, text: str, first: dict[int, float], second: dict[int, float]) -> Comparison:
        """One number a seed on each side, so that images do not count (paired t)."""
        seeds = sorted(first.keys() & second.keys())
        if len(seeds) < 2:
            return Comparison(dataset, text)
        interval = paired_t(np.array([first[number] - second[number] for number in seeds]))
        return Comparison(dataset, text, adjust_for_pairs(interval, PAIRS_OF_FIVE), len(seeds))


def read_evidence(
    records: Records, scale: str | None = None, mechanisms: dict[str, list[Any]] | None = None
) -> Evidence:
    """The runs of a folder on whole data sets without a hold-out, last epoch; what `--set` changed is a cell's label.

    scale: of which runs are read; None for all, which then must be of one. mechanisms: {method: the curves that it declares
    today}, for records that keep none. Runs with other training images or random start weights than most are the variations.
    Raises ReportError where runs on a data set stand on different things otherwise.
    """
    runs = [
        (record, describe_variation(record["spec"]))
        for record in records.records()
        if scale in (None, record["spec"]["scale"]["name"])
    ]
    usual_runs = find_usual_runs((record["spec"]["data"]["name"], variation) for record, variation in runs)
    evidence_runs: dict[str, list[dict[str, Any]]] = {"": []}
    for record, variation in runs:
        is_usual = usual_runs[record["spec"]["data"]["name"]] == variation
        evidence_runs.setdefault("" if is_usual else variation, []).append(record)
    evidence, *variations = (make_evidence(records, found, mechanisms or {}) for found in evidence_runs.values())
    evidence.variations = dict(sorted(zip(list(evidence_runs)[1:], variations, strict=True)))
    return evidence


def describe_variation(spec: dict[str, Any]) -> str:
    """How a run differs from others in what they share by default: its training images, its start weights; '' if not."""
    subset = spec["scale"].get("subset")
    parts = [] if subset is None else [f"training images {subset}"]
    return ", ".join([*parts, "random start weights"] if spec["weights"] == "random" else parts)


def find_usual_runs(runs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """{data set: the variation that its findings are of}: none, or the most frequent where there are no such runs."""
    usual_runs: dict[str, str] = {}
    for (dataset, variation), _ in sorted(Counter(runs).items(), key=lambda run: (run[0][1] != "", -run[1], run[0])):
        usual_runs.setdefault(dataset, variation)
    return usual_runs


def make_evidence(records: Records, chosen_records: list[dict[str, Any]], mechanisms: dict[str, list[Any]]) -> Evidence:
    """Evidence of these records; raises ReportError where runs on a data set stand on different things."""
    cells: dict[tuple[Any, ...], Cell] = {}
    ground: dict[str, dict[str, str]] = {}
    for record in chosen_records:
        spec = record["spec"]
        noise = spec["noise"]
        need_alike(record, ground)
        if spec["part"] == "all" and not spec["holdout"]:
            changed_text = " ".join(f"{name}={value}" for name, value in sorted(changed_settings(record).items()))
            name = str(record["resolved"].get("method_title") or spec["method"])
            condition = (spec["data"]["name"], noise["kind"], noise["rate"])
            new_cell = Cell(name, spec["method"], *condition, changed_text or None)
            cell = cells.setdefault((spec["method"], *condition, changed_text), new_cell)
            cell.records.append(record)
            cell.values[record_seed(record)] = 100 * record["metrics"]["last"]
    add_facts(cells.values(), records)
    for cell in cells.values():
        cell.mechanism = declared_curves(cell.records) or mechanisms.get(cell.method, [])
    return Evidence(records, cells.values())


def need_alike(record: dict[str, Any], ground: dict[str, dict[str, str]]) -> None:
    """Raises ReportError where a run stands on another thing than those before it on the data set (`ground`, filled)."""
    spec = record["spec"]
    facts_now = {name: str(spec[name]) for name in ALIKE} | {"data": spec["data"]["fingerprint"]}
    for name, value in ground.setdefault(spec["data"]["name"], facts_now).items():
        if facts_now[name] != value:
            raise ReportError(
                f"record {record['id']}: {name} {facts_now[name]}, others of {spec['data']['name']} have {value}; findings "
                "are of one kind of run: give a folder that holds no other (--results)"
            )


def by_seed(cell: Cell | None, read_number: Callable[[dict[str, Any]], float | None]) -> dict[int, float]:
    """{seed: number} of the runs that hold it."""
    value_by_seed = {record_seed(record): read_number(record) for record in cell.records} if cell else {}
    return {number: value for number, value in value_by_seed.items() if value is not None}


def title_of(evidence: Evidence, dataset: str) -> str:
    """The data set's name in tables."""
    return next(data_title(cell.records[0]) for cell in evidence.cells if cell.dataset == dataset and cell.records)
