"""The paper's claims as data, each with a verdict a data set, from paired comparisons over seeds and images."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from reports.asked import Asked, Options
from reports.captions import changed_text, dataset_title, noise_text, scale_text, unique_texts
from reports.cells import Cell, common_seeds, group_by, swept_value
from reports.divergence import compare_distance, find_row, group_divergences
from reports.paired import PAIRS_OF_FIVE
from reports.statements.evidence import Comparison, Evidence
from reports.statistics import Interval, adjust_for_pairs, crossed_interval, in_points
from reports.table import markdown_table, signed_texts
from results.published import DATASETS, METHODS, supplement_facts
from results.records import Records
from results.schema import ENOUGH_SEEDS, RULES

PAPER_RATES = ("0.1", "0.2", "0.3")
PAPER_NOISE = "asymmetric"


@dataclass(frozen=True)
class Claim:
    """What the paper says, as differences that it says are above 0."""

    text: str
    source: str
    of: tuple[str, str]  # kind and name of the table or figure that it stands on
    compare: Callable[[Evidence], Iterator[Comparison]]  # all that it needs, measured or not
    unit: str = "points"
    as_printed: bool = False  # it is a number of the paper's scale, of which others tell nothing


@dataclass
class Verdict:
    """What the runs on one data set say of a claim."""

    claim: Claim
    verdict: str
    dataset: str = ""  # its title, and whether the paper has it
    ground: str = ""  # at which scale and by which accuracy
    comparisons: list[Comparison] = field(default_factory=list)  # that were measured
    lacking: list[str] = field(default_factory=list)  # that were not
    changed: list[str] = field(default_factory=list)  # settings

    @property
    def lowest(self) -> Comparison:
        """The measured comparison with the smallest difference."""
        return min(self.comparisons, key=lambda comparison: comparison.found.mean)


def compare_accuracies(method: str, than: str | None, evidence: Evidence) -> Iterator[Comparison]:
    """A method against another one of the paper's (None: each of them), on each data set shown, at the paper's rates."""
    for dataset in evidence.datasets():
        for rate in PAPER_RATES:
            method_cell = evidence.cell(dataset, method, PAPER_NOISE, rate)
            for other in METHODS if than is None else (than,):
                if other != method:
                    text = f"{noise_text(PAPER_NOISE, rate)}: over {METHODS[other]}"
                    other_cell = evidence.cell(dataset, other, PAPER_NOISE, rate)
                    yield evidence.compare(dataset, text, method_cell, other_cell)


def average_gain(dataset: str, evidence: Evidence) -> Iterator[Comparison]:
    """LA-Net over EAC on one data set, mean over the paper's rates, on the seeds that all of them have."""
    rates_text = f"mean over {', '.join(f'{100 * float(rate):g} %' for rate in PAPER_RATES)}"
    asked_cells = [
        evidence.cell(dataset, method, PAPER_NOISE, rate) for method in ("lanet", "eac") for rate in PAPER_RATES
    ]
    cells = [cell for cell in asked_cells if cell is not None]
    seeds = common_seeds(cells) if len(cells) == len(asked_cells) else []
    right_answers = evidence.hits_by(evidence.options.rule).of_cells(cells, seeds) if seeds else None
    if right_answers is None:
        yield Comparison(dataset, rates_text)
        return
    gains = right_answers[: len(PAPER_RATES)] - right_answers[len(PAPER_RATES) :]
    yield Comparison(
        dataset, rates_text, adjust_for_pairs(in_points(crossed_interval(gains.mean(0))), PAIRS_OF_FIVE), len(seeds)
    )


def best_value(option: str, best: float, grid: Sequence[float], evidence: Evidence) -> Iterator[Comparison]:
    """The published best value of a parameter against every other value of its grid."""
    cell_by_place = {}
    for cell in evidence.cells:
        name, value = swept_value(cell) or ("", "")
        if name == f"lanet.{option}":
            cell_by_place[cell.dataset, cell.noise, cell.rate, float(value)] = cell
    for dataset, noise, rate in dict.fromkeys(place[:3] for place in cell_by_place):
        for value in grid:
            if value != best:
                text = f"{noise_text(noise, rate)}: over {value:g}"
                best_cell = cell_by_place.get((dataset, noise, rate, best))
                yield evidence.compare(dataset, text, best_cell, cell_by_place.get((dataset, noise, rate, value)))


