"""The paper's claims as data, each with a verdict from paired comparisons over seeds and images."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from reports.asked import Asked, Options
from reports.captions import changed_text, dataset_title, noise_text, unique
from reports.cells import Cell, common_seeds, parameter_value
from reports.divergence import groups, nearer
from reports.paired import ENOUGH_SEEDS, Hits
from reports.statistics import Interval, holm, paired_bootstrap
from reports.table import signed
from results.published import DATASETS, METHODS, facts
from results.records import Records

PAPER_RATES = ("0.1", "0.2", "0.3")
PAPER_NOISE = "asymmetric"
SURE = 0.05


@dataclass(frozen=True)
class Comparison:
    """One paired difference that a claim says is above 0, in points (or divergence); p: adjusted by Holm."""

    text: str
    found: Interval
    n: int
    p: float = 1.0


@dataclass(frozen=True)
class Claim:
    """text: the claim in words. of: (kind, name) of the table or figure it stands on. compare: its comparisons, and in
    words those that it needs and that were not measured.
    """

    text: str
    source: str
    of: tuple[str, str]
    compare: Callable[["Evidence"], Iterator[Comparison | str]]
    unit: str = "points"


@dataclass
class Verdict:
    claim: Claim
    verdict: str
    comparisons: list[Comparison] = field(default_factory=list)
    lacking: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)


class Evidence:
    """The cells of one table or figure, with which test images each run gets right."""

    def __init__(self, records: Records, options: Options, cells: list[Cell]) -> None:
        self.records, self.options, self.cells = records, options, cells
        self.hits = Hits(records, options.rule)

    def difference(self, first: Cell | None, second: Cell | None) -> tuple[list[int], np.ndarray] | None:
        """Seeds that both cells have, and [seeds, images] first minus second in points; None without a common one."""
        if first is None or second is None:
            return None
        seeds = common_seeds([first, second])
        right = self.hits.of_cells([first, second], seeds)
        return None if right is None else (seeds, 100 * (right[0] - right[1]))


def better(method: str, than: str | None, evidence: Evidence) -> Iterator[Comparison | str]:
    """A method against another one of the paper's (None: each of them), on each data set shown, at the paper's rates."""
    shown = of_paper(evidence.cells)
    for dataset in unique(cell.dataset for cell in evidence.cells):
        for rate in PAPER_RATES:
            for other in METHODS if than is None else (than,):
                if other != method:
                    where = f"{dataset_title(evidence.cells, dataset)}, {noise_text(PAPER_NOISE, rate)}"
                    pair = shown.get((method, dataset, rate)), shown.get((other, dataset, rate))
                    yield compared(evidence, pair, f"{where}: over {METHODS[other]}")


def average_gain(dataset: str, evidence: Evidence) -> Iterator[Comparison | str]:
    """LA-Net over EAC on one data set, mean over the paper's rates, on the seeds that all of them have."""
    shown = of_paper(evidence.cells)
    pairs = [(shown.get(("lanet", dataset, rate)), shown.get(("eac", dataset, rate))) for rate in PAPER_RATES]
    measured = [found for pair in pairs if (found := evidence.difference(*pair))]
    where = f"mean over {', '.join(f'{100 * float(rate):g} %' for rate in PAPER_RATES)}"
    if len(measured) == len(pairs) and len({len(found[1][0]) for found in measured}) == 1:
        seeds = sorted(set.intersection(*(set(found[0]) for found in measured)))
        if seeds:
            by_rate = [found[1][[found[0].index(number) for number in seeds]] for found in measured]
            yield Comparison(where, paired_bootstrap(np.mean(by_rate, axis=0)), len(seeds))
            return
    if measured:
        yield where


def of_paper(cells: list[Cell]) -> dict[tuple[str, str, str | None], Cell]:
    """{(method, data set, rate): cell} of the paper's methods as published under the paper's noise."""
    return {
        (cell.method, cell.dataset, cell.rate): cell
        for cell in cells
        if cell.part == "table" and not cell.label and cell.noise == PAPER_NOISE and cell.method in METHODS
    }


def compared(evidence: Evidence, pair: tuple[Cell | None, Cell | None], text: str) -> Comparison | str:
    """The paired difference of two cells, or its name alone where it was not measured."""
    measured = evidence.difference(*pair)
    return Comparison(text, paired_bootstrap(measured[1]), len(measured[0])) if measured else text


def best_value(option: str, best: float, grid: Sequence[float], evidence: Evidence) -> Iterator[Comparison | str]:
    """The published best value of a parameter against every other value of its grid."""
    at = {}
    for cell in evidence.cells:
        name, value = parameter_value(cell) or ("", 0.0)
        if name == option:
            at[cell.dataset, cell.noise, cell.rate, value] = cell
    for dataset, noise, rate in dict.fromkeys(place[:3] for place in at):
        for value in grid:
            if value != best:
                pair = at.get((dataset, noise, rate, best)), at.get((dataset, noise, rate, value))
                where = f"{dataset_title(evidence.cells, dataset)}, {noise_text(noise, rate)}"
                yield compared(evidence, pair, f"{where}: over {value:g}")


