"""A table as data, before it has a format."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any

from reports.statistics import Interval

NO_DATA = "no data"  # of a data set that was not measured
BESIDE = ("rank", "published", "difference")  # columns that belong to the data set before them


@dataclass(frozen=True)
class Entry:
    """One field of a table. sort: its number. detail: what to show on demand."""

    text: str
    best: bool = False
    published: bool = False
    sort: float | None = None
    detail: str = ""


@dataclass(frozen=True)
class Block:
    """Part of a table under its own heading; the first entry of a row is its title. ruled: rows above a line."""

    heading: str
    columns: list[str]
    rows: list[list[Entry]]
    ruled: int | None = None


@dataclass
class Table:
    """A table in no format yet. caption: one sentence below it. notes: what its marks mean. stands_on: everything else
    that its numbers stand on, folded away where a format can. facts: one dictionary a cell, for CSV; header: its columns
    where there is none. gaps: one line for each thing not there.
    """

    name: str
    title: str
    caption: str
    blocks: list[Block]
    notes: list[str] = field(default_factory=list)
    stands_on: list[str] = field(default_factory=list)
    facts: list[dict[str, Any]] = field(default_factory=list)
    gaps: list[str] = field(default_factory=list)
    header: tuple[str, ...] = ()
    runs: list[dict[str, Any]] = field(default_factory=list)  # one a run, for a CSV of their own


def column_groups(block: Block) -> list[list[int]]:
    """Where the columns of each data set stand, with those beside it."""
    groups: list[list[int]] = []
    for at, name in enumerate(block.columns[1:], 1):
        if name not in BESIDE or not groups:
            groups.append([])
        groups[-1].append(at)
    return groups


def measured_columns(block: Block) -> Block:
    """Without the data sets of which nothing was measured; all where nothing was."""
    measured = [group for group in column_groups(block) if any(row[group[0]].text != NO_DATA for row in block.rows)]
    return select_columns(block, [0, *chain.from_iterable(measured)]) if measured else block


def select_columns(block: Block, kept_columns: Sequence[int]) -> Block:
    return replace(
        block,
        columns=[block.columns[at] for at in kept_columns],
        rows=[[row[at] for at in kept_columns] for row in block.rows],
    )


def one_line(text: str) -> str:
    return " ".join(text.split())


def markdown_table(columns: Sequence[str], alignments: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """alignments: '---', '---:' or ':---:', one a column."""
    heading = "|" + "".join(f" {name} |" if name else " |" for name in columns)
    return "\n".join([heading, *(f"| {' | '.join(line)} |" for line in [alignments, *rows])])


def format_signed(value: float, form: str = "+.1f") -> str:
    """A number with a typographic minus; what rounds to nothing has no sign."""
    text = format(value, form)
    return (text if text.strip("+-0.") else text.lstrip("+-")).replace("-", "−")


def signed_texts(interval: Interval, decimals: int) -> list[str]:
    """Mean, low and high of a difference."""
    return [format_signed(value, f"+.{decimals}f") for value in (interval.mean, interval.low, interval.high)]