def compare_closeness(to: str, evidence: Evidence) -> Iterator[Comparison]:
    """LA-Net's label distributions against the given labels ('given') or the baseline's softmax ('baseline')."""
    for group in group_divergences(evidence.cells, evidence.records, evidence.options):
        comparison = compare_distance(find_row(group, "lanet"), find_row(group, to))
        dataset, noise, rate = group.condition
        yield Comparison(dataset, noise_text(noise, rate), *(comparison or ()))


def list_claims() -> tuple[Claim, ...]:
    """What is tested; a new claim is one more line."""
    printed = supplement_facts()
    tau = float(printed["temperature_best"])
    omega = float(printed["momentum_decay_best"])
    taus = [float(value) for value in printed["temperature_grid"].split(";")]
    omegas = [float(value) for value in printed["momentum_decay_grid"].split(";")]
    table_one = ("table", "1")
    table_two = ("table", "2")
    above_baseline = {name: f"{title} is above the baseline at every rate" for name, title in METHODS.items()}
    del above_baseline["baseline"]
    return (
        Claim("LA-Net is first at every rate", "Table 1", table_one, partial(compare_accuracies, "lanet", None)),
        *(
            Claim(
                f"LA-Net gains over EAC on {title}",
                f"section A: {printed[f'avg_gain_over_eac_{title}']} points",
                table_one,
                partial(average_gain, name),
                as_printed=True,
            )
            for name, title in DATASETS.items()
        ),
        *(
            Claim(text, "Table 1", table_one, partial(compare_accuracies, name, "baseline"))
            for name, text in above_baseline.items()
        ),
        grid_claim("temperature τ", "tau", "temperature", tau, taus),
        grid_claim("momentum ω", "omega", "label_momentum", omega, omegas),
        *(
            Claim(text, source, table_two, partial(compare_closeness, to), "divergence")
            for text, source, to in (
                ("LA-Net's label distributions are closer to people than one-hot labels", "Table 2", "given"),
                ("… and closer than the baseline's softmax", "control, ours", "baseline"),
            )
        ),
    )


def grid_claim(setting_name: str, figure: str, option: str, best: float, grid: Sequence[float]) -> Claim:
    compare = partial(best_value, option, best, grid)
    return Claim(f"{setting_name} = {best:g} is best", "section B", ("figure", figure), compare)


def judge_claims(measured: Sequence[tuple[Asked, list[Cell]]], records: Records, options: Options) -> list[Verdict]:
    """Every claim, tested on what has been measured; shown: each table or figure with its cells."""
    evidence = {(asked.kind, asked.name): Evidence(records, cells, options) for asked, cells in measured}
    return [verdict for claim in list_claims() for verdict in judge_claim(claim, evidence.get(claim.of))]


def judge_claim(claim: Claim, evidence: Evidence | None) -> list[Verdict]:
    """A verdict for each data set on which something of the claim was measured; else one that nothing was."""
    comparisons = list(claim.compare(evidence)) if evidence else []
    by_data_set = group_by(comparisons, lambda comparison: comparison.dataset)
    names = unique_texts(comparison.dataset for comparison in comparisons if comparison.found)
    if not evidence or not names:
        return [Verdict(claim, "not measured")]
    names.sort(key=lambda name: name not in DATASETS)
    return [judge_on_data_set(claim, evidence, name, by_data_set[name]) for name in names]


def judge_on_data_set(claim: Claim, evidence: Evidence, dataset: str, comparisons: list[Comparison]) -> Verdict:
    """One word for all comparisons of a claim on one data set (`choose_verdict`), with what it stands on."""
    measured = [comparison for comparison in comparisons if comparison.found]
    lacking = [comparison.text for comparison in comparisons if not comparison.found]
    cells = [cell for cell in evidence.cells if cell.dataset == dataset and cell.records]
    title = dataset_title(cells, dataset) + ("" if dataset in DATASETS else " (not a data set of the paper)")
    at_scale = scale_text(cells)
    rule = RULES[evidence.options.rule]
    ground = f"at {at_scale}" + (f", {rule}" if claim.unit == "points" else "")
    at_other_scale = claim.as_printed and at_scale != "paper scale"
    verdict = "not measured" if at_other_scale else choose_verdict(measured, lacking)
    return Verdict(claim, verdict, title, ground, measured, lacking, changed_text(cells))


