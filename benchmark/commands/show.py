"""Every table and figure that was asked for, drawn, with what is missing and why."""

import argparse
import math
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from benchmark.commands import cross
from benchmark.commands.arguments import read_request
from benchmark.commands.options import parser
from benchmark.plan.experiments import Row
from benchmark.plan.matrix import Plan, Planned, PlannedCell, make_plan
from benchmark.plan.overrides import full_option_name
from benchmark.plan.recipes import chosen_settings
from benchmark.plan.sweeps import find_marks
from benchmark.plan.tuning import published_settings
from benchmark.source_code import STATEMENTS
from benchmark.terminal import count_things
from reports import Asked, AskedCell, Options, Report
from results.published import DATASETS


def plan_drawing(words: list[str]) -> Plan:
    """What `run_all.py` would draw for what one types."""
    return make_plan(read_request(parser().read([*words, "--draw"])))


def draw_results(
    plan: Plan,
    store: Any,
    args: argparse.Namespace,
    outcomes: dict[str, Any],
    on_page: Sequence[Asked] = (),
    further_tables: Sequence[Asked] = (),
    folder: str = "",
) -> int:
    """Draw every table and figure that was asked for; 0 if no cell has a gap, but with `--all` for what cannot be.

    on_page: what report.html shows beside them. further_tables, folder: as of `Report.draw_page`.
    """
    report = Report(args.results, args.out, drawing_options(args))
    wanted = []
    refused_lines = []
    gaps = []
    missing_runs: dict[str, Planned] = {}
    for (kind, name), cells in plan.cells.items():
        if not cells:
            continue
        missing_runs |= {run.job.id: run for cell in cells for run in cell.runs if not run.is_done(store)}
        asked_cells = tuple(asked_cell(cell, plan, store, outcomes) for cell in cells)
        if (kind, name) == cross.TABLE:
            files = [cross.tested_files(cell, plan, store.root) for cell in cells]
            asked_cells = tuple(replace(one, tested=tested) for one, tested in zip(asked_cells, files, strict=True))
        wanted.append(make_asked(kind, name, plan, asked_cells, args.against))
        drawn = report.draw(wanted[-1])
        refused_lines += drawn.refused
        gaps += drawn.gaps
        print(drawn.text)
        if drawn.replaced:
            print(drawn.replaced, file=sys.stderr)
        print_files(drawn.files)
    print_files(report.draw_pictures(wanted))
    if args.all:
        print_files(report.draw_page([*wanted, *on_page], further_tables, folder).files)
    refused_here = [store.refused[job_id] for job_id in missing_runs if store.refused.get(job_id)]
    lines = [f"refused: {line}" for line in dict.fromkeys([*refused_lines, *refused_here])]
    reasons = [(run.job.text, why_missing(run, store, outcomes)) for run in missing_runs.values()]
    lines += [f"missing: {job_text}: {reason}" for job_text, reason in reasons if reason]
    if waiting_count := sum(reason is None for _, reason in reasons):
        lines.append(f"missing: {count_things(waiting_count, 'job has', 'jobs have')} not been run")
    lines += other_code(plan, store)
    is_complete = not missing_runs and not refused_lines
    if is_complete:
        lines += [f"{'left out' if args.all else 'missing'}: {line}" for line in dict.fromkeys(gaps)]
    for line in lines:
        print(line, file=sys.stderr)
    return 0 if is_complete and (args.all or not gaps) else 1


def drawing_options(args: argparse.Namespace) -> Options:
    """How things are drawn, as it was typed."""
    return Options(
        rule=args.rule,
        floor=args.floor,
        study=args.study,
        root=args.root,
        log_base=2.0 if args.log_base == "2" else math.e,
        ranks=not args.no_ranks,
        metric=args.metric,
        decimals=args.decimals,
        spread=args.spread,
        column_width=args.column_width,
    )


def print_files(paths: Iterable[Path]) -> None:
    print("\n".join(f"wrote {path}" for path in paths), file=sys.stderr)


def other_code(plan: Plan, store: Any) -> list[str]:
    """Records made by another state of a method's file although its version is the same."""
    ids_by_method: dict[str, list[str]] = {}
    same_bits = cache(store.same_bits)
    for run in plan.runs():
        made_by = None if run.job.id in store.elsewhere else store.codes.get(run.job.id)
        code_now = plan.cards[run.job.method]["code"]
        if made_by and not same_bits(run.job.method, made_by, code_now) and not only_moved(run, made_by, store):
            ids_by_method.setdefault(run.job.method, []).append(run.job.id)
    return [
        f"warning: {plan.cards[method]['file']} has changed since {len(ids)} of these runs; if that "
        f"changes results, raise {method}'s version and run again; if not, python -m benchmark reproduce {min(ids)} shows it"
        for method, ids in ids_by_method.items()
    ]


