"""Tables, figures and one page, drawn from records alone.

The door of this room: `draw_experiment` is told what to draw (`Asked`) and never decides which runs belong together. Rules of
accuracy: last, best, last5, noisy_val (`results.schema.RULES`).
"""

import os
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from reports.asked import DEFAULTS, Asked, AskedCell, Drawn, Options, ReportError, output_stem

__all__ = [
    "Asked",
    "AskedCell",
    "Drawn",
    "Options",
    "ReportError",
    "draw_experiment",
    "draw_page",
    "draw_pictures",
    "output_stem",
    "try_drawing",
]


def draw_experiment(
    asked: Asked, results: Path, out: Path, options: Options = DEFAULTS, drawn_before: dict[str, Any] | None = None
) -> Drawn:
    """Write one table (.md .tex .csv .html) or figure (.pdf .png) into `out`; raises ReportError.

    drawn_before: what the same command has drawn, filled and used again by this and the two below.
    """
    from reports.choose import make_figure, make_table
    from reports.formats import format_markdown, markdown_words, replaced_settings, write_table
    from results.records import Records

    records = Records(results, asked.elsewhere)
    out = make_folder(out)
    asked = asked.of_metric(options.metric)
    if asked.kind == "figure":
        drawing = make_figure(asked, records, options, drawn_before)
        return Drawn(drawing.write(out), markdown_words(drawing), drawing.gaps, sorted(records.refused.values()))
    table = make_table(asked, records, options, drawn_before)
    text = format_markdown(table)
    replaced = replaced_settings(out / f"{table.name}.md", text)
    return Drawn(write_table(table, out), text, table.gaps, sorted(records.refused.values()), replaced)


def draw_pictures(
    asked: Sequence[Asked],
    results: Path,
    out: Path,
    options: Options = DEFAULTS,
    drawn_before: dict[str, Any] | None = None,
) -> Drawn:
    """Of each table of accuracy <name>.png, beside it <name>_rates and <name>_epochs (.pdf .png, .csv of what is drawn).

    Raises ReportError.
    """
    from reports.cells import read_cells
    from reports.choose import make_table, pictures_beside
    from reports.pictures.table import table_picture
    from results.records import Records

    out = make_folder(out)
    drawn_before = {} if drawn_before is None else drawn_before
    tables = [one.of_metric(options.metric) for one in asked if one.drawing == "accuracy"]
    records = Records(results, elsewhere_of(asked))
    read_tables = [(one, read_cells(one, records, one.rule(options), options)) for one in tables]
    files = []
    for one in tables:
        picture = table_picture(make_table(one, records, options, drawn_before))
        files.append(out / f"{picture.name}.png")
        files[-1].write_bytes(picture.png)
        for drawing in pictures_beside(one, read_tables, options):
            drawn_before[drawing.name] = drawing
            files += drawing.write(out)
    return Drawn(files)


def draw_page(
    asked: Sequence[Asked],
    results: Path,
    out: Path,
    options: Options = DEFAULTS,
    drawn_before: dict[str, Any] | None = None,
    further_tables: Sequence[Asked] = (),
    folder: str = "",
) -> Drawn:
    """Write report.html, a page that one explores, of every table and figure that was asked for; raises ReportError.

    further_tables: of another scale, that can be chosen there too. folder: `results` as a person would type it.
    """
    from reports.page.write import KeepingRecords, write_page

    records = KeepingRecords(results, elsewhere_of(asked))
    return write_page(asked, records, make_folder(out), options, drawn_before, further_tables, folder)


def make_folder(out: Path) -> Path:
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    return out


def elsewhere_of(asked: Sequence[Asked]) -> dict[str, Path]:
    return {run: folder for one in asked for run, folder in one.elsewhere.items()}


def try_drawing(out: Path) -> None:
    """Draw a figure and a table of nothing into `out`, and remove them; raises ReportError for what would fail after training."""
    for path in out.iterdir():
        if path.name.startswith(("table", "figure", "report")) and not os.access(path, os.W_OK):
            raise ReportError(f"--out: {path} may not be replaced; choose another folder")
    try:
        from reports import choose  # noqa: F401  all that draws, imported
        from reports.formats import write_table
        from reports.page import write as page  # noqa: F401
        from reports.pictures.table import table_picture
        from reports.table import Block, Entry, Table

        trial_table = Table("trial", "Trial", "", [Block("", ["Method"], [[Entry("Baseline", best=True)]])])
        with TemporaryDirectory(prefix=".trial-", dir=out) as folder:
            write_table(trial_table, Path(folder))
            table_picture(trial_table).write(Path(folder))
    except Exception as error:  # whatever an incomplete installation raises
        message = str(error).strip().partition("\n")[0]
        raise ReportError(f"nothing could be drawn after training: {type(error).__name__}: {message}") from error
