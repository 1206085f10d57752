"""Settings and parts that all figures share."""

import hashlib
import io
import os
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from reports.asked import write_drawn
from reports.facts import csv_rows

SETTINGS = {"pdf.fonttype": 42, "ps.fonttype": 42, "font.size": 9, "axes.spines.top": False, "axes.spines.right": False}
DPI = 160
SPAN = 10.0  # a larger ratio of values is drawn on a logarithmic axis
MOST_TICKS = 6  # with 1, 2 and 5 of a decade on a logarithmic axis
INK = "#222222"
SOFT = "#777777"


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
    heading: str = ""  # what is drawn, above the panels; a paper has it in its caption
    column_width: float | None = None  # inches; a figure that was drawn for it is saved as wide as that

    @property
    def edges(self) -> str | None:
        """Where a saved picture ends: around what is drawn, or where the column does."""
        return "tight" if self.column_width is None else None

    def write(self, out: Path) -> list[Path]:
        """<name>.pdf with embedded fonts, <name>.png and, of its facts, <name>.csv.

        What they stand on is kept in both pictures, and in the PNG the SHA-256 of the CSV that it shows.
        """
        paths = [out / f"{self.name}.pdf", out / f"{self.name}.png"]
        metadata = {"CreationDate": None, "Title": self.title, "Subject": self.words}
        with drawing_settings():
            content = io.BytesIO()
            self.figure.savefig(content, format="pdf", metadata=metadata, bbox_inches=self.edges)
        write_drawn(paths[0], content.getvalue())
        write_drawn(paths[1], self.png)
        if self.facts:
            paths.append(out / f"{self.name}.csv")
            write_drawn(paths[-1], self.csv)
        return paths

    @property
    def csv(self) -> str:
        return csv_rows(self.facts[0], self.facts)

    @property
    def words(self) -> str:
        return " ".join([self.caption, *self.notes, *self.stands_on])

    @cached_property
    def figure(self) -> Any:
        """The matplotlib figure, rendered once."""
        figure = self.render()
        if self.heading and self.column_width is None:
            draw_heading(figure, self.title, self.heading)
        return figure

    @cached_property
    def png(self) -> bytes:
        content = io.BytesIO()
        metadata = {"Software": None, "Title": self.title, "Description": self.words}
        if self.facts:
            metadata["Source"] = f"{self.name}.csv, sha256 {hashlib.sha256(self.csv.encode()).hexdigest()}"
        with drawing_settings():
            self.figure.savefig(content, format="png", dpi=DPI, bbox_inches=self.edges, metadata=metadata)
        return content.getvalue()


def draw_heading(made: Any, title: str, words: str) -> None:
    """The picture's heading and, small below it, what is drawn."""
    width, height = made.get_size_inches()
    made.text(
        0.1 / width, 1 - 0.08 / height, escape_dollars(title), fontsize=10, fontweight="bold", color=INK, va="top"
    )
    words = textwrap.fill(keep_units(escape_dollars(words)), int(16 * width))
    made.text(0.1 / width, 1 - 0.29 / height, words, fontsize=8, color=SOFT, va="top")


@contextmanager
def drawing_settings() -> Iterator[None]:
    """matplotlib's own defaults and those of all figures, whatever MPLBACKEND and a person's matplotlibrc say."""
    if "matplotlib" not in sys.modules:
        os.environ["MPLBACKEND"] = "agg"  # read when it is imported, and an error where that backend is not installed
    import matplotlib as mpl

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(SETTINGS)
        yield


def new_figure(width: float, height: float, layout: str = "constrained") -> Any:
    """A figure that belongs to no window system and no global state."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout=layout)
    FigureCanvasAgg(figure)
    return figure


def add_panel(figure: Any, left: float, bottom: float, width: float, height: float, **more: Any) -> Any:
    """Axes at a place in inches from the lower left corner of a figure."""
    across, up = figure.get_size_inches()
    return figure.add_axes((left / across, bottom / up, width / across, height / up), **more)


def draw_band(axes: Any, x: Any, mean: np.ndarray, band: np.ndarray, alpha: float, **look: Any) -> None:
    """A line with a band to each side of it."""
    axes.plot(x, mean, **look)
    axes.fill_between(x, mean - band, mean + band, color=look["color"], alpha=alpha, linewidth=0)


def escape_dollars(text: str) -> str:
    """Text of others without matplotlib's mathematics."""
    return text.replace("$", r"\$")


def keep_units(text: str) -> str:
    """The same text, in which no line ends between a number and its per cent sign."""
    return text.replace(" %", "\N{NO-BREAK SPACE}%")


@dataclass(frozen=True)
class Axis:
    """Where the values of an option lie. names: the values where they are words, in their order."""

    places: dict[str, float]
    names: tuple[str, ...] = ()

    @property
    def is_log(self) -> bool:
        """Whether numbers span so much that they are drawn on a logarithmic axis."""
        low, high = min(self.places.values()), max(self.places.values())
        return not self.names and low > 0 and high > SPAN * low


def place_values(values: Iterable[str]) -> Axis:
    """Numbers at themselves; words side by side."""
    texts = list(dict.fromkeys(values))
    try:
        return Axis({text: float(text) for text in texts})
    except ValueError:
        return Axis({text: float(place) for place, text in enumerate(texts)}, tuple(texts))


def epoch_ticks(last: int) -> list[int]:
    """The first and the last epoch, and every fifth where they are few."""
    fives = range(5, last - 1, 5) if last <= 30 else ()
    return sorted({1, last, *fives})


def plain_log_axis(axes: Any) -> None:
    """A logarithmic x axis with numbers as one writes them, at 1, 2 and 5 of each decade, or at 1 alone where that is many."""
    axes.set_xscale("log")
    low, high = axes.get_xlim()
    powers = range(-9, 10)
    for digits in ((1, 2, 5), (1,)):
        ticks = [tick for power in powers for digit in digits if low <= (tick := float(f"{digit}e{power}")) <= high]
        if len(ticks) <= MOST_TICKS:
            break
    if len(ticks) > 1:  # else those of matplotlib
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.minorticks_off()
