"""The command line: arguments -> a checked request -> run what is missing -> draw. Exit status 0, 1 or 2."""

import argparse
import shlex
import signal
import sys
from pathlib import Path
from typing import Any

from benchmark import hardware, plugins
from benchmark.commands import import_records
from benchmark.commands.against import adopt_records, open_others
from benchmark.commands.arguments import chosen_gpus, parse_shard, read_request
from benchmark.commands.command_line import handle_errors
from benchmark.commands.cross import evaluate_networks, list_waiting
from benchmark.commands.listing import list_known_names
from benchmark.commands.named_data import own_folders
from benchmark.commands.options import HELP, parser
from benchmark.commands.reproduce import reproduce_job
from benchmark.commands.show import draw_results
from benchmark.commands.unused import unused_options
from benchmark.launch.gpu_preflight import try_gpus
from benchmark.launch.preflight import check_jobs, check_writable, check_writable_inside, shared_like
from benchmark.launch.run import RunOptions, count_workers, list_missing, run_jobs
from benchmark.plan.cost import describe_cost, suggest_shorter
from benchmark.plan.matrix import Plan, Planned, make_plan
from benchmark.plan.narrow import drop_unmeasured
from benchmark.progress import show_decoding
from benchmark.terminal import Usage, count_things, print_note, said_once
from reports.asked import ReportError
from reports.metrics import metric_after_each_epoch
from results.store import Store


def main(arguments: list[str]) -> int:
    """Everything a person can ask for; returns the exit status."""
    if not arguments:
        print(HELP)
        return 0
    former_handler = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return handle_errors("run_all.py", lambda: run_request(arguments))
    except KeyboardInterrupt:
        resume_command = "the same command without --force" if "--force" in arguments else "the same command"
        print(f"\ninterrupted; {resume_command} goes on from the last checkpoints", file=sys.stderr)
        return 1
    finally:
        signal.signal(signal.SIGTERM, former_handler or signal.SIG_DFL)


def run_request(arguments: list[str]) -> int:
    """Import, repeat, or answer with tables and figures."""
    args = parser().read(arguments)
    args.typed = shlex.join(["python", "run_all.py", *(word for word in arguments if word != "--force")])
    if args.list:
        print(list_known_names(args.results, own_folders(args)))
        return 0
    if args.imported:
        if status := import_records.show_import(Path(args.imported), args.results):
            return status
        if not (args.table or args.figure or args.sweep or args.all):
            return 0
    if args.reproduce:
        return reproduce_job(args.reproduce, args)
    with shared_like(args.results):
        return plan_run_draw(args)


def plan_run_draw(args: argparse.Namespace) -> int:
    """Plan, run what is missing, draw."""
    shard = parse_shard(args.shard)
    others = open_others(args.against, args.results)
    store = Store(args.results)
    plan = make_plan(read_request(args, others.folder), progress=show_decoding)
    if needs_pictures(plan, store, args):
        plan = with_pictures(plan)
    left_out = drop_unmeasured(plan) if args.draw and not args.datasets and not args.data else []
    if not any(plan.cells.values()):
        partly_measured = "; ".join(line for line in left_out if ", 0 % of" not in line)
        lack_text = "no records for this request; give the folder that holds them as --results"
        if partly_measured:
            lack_text = f"too few records: {partly_measured}"
        raise Usage(f"--draw: {args.results} has {lack_text}")
    for line in [*list_warnings(plan), *unused_options(args, plan), *left_out]:
        print_note(line)
    check_study(args.study, plan)
    with store.remembering():
        for line in adopt_records(plan, store, others):
            print_note(line)
        check_metric(plan, store, args)
        return run_and_draw(plan, store, args, shard)


def needs_pictures(plan: Plan, store: Store, args: argparse.Namespace) -> bool:
    """Whether something is to be trained or tested on data that came with records, described without pictures."""
    if args.draw or args.plan or not any(data.lacks_images for data in plan.data.values()):
        return False
    return bool(args.force or list_waiting(plan, store)) or not all(run.is_done(store) for run in plan.runs())


def with_pictures(plan: Plan) -> Plan:
    """The same request, once the pictures of its data are decoded."""
    decoded_plan = make_plan(plan.request, show_decoding, needs_images=True)
    for name, data in decoded_plan.data.items():
        described_folder = plan.data[name].folder
        if data.folder != described_folder:
            print_note(f"{name}: not the pictures that {described_folder} describes, so its records do not count")
    return decoded_plan


def check_metric(plan: Plan, store: Store, args: argparse.Namespace) -> None:
    """Before anything is trained: whether the records that are there have the metric after every epoch; raises Usage."""
    if args.metric == "accuracy" or args.rule == "last" or args.force:
        return
    experiments = [experiment for experiment in plan.request.experiments if experiment.any_rule]
    cells = [cell for experiment in experiments for cell in plan.cells[experiment.kind, experiment.name]]
    for run in (run for cell in cells for run in cell.runs):
        record = store.get(run.job.id)
        if record is not None and metric_after_each_epoch(record, args.metric, store) is None:
            lack_text = f"record {run.job.id} ({run.job.text}) keeps no predictions of every epoch"
            fix_hint = "give --rule last, or run it again (--force)"
            raise Usage(f"--metric {args.metric} --rule {args.rule}: {lack_text}; {fix_hint}")


