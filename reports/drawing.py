"""Settings and parts that all figures share."""

import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reports.table import csv_rows

SETTINGS = {"pdf.fonttype": 42, "ps.fonttype": 42, "font.size": 9, "axes.spines.top": False, "axes.spines.right": False}
INK, SOFT = "#222222", "#777777"


@dataclass
class Drawing:
    """A figure not rendered yet. caption, notes, stands_on, facts: as those of a table (facts: one dictionary a point).
    render: makes the matplotlib figure.
    """

    name: str
    title: str
    caption: str
    render: Callable[[], Any]
    gaps: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    stands_on: list[str] = field(default_factory=list)
    facts: list[dict[str, Any]] = field(default_factory=list)

    def write(self, out: Path) -> list[Path]:
        """<name>.pdf with embedded fonts, <name>.png and, of its facts, <name>.csv.

        What they stand on is kept in both pictures, and in the PNG the SHA-256 of the CSV that it shows.
        """
        import matplotlib as mpl

        words = " ".join([self.caption, *self.notes, *self.stands_on])
        with mpl.rc_context(SETTINGS):
            figure = self.render()
            paths = [out / f"{self.name}.pdf", out / f"{self.name}.png"]
            figure.savefig(
                paths[0], metadata={"CreationDate": None, "Title": self.title, "Subject": words}, bbox_inches="tight"
            )
            self.save_png(figure, paths[1], 160)
        if self.facts:
            paths.append(out / f"{self.name}.csv")
            paths[-1].write_text(self.csv, encoding="utf-8", newline="")
        return paths

    @property
    def csv(self) -> str:
        return csv_rows(self.facts[0], self.facts)

    @property
    def source(self) -> dict[str, str]:
        digest = hashlib.sha256(self.csv.encode()).hexdigest() if self.facts else ""
        return {"Source": f"{self.name}.csv, sha256 {digest}"} if digest else {}

    def save_png(self, figure: Any, path: Any, dpi: int) -> None:
        words = " ".join([self.caption, *self.notes, *self.stands_on])
        told = {"Software": None, "Title": self.title, "Description": words} | self.source
        figure.savefig(path, format="png", dpi=dpi, bbox_inches="tight", metadata=told)

    def png(self) -> bytes:
        import matplotlib as mpl

        content = io.BytesIO()
        with mpl.rc_context(SETTINGS):
            self.save_png(self.render(), content, 130)
        return content.getvalue()


def new_figure(width: float, height: float, layout: str = "constrained") -> Any:
    """A figure that belongs to no window system and no global state."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    made = Figure(figsize=(width, height), layout=layout)
    FigureCanvasAgg(made)
    return made


def plain(text: str) -> str:
    """Text of others without matplotlib's mathematics."""
    return text.replace("$", r"\$")
