"""What was typed and changes nothing of what was asked for: said, never passed over."""

import argparse

from benchmark import plugins
from benchmark.commands.named_data import data_sets
from benchmark.plan.experiments import EXPERIMENTS
from benchmark.plan.matrix import Plan, noise_kind
from benchmark.plan.recipes import chosen_settings
from reports.asked import METRIC_DRAWINGS

COLUMN_DRAWINGS = {"accuracy", "sweep", "confusion", "budget", "sensitivity"}  # drawings that heed `--column-width`


def unused_options(args: argparse.Namespace, plan: Plan) -> list[str]:
    """A line for each option that no run and no drawing heeds."""
    request = plan.request
    lines = []
    methods = {run.job.method for run in plan.runs()}
    for key, value in request.sets.items():
        name = key.partition(".")[0]
        if name not in {"recipe", "backbone", "scale", *methods, *plan.data}:
            lines.append(f"--set {key}={value}: no run here uses {name}")
        most_images = max(len(data.train.labels) for data in plan.data.values())
        if key == "scale.subset" and most_images <= (request.scale.train_images or 0):
            lines.append(f"--set {key}={value}: {', '.join(plan.data)} has no more images than the scale trains on")
    if args.keep_weights and args.draw:
        lines.append("--keep-weights: --draw trains nothing")
    if request.weights2 and not any(plan.cards[method]["networks"] > 1 for method in methods):
        lines.append("--weights2: none of these methods has a second network")
    lines += unused_settings(args, plan)
    shown_methods = {cell.row.method for cells in plan.cells.values() for cell in cells}
    other_methods = [name for name in request.methods or [] if name not in shown_methods]
    lines += [f"--methods {name}: no table or figure here has a row for it" for name in other_methods]
    kinds = {cell.noise for cells in plan.cells.values() for cell in cells}
    if request.rates and not any(noise_kind(kind, request).rated for kind in kinds):
        lines.append(f"--rates: {', '.join(sorted(kinds))} takes no rate")
    for folder in request.methods_path:
        if not plugins.find_definitions([folder])[len(plugins.find_definitions()) :]:
            lines.append(f"--methods-path: {plugins.describe_folders([folder])}")
    known_data_sets = data_sets(request.methods_path)
    for name in dict.fromkeys(text.partition("=")[0] for text in args.data):
        if name not in plan.data:
            lines.append(f"--data {name}: --datasets does not name it ({' '.join(plan.data)})")
        elif not known_data_sets[name].needs_path:
            lines.append(f"--data {name}: it is drawn here and reads no folder")
    lines += unused_in_pictures(args, plan)
    divergences = [
        (experiment.kind, experiment.name) for experiment in EXPERIMENTS if experiment.drawing == "divergence"
    ]
    if not plan.cells.keys() & set(divergences):
        divergence_options = {"--study": args.study, "--root": args.root, "--log-base": args.log_base != "2"}
        names = " and ".join(map(" ".join, divergences))
        lines += [f"{option}: only {names} uses it" for option, value in divergence_options.items() if value]
    return [f"{line}; it changes nothing here" for line in lines]


def unused_in_pictures(args: argparse.Namespace, plan: Plan) -> list[str]:
    """A line for each option that only tables and figures of accuracy heed."""
    drawings = {experiment.drawing for experiment in EXPERIMENTS if (experiment.kind, experiment.name) in plan.cells}
    heeding_drawings = {
        f"--metric {args.metric}": (args.metric != "accuracy", METRIC_DRAWINGS),
        f"--decimals {args.decimals}": (args.decimals != 1, METRIC_DRAWINGS - {"sensitivity"} | {"classes"}),
        f"--spread {args.spread}": (args.spread != "sd", METRIC_DRAWINGS - {"sensitivity"}),
        "--column-width": (args.column_width is not None, COLUMN_DRAWINGS),
    }
    unheeded = [name for name, (typed, heeding) in heeding_drawings.items() if typed and not drawings & heeding]
    return [f"{name}: nothing that is asked for shows accuracies that it could change" for name in unheeded]


def unused_settings(args: argparse.Namespace, plan: Plan) -> list[str]:
    """A line for each of `--draws`, `--tune` and `--settings` that was typed and that no run uses."""
    rows = [cell.row for cells in plan.cells.values() for cell in cells]
    reason_by_option: dict[str, str] = {}
    if all(row.draw is None for row in rows):
        searches = [found for found in EXPERIMENTS if found.searched]
        names = ", ".join(f"{found.kind} {found.name}" for found in searches)
        reason_by_option = dict.fromkeys(("--draws", "--tune"), f"only a search uses it ({names})")
    elif not any(row.draw for row in rows):
        reason = "these methods have nothing of their own to draw (--tune all draws the learning rate)"
        reason_by_option["--draws"] = reason
    free_rows = [row for row in rows if not row.published_settings]
    if not any(chosen_settings(plan.cards[row.method], plan.request.scale) for row in free_rows):
        reason_by_option["--settings"] = f"no row takes settings chosen for the {plan.request.scale.name} scale"
    return [f"{option}: {reason}" for option, reason in reason_by_option.items() if option in args.given]
