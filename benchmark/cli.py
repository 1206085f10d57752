"""The command line: arguments -> a checked request -> run what is missing -> draw. Exit status 0, 1 or 2."""

import argparse
import io
import math
import shlex
import signal
import sys
from pathlib import Path
from typing import Any

from benchmark.arguments import HELP, chosen_cards, device, folder, parse_shard, parser, request, workers
from benchmark.datasets.base import DataError
from benchmark.experiments import find_experiment
from benchmark.plan import PAPER_DATA, Cell, Plan, Planned, make
from benchmark.settings import Usage, one_line, printable
from noise.base import NoiseError
from reports import ReportError


def main(arguments: list[str]) -> int:
    """Everything a person can ask for; returns the exit status."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    if not arguments:
        print(HELP)
        return 0
    force = "--force" in arguments
    try:
        args = parser().parse_args(arguments)
        args.typed = shlex.join(["python", "run_all.py", *(word for word in arguments if word != "--force")])
        if args.imported:
            from benchmark.exchange import import_records

            found = import_records(Path(args.imported), args.results)
            print(found)
            if found.startswith("imported 0 records, 0 were here"):
                return 2
            if not (args.table or args.figure or args.all):
                return 0
        if args.reproduce:
            from benchmark.exchange import reproduce

            folders = [folder(path, "--methods-path") for path in args.methods_path]
            return reproduce(args.reproduce, args.results, args.weights and Path(args.weights), device(args), folders)
        return answer(args)
    except (Usage, DataError, NoiseError, ReportError) as error:
        print(f"run_all.py: {one_line(error)}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"run_all.py: {error.filename or 'output'}: {error.strerror or error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        words = "the same command without --force" if force else "the same command"
        print(f"\ninterrupted; {words} goes on from the last checkpoints", file=sys.stderr)
        return 1


def answer(args: argparse.Namespace) -> int:
    """Plan, run what is missing, draw."""
    from results.store import Store

    shard = parse_shard(args.shard)
    plan = make(request(args), progress=show_decoding)
    store = Store(args.results)
    for line in warnings(plan):
        print(printable(line), file=sys.stderr)
    check_study(args.study, plan)
    if args.plan:
        from benchmark.matrix import missing
        from benchmark.planning import describe
        from benchmark.preflight import preflight

        preflight(missing(plan, store, shard))
        print(describe(plan, store, shard))
        return 0
    if not args.shard:  # a part draws nothing
        args.out.mkdir(parents=True, exist_ok=True)
    outcomes: dict[str, Any] = {}
    if not args.draw:
        outcomes = run_missing(plan, store, args, shard)
    if args.shard:
        return 1 if any(outcome.status not in ("ok", "cached") for outcome in outcomes.values()) else 0
    return show(plan, store, args, outcomes)


def check_study(study: Path | None, plan: Plan) -> None:
    """Read a study before anything is trained; raises ReportError."""
    if study is None:
        return
    from reports.votes import read_study

    if not any(read_study(study, data.train.names, list(data.classes)).any() for data in plan.data.values()):
        raise ReportError(f"{study}: none of its images is a training image of {', '.join(plan.data)}")


def run_missing(plan: Plan, store: Any, args: argparse.Namespace, shard: tuple[int, int]) -> dict[str, Any]:
    from benchmark import matrix
    from benchmark.preflight import preflight, writable

    todo = plan.of_shard(shard) if args.force else matrix.missing(plan, store, shard)
    how = matrix.default_how(
        workers(args.workers),
        plan.request.device,
        chosen_cards(args),
        args.per_gpu,
        limit=args.limit,
        cluster=args.cluster,
        fail_fast=args.fail_fast,
        retry_failed=args.retry_failed,
        typed=args.typed,
    )
    if not todo:
        return {}
    writable(store)
    preflight(todo)
    if args.force:
        for run in todo:
            store.set_aside(run.job.id)
    return matrix.run(plan, todo, how)


def show(plan: Plan, store: Any, args: argparse.Namespace, outcomes: dict[str, Any]) -> int:
    """Draw every table and figure that was asked for; 0 if no cell has a gap."""
    import reports

    base = 2.0 if args.log_base == "2" else math.e
    options = reports.Options(rule=args.rule, floor=args.floor, study=args.study, root=args.root, log_base=base)
    asked, missing = [], {}
    for (kind, name), cells in plan.cells.items():
        described = [cell_for_report(cell, store, outcomes) for cell in cells]
        missing |= {run.job.id: run for cell in cells for run in cell.runs if not store.done(run.job.id)}
        asked.append(what_for_report(kind, name, plan, described))
        drawn = reports.draw(asked[-1], args.results, args.out, options)
        print(drawn.text)
        print("\n".join(f"wrote {path}" for path in drawn.files), file=sys.stderr)
    if args.all:
        drawn = reports.draw_page(asked, args.results, args.out, options)
        print("\n".join(f"wrote {path}" for path in drawn.files), file=sys.stderr)
    waiting = 0
    for run in missing.values():
        reason = why_missing(run, store, outcomes)
        waiting += reason is None
        if reason:
            print(f"missing: {run.job.text}: {reason}", file=sys.stderr)
    if waiting:
        print(f"missing: {waiting} jobs have not been run", file=sys.stderr)
    for line in other_code(plan, store):
        print(line, file=sys.stderr)
    return 1 if missing else 0


def other_code(plan: Plan, store: Any) -> list[str]:
    """Records made by another state of a method's file although its version is the same."""
    found: dict[str, list[str]] = {}
    for run in plan.runs():
        made_by = store.codes.get(run.job.id)
        if made_by and made_by != plan.cards[run.job.method]["code"]:
            found.setdefault(run.job.method, []).append(run.job.id)
    return [
        f"warning: {plan.cards[method]['file']} has changed since {len(ids)} of these runs; if its maths or a default "
        f"did, raise {method}'s version and run again: {' '.join(sorted(ids))}"
        for method, ids in found.items()
    ]


