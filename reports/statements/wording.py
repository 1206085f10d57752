"""How a finding is worded: who is above, below and neither, and its intervals as a list."""

from collections.abc import Iterable
from dataclasses import dataclass

from reports.statements.measured import Difference
from reports.statistics import SURE, adjusted_p
from reports.table import signed

FORMS = {"points": "+.1f", "divergence": "+.4f", "area": "+.3f"}


@dataclass(frozen=True)
class Words:
    """How a sentence says that a difference is surely above 0, surely below, or neither."""

    above: str = "above"
    below: str = "below"
    tie: str = "not told apart"


@dataclass(frozen=True)
class Line:
    """One difference; p: by Holm, over its table's rows where it is a comparison of these, else over the finding."""

    difference: Difference
    p: float

    @property
    def sign(self) -> int:
        found = self.difference.found
        return 0 if self.p >= SURE else int(found.low > 0) - int(found.high < 0)


@dataclass(frozen=True)
class Finding:
    """A statement. asked: what draws the table that it stands on. unit: of its differences, with their form."""

    title: str
    sentence: str
    lines: list[Line]
    unit: str
    asked: str


def compose(
    title: str,
    about: str,
    found: Iterable[Difference | None],
    asked: str,
    words: Words = Words(),
    unit: str = "points",
) -> Finding | None:
    """A finding from its differences: by data set, who is above, below and neither; None where there are none."""
    kept = [one for one in found if one is not None]
    if not kept:
        return None
    lines = [Line(one, p) for one, p in zip(kept, adjusted_p([one.found for one in kept]))]
    parts = []
    for dataset in dict.fromkeys(one.dataset for one in kept):
        here = [line for line in lines if line.difference.dataset == dataset]
        said = [
            f"{word}: {', '.join(line.difference.text for line in here if line.sign == sign)}"
            for sign, word in ((1, words.above), (-1, words.below), (0, words.tie))
            if any(line.sign == sign for line in here)
        ]
        parts.append(f"On {dataset} {'; '.join(said)}.")
    return Finding(title, " ".join([about, *parts]), lines, unit, asked)


def markdown(found: list[Finding], results: str) -> str:
    """A heading, a sentence, its intervals and its command for each."""
    parts = []
    for number, finding in enumerate(found, 1):
        rows = [row(line, FORMS[finding.unit]) for line in finding.lines]
        table = ["| | | difference | 95 % interval | p (Holm) | seeds |", "| --- | --- | ---: | :---: | ---: | ---: |"]
        command = f"    python run_all.py {finding.asked} --draw --results {results}"
        parts += [f"## {number}. {finding.title}", finding.sentence, "\n".join(table + rows), command]
    return "\n\n".join(parts) + "\n"


def row(line: Line, form: str) -> str:
    one, found = line.difference, line.difference.found
    mark = "**" if line.sign else ""
    interval = f"{signed(found.low, form)} to {signed(found.high, form)}"
    p = "< 0.001" if line.p < 0.001 else f"{line.p:.3f}"
    return f"| {one.dataset} | {one.text} | {mark}{signed(found.mean, form)}{mark} | {interval} | {p} | {one.n} |"
