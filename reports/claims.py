"""The paper's claims as data, each with a verdict from paired comparisons over seeds and images."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from reports import Options
from reports.captions import dataset_title, noise_text, unique
from reports.cells import Cell, common_seeds, read_cells
from reports.divergence import groups
from reports.figures import parameter_value
from reports.published import DATASETS, METHODS, facts
from reports.records import Records, seed
from reports.statistics import Interval, holm, paired_bootstrap

ENOUGH_SEEDS = 5
LAST = 5  # epochs in 'mean of the last five'
VERDICTS = ("holds", "too few seeds", "does not hold", "not measured")


@dataclass(frozen=True)
class Comparison:
    """One paired difference that a claim says is above 0, in points (or divergence); p: adjusted by Holm."""

    text: str
    found: Interval
    n: int
    p: float = 1.0


@dataclass(frozen=True)
class Claim:
    """text: the claim in words. of: (kind, name) of the table or figure it stands on. compare: its comparisons."""

    text: str
    source: str
    of: tuple[str, str]
    compare: Callable[["Evidence"], Iterator[Comparison]]
    unit: str = "points"


@dataclass
class Verdict:
    claim: Claim
    verdict: str
    comparisons: list[Comparison] = field(default_factory=list)


@dataclass
class Evidence:
    """The cells of one table or figure, with which test images each run gets right."""

    what: dict[str, Any]
    records: Records
    options: Options
    cells: list[Cell]
    kept: dict[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)

    def right(self, record: dict[str, Any]) -> tuple[np.ndarray, np.ndarray] | None:
        """(rows of the test images, share of the rule's epochs in which each was right), None without sound arrays."""
        if record["id"] not in self.kept:
            arrays = self.records.arrays(record["id"], ("predictions", "test_labels", "test_rows"))
            if arrays is None or arrays["predictions"].shape[1:] != arrays["test_labels"].shape:
                return None
            hits = arrays["predictions"][epochs(record, self.options.rule)] == arrays["test_labels"]
            self.kept[record["id"]] = arrays["test_rows"], hits.mean(0)
        return self.kept[record["id"]]

    def difference(self, first: Cell, second: Cell) -> tuple[list[int], np.ndarray] | None:
        """Seeds that both cells have, and [seeds, images] first minus second in points."""
        seeds = common_seeds([first, second])
        pairs = []
        for number in seeds:
            one, two = (self.right(next(r for r in cell.records if seed(r) == number)) for cell in (first, second))
            if one is None or two is None or not np.array_equal(one[0], two[0]):
                return None
            pairs.append(100 * (one[1] - two[1]))
        return (seeds, np.stack(pairs)) if pairs and len({len(pair) for pair in pairs}) == 1 else None


def epochs(record: dict[str, Any], rule: str) -> slice:
    """The epochs whose predictions a rule looks at."""
    if rule == "last5":
        return slice(-LAST, None)
    if rule == "last":
        return slice(-1, None)
    chosen = record["metrics"]["best_epoch"] - 1
    if rule == "noisy_val":
        chosen = int(np.argmax(record["history"]["noisy_validation"]))
    return slice(chosen, chosen + 1)


def better(method: str, than: str | None, evidence: Evidence) -> Iterator[Comparison]:
    """A method against another one (None: every other), in every data set and at every rate."""
    for ours, other in beside(evidence.cells, method, lambda cell: than in (None, cell.method)):
        measured = evidence.difference(ours, other)
        if measured:
            where = f"{dataset_title(evidence.cells, ours.dataset)}, {noise_text(ours.noise, ours.rate)}"
            yield Comparison(f"{where}: over {other.title}", paired_bootstrap(measured[1]), len(measured[0]))


def average_gain(dataset: str, evidence: Evidence) -> Iterator[Comparison]:
    """LA-Net over EAC on one data set, mean over the rates; only where both are measured at every rate shown."""
    pairs = list(beside(evidence.cells, "lanet", lambda cell: cell.method == "eac" and cell.dataset == dataset))
    measured = [found for pair in pairs if (found := evidence.difference(*pair))]
    if not measured or len(measured) < len(pairs) or len({len(found[1][0]) for found in measured}) > 1:
        return
    seeds = sorted(set.intersection(*(set(found[0]) for found in measured)))
    if seeds:
        by_rate = [found[1][[found[0].index(number) for number in seeds]] for found in measured]
        rates = ", ".join(f"{100 * float(ours.rate):g} %" for ours, _ in pairs if ours.rate)
        yield Comparison(f"mean over {rates}", paired_bootstrap(np.mean(by_rate, axis=0)), len(seeds))


def beside(cells: list[Cell], method: str, wanted: Callable[[Cell], bool]) -> Iterator[tuple[Cell, Cell]]:
    """(the method's cell, another one's) at the same data set, noise and rate."""
    shown = [cell for cell in cells if cell.part == "table" and not cell.label]
    for ours in shown:
        for other in shown:
            same = (ours.dataset, ours.noise, ours.rate) == (other.dataset, other.noise, other.rate)
            if ours.method == method != other.method and same and wanted(other):
                yield ours, other


def best_value(option: str, best: float, evidence: Evidence) -> Iterator[Comparison]:
    """The published best value of a parameter against every other value of its grid."""
    at = [(cell, *(parameter_value(cell) or ("", 0.0))) for cell in evidence.cells]
    for ours, name, value in at:
        for other, other_name, other_value in at:
            same = (ours.dataset, ours.noise, ours.rate) == (other.dataset, other.noise, other.rate)
            if name == other_name == option and value == best != other_value and same:
                measured = evidence.difference(ours, other)
                if measured:
                    where = dataset_title(evidence.cells, ours.dataset)
                    yield Comparison(f"{where}: over {other_value:g}", paired_bootstrap(measured[1]), len(measured[0]))


def closer(to: str, evidence: Evidence) -> Iterator[Comparison]:
    """LA-Net's label distributions against the given labels ('given') or the baseline's softmax ('baseline')."""
    for group in groups(evidence.what, evidence.cells, evidence.records, evidence.options):
        of_method = {row.cell.method if row.cell else "given": row for row in group.measured}
        if {"lanet", to} <= of_method.keys():
            seeds = sorted(of_method["lanet"].values.keys() & of_method[to].values.keys())
            gaps = [of_method[to].values[number] - of_method["lanet"].values[number] for number in seeds]
            where = f"{dataset_title(evidence.cells, group.dataset)}, {noise_text(group.noise, group.rate)}"
            if seeds:
                yield Comparison(where, paired_bootstrap(np.stack(gaps)), len(seeds))


def claims() -> tuple[Claim, ...]:
    """What is tested; a new claim is one more line."""
    printed = facts()
    gains = {name: printed[f"avg_gain_over_eac_{title}"] for name, title in DATASETS.items()}
    tau, omega = float(printed["temperature_best"]), float(printed["momentum_decay_best"])
    one, two, tau_grid, omega_grid = ("table", "1"), ("table", "2"), ("figure", "tau"), ("figure", "omega")
    gain_claims = [
        Claim(f"LA-Net gains {gains[n]} points over EAC on {DATASETS[n]}", "section A", one, partial(average_gain, n))
        for n in DATASETS
    ]
    closer_to_people = "LA-Net's label distributions are closer to people than one-hot labels"
    return (
        Claim("LA-Net is first at every rate and on every data set", "Table 1", one, partial(better, "lanet", None)),
        *gain_claims,
        *(
            Claim(
                f"{METHODS[name]} is above the baseline at every rate",
                "Table 1",
                one,
                partial(better, name, "baseline"),
            )
            for name in METHODS
            if name != "baseline"
        ),
        Claim(f"temperature τ = {tau:g} is best", "section B", tau_grid, partial(best_value, "temperature", tau)),
        Claim(f"momentum ω = {omega:g} is best", "section B", omega_grid, partial(best_value, "label_momentum", omega)),
        Claim(closer_to_people, "Table 2", two, partial(closer, "given"), "divergence"),
        Claim(
            "… and closer than the baseline's softmax", "control, ours", two, partial(closer, "baseline"), "divergence"
        ),
    )


def verdicts(whats: Sequence[dict[str, Any]], records: Records, options: Options) -> list[Verdict]:
    """Every claim, tested on what has been measured; raises ReportError."""
    evidence: dict[tuple[str, str], Evidence] = {}
    for what in whats:
        rule = "last" if what["name"] == "2" else options.rule
        cells = read_cells(what, records, rule)
        evidence[what["kind"], what["name"]] = Evidence(what, records, options, cells)
    return [judge(claim, evidence.get(claim.of)) for claim in claims()]


def judge(claim: Claim, evidence: Evidence | None) -> Verdict:
    """'holds' where every 95 % interval, and Holm's adjusted p, speaks for it and at least five seeds are behind it."""
    found = [] if evidence is None else list(claim.compare(evidence))
    if not found:
        return Verdict(claim, "not measured")
    adjusted = holm(np.array([c.found.p for c in found]))
    found = [Comparison(c.text, c.found, c.n, float(p)) for c, p in zip(found, adjusted)]
    if min(c.n for c in found) < ENOUGH_SEEDS:
        return Verdict(claim, "too few seeds", found)
    sure = all(c.found.low > 0 and c.p < 0.05 for c in found)
    return Verdict(claim, "holds" if sure else "does not hold", found)


def summary(verdict: Verdict) -> str:
    """What stands beside the verdict in one line."""
    if not verdict.comparisons:
        return "no runs that could tell"
    n = unique(sorted(c.n for c in verdict.comparisons))
    seeds = f"n = {n[0]}" if len(n) == 1 else f"n = {n[0]} to {n[-1]}"
    if len(verdict.comparisons) == 1:
        return f"{interval_text(verdict.comparisons[0].found, verdict.claim.unit)}, {seeds}"
    lowest = min(verdict.comparisons, key=lambda c: c.found.mean)
    above = sum(c.found.low > 0 for c in verdict.comparisons)
    least = f"smallest {interval_text(lowest.found, verdict.claim.unit)} ({lowest.text})"
    return f"{above} of {len(verdict.comparisons)} comparisons above 0; {least}; {seeds}"


def interval_text(found: Interval, unit: str) -> str:
    places = 1 if unit == "points" else 4
    numbers = [f"{value:+.{places}f}".replace("-", "−") for value in (found.mean, found.low, found.high)]
    return f"{numbers[0]} {unit} [{numbers[1]}, {numbers[2]}]"