def why_missing(run: Planned, store: Any, outcomes: dict[str, Any]) -> str | None:
    """Why a job has no record, in one line; None where it was not tried."""
    failure, outcome = store.failure(run.job.id), outcomes.get(run.job.id)
    if failure:
        return f"{failure['class']}: {failure.get('message', '')} ({failure.get('command', '')})"
    return outcome.message if outcome and outcome.message else None


def cell_for_report(cell: Cell, store: Any, outcomes: dict[str, Any]) -> dict[str, Any]:
    """A cell as plain data: which records it stands on, and why some are missing."""
    reasons = {run.job.id: why_missing(run, store, outcomes) for run in cell.runs if not store.done(run.job.id)}
    return {
        "row": cell.title,
        "method": cell.row.method,
        "overrides": cell.row.overrides,
        "dataset": cell.dataset,
        "noise": cell.noise,
        "rate": cell.rate,
        "label": cell.row.label,
        "part": cell.part,
        "ids": [run.job.id for run in cell.runs],
        "failures": {job_id: reason for job_id, reason in reasons.items() if reason},
        "reason": cell.reason,
    }


def what_for_report(kind: str, name: str, plan: Plan, cells: list[dict[str, Any]]) -> dict[str, Any]:
    titles = {name: data.title for name, data in plan.data.items()}
    experiment = find_experiment(kind, name)
    columns = {**titles, **{key: title for key, title in PAPER_DATA.items() if key not in titles}}
    return {
        "kind": kind,
        "name": name,
        "title": experiment.title,
        "published": experiment.published,
        "columns": columns if experiment.published else titles,
        "cells": cells,
        "data": {name: data.folder.name for name, data in plan.data.items()},
    }


def warnings(plan: Plan) -> list[str]:
    """What a person should know before the first job starts."""
    lines = [f"{data.name}: {line}" for data in plan.data.values() for line in data.card.get("warnings", [])]
    texts = {run.resolved["weights"]["text"] for run in plan.runs()}
    if "random weights" in texts:
        lines.append("weights: the backbone starts from random weights (--weights PATH or landmarks to change that)")
    return lines


def show_decoding(done: int, total: int) -> None:
    """Progress of decoding a data set, on a terminal only."""
    if sys.stderr.isatty():
        print(f"\rdecoding images: {done:,}/{total:,}", end="\n" if done >= total else "", file=sys.stderr, flush=True)
