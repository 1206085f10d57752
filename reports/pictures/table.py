"""A table as a picture, for a page that shows no HTML."""

import textwrap
from functools import partial
from typing import Any

from reports.pictures.drawing import INK, SOFT, Drawing, escape_dollars, keep_units, new_figure
from reports.table import Block, Entry, Table, measured_columns

LINE, CHARACTER, GAP, EDGE = 0.23, 0.078, 0.16, 0.12  # inches: of a row, a letter of 9 points, between columns, around
WORDS = 16  # letters of the caption to an inch


def table_picture(table: Table) -> Drawing:
    """What the table shows, with all that it stands on in the file."""
    render = partial(draw_table, table)
    return Drawing(table.name, table.title, table.caption, render, [], table.notes, table.stands_on, table.facts)


def draw_table(table: Table) -> Any:
    """A matplotlib figure of the table's blocks one below the other, title above, caption and notes below."""
    blocks = [measured_columns(block) for block in table.blocks]
    ends = column_ends(blocks)
    width = ends[-1] + EDGE
    words = [
        line for text in (table.caption, *table.notes) for line in textwrap.wrap(keep_units(text), int(width * WORDS))
    ]
    lines = 2 + sum(len(block.rows) + 2.6 for block in blocks) + 0.8 * len(words)
    figure = new_figure(width, lines * LINE + 2 * EDGE, layout="none")
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(lines * LINE + EDGE, -EDGE))
    axes.set_axis_off()
    axes.text(EDGE, LINE / 2, escape_dollars(table.title), size=12, weight="bold", color=INK, va="center")
    top = 1.6 * LINE
    for block in blocks:
        top = draw_block(axes, block, ends, top)
    for number, text in enumerate(words):
        axes.text(EDGE, top + (0.8 * number + 0.4) * LINE, escape_dollars(text), size=8, color=SOFT, va="center")
    return figure


def column_ends(blocks: list[Block]) -> list[float]:
    """Where each column ends on the right, in inches from the left; alike in all blocks."""
    lines = [[*block.columns] for block in blocks] + [[entry.text for entry in row] for b in blocks for row in b.rows]
    widths = [max(len(line[at]) for line in lines if at < len(line)) * CHARACTER for at in range(max(map(len, lines)))]
    return [EDGE + sum(widths[: at + 1]) + at * GAP for at in range(len(widths))]


def draw_block(axes: Any, block: Block, ends: list[float], top: float) -> float:
    """Heading, names of columns and rows; returns where the next block begins."""
    axes.text(EDGE, top + LINE / 2, escape_dollars(block.heading), size=9, weight="bold", color=INK, va="center")
    named = [Entry(name, best=True) for name in block.columns]
    for number, row in enumerate([named, *block.rows], 1):
        middle = top + (number + 0.5) * LINE
        axes.plot([EDGE, ends[-1]], [middle + LINE / 2] * 2, color="#cccccc", linewidth=0.6)
        for at, entry in enumerate(row):
            place = {"x": EDGE, "ha": "left"} if at == 0 else {"x": ends[at], "ha": "right"}
            look = {"weight": "bold" if entry.best else "normal", "color": SOFT if entry.published else INK}
            axes.text(y=middle, s=escape_dollars(entry.text), va="center", size=9, **place, **look)
    return top + (len(block.rows) + 2.6) * LINE
