"""The page's numbers as one JSON text: what can be chosen, the rows' details, and the facts of its pictures."""

import json
from collections.abc import Sequence
from typing import Any

from reports.asked import Asked, Options, output_stem
from reports.captions import unique_texts
from reports.page.details import class_differences, details_of
from reports.page.views import View, list_measures, titles_of
from reports.paired import COUNTED
from reports.pictures.lines import COLOURS, line_styles
from results.records import Records
from results.schema import RULES


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
        results = {f"{measure}/{rule}": numbers for (measure, rule), numbers in view.results.items()}
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
