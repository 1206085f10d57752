"""Tables of accuracy: Table 1 and its siblings, as rows of entries that every format writes alike."""

from typing import Any

import numpy as np

from reports.asked import Asked, Options, output_stem
from reports.captions import (
    accuracy_caption,
    dataset_title,
    describe_foundation,
    noise_text,
    published_text,
    unique_texts,
)
from reports.cells import Cell, add_published, read_cells
from reports.facts import cell_facts, pick_columns, round_or_blank
from reports.mechanisms import idle_notes
from reports.metrics import largest_class, metric_in_last_epoch
from reports.notes import (
    AGAINST,
    against_note,
    below_baseline,
    describe_mean,
    detectable_note,
    failure_notes,
    fallen_note,
    list_gaps,
)
from reports.paired import Hits, rank_cells, rank_text, ranks_note
from reports.statistics import half_width, paired_t
from reports.table import NO_DATA, Block, Entry, Table, format_signed
from results.published import METHODS
from results.records import Records
from results.schema import realised_rate, record_seed

CELL_COLUMNS = (
    "method dataset rate n asked mean std rank_low rank_high published published_classes published_std difference "
    "realised rule classes weights ids row noise part changed against problems metric se ci_low ci_high"
)
RUN_COLUMNS = "id method row dataset noise rate part seed realised metric rule"  # and these, of every record
RUN_METRICS = (
    *("last", "best", "best_epoch", "last5", "noisy_val", "balanced_accuracy", "macro_f1", "calibration_error"),
    *("wrong_label_auroc", "wrong_label_fnr", "margin_auroc", "margin_fnr", "majority"),
)
Column = tuple[str, str]  # data set, and 'measured', 'published' or 'difference'
Row = tuple[str, str, str | None]  # title, method, label


def accuracy_table(asked: Asked, records: Records, options: Options) -> Table:
    """Table 1 or a sibling: a block a noise and rate, a row a method, beside each data set what was published."""
    cells = read_cells(asked, records, asked.rule(options), options)
    table_cells = [cell for cell in cells if cell.part == "table"]
    cells_below = [cell for cell in cells if cell.part != "table"] if options.floor else []
    shown_cells = [*table_cells, *cells_below]
    rank_cells(table_cells, Hits(records, asked.rule(options), options.metric))
    layout = Layout(asked, table_cells, cells_below, options)
    blocks = [block for noise, rate in layout.conditions for block in layout.blocks(noise, rate)]
    unmeasured_noise = layout.conditions[0][:1] if layout.unmeasured and asked.published else ()
    return Table(
        name=output_stem(asked),
        title=asked.heading + other_noise(asked, table_cells),
        caption=f"{accuracy_caption(table_cells, asked.rule(options), options)}{marks_text(table_cells, unmeasured_noise)}.",
        blocks=blocks,
        notes=[
            *against_note(shown_cells),
            *failure_notes(shown_cells),
            *fallen_note(shown_cells, options),
            *idle_notes(table_cells),
        ],
        stands_on=[
            *describe_foundation(table_cells),
            *ranks_note(table_cells, options.ranks),
            *detectable_note(table_cells, options),
            *below_baseline(table_cells, options.decimals),
            *published_text(table_cells, unmeasured_noise),
        ],
        header=tuple(CELL_COLUMNS.split()),
        facts=[row_of_csv(cell, options) for cell in [*table_cells, *layout.missing_cells, *cells_below]],
        runs=[row for cell in shown_cells for row in rows_of_runs(cell, options)],
        gaps=list_gaps(shown_cells),
    )


def marks_text(cells: list[Cell], unmeasured_noise: tuple[str, ...]) -> str:
    """What bold and grey mean, in a few words."""
    bold = "; bold: none shown to be better" if any(cell.places for cell in cells) else ""
    return bold + ("; grey or italic: published" if unmeasured_noise or any(cell.published for cell in cells) else "")