def choose_verdict(measured: list[Comparison], lacking: list[str]) -> str:
    """'holds': all that the claim needs was measured with five seeds or more, and every difference is surely above 0.

    'does not hold': one is surely below. 'not shown': neither.
    """
    sides = [comparison.side for comparison in measured]
    if -1 in sides:
        return "does not hold"
    if min(comparison.n for comparison in measured) < ENOUGH_SEEDS:
        return "too few seeds"
    if lacking:
        return "partly measured"
    return "holds" if set(sides) == {1} else "not shown"


def summarise_verdict(verdict: Verdict) -> str:
    """What stands beside the verdict in one line."""
    if not verdict.comparisons:
        return "no runs that could tell"
    seed_counts = unique_texts(sorted(comparison.n for comparison in verdict.comparisons))
    sides = [comparison.side for comparison in verdict.comparisons]
    parts = [f"{interval_text(verdict.lowest.found, verdict.claim.unit)} ({verdict.lowest.text})"]
    if len(sides) > 1:
        counts = f"above in {sides.count(1)} of {len(sides)} comparisons, below in {sides.count(-1)}"
        parts = [counts, f"smallest {parts[0]}"]
    parts += [f"n = {seed_counts[0]}" if len(seed_counts) == 1 else f"n = {seed_counts[0]} to {seed_counts[-1]}"]
    if verdict.lacking:
        parts.append(f"{len(verdict.lacking)} more not measured")
    return "; ".join([*parts, *(text.rstrip(".") for text in verdict.changed)])


def interval_text(interval: Interval, unit: str) -> str:
    mean, low, high = signed_texts(interval, places_of(unit))
    return f"{mean} {unit} [{low}, {high}]"


def places_of(unit: str) -> int:
    """Decimals of a difference."""
    return {"points": 1, "area": 3}.get(unit, 4)


def claims_markdown(verdicts: list[Verdict]) -> str:
    """A table with a row a claim and a column a data set: the verdict, and the smallest difference."""
    datasets = unique_texts(verdict.dataset for verdict in verdicts)
    rows = {
        claim: {verdict.dataset: field_text(verdict) for verdict in of_claim}
        for claim, of_claim in group_by(verdicts, lambda v: f"{v.claim.text} ({v.claim.source})").items()
    }
    measured = [
        [claim, *(fields.get(name, "") for name in datasets)] for claim, fields in rows.items() if "" not in fields
    ]
    lines = [markdown_table(["claim", *datasets], ["---"] * (1 + len(datasets)), measured)] if datasets else []
    unmeasured = [claim for claim, fields in rows.items() if "" in fields]
    if unmeasured:
        lines += ["", f"Not measured: {'; '.join(unmeasured)}."]
    grounds = unique_texts(verdict.ground for verdict in verdicts if verdict.ground)
    within_others = [short for short in grounds if any(f"{short}," in ground for ground in grounds)]
    shown_grounds = [ground for ground in grounds if ground not in within_others]
    if shown_grounds:
        lines += ["", f"Differences {'; '.join(shown_grounds)}."]
    if changed := unique_texts(text for verdict in verdicts for text in verdict.changed):
        lines += ["", *changed]
    return "\n".join(lines).lstrip("\n") + "\n"


def field_text(verdict: Verdict) -> str:
    """**holds**: +1.5 points [+0.6, +2.4] (asymmetric noise, 10 %: over Baseline); n = 10"""
    if not verdict.comparisons:
        return verdict.verdict
    lowest = verdict.lowest
    at_scale = " at paper scale" if verdict.verdict == "not measured" else ""
    return f"**{verdict.verdict}{at_scale}**: {interval_text(lowest.found, verdict.claim.unit)} ({lowest.text}); n = {lowest.n}"


def verdict_heading(verdict: Verdict) -> tuple[str, str]:
    """The verdict with its ground, and the claim with its data set and source."""
    text = verdict.claim.text
    if verdict.dataset and f" on {verdict.dataset}" not in text:
        text = f"{text} on {verdict.dataset}"
    claim = f"{text} ({verdict.claim.source})"
    if verdict.verdict != "not measured":
        return f"{verdict.verdict} {verdict.ground}", claim
    if not verdict.ground:
        return verdict.verdict, claim
    return "not measured at paper scale", f"{claim}; {verdict.ground}"
