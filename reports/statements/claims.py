"""The paper's claims as data, each with a verdict a data set, from paired comparisons over seeds and images."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from reports.asked import Asked, Options
from reports.captions import changed_text, dataset_title, noise_text, scale_text, unique
from reports.cells import Cell, common_seeds, swept_value
from reports.divergence import groups, nearer
from reports.paired import Hits, compare_cells
from reports.statistics import SURE, Interval, adjusted_p, crossed_interval, in_points
from reports.table import signed
from results.published import DATASETS, METHODS, facts
from results.records import Records
from results.schema import ENOUGH_SEEDS, RULES

PAPER_RATES = ("0.1", "0.2", "0.3")
PAPER_NOISE = "asymmetric"


@dataclass(frozen=True)
class Comparison:
    """One paired difference that a claim says is above 0, in points (or divergence); p: adjusted by Holm.

    dataset: its name. found: None where it was not measured.
    """

    dataset: str
    text: str
    found: Interval | None
    n: int = 0
    p: float = 1.0


@dataclass(frozen=True)
class Claim:
    """text: the claim in words. of: (kind, name) of the table or figure it stands on. compare: its comparisons, those that
    it needs and that were not measured too. as_printed: it is a number of the paper's scale, of which others tell nothing.
    """

    text: str
    source: str
    of: tuple[str, str]
    compare: Callable[["Evidence"], Iterator[Comparison]]
    unit: str = "points"
    as_printed: bool = False


@dataclass
class Verdict:
    """What the runs on one data set say of a claim.

    dataset: its title, and whether the paper has it. ground: at which scale and by which accuracy.
    """

    claim: Claim
    verdict: str
    dataset: str = ""
    ground: str = ""
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


def better(method: str, than: str | None, evidence: Evidence) -> Iterator[Comparison]:
    """A method against another one of the paper's (None: each of them), on each data set shown, at the paper's rates."""
    shown = of_paper(evidence.cells)
    for dataset in unique(cell.dataset for cell in evidence.cells):
        for rate in PAPER_RATES:
            for other in METHODS if than is None else (than,):
                if other != method:
                    pair = shown.get((method, dataset, rate)), shown.get((other, dataset, rate))
                    text = f"{noise_text(PAPER_NOISE, rate)}: over {METHODS[other]}"
                    yield compared_in_table(evidence, pair, dataset, text)


def average_gain(dataset: str, evidence: Evidence) -> Iterator[Comparison]:
    """LA-Net over EAC on one data set, mean over the paper's rates, on the seeds that all of them have."""
    shown = of_paper(evidence.cells)
    pairs = [(shown.get(("lanet", dataset, rate)), shown.get(("eac", dataset, rate))) for rate in PAPER_RATES]
    measured = [found for pair in pairs if (found := evidence.difference(*pair))]
    where = f"mean over {', '.join(f'{100 * float(rate):g} %' for rate in PAPER_RATES)}"
    if len(measured) == len(pairs) and len({len(found[1][0]) for found in measured}) == 1:
        seeds = sorted(set.intersection(*(set(found[0]) for found in measured)))
        if seeds:
            by_rate = [found[1][[found[0].index(number) for number in seeds]] for found in measured]
            yield Comparison(dataset, where, crossed_interval(np.mean(by_rate, axis=0)), len(seeds))
            return
    if measured:
        yield Comparison(dataset, where, None)


def of_paper(cells: list[Cell]) -> dict[tuple[str, str, str | None], Cell]:
    """{(method, data set, rate): cell} of the paper's methods as published under the paper's noise."""
    return {
        (cell.method, cell.dataset, cell.rate): cell
        for cell in cells
        if cell.part == "table" and not cell.label and cell.noise == PAPER_NOISE and cell.method in METHODS
    }


def compared_in_table(evidence: Evidence, pair: tuple[Cell | None, Cell | None], dataset: str, text: str) -> Comparison:
    """The difference of two of the paper's rows with the p that their table's ranks are made of."""
    first, second = pair
    if first is None or second is None:
        return Comparison(dataset, text, None)
    rows = [cell for cell in of_paper(evidence.cells).values() if (cell.dataset, cell.rate) == (dataset, first.rate)]
    found = compare_cells(first, second, rows, evidence.hits)
    if found is None:
        return Comparison(dataset, text, None)
    return Comparison(dataset, text, in_points(found[0]), found[1])


def compared(evidence: Evidence, pair: tuple[Cell | None, Cell | None], dataset: str, text: str) -> Comparison:
    """The paired difference of two cells."""
    measured = evidence.difference(*pair)
    if measured is None:
        return Comparison(dataset, text, None)
    return Comparison(dataset, text, crossed_interval(measured[1]), len(measured[0]))


def best_value(option: str, best: float, grid: Sequence[float], evidence: Evidence) -> Iterator[Comparison]:
    """The published best value of a parameter against every other value of its grid."""
    at = {}
    for cell in evidence.cells:
        name, value = swept_value(cell) or ("", "")
        if name == f"lanet.{option}":
            at[cell.dataset, cell.noise, cell.rate, float(value)] = cell
    for dataset, noise, rate in dict.fromkeys(place[:3] for place in at):
        for value in grid:
            if value != best:
                pair = at.get((dataset, noise, rate, best)), at.get((dataset, noise, rate, value))
                yield compared(evidence, pair, dataset, f"{noise_text(noise, rate)}: over {value:g}")


