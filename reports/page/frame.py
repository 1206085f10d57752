"""The page's frame: what was run, Table 1 in one block, the claims as a grid, and under which protocol."""

import json
from collections import Counter
from typing import Any

from reports.asked import Options
from reports.captions import count_runs, scale_text, unique_texts
from reports.cells import Cell, group_by
from reports.metrics import METRICS
from reports.page.views import View, titles_of
from reports.statements.claims import Verdict, places_of, summarise_verdict, verdict_heading
from reports.table import Entry, signed_texts
from results.schema import RULES

VERDICT_MARKS = {"holds": ("✓", "good"), "does not hold": ("✗", "bad"), "not measured": ("–", "none")}
OPEN = ("?", "open-verdict")


def first_table(views: list[View], options: Options) -> dict[str, Any] | None:
    """The first table that was asked for in one block: a row a method, a column a data set and rate; None without runs."""
    key = (options.metric, options.rule)
    names = titles_of(views)
    of_first_table = [view for view in views if (view.table, view.scale) == (views[0].table, views[0].scale)]
    shown_views = [view for view in of_first_table if key in view.results]
    if not shown_views:
        return None
    heads: dict[str, list[str]] = {}
    for view in shown_views:
        dataset, noise, rate = view.condition
        column_title = f"{100 * float(rate):g} %" if rate else names["noises"][noise]
        heads.setdefault(names["datasets"][dataset], []).append(column_title)
    shown_views.sort(key=lambda view: list(heads).index(names["datasets"][view.condition[0]]))
    titles = unique_texts(cell.title for view in shown_views for cell in view.cells)
    noises = unique_texts(names["noises"][view.condition[1]] for view in shown_views)
    return {
        "caption": f"{METRICS[options.metric].title} in per cent under {', '.join(noises)}, {RULES[options.rule]}",
        "heads": heads,
        "starts": [sum(map(len, list(heads.values())[:number])) for number in range(len(heads))],
        "rows": [[Entry(title), *(entry_of(view, title, key) for view in shown_views)] for title in titles],
    }


def entry_of(view: View, title: str, key: tuple[str, str]) -> Entry:
    row_number = next((number for number, cell in enumerate(view.cells) if cell.title == title), None)
    if row_number is None:
        return Entry("")
    numbers = view.results[key]
    return Entry(numbers["text"][row_number], bool(numbers["best"][row_number]), sort=numbers["mean"][row_number])


def what_was_run(views: list[View]) -> list[str]:
    """Data sets, methods, seeds, scale and hardware in a few words each."""
    cells = [cell for view in views for cell in view.cells if cell.records]
    if not cells:
        return ["nothing was measured yet"]
    seeds = sorted({cell.n for cell in cells})
    records = [record for cell in cells for record in cell.records]
    return [
        ", ".join(titles_of(views)["datasets"].values()),
        f"{len({cell.method for cell in cells})} methods",
        f"{seeds[0]} seed{'' if seeds == [1] else 's'}" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]} seeds",
        scale_text(cells),
        count_runs(len({record["id"] for record in records})),
        ", ".join(unique_texts(record["provenance"].get("hardware") for record in records)),
    ]


def list_protocols(cells: list[Cell]) -> list[tuple[str, str]]:
    """(row on data set, its recipe and parameters), each different one once; of a search that of the published settings."""
    protocols = {}
    for cell in (cell for cell in cells if not cell.draw):
        for record in cell.records[:1]:
            resolved = record["resolved"]
            used = {"recipe": resolved.get("recipe"), "parameters": resolved.get("parameters")}
            protocols[f"{cell.title}, {cell.dataset}", json.dumps(used, indent=1, sort_keys=True)] = None
    return sorted(protocols)


def count_environments(records: list[dict[str, Any]]) -> list[tuple[str, int]]:
    """Each different machine and set of versions, with the number of its runs."""
    counts = Counter(
        ", ".join(f"{name} {value}" for name, value in sorted(record["provenance"].items())) for record in records
    )
    return counts.most_common()


def claims_grid(verdicts: list[Verdict]) -> dict[str, Any]:
    """{'datasets': names, 'rows': [(claim, source, a field a data set or None)], 'unmeasured': claims}."""
    datasets = unique_texts(verdict.dataset for verdict in verdicts)
    unmeasured = unique_texts(verdict.claim.text for verdict in verdicts if not verdict.dataset)
    claims = group_by((v for v in verdicts if v.dataset), lambda v: (v.claim.text, v.claim.source))
    rows = []
    for number, ((text, source), of_claim) in enumerate(claims.items()):
        fields = {v.dataset: field_of(f"claim-{number}-{datasets.index(v.dataset)}", v) for v in of_claim}
        rows.append((text, source, [fields.get(name) for name in datasets]))
    return {"datasets": datasets, "rows": rows, "unmeasured": unmeasured}


def field_of(place: str, verdict: Verdict) -> dict[str, Any]:
    """What the runs on one data set say of one claim; comparisons: [text, mean, 95 % interval, seeds, p]."""
    mark, look = VERDICT_MARKS.get(verdict.verdict, OPEN)
    comparisons = []
    for comparison in verdict.comparisons:
        mean, low, high = signed_texts(comparison.found, places_of(verdict.claim.unit))
        comparisons.append([comparison.text, mean, f"{low} to {high}", str(comparison.n), f"{comparison.p:.2g}"])
    texts = {"heading": verdict_heading(verdict), "summary": summarise_verdict(verdict), "word": verdict.verdict}
    return {"name": place, "mark": mark, "look": look, **texts, "comparisons": comparisons}
