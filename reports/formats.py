"""A table as Markdown, CSV and HTML. Names and reasons come from others' files and are escaped."""

from functools import lru_cache
from pathlib import Path
from typing import Any

from reports.asked import write_drawn
from reports.facts import csv_rows
from reports.latex import format_latex
from reports.pictures.drawing import Drawing
from reports.table import Block, Entry, Table, markdown_table, one_line


def write_table(table: Table, out: Path) -> list[Path]:
    """<name>.md .tex .csv .html in `out`, <name>_notes.tex, and <name>_runs.csv of a table with runs."""
    texts = {".md": format_markdown(table), ".csv": csv_rows(table.header, table.facts), ".html": format_html(table)}
    if table.runs:
        texts["_runs.csv"] = csv_rows(table.runs[0], table.runs)
    texts |= format_latex(table)
    for ending, text in texts.items():
        write_drawn(out / f"{table.name}{ending}", text)
    return [out / f"{table.name}{ending}" for ending in texts]


def replaced_settings(path: Path, new_text: str) -> str:
    """A line on a table in Markdown that had other settings than the text that takes its place; '' where it had the same."""
    if not path.is_file():
        return ""
    old_settings = set_by_hand(path.read_text(encoding="utf-8", errors="replace"))
    new_settings = set_by_hand(new_text)
    if old_settings == new_settings:
        return ""
    lost_settings = "; ".join(line for line in old_settings if line not in new_settings) or "fewer set by hand"
    return (
        f"{path} is replaced, and its other formats; they showed other settings ({lost_settings}). To keep both, give "
        "another --out"
    )


def set_by_hand(markdown: str) -> list[str]:
    """What the list below a table says of settings."""
    return [
        line[2:].strip(".").replace("\\", "")
        for line in markdown.splitlines()
        if line.startswith(("- Changed from", "- Changed by"))
    ]


def format_markdown(table: Table) -> str:
    return markdown_words(table, *(markdown_block(block) for block in table.blocks))


def markdown_words(drawn: Table | Drawing, *middle_parts: str) -> str:
    """Title, what stands between, the caption, notes, and the list of what it stands on."""
    parts = [f"### {markdown_text(drawn.title)}", *middle_parts, markdown_text(drawn.caption)]
    parts += [markdown_text(note) for note in drawn.notes]
    fact_list = "\n".join(f"- {markdown_text(fact)}" for fact in drawn.stands_on)
    if fact_list:
        parts.append(f"Stands on:\n\n{fact_list}")
    return "\n\n".join(part for part in parts if part) + "\n"


def markdown_text(text: str) -> str:
    for character in "\\|*_`[]":
        text = text.replace(character, f"\\{character}")
    return one_line(text.replace("<", "&lt;").replace(">", "&gt;"))


def markdown_block(block: Block) -> str:
    rows = [[markdown_entry(entry) for entry in row] for row in block.rows]
    alignments = ["---", *["---:"] * (len(block.columns) - 1)]
    table = markdown_table([markdown_text(name) for name in block.columns], alignments, rows)
    return f"**{markdown_text(block.heading)}**\n\n{table}" if block.heading else table


def markdown_entry(entry: Entry) -> str:
    text = markdown_text(entry.text)
    return f"**{text}**" if entry.best else f"*{text}*" if entry.published and text else text


def format_html(table: Table) -> str:
    """A page of its own, without network."""
    return html_environment().get_template("table_page.html").render(table=table)


@lru_cache
def html_environment() -> Any:
    from jinja2 import Environment, FileSystemLoader

    folder = Path(__file__).resolve().parent
    return Environment(loader=FileSystemLoader(folder), autoescape=True, trim_blocks=True, lstrip_blocks=True)
