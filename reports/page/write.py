"""Writes report.html: Table 1 and the claims as HTML, and every number that can be chosen as JSON for the page's script."""

import base64
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from reports.asked import Asked, Drawn, Options, output_stem, write_drawn
from reports.captions import unique_texts
from reports.cells import read_cells
from reports.formats import html_environment
from reports.page.charts import SECTIONS, chart_figures, list_numbers, noise_matrices, people_groups
from reports.page.details import class_differences, details_of
from reports.page.frame import claims_grid, count_environments, first_table, list_protocols, what_was_run
from reports.page.views import View, list_measures, read_views, titles_of
from reports.paired import COUNTED
from reports.pictures.drawing import Drawing
from reports.pictures.lines import COLOURS, line_styles
from reports.statements.claims import claims_markdown, judge_claims, summarise_verdict, verdict_heading
from reports.tables.extras import extra_tables
from results.records import Records
from results.schema import RULES


def write_page(
    drawn: Sequence[tuple[Asked, Any]],
    further_tables: Sequence[Asked],
    records: Records,
    out: Path,
    options: Options,
    folder: str,
) -> Drawn:
    """Write report.html into `out`; raises ReportError.

    drawn: each table and figure with what it became. further_tables: that can be chosen too, of another scale. folder: of the
    records, as a person would type it.
    """
    wanted = [asked for asked, _ in drawn]
    read_experiments = [(asked, read_cells(asked, records, asked.rule(options))) for asked in wanted]
    cells = [cell for _, found in read_experiments for cell in found]
    table_cells = [cell for asked, found in read_experiments if asked.drawing == "accuracy" for cell in found]
    views = read_views([*wanted, *further_tables], records, options)
    found = judge_claims(read_experiments, records, options)
    tables = [drawing for asked, drawing in drawn if asked.kind == "table"]
    figures = [(asked, drawing) for asked, drawing in drawn if asked.kind == "figure"]
    people_tables = [drawing for asked, drawing in drawn if asked.drawing == "divergence"]
    charts = chart_figures(figures, cells) | {"noise": noise_matrices(cells, records)}
    data = {
        **explorer_contents(views, [*wanted, *further_tables], records, options, folder or records.root.as_posix()),
        "people": people_groups(people_tables, cells),
        **charts,
    }
    shown_records = {record["id"]: record for cell in cells for record in cell.records}
    facts = {
        "first": first_table(views, options),
        "what": what_was_run(views),
        "claims": claims_grid(found),
        "counted": COUNTED,
        "tables": tables,
        "more_tables": extra_tables(table_cells),
        "figures": [(drawing, encode_picture(drawing)) for asked, drawing in figures if asked.drawing not in SECTIONS],
        "charted": {
            section: [drawing for asked, drawing in figures if SECTIONS.get(asked.drawing) == section]
            for section in SECTIONS.values()
        },
        "numbers": list_numbers(charts),
        "data": as_json(data),
        "protocol": list_protocols(cells),
        "environments": count_environments(list(shown_records.values())),
        "refused": sorted(records.refused.values()),
    }
    path = out / "report.html"
    write_drawn(out / "claims.md", claims_markdown(found))
    write_drawn(path, html_environment().get_template("page/page.html").render(**facts))
    gaps = unique_texts(gap for _, drawing in drawn for gap in drawing.gaps)
    text = "\n".join(f"{': '.join(verdict_heading(verdict))}: {summarise_verdict(verdict)}" for verdict in found)
    return Drawn([path, out / "claims.md"], text, gaps)


def encode_picture(drawing: Drawing) -> str:
    """A figure's PNG in 256 colours, a third of its bytes, in base 64."""
    from PIL import Image

    content = io.BytesIO()
    with Image.open(io.BytesIO(drawing.png)) as image:
        image.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(content, "PNG", optimize=True)
    return base64.b64encode(content.getvalue()).decode()


def explorer_contents(
    views: list[View], wanted: Sequence[Asked], records: Records, options: Options, folder: str
) -> dict[str, Any]:
    """What the explorer shows: conditions with their rows and numbers, and the details of each row once."""
    place_by_ids: dict[tuple[str, ...], int] = {}
    details: list[dict[str, Any]] = []
    settings: list[Any] = []
    view_facts = []
    for view in views:
        rows = []
        for cell in view.cells:
            key = tuple(sorted(record["id"] for record in cell.records))
            if key and key not in place_by_ids:
                place_by_ids[key] = len(details)
                details.append(details_of(cell, settings))
            rows.append([cell.title, cell.method, place_by_ids.get(key, -1)])
        dataset, noise, rate = view.condition
        results = {"/".join(key): numbers for key, numbers in view.results.items()}
        view_facts.append(
            {"table": view.table, "scale": view.scale, "dataset": dataset, "noise": noise, "rate": rate or ""}
            | {"rows": rows, "results": results, "classes": class_differences(view, records)}
        )
    titles = unique_texts(row[0] for view in view_facts for row in view["rows"])
    return {
        "views": view_facts,
        "details": details,
        "settings": settings,
        "measures": {
            measure.key: [measure.title, measure.unit, measure.decimals] for measure in list_measures(options)
        },
        "rules": RULES,
        "counted": COUNTED,
        "tables": {output_stem(asked): asked.heading for asked in wanted if asked.drawing == "accuracy"},
        "styles": {
            title: [COLOURS.index(colour), int(filled)] for title, (colour, _, filled) in line_styles(titles).items()
        },
        "start": [options.metric, options.rule],
        "results": folder,
        **titles_of(views),
    }


def as_json(data: dict[str, Any]) -> str:
    """Compact, and safe between the tags of a script."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False, ensure_ascii=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
