"""What a folder of records says: questions, each answered by one sentence that is made from the numbers.

No answer is known beforehand: its words follow the verdicts of its comparisons, and what was not measured is named as that.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from reports.captions import list_words, noise_text
from reports.cells import Cell
from reports.divergence import compare_distance, find_row, group_divergences
from reports.mechanisms import idle_notes
from reports.paired import CROSS_FITTED
from reports.statements.claims import PAPER_RATES, interval_text, places_of
from reports.statements.evidence import Comparison, Evidence, by_seed, title_of
from reports.statistics import Interval
from reports.table import markdown_table, signed_texts
from results.published import LATER, METHODS
from results.schema import ENOUGH_SEEDS

if TYPE_CHECKING:
    import pandas

WORST = "0.3"  # the rate at which the methods differ most
WORST_NOISE = ("asymmetric", WORST)
OTHERS = tuple(method for method in METHODS if method != "baseline")
NEW = tuple(method for method in LATER if method not in ("co_teaching", "jocor"))
HEAD = ("data set", "", "difference", "95 % interval", "p", "seeds", "")  # of comparisons
ALIGNMENTS = ("---", "---", "---:", ":---:", "---:", "---:", "---")
PEOPLE = ("none", "votes")  # noises of Table 2
WITHOUT_LOSSES = {f"lanet.{part}_weight=0" for part in ("landmark", "distribution", "contrastive")}


@dataclass(frozen=True)
class Question:
    """What is asked of the records."""

    title: str
    compare: Callable[[Evidence], Iterable[Comparison]]  # all that it needs, measured or not
    table: str  # what draws the numbers, as options of run_all.py
    above: str = "better"  # what a difference surely above 0 means
    below: str = "worse"
    unit: str = "points"


def make_comparisons(evidence: Evidence) -> "pandas.DataFrame":
    """One row a comparison of each question, in the order of the page.

    question, command; data_set, compared; difference, low, high (95 %), unit, p, seeds; side (1 surely above 0, -1 surely
    below, 0 neither), verdict. NaN where nothing was measured.
    """
    import pandas

    titles = {name: title_of(evidence, name) for name in evidence.datasets()}
    rows = []
    for question in QUESTIONS:
        comparisons = list(question.compare(evidence))
        for name in titles:
            rows += [describe_comparison(question, one, titles) for one in comparisons if one.dataset == name]
    return pandas.DataFrame(rows)


def describe_comparison(question: Question, comparison: Comparison, titles: dict[str, str]) -> dict[str, Any]:
    """The row of a comparison."""
    interval = comparison.found or Interval(*[float("nan")] * 4)
    return {
        "question": question.title,
        "data_set": titles[comparison.dataset],
        "compared": comparison.text,
        "difference": interval.mean,
        "low": interval.low,
        "high": interval.high,
        "unit": question.unit,
        "p": interval.p,
        "seeds": comparison.n,
        "side": comparison.side,
        "verdict": {1: question.above, -1: question.below}.get(comparison.side, comparison.verdict),
        "command": f"python run_all.py {question.table}",
    }


def compare_with_baseline(
    methods: tuple[str, ...], noise: str, rate: str | None, evidence: Evidence, metric: str = "accuracy"
) -> Iterator[Comparison]:
    """Methods less the baseline."""
    for dataset in evidence.datasets():
        base = evidence.cell(dataset, "baseline", noise, rate)
        for method in methods:
            cell = evidence.cell(dataset, method, noise, rate)
            yield evidence.compare(dataset, title_of_method(evidence, method), cell, base, metric)


def compare_in_variations(kind: str, evidence: Evidence) -> Iterator[Comparison]:
    """Methods less the baseline at the worst noise, in each variation whose name begins so."""
    for name, variation in evidence.variations.items():
        if name.startswith(kind):
            for comparison in compare_with_baseline(OTHERS, *WORST_NOISE, variation):
                yield comparison if name == kind else replace(comparison, text=f"{comparison.text} ({name})")


def title_of_method(evidence: Evidence, method: str) -> str:
    known_titles = METHODS | LATER
    return next((cell.title for cell in evidence.cells if cell.method == method), known_titles.get(method, method))


def compare_memorised(evidence: Evidence) -> Iterator[Comparison]:
    """Share of the wrong labels that the network gives back in the last epoch, less the baseline's, in points."""
    for dataset in evidence.datasets():
        shares = {
            method: by_seed(evidence.cell(dataset, method, *WORST_NOISE), lambda r: 100 * r["history"]["memorised"][-1])
            for method in METHODS
        }
        for method in OTHERS:
            yield evidence.compare_numbers(dataset, METHODS[method], shares[method], shares["baseline"])


def compare_best_epoch(evidence: Evidence) -> Iterator[Comparison]:
    """Accuracy of the best epoch, measured on other images than it was chosen on, less that of the last."""
    for dataset in evidence.datasets():
        for method, title in METHODS.items():
            cell = evidence.cell(dataset, method, *WORST_NOISE)
            yield evidence.compare_rules(dataset, title, cell, (CROSS_FITTED, "last"))


