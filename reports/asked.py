"""What is asked of a report, and what comes of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from reports.metrics import METRICS
from results.files import write_bytes

METRIC_DRAWINGS = {"accuracy", "sweep", "tuned", "budget", "sensitivity", "cross"}  # drawings that heed the metric


class ReportError(ValueError):
    """Records that must not be drawn together; the message names them in one line."""


def write_drawn(path: Path, content: str | bytes) -> None:
    """Write a file of a report whole, or leave the one that is there; raises ReportError."""
    try:
        write_bytes(path, content.encode() if isinstance(content, str) else content)
    except OSError as error:
        fix_hint = "give another --out, or make room and draw again: nothing that was measured is lost"
        raise ReportError(f"--out: {path}: {error.strerror}; {fix_hint}") from None


@dataclass(frozen=True)
class Options:
    """How things are drawn."""

    rule: str = "last"  # which epochs a number is of
    floor: bool = False  # the floor and ceiling rows below a table
    study: Path | None = None  # a CSV of people's votes (image, a column a class) in place of the data set's own
    root: bool = False  # the Jensen-Shannon distance, the root of the divergence
    log_base: float = 2.0  # of its logarithm, 2 or e
    ranks: bool = True  # the column with the places that a row can have
    metric: str = "accuracy"  # a name of `reports.metrics.METRICS`
    decimals: int = 1  # of numbers in per cent
    spread: str = "sd"  # what stands behind ±, a name of `reports.statistics.SPREADS`
    column_width: float | None = None  # of a figure, in inches


DEFAULTS = Options()


@dataclass
class AskedCell:
    """One number of a table, or one point of a figure: ids of its runs, one a seed, and what is known of missing ones.

    title: of the row. label: what sets the row apart from the method as published; for a figure 'parameter=value'.
    part: 'table', or 'correct' or 'clean', shown below it. failures: {id: one line}. reason: why there can be no runs.
    overrides: what the row itself changes, by design. elsewhere: {id: the folder of others' records that it is read from}.
    mechanism: the curves that show the method's idea at work, as it declares them today.
    """

    title: str
    method: str
    dataset: str
    noise: str
    rate: str | None
    label: str | None = None
    part: str = "table"
    ids: tuple[str, ...] = ()
    failures: dict[str, str] = field(default_factory=dict)
    reason: str = ""
    overrides: dict[str, str] = field(default_factory=dict)
    elsewhere: dict[str, Path] = field(default_factory=dict)
    mechanism: Sequence[Any] = ()
    draw: int | None = None  # number of a draw of settings, 0 is as published
    settings: dict[str, str] = field(default_factory=dict)  # what a draw, or a point of a sweep, sets
    published_settings: dict[str, str] = field(default_factory=dict)  # the published values of the drawn options
    tested: dict[str, dict[str, Path]] = field(default_factory=dict)  # {other data set: {id: its numbers there}}
    marks: dict[str, str] = field(default_factory=dict)  # of a sweep: values that are marked, {'published': '0.7'}
    as_published: dict[str, Any] = field(default_factory=dict)  # the method's published recipe and parameters


@dataclass(frozen=True)
class Asked:
    """One table or figure: how it is drawn, and its cells in reading order.

    kind: 'table' or 'figure'. drawing: a name of `reports.choose`. noises: the kinds that it is about. published: the file
    of results/paper with its printed values. any_rule: False where the last epoch is shown whatever rule is asked for.
    note: a sentence on the axes of a figure. columns: data sets shown. methods: those that the table is about. data:
    {data set: its folder below <results>/data}. against: the name of the records of others that some cells stand on.
    """

    kind: str
    name: str
    title: str
    cells: tuple[AskedCell, ...]
    drawing: str = "accuracy"
    noises: tuple[str, ...] = ()
    published: str | None = None
    any_rule: bool = True
    note: str = ""
    columns: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    data: dict[str, str] = field(default_factory=dict)
    against: str = ""

    @property
    def elsewhere(self) -> dict[str, Path]:
        """{id: folder} of all runs that were not made here."""
        return {run: folder for cell in self.cells for run, folder in cell.elsewhere.items()}

    def of_metric(self, metric: str) -> "Asked":
        """The same by a name of `reports.metrics.METRICS`: the title names it, and printed accuracies are left out."""
        if metric == "accuracy" or self.drawing not in METRIC_DRAWINGS:
            return self
        measured_sets = dict.fromkeys(cell.dataset for cell in self.cells)
        title = self.title.replace("Accuracy", METRICS[metric].title, 1)
        return replace(self, title=title, published=None, columns=tuple(measured_sets))

    @property
    def heading(self) -> str:
        """'Table 1. Accuracy ...'; without a number only the title."""
        return f"{self.kind.capitalize()} {self.name}. {self.title}" if self.name.isdigit() else self.title

    def rule(self, options: Options) -> str:
        """The rule of accuracy that holds for it."""
        return options.rule if self.any_rule else "last"


@dataclass(frozen=True)
class Drawn:
    """files: what was written. text: the drawing in words for a terminal. gaps: one line for each thing not there.
    refused: one line for each record, or file of arrays, that is there and cannot be used. replaced: what was there before
    under other settings, in one line.
    """

    files: list[Path] = field(default_factory=list)
    text: str = ""
    gaps: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    replaced: str = ""


def output_stem(asked: Asked) -> str:
    """table1, table_symmetric, figure1, figure_tau."""
    return f"{asked.kind}{asked.name}" if asked.name.isdigit() else f"{asked.kind}_{asked.name}"