def other_noise(asked: Asked, cells: list[Cell]) -> str:
    """What the title has to add where `--noise` put other noise into the table than it is named for."""
    shown_kinds = unique_texts(cell.noise for cell in cells)
    if set(shown_kinds) <= set(asked.noises):
        return ""
    return f" (shown here: {', '.join(noise_text(kind, None) for kind in shown_kinds)})"


class Layout:
    """Which conditions, rows and columns a table has, and the cell at each place."""

    def __init__(self, asked: Asked, cells: list[Cell], below: list[Cell], options: Options) -> None:
        self.asked = asked
        self.cells = cells
        self.below = below
        self.options = options
        self.ranks = options.ranks and any(cell.places for cell in cells)
        self.conditions = list(dict.fromkeys((c.noise, c.rate) for c in cells)) or [(asked.noises[0], None)]
        rows = dict.fromkeys((c.title, c.method, c.label) for c in cells)
        self.rows = list(rows) or [(METHODS.get(m, m), m, None) for m in asked.methods or METHODS]
        self.datasets = list(dict.fromkeys([*asked.columns, *(c.dataset for c in cells)]))
        self.unmeasured = [name for name in self.datasets if name not in {c.dataset for c in cells}]
        self.missing_cells = [
            Cell(title, method, dataset, noise, rate, label)
            for noise, rate in self.conditions
            for title, method, label in self.rows
            for dataset in self.unmeasured
        ]
        for cell in self.missing_cells:
            add_published(cell, asked)

    def blocks(self, noise: str, rate: str | None) -> list[Block]:
        """The table's own methods, and below them, in a block of their own, any others that were asked for."""
        own_methods = self.asked.methods or tuple(METHODS)
        other_rows = [row for row in self.rows if row[1] not in own_methods]
        own_rows = [row for row in self.rows if row[1] in own_methods]
        heading = noise_text(noise, rate)
        blocks = [self.block(own_rows or other_rows, heading, noise, rate, self.options.floor)]
        if own_rows and other_rows:
            blocks.append(self.block(other_rows, f"{heading}: other methods", noise, rate, False))
        return blocks

    def block(self, shown_rows: list[Row], heading: str, noise: str, rate: str | None, floor: bool) -> Block:
        methods = {method for _, method, _ in shown_rows}
        cells_here = [c for c in [*self.cells, *self.missing_cells] if (c.noise, c.rate) == (noise, rate)]
        cells_here = [cell for cell in cells_here if cell.method in methods]
        columns = self.columns(cells_here)
        rows = []
        for title, method, label in shown_rows:
            cell_by_set = {cell.dataset: cell for cell in cells_here if (cell.title, cell.label) == (title, label)}
            fields = [accuracy_entry(cell_by_set.get(name), kind, name in self.unmeasured) for name, kind in columns]
            rows.append([Entry(title, detail=method), *fields])
        ruled_at = len(rows)
        rows_below = self.floor_rows(noise, rate, columns) if floor else []
        names = [dataset_title(self.cells, name) if kind == "measured" else kind for name, kind in columns]
        return Block(heading, ["Method", *names], rows + rows_below, ruled_at if rows_below else None)

    def columns(self, cells_here: list[Cell]) -> list[Column]:
        columns = []
        for name in self.datasets:
            cells_of_set = [cell for cell in cells_here if cell.dataset == name]
            columns.append((name, "measured"))
            if self.ranks and name not in self.unmeasured:
                columns.append((name, "rank"))
            if any(cell.published for cell in cells_of_set):
                columns.append((name, "published"))
            if any(cell.difference is not None for cell in cells_of_set):
                columns.append((name, "difference"))
        return columns

    def floor_rows(self, noise: str, rate: str | None, columns: list[Column]) -> list[list[Entry]]:
        """What needs no method (the largest class) and what no method can know (which labels are right)."""
        majority_row = [Entry("Largest class")]
        for name, kind in columns:
            cells = [c for c in self.cells if c.condition == (name, noise, rate) and kind == "measured"]
            largest_shares = [largest_class(record, self.options.metric) for cell in cells for record in cell.records]
            percentages = [100 * value for value in largest_shares if value is not None]
            mean = float(np.mean(percentages)) if percentages else None
            majority_row.append(Entry("") if mean is None else Entry(f"{mean:.{self.options.decimals}f}", sort=mean))
        rows = [majority_row]
        cells_below = [c for c in self.below if c.part == "clean" or (c.noise, c.rate) == (noise, rate)]
        for title in dict.fromkeys(cell.title for cell in cells_below):
            cell_by_set = {cell.dataset: cell for cell in cells_below if cell.title == title}
            fields = (
                accuracy_entry(cell_by_set[name], kind, False) if name in cell_by_set else Entry("")
                for name, kind in columns
            )
            rows.append([Entry(title), *fields])
        return rows


