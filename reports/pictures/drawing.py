"""Settings and parts that all figures share."""

import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from reports.table import csv_rows

SETTINGS = {"pdf.fonttype": 42, "ps.fonttype": 42, "font.size": 9, "axes.spines.top": False, "axes.spines.right": False}
DPI = 160
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

        paths = [out / f"{self.name}.pdf", out / f"{self.name}.png"]
        told = {"CreationDate": None, "Title": self.title, "Subject": self.words}
        with mpl.rc_context(SETTINGS):
            self.figure.savefig(paths[0], metadata=told, bbox_inches="tight")
        paths[1].write_bytes(self.png)
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

    @property
    def words(self) -> str:
        return " ".join([self.caption, *self.notes, *self.stands_on])

    @cached_property
    def figure(self) -> Any:
        """The matplotlib figure, rendered once."""
        return self.render()

    @cached_property
    def png(self) -> bytes:
        import matplotlib as mpl

        content, told = io.BytesIO(), {"Software": None, "Title": self.title, "Description": self.words} | self.source
        with mpl.rc_context(SETTINGS):
            self.figure.savefig(content, format="png", dpi=DPI, bbox_inches="tight", metadata=told)
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


def log_axis(axes: Any) -> None:
    """A logarithmic axis whose ticks are plain numbers."""
    from matplotlib.ticker import LogLocator, NullFormatter

    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 3)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())