def compare_settings(evidence: Evidence) -> Iterator[Comparison]:
    """Each method with the settings of its scale less the same with its published ones."""
    for dataset in evidence.datasets():
        for method in OTHERS:
            chosen_cell = evidence.cell(dataset, method, *WORST_NOISE)
            beside = (c for c in evidence.cells if c.method == method and c.condition == (dataset, *WORST_NOISE))
            published_cell = next((cell for cell in beside if is_published(cell)), None)
            yield evidence.compare(dataset, METHODS[method], chosen_cell, published_cell)


def is_published(cell: Cell) -> bool:
    """Whether every setting that the scale declares was put back, and nothing else was changed."""
    return bool(cell.label) and all(change.endswith("=published") for change in (cell.label or "").split())


def compare_losses(evidence: Evidence) -> Iterator[Comparison]:
    """LA-Net less the same recipe with its three losses off, under each sampler that was run."""
    for cell in sorted(evidence.cells, key=lambda cell: (cell.dataset, cell.label or "", cell.rate or "")):
        changes = set((cell.label or "").split())
        if cell.method == "lanet" and cell.noise == "asymmetric" and changes >= WITHOUT_LOSSES:
            other_changes = " ".join(sorted(changes - WITHOUT_LOSSES))
            full_cell = evidence.cell(cell.dataset, "lanet", cell.noise, cell.rate, other_changes)
            text = f"at {100 * float(cell.rate or 0):g} %" + (f" ({other_changes})" if other_changes else "")
            yield evidence.compare(cell.dataset, text, full_cell, cell)


def compare_with_people(evidence: Evidence) -> Iterator[Comparison]:
    """How much nearer LA-Net's label distributions are to people's votes (Jensen-Shannon divergence)."""
    cells = [c for c in evidence.cells if not c.label and c.noise in PEOPLE and c.method in ("baseline", "lanet")]
    for group in group_divergences(cells, evidence.records, evidence.options):
        dataset, noise, _ = group.condition
        for other, compared_text in (("given", "the given labels"), ("baseline", "the baseline's softmax")):
            comparison = compare_distance(find_row(group, "lanet"), find_row(group, other))
            yield Comparison(dataset, f"than {compared_text} ({noise_text(noise, None)})", *(comparison or ()))


def compare_margin(evidence: Evidence) -> Iterator[Comparison]:
    """How well the averaged margin finds wrong labels, less the method's own score (area under the curve)."""
    for dataset in evidence.datasets():
        for method, title in METHODS.items():
            cell = evidence.cell(dataset, method, *WORST_NOISE)
            margin = by_seed(cell, lambda record: record["metrics"].get("margin_auroc"))
            own_score = by_seed(cell, lambda record: record["metrics"].get("wrong_label_auroc"))
            yield evidence.compare_numbers(dataset, title, margin, own_score)


QUESTIONS = (
    Question(
        "Do the methods beat the baseline at 30 % asymmetric noise?",
        partial(compare_with_baseline, OTHERS, *WORST_NOISE),
        "--table 1",
    ),
    Question(
        "Do the methods beat the baseline at 10 % asymmetric noise?",
        partial(compare_with_baseline, OTHERS, "asymmetric", PAPER_RATES[0]),
        "--table 1",
    ),
    Question(
        "Do the methods beat the baseline at 30 % symmetric noise?",
        partial(compare_with_baseline, OTHERS, "symmetric", WORST),
        "--table symmetric",
    ),
    Question(
        "Do the methods beat the baseline with clean labels?",
        partial(compare_with_baseline, OTHERS, "none", None),
        "--table clean",
    ),
    Question(
        "Do they help rare classes (balanced accuracy, 30 % asymmetric noise)?",
        partial(compare_with_baseline, OTHERS, *WORST_NOISE, metric="balanced"),
        "--table 1",
    ),
    Question("Do they learn fewer of the wrong labels by heart?", compare_memorised, "--table 1", "more", "fewer"),
    Question(
        "What is choosing the best epoch worth, measured on other images than it was chosen on?",
        compare_best_epoch,
        "--table 1 --rule best",
        "gains",
        "loses",
    ),
    Question(
        "Are the settings that the search chose better than the published ones?", compare_settings, "--table published"
    ),
    Question(
        "Are LA-Net's label distributions nearer to people's votes?",
        compare_with_people,
        "--table 2",
        "nearer",
        "farther",
        "divergence",
    ),
    Question(
        "Does the margin averaged over epochs find wrong labels better than the method's own score?",
        compare_margin,
        "--table 1",
        unit="area",
    ),
    Question(
        "Do the methods beat the baseline on other training images, too (30 % asymmetric noise)?",
        partial(compare_in_variations, "training images"),
        "--table 1 --rates 0.3 --set scale.subset=1",
    ),
    Question(
        "Do the methods beat the baseline from random start weights, too (30 % asymmetric noise)?",
        partial(compare_in_variations, "random start weights"),
        "--table 1 --rates 0.3 --weights random",
    ),
    Question(
        "Do methods of later papers, with their authors' settings, beat the baseline at 30 % asymmetric noise?",
        partial(compare_with_baseline, NEW, *WORST_NOISE),
        "--table later",
    ),
    Question("Does LA-Net beat its own recipe without its losses?", compare_losses, "--table matched"),
)


