"""Writes report.html: Table 1 and the claims as HTML, and every number that can be chosen as JSON for the page's script."""

import base64
import io
from collections.abc import Sequence
from pathlib import Path

from reports.asked import Asked, Drawn, Options
from reports.captions import unique_texts
from reports.cells import read_cells
from reports.choose import Made, make_figure, make_table
from reports.formats import html_environment
from reports.page.charts import SECTIONS, chart_figures
from reports.page.claims import claims_grid
from reports.page.contents import as_json, explorer_contents
from reports.page.extra import noise_matrices, people_groups
from reports.page.frame import count_environments, first_table, list_protocols, what_was_run
from reports.page.views import read_views
from reports.paired import COUNTED
from reports.pictures.drawing import Drawing
from reports.statements.claims import claims_markdown, judge_claims, summarise_verdict, verdict_heading
from reports.table import Block, Table
from reports.tables.detection import CAPTION, STANDS_ON, detection_blocks
from reports.tables.extras import behind_accuracy
from results.records import Records

BEHIND = "What lies behind an accuracy: means over seeds, accuracies in per cent."
BEHIND_STANDS_ON = (
    "best − last and best − last five: what choosing the epoch on the test set adds.",
    "Balanced accuracy, macro F1 and the expected calibration error (15 bins) are of the last epoch.",
    "Memorised: share of the wrong training labels that the network gives back in the last epoch.",
    "Realised noise: share of the training labels that are wrong, in per cent, beside the nominal rate.",
    "*: other jobs ran on the same card; not comparable. –: records that were passed on without all their arrays.",
)


def write_page(
    wanted: Sequence[Asked],
    records: Records,
    out: Path,
    options: Options,
    drawn_before: Made,
    further_tables: Sequence[Asked] = (),
    folder: str = "",
) -> Drawn:
    """Write report.html into `out`; raises ReportError.

    made: what was drawn before, by name. further: tables that can be chosen too, of another scale. folder: of the records, as
    a person would type it.
    """
    read_experiments = [(asked, read_cells(asked, records, asked.rule(options))) for asked in wanted]
    cells = [cell for _, found in read_experiments for cell in found]
    table_cells = [cell for asked, found in read_experiments if asked.drawing == "accuracy" for cell in found]
    views = read_views([*wanted, *further_tables], records, options)
    found = judge_claims(read_experiments, records, options)
    tables = {
        asked.name: make_table(asked, records, options, drawn_before) for asked in wanted if asked.kind == "table"
    }
    figures = [
        (asked, make_figure(asked, records, options, drawn_before)) for asked in wanted if asked.kind == "figure"
    ]
    people_tables = [tables[asked.name] for asked in wanted if asked.drawing == "divergence"]
    data = {
        **explorer_contents(views, [*wanted, *further_tables], records, options, folder or records.root.as_posix()),
        "people": people_groups(people_tables, cells),
        **chart_figures(figures, cells),
        "noise": noise_matrices(cells, records),
    }
    shown_records = {record["id"]: record for cell in cells for record in cell.records}
    facts = {
        "first": first_table(views, options),
        "what": what_was_run(views),
        "claims": claims_grid(found),
        "counted": COUNTED,
        "tables": list(tables.values()),
        "more_tables": [
            *extra_table("behind", "Behind the accuracies", BEHIND, behind_accuracy(table_cells), BEHIND_STANDS_ON),
            *extra_table("detection", "Wrong labels found", CAPTION, detection_blocks(table_cells), STANDS_ON),
        ],
        "figures": [(drawing, encode_picture(drawing)) for asked, drawing in figures if asked.drawing not in SECTIONS],
        "charted": {
            section: [drawing for asked, drawing in figures if SECTIONS.get(asked.drawing) == section]
            for section in SECTIONS.values()
        },
        "data": as_json(data),
        "protocol": list_protocols(cells),
        "environments": count_environments(list(shown_records.values())),
        "refused": sorted(records.refused.values()),
    }
    path = out / "report.html"
    (out / "claims.md").write_text(claims_markdown(found), encoding="utf-8")
    path.write_text(html_environment().get_template("page/page.html").render(**facts), encoding="utf-8")
    gaps = unique_texts(gap for drawn in [*tables.values(), *(drawing for _, drawing in figures)] for gap in drawn.gaps)
    text = "\n".join(f"{': '.join(verdict_heading(verdict))}: {summarise_verdict(verdict)}" for verdict in found)
    return Drawn([path, out / "claims.md"], text, gaps)


def extra_table(name: str, title: str, caption: str, blocks: list[Block], stands_on: Sequence[str] = ()) -> list[Table]:
    """As a list of one; empty without blocks."""
    return [Table(name, title, caption, blocks, stands_on=list(stands_on))] if blocks else []


def encode_picture(drawing: Drawing) -> str:
    """A figure's PNG in 256 colours, a third of its bytes, in base 64."""
    from PIL import Image

    content = io.BytesIO()
    with Image.open(io.BytesIO(drawing.png)) as image:
        image.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(content, "PNG", optimize=True)
    return base64.b64encode(content.getvalue()).decode()
