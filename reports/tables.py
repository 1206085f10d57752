"""Tables of accuracy: Table 1 and its siblings, as rows of entries that every format writes alike."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from reports import Options, stem
from reports.captions import dataset_title, foundation, noise_text, published_text
from reports.cells import NOISE_OF_TABLE, WITH_PUBLISHED, Cell, common_seeds, read_cells
from reports.records import Records, seed
from reports.statistics import detectable_gain, pooled_paired_std
from results.published import METHODS, Published, facts, find

Column = tuple[str, str]  # data set, and 'measured', 'published' or 'difference'
Row = tuple[str, str, str | None]  # title, method, label
TITLES = {
    "1": "Accuracy (%) under asymmetric noise",
    "symmetric": "Accuracy (%) under symmetric noise",
    "clean": "Accuracy (%) without added noise",
    "matched": "Accuracy (%) of all methods under one recipe",
}


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
    """A table in no format yet. facts: one dictionary a cell, for CSV; header: its columns where there is none.
    gaps: one line for each thing not there.
    """

    name: str
    title: str
    caption: list[str]
    blocks: list[Block]
    notes: list[str] = field(default_factory=list)
    facts: list[dict[str, Any]] = field(default_factory=list)
    gaps: list[str] = field(default_factory=list)
    header: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        from reports.formats import markdown

        return markdown(self)


def table(what: dict[str, Any], records: Records, options: Options) -> Table:
    """Any table by its name; raises ReportError."""
    if what["name"] == "2":
        from reports.divergence import divergence_table

        return divergence_table(what, records, options)
    return accuracy_table(what, records, options)


def accuracy_table(what: dict[str, Any], records: Records, options: Options) -> Table:
    """Table 1 or a sibling: a block a noise and rate, a row a method, beside each data set what was published."""
    cells = read_cells(what, records, options.rule)
    shown = [cell for cell in cells if cell.part == "table"]
    cells_below = [cell for cell in cells if cell.part != "table"] if options.floor else []
    layout = Layout(what, shown, cells_below)
    blocks = [block for noise, rate in layout.conditions for block in layout.blocks(noise, rate, options.floor)]
    number = f"Table {what['name']}. " if what["name"].isdigit() else ""
    bold = "Bold: the highest measured mean of a column and block, whether or not the seeds can tell it from the next."
    also = layout.conditions[0][:1] if layout.unmeasured and what["name"] in WITH_PUBLISHED else ()
    return Table(
        name=stem(what),
        title=number + (what.get("title") or TITLES.get(what["name"], what["name"])) + other_noise(what, shown),
        caption=[*foundation(shown, options.rule), bold, *published_text(shown, also)],
        blocks=blocks,
        notes=[*detectable_note(shown), *below_baseline(shown), *failure_notes([*shown, *cells_below])],
        header=tuple(row_of_csv(Cell("", "", "", "", None), options.rule)),
        facts=[row_of_csv(cell, options.rule) for cell in [*shown, *layout.missing_cells(), *cells_below]],
        gaps=gaps([*shown, *cells_below]),
    )


def other_noise(what: dict[str, Any], cells: list[Cell]) -> str:
    """What the title has to add where `--noise` put other noise into the table than it is named for."""
    kinds = list(dict.fromkeys(cell.noise for cell in cells))
    usual = NOISE_OF_TABLE.get(what["name"])
    if not usual or kinds in ([], [usual]):
        return ""
    return f" (shown here: {', '.join(noise_text(kind, None) for kind in kinds)})"


class Layout:
    """Which conditions, rows and columns a table has, and the cell at each place."""

    def __init__(self, what: dict[str, Any], cells: list[Cell], below: list[Cell]) -> None:
        self.what, self.cells, self.below = what, cells, below
        usual = NOISE_OF_TABLE.get(what["name"], "asymmetric")
        rates = [None] if usual == "none" else what.get("rates") or [None]
        self.conditions = list(dict.fromkeys((c.noise, c.rate) for c in cells)) or [(usual, rate) for rate in rates]
        rows = dict.fromkeys((c.title, c.method, c.label) for c in cells)
        self.rows = list(rows) or [(METHODS.get(m, m), m, None) for m in what.get("methods") or METHODS]
        self.datasets = list(dict.fromkeys([*what["columns"], *(c.dataset for c in cells)]))
        self.unmeasured = [name for name in self.datasets if name not in {c.dataset for c in cells}]

    def missing_cells(self) -> list[Cell]:
        """Cells of data sets that were not run, with what was published for them."""
        return [
            Cell(
                title, method, dataset, noise, rate, label, published=self.printed(method, label, dataset, noise, rate)
            )
            for noise, rate in self.conditions
            for title, method, label in self.rows
            for dataset in self.unmeasured
        ]

    def printed(self, method: str, label: str | None, dataset: str, noise: str, rate: str | None) -> Published | None:
        with_published = self.what["name"] in WITH_PUBLISHED and not label
        return find(noise, rate, method, dataset) if with_published else None

    def blocks(self, noise: str, rate: str | None, floor: bool) -> list[Block]:
        """The paper's methods, and below them, in a block of their own, any others that were asked for."""
        others = [row for row in self.rows if row[1] not in METHODS]
        papers = [row for row in self.rows if row[1] in METHODS]
        heading = noise_text(noise, rate)
        found = [self.block(papers or others, heading, noise, rate, floor)]
        return found + (
            [self.block(others, f"{heading}: other methods", noise, rate, False)] if papers and others else []
        )

    def block(self, shown: list[Row], heading: str, noise: str, rate: str | None, floor: bool) -> Block:
        methods = {method for _, method, _ in shown}
        here = [c for c in [*self.cells, *self.missing_cells()] if (c.noise, c.rate) == (noise, rate)]
        here = [cell for cell in here if cell.method in methods]
        columns = self.columns(here)
        best = {name: best_mean(here, name) for name in self.datasets}
        rows = []
        for title, method, label in shown:
            at = {cell.dataset: cell for cell in here if (cell.title, cell.label) == (title, label)}
            fields = [entry(at.get(name), kind, best[name], name in self.unmeasured) for name, kind in columns]
            rows.append([Entry(title, detail=method), *fields])
        ruled = len(rows)
        below = self.floor_rows(noise, rate, columns) if floor else []
        names = [dataset_title(self.cells, name) if kind == "measured" else kind for name, kind in columns]
        return Block(heading, ["Method", *names], rows + below, ruled if below else None)

    def columns(self, here: list[Cell]) -> list[Column]:
        found = []
        for name in self.datasets:
            of_name = [cell for cell in here if cell.dataset == name]
            found.append((name, "measured"))
            found += [(name, "published")] if any(cell.published for cell in of_name) else []
            found += [(name, "difference")] if any(cell.difference is not None for cell in of_name) else []
        return found

    def floor_rows(self, noise: str, rate: str | None, columns: list[Column]) -> list[list[Entry]]:
        """What needs no method (the largest class) and what no method can know (which labels are right)."""
        majority = [Entry("Largest class")]
        for name, kind in columns:
            cells = [c for c in self.cells if (c.dataset, c.noise, c.rate) == (name, noise, rate)]
            found = [r["metrics"].get("majority") for c in cells for r in c.records]
            found = [100 * value for value in found if value is not None]
            shown = kind == "measured" and found
            majority.append(Entry(f"{np.mean(found):.1f}", sort=float(np.mean(found))) if shown else Entry(""))
        rows = [majority]
        fitting = [c for c in self.below if c.part == "clean" or (c.noise, c.rate) == (noise, rate)]
        for title in dict.fromkeys(cell.title for cell in fitting):
            at = {cell.dataset: cell for cell in fitting if cell.title == title}
            fields = [entry(at.get(name), kind, None, False) if name in at else Entry("") for name, kind in columns]
            rows.append([Entry(title), *fields])
        return rows