def measured_questions(frame: "pandas.DataFrame") -> "Iterator[tuple[int, str, pandas.DataFrame]]":
    """(number on the page, question, its rows) of what was measured."""
    of_question = frame.groupby("question", sort=False)
    measured = [(title, rows) for title, rows in of_question if rows["difference"].notna().any()]
    for number, (title, rows) in enumerate(measured, 1):
        yield number, str(title), rows


def write_answer(rows: "pandas.DataFrame") -> str:
    """'Better: SCN and RUL on Faces and FERPlus. Not told apart: ... Largest difference: SCN on FERPlus, +6.9 points [...].'

    The largest of those that are told from 0, else of those with the most seeds.
    """
    order = rows["side"].map({1: 0, -1: 1, 0: 2}) + (rows["seeds"] == 0)
    ordered = rows.loc[order.sort_values(kind="stable").index]
    parts = [
        f"{str(verdict).capitalize()}: {list_rows(verdict_rows)}."
        for verdict, verdict_rows in ordered.groupby("verdict", sort=False)
    ]
    counted = rows["side"] != 0 if rows["side"].any() else rows["seeds"] == rows["seeds"].max()
    largest = rows.loc[rows["difference"].where(counted).abs().idxmax()]
    largest_text = interval_text(Interval(largest["difference"], largest["low"], largest["high"]), largest["unit"])
    return " ".join([*parts, f"Largest difference: {largest['compared']} on {largest['data_set']}, {largest_text}."])


def list_rows(rows: "pandas.DataFrame") -> str:
    """'SCN and RUL on Faces and FERPlus; EAC on FERPlus'"""
    places = rows.groupby("compared", sort=False)["data_set"].agg(list_words)
    return "; ".join(f"{list_words(texts.index)} on {place}" for place, texts in places.groupby(places, sort=False))


def findings_markdown(frame: "pandas.DataFrame", details: str) -> str:
    """A numbered list of what was measured, each with a link to its comparisons in the file `details`; then what was not."""
    measured = list(measured_questions(frame))
    lines = [f"{n}. **{title}** {write_answer(rows)} [All comparisons]({details}#{n})" for n, title, rows in measured]
    unmeasured = [question for question in QUESTIONS if question.title not in {title for _, title, _ in measured}]
    if unmeasured:
        lines += ["", "Not measured on these records:", ""]
    return "\n".join([*lines, *(f"- {question.title} (`{question.table}`)" for question in unmeasured)]) + "\n"


def comparisons_markdown(frame: "pandas.DataFrame", results: str) -> str:
    """A table a question, with the command that draws its numbers."""
    parts = []
    for number, title, rows in measured_questions(frame):
        command = f"    {rows['command'].iloc[0]} --draw --results {results}"
        table = markdown_table(HEAD, ALIGNMENTS, list(map(table_row, rows.to_dict("records"))))
        parts += [f'## <a id="{number}"></a>{number}. {title}', table, command]
    return "\n\n".join(parts) + "\n"


def table_row(row: dict[Any, Any]) -> list[str]:
    numbers = ["–", "", "", ""]
    if row["seeds"]:
        mean, low, high = signed_texts(Interval(row["difference"], row["low"], row["high"]), places_of(row["unit"]))
        p = "< 0.001" if row["p"] < 0.001 else f"{row['p']:.3f}"
        numbers = [f"**{mean}**" if row["side"] else mean, f"{low} to {high}", p, str(row["seeds"])]
    return [row["data_set"], row["compared"], *numbers, row["verdict"]]


def idle_mechanisms(evidence: Evidence) -> list[str]:
    """Which rows of five seeds or more were measured while the method's idea did nothing, a sentence a method and curve."""
    cells = [cell for cell in evidence.cells if not cell.label and cell.n >= ENOUGH_SEEDS]
    return idle_notes(sorted(cells, key=lambda cell: (cell.noise, cell.rate or "")))


def readme_table(evidence: Evidence) -> str:
    """Means of Table 1 over seeds in per cent, a row a method, a column a data set, at 10 / 20 / 30 %."""
    names = [name for name in evidence.datasets() if evidence.cell(name, "baseline", *WORST_NOISE)]
    rows = []
    for method, title in METHODS.items():
        cells = [[evidence.cell(name, method, "asymmetric", rate) for rate in PAPER_RATES] for name in names]
        texts = [" / ".join(f"{cell.mean:.1f}" if cell and cell.values else "–" for cell in row) for row in cells]
        rows.append([title, *texts])
    return markdown_table(["", *(title_of(evidence, name) for name in names)], ["---", *["---:"] * len(names)], rows)
