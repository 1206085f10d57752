"""A table for a paper: LaTeX floats that fit a page of a plain article, in one column or two, and the notes beside them."""

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from reports.table import Block, Entry, Table, column_groups, measured_columns, one_line, select_columns

# Points of a plain article of 10 points: of a page's text in one column, of a column of two, and what tabulars may take of
# the height, so that a caption fits beside them.
PAGE = 340
COLUMN = 196
HEIGHT = 420
# Points of a letter at \small, between columns, of a row, of rules and heads.
LETTER, BETWEEN, ROW, AROUND = 4.7, 8, 11.4, 56
MOST_ROWS = 30
SHORT = 400  # letters of notes that a caption takes


@dataclass(frozen=True)
class Float:
    """One float: blocks of which each is a tabular."""

    blocks: list[Block]
    caption: str
    label: str

    @property
    def environment(self) -> str:
        """table, where a column of two is wide enough, else table*, which spans both."""
        return "table" if max(map(width_of, self.blocks), default=0) <= COLUMN else "table*"


def format_latex(table: Table) -> dict[str, str]:
    """{ending: text}: .tex with the floats, _notes.tex with what they stand on."""
    notes_are_short = sum(map(len, table.notes)) <= SHORT
    title = re.sub(r"^Table \d+\. ", "", table.title)  # LaTeX counts tables itself
    caption = [f"{title}.", table.caption, *(table.notes if notes_are_short else [])]
    pages = fill_floats([narrow_block for block in table.blocks for narrow_block in fit_block(measured_columns(block))])
    floats = [Float(pages[0], " ".join(caption), table.name)]
    for number, blocks in enumerate(pages[1:], 2):
        floats.append(Float(blocks, f"{title} (continued).", f"{table.name}_{number}"))
    facts = {"table": table, "floats": floats, "notes": [] if notes_are_short else table.notes}
    endings = (".tex", "_notes.tex")
    return {ending: latex_environment().get_template(f"table{ending}.j2").render(**facts) for ending in endings}


def width_of(block: Block) -> float:
    """Points, by the number of letters."""
    lines = [block.columns, *([entry.text for entry in row] for row in block.rows)]
    return sum(max(len(line[at]) for line in lines) * LETTER + BETWEEN for at in range(len(block.columns)))


def fit_block(block: Block) -> list[Block]:
    """The block in parts as wide as a page, which do not part a data set from its rank, and of a page's rows."""
    parts = []
    kept_columns = [0]
    for column_group in column_groups(block):
        if len(kept_columns) > 1 and width_of(select_columns(block, [*kept_columns, *column_group])) > PAGE:
            parts.append(select_columns(block, kept_columns))
            kept_columns = [0]
        kept_columns += column_group
    return [piece for narrow_block in [*parts, select_columns(block, kept_columns)] for piece in in_rows(narrow_block)]


def in_rows(block: Block) -> list[Block]:
    """A block of few rows as it is, a longer one in several."""
    return [
        replace(block, rows=block.rows[at : at + MOST_ROWS], ruled=None if block.ruled is None else block.ruled - at)
        for at in range(0, max(1, len(block.rows)), MOST_ROWS)
    ]


def fill_floats(blocks: list[Block]) -> list[list[Block]]:
    """As many blocks a float as a page is high."""
    pages: list[list[Block]] = [[]]
    for block in blocks:
        height = sum(AROUND + ROW * len(placed_block.rows) for placed_block in [*pages[-1], block])
        if pages[-1] and height > HEIGHT:
            pages.append([])
        pages[-1].append(block)
    return pages


def latex_text(text: str) -> str:
    """Text of others as LaTeX: its signs escaped, Greek letters and other signs as commands; paths can be broken."""
    escaped = str(latex_encoder().unicode_to_latex(one_line(text)))
    return re.sub(r"(\w(?:/|\\_))(?=\w)", r"\1\\allowbreak{}", escaped)


def latex_entry(entry: Entry) -> str:
    text = latex_text(entry.text)
    if entry.best:
        return f"\\textbf{{{text}}}"
    return f"\\textcolor{{gray}}{{{text}}}" if entry.published and text else text


@lru_cache
def latex_encoder() -> Any:
    from pylatexenc.latexencode import UnicodeToLatexEncoder

    return UnicodeToLatexEncoder(unknown_char_policy="keep", unknown_char_warning=False)


@lru_cache
def latex_environment() -> Any:
    from jinja2 import Environment, FileSystemLoader

    marks = {"block_start_string": "<%", "block_end_string": "%>", "variable_start_string": "<<"}
    marks |= {"variable_end_string": ">>", "comment_start_string": "<#", "comment_end_string": "#>"}
    folder = FileSystemLoader(Path(__file__).resolve().parent)
    environment = Environment(loader=folder, autoescape=False, trim_blocks=True, lstrip_blocks=True, **marks)
    environment.filters |= {"latex": latex_text, "latex_entry": latex_entry}
    return environment