def best_mean(cells: list[Cell], dataset: str) -> float | None:
    return max((cell.mean for cell in cells if cell.dataset == dataset and cell.mean is not None), default=None)


def entry(cell: Cell | None, kind: str, best: float | None, unmeasured: bool) -> Entry:
    """One field; a cell that does not exist in this table is empty."""
    if cell is None:
        return Entry("–" if kind == "measured" else "")
    if kind == "published":
        printed = cell.published
        if printed is None:
            return Entry("", published=True)
        other = printed.classes and printed.classes != cell.classes
        text = printed.text + (f" ({printed.classes} classes)" if other else "")
        return Entry(text, published=True, sort=printed.mean)
    if kind == "difference":
        gap = cell.difference
        return Entry("") if gap is None else Entry(f"{gap:+.1f}".replace("-", "−"), sort=gap)
    if unmeasured:
        return Entry("no data")
    mark = " †" if cell.failed or cell.reason else ""
    return Entry(cell.text + mark, cell.mean is not None and cell.mean == best, sort=cell.mean, detail=details(cell))


def details(cell: Cell) -> str:
    """What stands behind an accuracy: n, each seed, the record ids."""
    return behind(cell, cell.values)


def behind(cell: Cell, values: dict[int, float], form: str = ".2f") -> str:
    """What stands behind a mean of `values`, {seed: value}: n, each seed, the record ids."""
    seeds = ", ".join(f"seed {number}: {value:{form}}" for number, value in sorted(values.items()))
    ids = " ".join(record["id"] for record in cell.records if seed(record) in values)
    return f"n = {len(values)} of {len(cell.ids)}" + (f"; {seeds}; records {ids}" if values else "")