def run_and_draw(plan: Plan, store: Store, args: argparse.Namespace, shard: tuple[int, int]) -> int:
    """Print the plan, or run what is missing and draw."""
    if args.plan:
        check_jobs(list_missing(plan, store, shard))
        print(describe_cost(plan, store, shard))
        return 0
    if not args.shard:  # a part draws nothing
        check_writable("--out", args.out)
    outcomes: dict[str, Any] = {}
    if not args.draw:
        outcomes = run_missing(plan, store, args, shard)
        if not args.shard:
            slots = hardware.list_slots(chosen_gpus(args), 1) if plan.request.device == "cuda" else []
            evaluate_networks(plan, store, slots)
    if args.shard:
        return 1 if any(outcome.status not in ("ok", "cached") for outcome in outcomes.values()) else 0
    return draw_results(plan, store, args, outcomes)


def check_study(study: Path | None, plan: Plan) -> None:
    """Read a study before anything is trained; raises ReportError."""
    if study is None:
        return
    from reports.votes import read_study

    if not any(read_study(study, data.train.names, list(data.classes)).any() for data in plan.data.values()):
        raise ReportError(f"{study}: none of its images is a training image of {', '.join(plan.data)}")


def run_missing(plan: Plan, store: Store, args: argparse.Namespace, shard: tuple[int, int]) -> dict[str, Any]:
    from reports import try_drawing

    helps_others = args.shard == "slurm"
    if helps_others and args.force:
        raise Usage("--force: the tasks of --shard slurm would each run everything again; use --shard I/N")
    missing_runs = plan.of_shard(shard)
    if not args.force:
        missing_runs = list_missing(plan, store, (0, 1) if helps_others else shard)
    slots = hardware.list_slots(chosen_gpus(args), args.per_gpu) if plan.request.device == "cuda" else []
    options = RunOptions(
        workers=count_workers(args.workers, slots),
        slots=slots,
        limit=args.limit,
        cluster=args.cluster,
        fail_fast=args.fail_fast,
        retry_failed=args.retry_failed,
        typed=args.typed,
        part=shard if helps_others else None,
    )
    if not missing_runs:
        return {}
    if network_note := networks_missing(missing_runs, store):
        print_note(network_note)
    check_writable("--results", store.root)
    check_writable_inside(store.root, missing_runs)
    check_jobs(missing_runs)
    if not args.shard:
        try_drawing(args.out)
    if line := suggest_shorter(missing_runs, store, options.workers):
        print_note(line)
    if plan.request.device == "cuda" and not args.cluster:
        try_gpus(chosen_gpus(args), plan.request.precision)
    if args.cluster:  # before start weights are made, and records set aside
        from benchmark.launch.cluster import open_client

        open_client(args.cluster).close()
    if args.force:
        for run in missing_runs:
            store.set_aside(run.job.id)
    return run_jobs(plan, missing_runs, options)


def networks_missing(missing_runs: list[Planned], store: Store) -> str:
    """What is done about runs that are to keep their network; '' where there are none. Raises Usage where none can be kept."""
    if not any(run.place.keep_weights for run in missing_runs):
        return ""
    from benchmark.train.kept_network import need_safetensors

    need_safetensors("--keep-weights")
    repeated_runs = sum(run.place.keep_weights and store.done(run.job.id) for run in missing_runs)
    if not repeated_runs:
        return ""
    runs_text = count_things(repeated_runs, "run has no network and is", "runs have no network and are")
    return f"--keep-weights: {runs_text} trained again, to the same numbers"


def list_warnings(plan: Plan) -> list[str]:
    """What a person should know before the first job starts."""
    lines = [said_once(data.name, line) for data in plan.data.values() for line in data.info.get("warnings", [])]
    weight_texts = {run.resolved["weights"]["text"] for run in plan.runs()}
    if "random weights" in weight_texts:
        lines.append("weights: the backbone starts from random weights (--weights PATH or landmarks to change that)")
    return lines + warn_of_shared_recipe(plan)


def warn_of_shared_recipe(plan: Plan) -> list[str]:
    """A line for each method of one's own whose epochs, batch size, optimiser or schedule the scale replaces."""
    scale = plan.request.scale
    baseline_recipe = plan.request.cards["baseline"]["recipe"]
    if not scale.shortened:
        return []
    lines = []
    for method in sorted({run.job.method for run in plan.runs()}):
        card = plan.request.cards[method]
        shared_fields = ("epochs", "batch_size", "optimiser", "schedule")
        replaced = [name for name in shared_fields if card["recipe"][name] != baseline_recipe[name]]
        if replaced and not (plugins.ROOT / "methods" / card["file"]).exists():
            lines.append(
                f"{method}: at {scale.name} scale one recipe holds for every method; its own {', '.join(replaced)} count at "
                "--scale paper (--set recipe.epochs=N and the like change the one recipe)"
            )
    return lines
