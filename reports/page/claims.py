"""The claims as a grid: a row a claim, a column a data set, and below it what each verdict stands on."""

from dataclasses import dataclass
from typing import Any

from reports.captions import unique_texts
from reports.statements.claims import Verdict, places_of, summarise_verdict, verdict_heading
from reports.table import format_signed

MARKS = {"holds": ("✓", "good"), "does not hold": ("✗", "bad"), "not measured": ("–", "none")}
OPEN = ("?", "open-verdict")


@dataclass(frozen=True)
class Field:
    """What the runs on one data set say of one claim."""

    name: str  # of its place on the page
    mark: str
    look: str
    word: str
    heading: tuple[str, str]
    summary: str
    comparisons: list[list[str]]  # text, mean, 95 % interval, seeds, p


def claims_grid(verdicts: list[Verdict]) -> dict[str, Any]:
    """{'datasets': names, 'rows': [(claim, source, a field a data set or None)], 'unmeasured': claims}."""
    datasets = unique_texts(verdict.dataset for verdict in verdicts)
    unmeasured = unique_texts(verdict.claim.text for verdict in verdicts if not verdict.dataset)
    claims: dict[tuple[str, str], dict[str, Verdict]] = {}
    for verdict in (verdict for verdict in verdicts if verdict.dataset):
        claims.setdefault((verdict.claim.text, verdict.claim.source), {})[verdict.dataset] = verdict
    rows = []
    for number, ((text, source), of_dataset) in enumerate(claims.items()):
        fields = [
            field_of(f"claim-{number}-{at}", of_dataset[name]) if name in of_dataset else None
            for at, name in enumerate(datasets)
        ]
        rows.append((text, source, fields))
    return {"datasets": datasets, "rows": rows, "unmeasured": unmeasured}


def field_of(name: str, verdict: Verdict) -> Field:
    mark, look = MARKS.get(verdict.verdict, OPEN)
    form = f"+.{places_of(verdict.claim.unit)}f"
    comparisons = []
    for comparison in verdict.comparisons:
        if comparison.found:
            mean, low, high = (
                format_signed(value, form)
                for value in (comparison.found.mean, comparison.found.low, comparison.found.high)
            )
            comparisons.append([comparison.text, mean, f"{low} to {high}", str(comparison.n), f"{comparison.p:.2g}"])
    return Field(name, mark, look, verdict.verdict, verdict_heading(verdict), summarise_verdict(verdict), comparisons)
