"""Tables, figures and one page, drawn from records alone.

The door of this room: `Report` is told what to draw (`Asked`) and never decides which runs belong together. Rules of accuracy:
last, best, last5, noisy_val (`results.schema.RULES`).
"""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from reports.asked import DEFAULTS, Asked, AskedCell, Drawn, Options, ReportError, output_stem, write_drawn
from results.records import Records

__all__ = ["Asked", "AskedCell", "Drawn", "Options", "Report", "ReportError", "output_stem", "try_drawing"]

TEST = ("predictions", "test_labels", "test_rows")  # what every number of a table is made of


class KeepingRecords(Records):
    """As `Records`, at a price in memory: 20 kB a run at demo scale, 200 kB at paper scale."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.kept: dict[str, dict[str, np.ndarray] | None] = {}

    def arrays(self, record_id: str, names: Iterable[str] | None = None) -> dict[str, np.ndarray] | None:
        if names is None or not set(names) <= set(TEST):
            return super().arrays(record_id, names)
        if record_id not in self.kept:
            self.kept[record_id] = super().arrays(record_id, TEST)
        return self.kept[record_id]


class Report:
    """What one command draws from a folder of records into another; a record is read, and a drawing worked out, once.

    Each method raises ReportError.
    """

    def __init__(self, results: Path, out: Path, options: Options = DEFAULTS) -> None:
        self.records = KeepingRecords(results)
        self.out = Path(out)
        self.out.mkdir(parents=True, exist_ok=True)
        self.options = options
        self.drawings: dict[str, Any] = {}  # tables and figures by their names

    def make(self, asked: Asked) -> Any:
        """A table or figure, not written yet."""
        from reports.choose import FIGURES, TABLES

        name = output_stem(asked)
        if name not in self.drawings:
            self.records.elsewhere |= asked.elsewhere
            make = (TABLES | FIGURES)[asked.drawing]
            self.drawings[name] = make(asked.of_metric(self.options.metric), self.records, self.options)
        return self.drawings[name]

    def draw(self, asked: Asked) -> Drawn:
        """Write one table (.md .tex .csv .html) or figure (.pdf .png)."""
        from reports.formats import format_markdown, markdown_words, replaced_settings, write_table

        drawing = self.make(asked)
        refused = sorted(self.records.refused.values())
        if asked.kind == "figure":
            return Drawn(drawing.write(self.out), markdown_words(drawing), drawing.gaps, refused)
        text = format_markdown(drawing)
        replaced = replaced_settings(self.out / f"{drawing.name}.md", text)
        return Drawn(write_table(drawing, self.out), text, drawing.gaps, refused, replaced)

    def draw_pictures(self, wanted: Sequence[Asked]) -> list[Path]:
        """Of each table of accuracy <name>.png, beside it <name>_rates and <name>_epochs (.pdf .png, .csv of what is drawn)."""
        from reports.cells import read_cells
        from reports.choose import pictures_beside
        from reports.pictures.table import table_picture

        drawn_tables = [self.make(asked) for asked in wanted if asked.drawing == "accuracy"]
        tables = [asked.of_metric(self.options.metric) for asked in wanted if asked.drawing == "accuracy"]
        read_tables = [(one, read_cells(one, self.records, one.rule(self.options), self.options)) for one in tables]
        files = []
        for asked, table in zip(tables, drawn_tables, strict=True):
            picture = table_picture(table)
            files.append(self.out / f"{picture.name}.png")
            write_drawn(files[-1], picture.png)
            for beside_table in pictures_beside(asked, read_tables, self.options):
                files += beside_table.write(self.out)
        return files

    def draw_page(self, wanted: Sequence[Asked], further_tables: Sequence[Asked] = (), folder: str = "") -> Drawn:
        """Write report.html, a page that one explores, of every table and figure that was asked for.

        further_tables: of another scale, that can be chosen there too. folder: of the records as a person would type it.
        """
        from reports.page.write import write_page

        drawn = [(asked, self.make(asked)) for asked in wanted]
        return write_page(drawn, further_tables, self.records, self.out, self.options, folder)


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