def accuracy_entry(cell: Cell | None, kind: str, unmeasured: bool) -> Entry:
    """One field; a cell that does not exist in this table is empty."""
    if cell is None:
        return Entry("–" if kind == "measured" else "")
    if kind == "published":
        printed = cell.published
        if printed is None:
            return Entry("", published=True)
        other_classes = printed.classes and printed.classes != cell.classes
        text = printed.text + (f" ({printed.classes} classes)" if other_classes else "")
        return Entry(text, published=True, sort=printed.mean)
    if kind == "rank":
        return Entry(rank_text(cell), sort=cell.places and float(sum(cell.places)))
    if kind == "difference":
        gap = cell.difference
        return Entry("") if gap is None else Entry(format_signed(gap, f"+.{cell.decimals}f"), sort=gap)
    if unmeasured:
        return Entry(NO_DATA)
    mark = (f" {AGAINST}" if cell.against else "") + (" †" if cell.failed or cell.reason else "")
    return Entry(cell.text + mark, cell.is_best, sort=cell.mean, detail=describe_mean(cell, cell.values))


def row_of_csv(cell: Cell, options: Options) -> dict[str, Any]:
    """Every number of a cell."""
    values = list(cell.values.values())
    over_seeds = paired_t(values) if len(values) > 1 else None
    best, worst = cell.places or ("", "")
    printed = cell.published
    weights = unique_texts(r["resolved"].get("weights", {}).get("text") for r in cell.records)
    more_facts = {
        "rank_low": best,
        "rank_high": worst,
        "published": printed.mean if printed else "",
        "published_classes": (printed and printed.classes) or "",
        "published_std": "" if printed is None or printed.std is None else printed.std,
        "difference": round_or_blank(cell.difference),
        "realised": round_or_blank(cell.realised),
        "rule": options.rule,
        "classes": cell.classes or "",
        "weights": "; ".join(weights),
        "changed": " ".join(f"{key}={value}" for key, value in (cell.overrides | cell.by_hand).items()),
        "against": cell.against,
        "problems": "; ".join(problem for problem in [cell.reason, *cell.failed] if problem),
        "metric": options.metric,
        "se": round_or_blank(half_width(values, "se")),
        "ci_low": round_or_blank(over_seeds and over_seeds.low),
        "ci_high": round_or_blank(over_seeds and over_seeds.high),
    }
    return pick_columns(CELL_COLUMNS, cell_facts(cell), more_facts)


def rows_of_runs(cell: Cell, options: Options) -> list[dict[str, Any]]:
    """One row a run, for CSV: what it adds to the table, and every metric of its record, in per cent."""
    shown_fields = cell_facts(cell) | {"metric": options.metric, "rule": options.rule}
    return [
        pick_columns(
            RUN_COLUMNS,
            shown_fields,
            {"id": record["id"], "seed": record_seed(record), "realised": realised_rate(record)},
        )
        | {"value": round_or_blank(cell.values[record_seed(record)])}
        | {name: metric_text(name, record["metrics"].get(name)) for name in RUN_METRICS}
        | {"worst_class": metric_text("worst_class", metric_in_last_epoch(record, "worst-class"))}
        for record in cell.records
    ]


def metric_text(name: str, value: Any) -> Any:
    """A metric of a record in per cent, epochs as they are; '' where it has none."""
    if not isinstance(value, (int, float)):
        return ""
    return value if name == "best_epoch" else round_or_blank(100 * value)