def closer(to: str, evidence: Evidence) -> Iterator[Comparison]:
    """LA-Net's label distributions against the given labels ('given') or the baseline's softmax ('baseline')."""
    for group in groups(evidence.cells, evidence.records, evidence.options):
        where, found = noise_text(group.noise, group.rate), nearer(group, to)
        interval, n = (crossed_interval(found[1]), len(found[0])) if found else (None, 0)
        yield Comparison(group.dataset, where, interval, n)


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
        Claim(
            f"LA-Net gains over EAC on {DATASETS[name]}",
            f"section A: {gains[name]} points",
            one,
            partial(average_gain, name),
            as_printed=True,
        )
        for name in DATASETS
    ]
    closer_to_people = "LA-Net's label distributions are closer to people than one-hot labels"
    return (
        Claim("LA-Net is first at every rate", "Table 1", one, partial(better, "lanet", None)),
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
    return [verdict for claim in claims() for verdict in judged(claim, evidence.get(claim.of))]


def judged(claim: Claim, evidence: Evidence | None) -> list[Verdict]:
    """A verdict for each data set on which something of the claim was measured; else one that nothing was."""
    every = list(claim.compare(evidence)) if evidence else []
    names = sorted(unique(one.dataset for one in every if one.found), key=lambda name: name not in DATASETS)
    if not evidence or not names:
        return [Verdict(claim, "not measured")]
    return [judge(claim, evidence, name, [one for one in every if one.dataset == name]) for name in names]


def judge(claim: Claim, evidence: Evidence, dataset: str, every: list[Comparison]) -> Verdict:
    """One word for all comparisons of a claim on one data set.

    'holds': everything that it needs was measured with at least five seeds, and every 95 % interval, and p by Holm,
    speaks for it. 'does not hold': one of them speaks against it. 'not shown': some reach both sides of 0.
    """
    measured = [one for one in every if one.found]
    found = [
        replace(one, p=float(p)) for one, p in zip(measured, adjusted_p([one.found for one in measured if one.found]))
    ]
    lacking = [one.text for one in every if not one.found]
    cells = [cell for cell in evidence.cells if cell.dataset == dataset and cell.records]
    title = dataset_title(cells, dataset) + ("" if dataset in DATASETS else " (not a data set of the paper)")
    at_scale, rule = scale_text(cells), RULES[evidence.options.rule]
    ground = f"at {at_scale}" + (f", {rule}" if claim.unit == "points" else "")
    said = "not measured" if claim.as_printed and at_scale != "paper scale" else word(found, lacking)
    return Verdict(claim, said, title, ground, found, lacking, changed_text(cells))


def word(found: list[Comparison], lacking: list[str]) -> str:
    sides = [(side(one), one) for one in found]
    if any(where < 0 and one.p < SURE and one.n >= ENOUGH_SEEDS for where, one in sides):
        return "does not hold"
    if min(one.n for one in found) < ENOUGH_SEEDS:
        return "too few seeds"
    if lacking:
        return "partly measured"
    return "holds" if all(where > 0 and one.p < SURE for where, one in sides) else "not shown"


def side(one: Comparison) -> int:
    """1 where the interval lies above 0, -1 where below, 0 where it reaches both sides."""
    return int(one.found is not None and one.found.low > 0) - int(one.found is not None and one.found.high < 0)


def summary(verdict: Verdict) -> str:
    """What stands beside the verdict in one line."""
    if not verdict.comparisons:
        return "no runs that could tell"
    n, sides = unique(sorted(one.n for one in verdict.comparisons)), [side(one) for one in verdict.comparisons]
    measured = [(one.found, one.text) for one in verdict.comparisons if one.found]
    lowest, where = min(measured, key=lambda pair: pair[0].mean)
    parts = [f"{interval_text(lowest, verdict.claim.unit)} ({where})"]
    if len(sides) > 1:
        counts = f"interval above 0 in {sides.count(1)} of {len(sides)} comparisons, below in {sides.count(-1)}"
        parts = [counts, f"smallest {parts[0]}"]
    parts += [f"n = {n[0]}" if len(n) == 1 else f"n = {n[0]} to {n[-1]}"]
    parts += [f"{len(verdict.lacking)} more not measured"] if verdict.lacking else []
    return "; ".join([*parts, *(text.rstrip(".") for text in verdict.changed)])


def interval_text(found: Interval, unit: str) -> str:
    numbers = [signed(value, f"+.{places_of(unit)}f") for value in (found.mean, found.low, found.high)]
    return f"{numbers[0]} {unit} [{numbers[1]}, {numbers[2]}]"


def places_of(unit: str) -> int:
    return 1 if unit == "points" else 4


def claims_markdown(found: list[Verdict]) -> str:
    """A list of the claims, each with its verdict and what it stands on."""
    return "".join(f"- **{heading(one)[0]}**: {heading(one)[1]}: {summary(one)}\n" for one in found)


def heading(one: Verdict) -> tuple[str, str]:
    """The verdict with its ground, and the claim with its data set and source."""
    on = f" on {one.dataset}"
    claim = f"{one.claim.text}{on if one.dataset and on not in one.claim.text else ''} ({one.claim.source})"
    if one.verdict != "not measured":
        return f"{one.verdict} {one.ground}", claim
    if not one.ground:
        return one.verdict, claim
    return "not measured at paper scale", f"{claim}; {one.ground}"
