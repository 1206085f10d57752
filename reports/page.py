"""report.html: one file without network; claims first, then tables and figures, protocol and environment last."""

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from reports.asked import Asked, Drawn, Options
from reports.captions import unique
from reports.cells import Cell, read_cells
from reports.choose import Made, figure, table
from reports.formats import environment
from reports.pictures.beside import pictures
from reports.pictures.drawing import Drawing
from reports.statements.claims import claims_markdown, heading, places_of, summary, verdicts
from reports.table import Block, Table, signed
from reports.tables.detection import CAPTION, STANDS_ON, detection
from reports.tables.extras import behind_accuracy, confusions, curves, per_class
from results.records import Records
from results.schema import RULES

BEHIND = "What lies behind an accuracy: means over seeds, accuracies in per cent."
BEHIND_STANDS_ON = (
    "best − last and best − last five: what choosing the epoch on the test set adds.",
    "Balanced accuracy, macro F1 and the expected calibration error (15 bins) are of the last epoch.",
    "Memorised: share of the wrong training labels that the network gives back in the last epoch.",
    "Realised noise: share of the training labels that are wrong, in per cent, beside the nominal rate.",
    "*: other jobs ran on the same card; not comparable. –: records that were passed on without all their arrays.",
)


def write_page(wanted: list[Asked], records: Records, out: Path, options: Options, made: Made) -> Drawn:
    """Write report.html into `out`; made: what was drawn before, by name; raises ReportError."""
    read = [(asked, read_cells(asked, records, asked.rule(options))) for asked in wanted]
    cells = [cell for _, found in read for cell in found]
    of_tables = [cell for asked, found in read if asked.drawing == "accuracy" for cell in found]
    tables = [table(asked, records, options, made) for asked in wanted if asked.kind == "table"]
    beside = [
        [shown_as(made.get(drawing.name, drawing)) for drawing in pictures(asked, read, options)]
        for asked in wanted
        if asked.kind == "table"
    ]
    figures = [figure(asked, records, options, made) for asked in wanted if asked.kind == "figure"]
    found = verdicts(read, records, options)
    shown = {record["id"]: record for cell in cells for record in cell.records}
    facts = {
        "rule": RULES[options.rule],
        "number": lambda value, unit: signed(value, f"+.{places_of(unit)}f"),
        "verdicts": [
            (verdict, verdict.verdict.replace(" ", "-"), heading(verdict), summary(verdict)) for verdict in found
        ],
        "tables": list(zip(tables, beside)),
        "figures": [*map(shown_as, figures)],
        "behind": extra_table("behind", "Behind the accuracies", BEHIND, behind_accuracy(of_tables), BEHIND_STANDS_ON),
        "detection": extra_table("detection", "Wrong labels found", CAPTION, detection(of_tables), STANDS_ON),
        "per_class": extra_table(
            "classes", "Accuracy by class (%)", "Last epoch, mean over seeds.", per_class(of_tables)
        ),
        "curves": curves(of_tables),
        "confusions": confusions(of_tables),
        "protocol": protocol(cells),
        "environments": environments(list(shown.values())),
        "runs": len(shown),
        "refused": sorted(records.refused.values()),
    }
    path = out / "report.html"
    (out / "claims.md").write_text(claims_markdown(found), encoding="utf-8")
    path.write_text(environment().get_template("page.html").render(**facts), encoding="utf-8")
    gaps = unique(gap for drawing in [*tables, *figures] for gap in drawing.gaps)
    text = "\n".join(f"{': '.join(heading(verdict))}: {summary(verdict)}" for verdict in found)
    return Drawn([path, out / "claims.md"], text, gaps)


def shown_as(drawing: Drawing) -> tuple[Drawing, str]:
    """A drawing with its PNG in base 64."""
    return drawing, base64.b64encode(drawing.png).decode()


def extra_table(
    name: str, title: str, caption: str, blocks: list[Block], stands_on: Sequence[str] = ()
) -> Table | None:
    return Table(name, title, caption, blocks, stands_on=list(stands_on)) if blocks else None


def protocol(cells: list[Cell]) -> list[tuple[str, str]]:
    """(row on data set, its recipe and parameters), each different one once; of a search that of the published settings."""
    found = {}
    for cell in (cell for cell in cells if not cell.draw):
        for record in cell.records[:1]:
            resolved = record["resolved"]
            used = {"recipe": resolved.get("recipe"), "parameters": resolved.get("parameters")}
            found[f"{cell.title}, {cell.dataset}", json.dumps(used, indent=1, sort_keys=True)] = None
    return sorted(found)


def environments(records: list[dict[str, Any]]) -> list[tuple[str, int]]:
    """Each different machine and set of versions, with the number of its runs."""
    counts: dict[str, int] = {}
    for record in records:
        text = ", ".join(f"{name} {value}" for name, value in sorted(record["provenance"].items()))
        counts[text] = counts.get(text, 0) + 1
    return sorted(counts.items(), key=lambda item: -item[1])
