"""What is asked of a report, and what comes of it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


class ReportError(ValueError):
    """Records that must not be drawn together; the message names them in one line."""


@dataclass(frozen=True)
class Options:
    """rule: which accuracy is shown. floor: the floor and ceiling rows below a table. study: a CSV of people's votes
    (image, then one column a class) that takes the place of the data set's own in Table 2 and Figure 2. root: print
    the Jensen-Shannon distance, the root of the divergence. log_base: of its logarithm, 2 or e.
    """

    rule: str = "last"
    floor: bool = False
    study: Path | None = None
    root: bool = False
    log_base: float = 2.0


@dataclass(frozen=True)
class Drawn:
    """files: what was written. text: the drawing in words for a terminal. gaps: one line for each thing not there.
    refused: one line for each record, or file of arrays, that is there and cannot be used.
    """

    files: list[Path] = field(default_factory=list)
    text: str = ""
    gaps: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


def stem(what: dict[str, Any]) -> str:
    """table1, table_symmetric, figure1, figure_tau."""
    return f"{what['kind']}{what['name']}" if what["name"].isdigit() else f"{what['kind']}_{what['name']}"