def closer(to: str, evidence: Evidence) -> Iterator[Comparison | str]:
    """LA-Net's label distributions against the given labels ('given') or the baseline's softmax ('baseline')."""
    for group in groups(evidence.cells, evidence.records, evidence.options):
        where = f"{dataset_title(evidence.cells, group.dataset)}, {noise_text(group.noise, group.rate)}"
        found = nearer(group, to)
        yield Comparison(where, paired_bootstrap(found[1]), len(found[0])) if found else where


def claims() -> tuple[Claim, ...]:
    """What is tested; a new claim is one more line."""
    printed = facts()
    gains = {name: printed[f"avg_gain_over_eac_{title}"] for name, title in DATASETS.items()}
    tau, omega = float(printed["temperature_best"]), float(printed["momentum_decay_best"])
    taus, omegas = (
        [float(value) for value in printed[f"{name}_grid"].split(";")] for name in ("temperature", "momentum_decay")
    )
    one, two, tau_grid, omega_grid = ("table", "1"), ("table", "2"), ("figure", "tau"), ("figure", "omega")
    gain_claims = [
        Claim(f"LA-Net gains over EAC on {DATASETS[n]}", f"section A: {gains[n]} points", one, partial(average_gain, n))
        for n in DATASETS
    ]
    closer_to_people = "LA-Net's label distributions are closer to people than one-hot labels"
    return (
        Claim("LA-Net is first at every rate, on every data set shown", "Table 1", one, partial(better, "lanet", None)),
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
        Claim(f"temperature τ = {tau:g} is best", "section B", tau_grid, partial(best_value, "temperature", tau, taus)),
        Claim(
            f"momentum ω = {omega:g} is best",
            "section B",
            omega_grid,
            partial(best_value, "label_momentum", omega, omegas),
        ),
        Claim(closer_to_people, "Table 2", two, partial(closer, "given"), "divergence"),
        Claim(
            "… and closer than the baseline's softmax", "control, ours", two, partial(closer, "baseline"), "divergence"
        ),
    )


def verdicts(shown: Sequence[tuple[Asked, list[Cell]]], records: Records, options: Options) -> list[Verdict]:
    """Every claim, tested on what has been measured; shown: each table or figure with its cells."""
    evidence = {(asked.kind, asked.name): Evidence(records, options, cells) for asked, cells in shown}
    return [judge(claim, evidence.get(claim.of)) for claim in claims()]


def judge(claim: Claim, evidence: Evidence | None) -> Verdict:
    """One word for all comparisons of a claim.

    'holds': everything that it needs was measured with at least five seeds, and every 95 % interval, and p by Holm,
    speaks for it. 'does not hold': one of them speaks against it. 'not shown': some reach both sides of 0.
    """
    if evidence is None:
        return Verdict(claim, "not measured")
    every = list(claim.compare(evidence))
    found = [entry for entry in every if isinstance(entry, Comparison)]
    if not found:
        return Verdict(claim, "not measured")
    adjusted = holm(np.array([c.found.p for c in found]))
    found = [Comparison(c.text, c.found, c.n, float(p)) for c, p in zip(found, adjusted)]
    lacking = [entry for entry in every if isinstance(entry, str)]
    changed = changed_text([cell for cell in evidence.cells if cell.records])
    return Verdict(claim, word(found, lacking), found, lacking, changed)


def word(found: list[Comparison], lacking: list[str]) -> str:
    if any(c.found.high < 0 and c.p < SURE and c.n >= ENOUGH_SEEDS for c in found):
        return "does not hold"
    if min(c.n for c in found) < ENOUGH_SEEDS:
        return "too few seeds"
    if lacking:
        return "partly measured"
    return "holds" if all(c.found.low > 0 and c.p < SURE for c in found) else "not shown"


def summary(verdict: Verdict) -> str:
    """What stands beside the verdict in one line."""
    if not verdict.comparisons:
        return "no runs that could tell"
    n = unique(sorted(c.n for c in verdict.comparisons))
    lowest = min(verdict.comparisons, key=lambda c: c.found.mean)
    parts = [f"{interval_text(lowest.found, verdict.claim.unit)} ({lowest.text})"]
    if len(verdict.comparisons) > 1:
        above = sum(c.found.low > 0 for c in verdict.comparisons)
        parts = [f"{above} of {len(verdict.comparisons)} comparisons above 0", f"smallest {parts[0]}"]
    parts += [f"n = {n[0]}" if len(n) == 1 else f"n = {n[0]} to {n[-1]}"]
    parts += [f"{len(verdict.lacking)} more not measured"] if verdict.lacking else []
    return "; ".join([*parts, *(text.rstrip(".") for text in verdict.changed)])


def interval_text(found: Interval, unit: str) -> str:
    places = 1 if unit == "points" else 4
    numbers = [signed(value, f"+.{places}f") for value in (found.mean, found.low, found.high)]
    return f"{numbers[0]} {unit} [{numbers[1]}, {numbers[2]}]"


def claims_markdown(found: list[Verdict]) -> str:
    """A list of the claims, each with its verdict and what it stands on."""
    return "".join(f"- **{one.verdict}**: {one.claim.text} ({one.claim.source}): {summary(one)}\n" for one in found)