def only_moved(run: Planned, made_by: str, store: Any) -> bool:
    """Whether a record of before hashes covered more than one file was made under today's recipe and parameters."""
    record = None if made_by.startswith(STATEMENTS) else store.get(run.job.id)
    if record is None:
        return False
    recorded_parameters = record["resolved"].get("parameters", {})
    parameters = run.resolved["parameters"]  # newer ones default to their former value
    same_parameters = all(parameters.get(name) == value for name, value in recorded_parameters.items())
    return same_parameters and recipes_agree(record["resolved"]["recipe"], run.resolved["recipe"])


def recipes_agree(old: dict[str, Any], new: dict[str, Any]) -> bool:
    """Whether the fields that two recipes both know are the same, but for the views, which a method decides itself."""
    shared_fields = (old.keys() & new.keys()) - {"second_view"}
    pairs = [(old[key], new[key]) for key in shared_fields]
    return all(recipes_agree(a, b) if isinstance(a, dict) and isinstance(b, dict) else a == b for a, b in pairs)


def why_missing(run: Planned, store: Any, outcomes: dict[str, Any]) -> str | None:
    """Why a job has no record, in one line; None where it was not tried."""
    failure = store.failure(run.job.id)
    outcome = outcomes.get(run.job.id)
    if failure:
        return f"{failure['class']}: {failure.get('message', '')} ({failure.get('command', '')})"
    return outcome.message if outcome and outcome.message else None


def row_settings(cell: PlannedCell, plan: Plan) -> dict[str, str]:
    """What a row itself changes about its method, by design; 'published' stands for a chosen setting that it puts back."""
    row = cell.row
    put_back = chosen_settings(plan.cards[row.method], plan.request.scale) if row.published_settings else {}
    named_options = [(key.split(".", 1), value) for key, value in row.overrides.items()]
    overrides = {
        f"{name}.{full_option_name(option) if name == 'recipe' else option}": v for (name, option), v in named_options
    }
    return dict.fromkeys(put_back, "published") | overrides


def row_values(row: Row) -> dict[str, str]:
    """What a draw of a search, or a point of a sweep, sets."""
    if row.swept:
        return {row.swept: row.overrides[row.swept]}
    return {} if row.draw is None else row.overrides


def asked_cell(cell: PlannedCell, plan: Plan, store: Any, outcomes: dict[str, Any]) -> AskedCell:
    """A cell of the plan for the reports: which records it stands on, and why some are missing."""
    request = plan.request
    card = plan.cards[cell.row.method]
    reasons = {run.job.id: why_missing(run, store, outcomes) for run in cell.runs if not store.done(run.job.id)}
    drawn_options = {}
    if cell.row.draw is not None:
        drawn_options = published_settings(card, request.scale, request.tune_learning_rate)
    parameters = {name: declared["default"] for name, declared in card["parameters"].items()}
    return AskedCell(
        title=cell.title,
        method=cell.row.method,
        dataset=cell.dataset,
        rate=cell.rate,
        ids=tuple(run.job.id for run in cell.runs),
        label=cell.row.label,
        noise=cell.noise,
        part=cell.part,
        failures={job_id: reason for job_id, reason in reasons.items() if reason},
        reason=cell.reason,
        overrides=row_settings(cell, plan),
        elsewhere={run.job.id: store.elsewhere[run.job.id] for run in cell.runs if run.job.id in store.elsewhere},
        mechanism=tuple(cell.runs[0].resolved["mechanism"]) if cell.runs else (),
        draw=cell.row.draw,
        settings=row_values(cell.row),
        published_settings=drawn_options,
        marks=find_marks(request, cell.row, cell.dataset),
        as_published={"recipe": card["recipe"], "parameters": parameters},
    )


def make_asked(kind: str, name: str, plan: Plan, cells: tuple[AskedCell, ...], against: str | None = None) -> Asked:
    """A table or figure for the reports: its experiment, the cells, and data sets that only published values are for."""
    experiment = next(one for one in plan.request.experiments if (one.kind, one.name) == (kind, name))
    measured_sets = dict.fromkeys(cell.dataset for cell in cells)
    published_sets = [name for name in DATASETS if name not in measured_sets] if experiment.published else []
    return Asked(
        kind=kind,
        name=name,
        title=experiment.title,
        cells=cells,
        drawing=experiment.drawing,
        noises=tuple(experiment.noise),
        published=experiment.published,
        any_rule=experiment.any_rule,
        note=experiment.note,
        columns=(*measured_sets, *published_sets),
        methods=tuple(dict.fromkeys(row.method for row in experiment.rows)),
        data={name: data.folder.name for name, data in plan.data.items()},
        against=Path(against).name if against else "",
    )