def failure_notes(cells: list[Cell]) -> list[str]:
    """One line a marked cell."""
    lines = [f"† {cell.where}: {cell.reason}" for cell in cells if cell.reason]
    return lines + [f"† {cell.where}: {line}" for cell in cells for line in cell.failed]


def gaps(cells: list[Cell]) -> list[str]:
    """One line a run that is not there, and one a cell that cannot be; what an exit status rests on."""
    lines = [f"{cell.where}: {cell.reason}" for cell in cells if cell.reason]
    for cell in cells:
        lines += [f"{cell.where}: {line}" for line in cell.failed]
        lines += [f"{cell.where}: {record_id[:8]}: not run" for record_id in cell.absent]
    return lines


def detectable_note(cells: list[Cell]) -> list[str]:
    """The smallest gain that this many seeds can show, beside the paper's."""
    groups: dict[tuple, list[Cell]] = {}
    for cell in cells:
        if cell.values:
            groups.setdefault((cell.dataset, cell.noise, cell.rate), []).append(cell)
    paired = [(common_seeds(group), group) for group in groups.values() if len(group) > 1]
    n = max((len(seeds) for seeds, _ in paired), default=0)
    if n < 2:
        return []
    values = [np.array([[c.values[s] for s in seeds] for c in group]) for seeds, group in paired if len(seeds) == n]
    std = float(np.sqrt(np.mean([pooled_paired_std(rows) ** 2 for rows in values])))
    gain = float(facts()["avg_gain_over_eac_RAF-DB"])
    return [
        f"With n = {n} seeds a paired t test (two-sided, 5 %) has 80 % power for a gain of "
        f"{detectable_gain(std, n):.1f} points or more (standard deviation of paired differences {std:.2f}, pooled over "
        f"all pairs of rows); the paper's average gain of LA-Net over EAC on RAF-DB is {gain:.1f} points."
    ]


def below_baseline(cells: list[Cell]) -> list[str]:
    """Where a row does not beat the baseline on the same seeds."""
    plain = {(c.dataset, c.noise, c.rate): c for c in cells if c.method == "baseline" and not c.label}
    found = []
    for cell in cells:
        rival = plain.get((cell.dataset, cell.noise, cell.rate))
        if rival is None or rival is cell:
            continue
        gains = [cell.values[s] - rival.values[s] for s in common_seeds([cell, rival])]
        gain = float(np.mean(gains)) if gains else 1.0
        if gain <= 0:
            place = f"{dataset_title(cells, cell.dataset)}, {noise_text(cell.noise, cell.rate)}"
            found.append(f"{cell.title} ({place}) −{-gain:.1f}")
    return [f"Not above the baseline, points on the same seeds: {'; '.join(found)}."] if found else []


def row_of_csv(cell: Cell, rule: str) -> dict[str, Any]:
    """Every number of a cell."""
    weights = dict.fromkeys(str(r["resolved"].get("weights", {}).get("text", "")) for r in cell.records)
    return {
        "method": cell.method,
        "dataset": cell.dataset,
        "rate": cell.rate or "",
        "n": cell.n,
        "asked": len(cell.ids),
        "mean": six_places(cell.mean),
        "std": six_places(cell.std),
        "published": "" if cell.published is None else cell.published.mean,
        "published_classes": (cell.published and cell.published.classes) or "",
        "published_std": "" if cell.published is None or cell.published.std is None else cell.published.std,
        "difference": six_places(cell.difference),
        "realised": six_places(cell.realised),
        "rule": rule,
        "classes": cell.classes or "",
        "weights": "; ".join(weights),
        "ids": " ".join(record["id"] for record in cell.records),
        "row": cell.title,
        "noise": cell.noise,
        "part": cell.part,
        "changed": " ".join(f"{key}={value}" for key, value in (cell.of_row | cell.by_hand).items()),
        "problems": "; ".join([cell.reason] * bool(cell.reason) + cell.failed),
    }


def six_places(value: float | None) -> float | str:
    return "" if value is None else round(value, 6)
