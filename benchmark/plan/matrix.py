"""From what was asked to the jobs that answer it."""

import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from benchmark import plugins
from benchmark.cache import decoded, lookup
from benchmark.plan import recipes
from benchmark.plan.experiments import PAPER_FIVE, RATES, Experiment, Row
from benchmark.plan.overrides import dataset_options
from benchmark.plan.request import Request
from benchmark.plan.start_weights import (
    MADE_HERE,
    choose_start_weights,
    further_weights,
    published_weights,
    weights_of_file,
)
from benchmark.plan.tuning import draw_settings
from benchmark.scale import PUBLISHED_IMAGES
from benchmark.source_code import hash_own_code
from benchmark.task import Place
from benchmark.terminal import Usage, one_of
from noise.base import Noise, NoiseError
from results.job import Job, number_text
from results.records import Records
from results.schema import ENOUGH_SEEDS
from results.store import Store

LACKING = {  # what a noise may need of a data set: what is said where it is not there
    "votes": "has no votes; use a data set with votes (faces, ferplus)",
    "earlier_labels": "has no earlier labels; put fer2013.csv and fer2013new.csv beside the FERPlus data (docs/noise.md)",
}
MOST_SEEDS = 32  # looked for where only drawing is asked for and no seeds are named


@dataclass
class Planned:
    """A job with what is needed to run it."""

    job: Job
    resolved: dict[str, Any]
    place: Place
    pretraining: dict[str, Any] | None = None

    def is_done(self, store: Store) -> bool:
        """Whether its record is there, and its trained network where that is to be kept."""
        if not store.done(self.job.id):
            return False
        is_of_others = self.job.id in store.elsewhere
        return is_of_others or not self.place.keep_weights or store.has_network(self.job.id)


@dataclass
class PlannedCell:
    """One number of a table: the runs over seeds of a row, a data set and a noise."""

    row: Row
    title: str
    dataset: str
    noise: str
    rate: str | None
    runs: list[Planned] = field(default_factory=list)
    reason: str = ""  # why there can be no runs
    part: str = "table"  # 'table', or 'floor', 'clean' and 'correct' below it


@dataclass
class Plan:
    """Everything that was asked for. data: {name: decoded data set}."""

    request: Request
    cards: dict[str, dict[str, Any]]
    data: dict[str, decoded.Data]
    cells: dict[tuple[str, str], list[PlannedCell]]
    noises: set[tuple[str, str]] = field(default_factory=set)  # (kind, data set) that go together

    def runs(self) -> list[Planned]:
        """Every run once, seeds outermost, in the order of the tables."""
        all_runs = [run for cells in self.cells.values() for cell in cells for run in cell.runs]
        unique_runs = {run.job.id: run for run in sorted(all_runs, key=lambda run: run.place.keep_weights)}
        return sorted(unique_runs.values(), key=lambda run: run.job.seed)

    def of_shard(self, shard: tuple[int, int]) -> list[Planned]:
        """The runs of part I of N."""
        return [run for run in self.runs() if is_in_part(run.job.id, shard)]


def is_in_part(job_id: str, shard: tuple[int, int]) -> bool:
    """Whether a job is among those of part I of N."""
    return int(job_id, 16) % shard[1] == shard[0]


def make_plan(request: Request, progress: Any = None, needs_images: bool = False) -> Plan:
    """Open the data, check every name, and list the jobs; raises Usage."""
    dataset_classes = plugins.find_data_sets(request.methods_path, {})
    datasets = {name: dataset_classes[name]() for name in request.datasets}
    check_without_pictures(request, datasets)
    data = {name: open_data_set(dataset, request, progress, needs_images) for name, dataset in datasets.items()}
    plan = Plan(request, request.cards, data, {})
    for experiment in request.experiments:
        plan.cells[experiment.kind, experiment.name] = plan_cells(experiment, plan)
        cells = plan.cells[experiment.kind, experiment.name]
        if experiment.drawing == "cross" and not request.draw:
            for run in (run for cell in cells for run in cell.runs):
                run.place = replace(run.place, keep_weights=True)
        if not cells and len(request.experiments) == 1:
            if experiment.drawing == "mechanisms":
                raise Usage("--methods: none of these has a curve to draw; docs/new-method.md says how to declare one")
            rows = ", ".join(dict.fromkeys(row.method for row in experiment.rows))
            raise Usage(f"--methods: {experiment.kind} {experiment.name} has rows of {rows} only")
    return plan


def check_without_pictures(request: Request, datasets: dict[str, Any]) -> None:
    """Raises Usage for what can be refused before pictures are decoded, which may take an hour: noises, files, settings."""
    for name, dataset in datasets.items():
        dataset_options(dataset, request.sets)
        if dataset.needs_path and name not in request.data and not request.draw:
            raise no_path(name)
    start_choice = request.weights or request.scale.weights
    if start_choice not in MADE_HERE:
        weights_of_file("--weights", start_choice)
    further_weights(request.weights2)
    for experiment in request.experiments:
        for kind in noise_asked(experiment, request):
            try:
                noise_kind(kind, request).identity()
            except NoiseError as error:
                raise Usage(f"--noise: {error}") from None
        for row in list_table_rows(experiment, request):
            for name in datasets:
                settings, _ = resolve_row(row, request, name, request.scale.train_images or PUBLISHED_IMAGES)
                backbone = settings["recipe"]["backbone"]
                backbone_code(backbone, request)
                if start_choice == "imagenet":
                    published_weights(backbone)


def no_path(name: str) -> Usage:
    """The error of a data set that has to be given."""
    hint = f"give --data {name}=PATH, or set FER_DATA to a folder that holds {name}/"
    return Usage(f"--datasets: {name} is not embedded; {hint}")


def open_data_set(dataset: Any, request: Request, progress: Any, needs_images: bool) -> decoded.Data:
    data_path = request.data.get(dataset.name)
    options = dataset_options(dataset, request.sets)
    if dataset.needs_path and data_path is None:
        if described_data := find_described_data(dataset, options, request):
            return described_data
        raise no_path(dataset.name)
    return lookup.open_data(dataset, data_path, options, request.results / "data", progress, needs_images)


def find_described_data(dataset: Any, options: Any, request: Request) -> decoded.Data | None:
    """The data set as the results folder describes it, for drawing without its pictures; None where it does not."""
    card_files = sorted((request.results / "data").glob(f"{dataset.name}-*/card.json")) if request.draw else []
    described_data = [decoded.open_decoded(card.parent) for card in card_files]
    described_data = [data for data in described_data if data.info["options"] == asdict(options)]
    return described_data[0] if len(described_data) == 1 else None


def plan_cells(experiment: Experiment, plan: Plan) -> list[PlannedCell]:
    """The cells of one table or figure, in reading order."""
    request = plan.request
    cells = []
    noise_rates = noise_asked(experiment, request)
    rows = list_table_rows(experiment, request)
    conditions = [(kind, rate) for kind, rates in noise_rates.items() for rate in rates or (None,)]
    correct_row = Row("baseline", label="Baseline, correct labels only")
    clean_row = Row("baseline", label="Baseline, clean labels")
    for data in plan.data.values():
        column_cells = [plan_cell(row, data, kind, rate, plan) for kind, rate in conditions for row in rows]
        if request.floor and experiment.kind == "table":  # what labels could give at best
            column_cells += [plan_cell(correct_row, data, kind, rate, plan, "correct") for kind, rate in conditions]
            column_cells.append(plan_cell(clean_row, data, "none", None, plan, "clean"))
        if request.draw and request.seeds is None:
            on_common_seeds(column_cells, request)
        cells += column_cells
    return cells


def list_table_rows(experiment: Experiment, request: Request) -> list[Row]:
    """The rows of one table or figure: its own, narrowed or widened by `--methods`."""
    all_rows = request.methods is None or experiment.fixed_rows
    rows = [row for row in experiment.rows if all_rows or row.method in request.methods]
    own_methods = {row.method for row in experiment.rows} | set(PAPER_FIVE if experiment.like else ())
    extra_methods = [m for m in request.methods or [] if m not in own_methods and experiment.takes_any_method]
    rows += [extra_row(method, experiment, request) for method in extra_methods]
    own_folders = plugins.describe_folders(request.methods_path)
    for row in rows:
        one_of(f"--{experiment.kind} {experiment.name}", "method", row.method, request.cards, own_folders)
    if experiment.drawing == "mechanisms":
        rows = [row for row in rows if request.cards[row.method]["mechanism"]]
    if experiment.searched:
        rows = [drawn for row in rows for drawn in draw_rows(row, request)]
    return rows


def on_common_seeds(cells: list[PlannedCell], request: Request) -> None:
    """Leave each cell the scale's seeds, and of further ones those that every cell of which something was measured has.

    Else a row of ten seeds would stand beside one of five, and other seeds would look like another method.
    """
    measured_seeds = [{run.job.seed for run in cell.runs if has_record(run, request)} for cell in cells]
    common_seeds = set.intersection(*filter(None, measured_seeds)) if any(measured_seeds) else set()
    for cell in cells:
        cell.runs = [run for run in cell.runs if run.job.seed < request.scale.seeds or run.job.seed in common_seeds]


def draw_rows(row: Row, request: Request) -> list[Row]:
    """A row for each draw of a method's settings, draw 0 as published; that alone where nothing can be drawn."""
    card = request.cards[row.method]
    draws_rate = request.tune_learning_rate
    drawn_rows = []
    for number in range(request.draws if draws_rate or card["search"] else 1):
        overrides = row.overrides | draw_settings(card, request.scale, number, draws_rate)
        drawn_rows.append(replace(row, overrides=overrides, published_settings=True, draw=number))
    return drawn_rows


def extra_row(method: str, experiment: Experiment, request: Request) -> Row:
    """A row of a method that is not one of the paper's, under the one recipe of the table if it has one."""
    if not experiment.like:
        return Row(method, published_settings=all(row.published_settings for row in experiment.rows))
    label = f"{request.cards[method]['title']} ({request.cards[experiment.like]['title']}'s recipe)"
    return Row(method, {"recipe.like": experiment.like}, label)


def noise_asked(experiment: Experiment, request: Request) -> dict[str, tuple[str, ...]]:
    """{kind: rates}: the experiment's own, narrowed or widened by `--noise` and `--rates`."""
    experiment_rates = next((rates for rates in experiment.noise.values() if rates), RATES)
    rates = tuple(request.rates or experiment_rates)
    return {kind: rates if noise_kind(kind, request).rated else () for kind in request.noise or experiment.noise}


def noise_kind(kind: str, request: Request) -> Noise:
    try:
        return plugins.make_noise(kind, request.methods_path)
    except NoiseError as error:
        raise Usage(f"--noise: {error}") from None


def check_noise(kind: Noise, data: decoded.Data) -> None:
    """Find out before any training whether a noise can be drawn for the data; raises Usage."""
    try:
        kind.labels(data.noise_input(kind), 0.0, 0)
    except NoiseError as error:
        raise Usage(f"--noise: {error}") from None


def plan_cell(
    row: Row, data: decoded.Data, kind: str, rate: str | None, plan: Plan, part: str = "table"
) -> PlannedCell:
    request = plan.request
    card = plan.cards[row.method]
    cell = PlannedCell(row, row.label or card["title"], data.name, kind, rate, part=part)
    noise = noise_kind(kind, request)
    lacking_need = next((need for need in LACKING if need in noise.needs and getattr(data.train, need) is None), None)
    if not {"images", *LACKING} & set(noise.needs) and (kind, data.name) not in plan.noises:
        check_noise(noise, data)
        plan.noises.add((kind, data.name))
    if lacking_need:
        if request.noise:
            raise Usage(f"--noise {kind}: {data.name} {LACKING[lacking_need]}")
        cell.reason = f"no {lacking_need.replace('_', ' ')}"
    elif card["needs_landmarks"] and not data.train.usable_landmarks:
        fix = f"run python -m benchmark landmarks {data.name} --data {data.name}=PATH, or leave it out with --methods"
        raise Usage(f"{row.method}: {data.name} has no landmarks; {fix}")
    else:
        cell.runs = plan_runs(row, data, kind, rate, choose_seeds(request), plan, part)
    return cell


def choose_seeds(request: Request) -> Iterable[int]:
    """The seeds that were named, else the scale's, or as many as ranks need beside others' records; where only drawing is
    asked for, any that may have been measured.
    """
    if request.seeds is not None:
        return request.seeds
    least_seeds = ENOUGH_SEEDS if request.against else 0
    return range(MOST_SEEDS if request.draw else max(request.scale.seeds, least_seeds))


def has_record(run: Planned, request: Request) -> bool:
    """Whether a record of the run's name is there, or where rows are taken from."""
    return any(Records(folder).path(run.job.id).exists() for folder in (request.results, request.against) if folder)


def plan_runs(
    row: Row, data: decoded.Data, kind: str, rate: str | None, seeds: Iterable[int], plan: Plan, part: str
) -> list[Planned]:
    """The runs of a cell, one a seed: jobs, their resolved settings and where their inputs lie."""
    request = plan.request
    card = plan.cards[row.method]
    noise = noise_kind(kind, request)
    available_images = len(data.train.labels)
    is_draw = row.draw is not None
    holdout = request.rule == "noisy_val" or (is_draw and not request.scale.unused_images(available_images))
    image_count = request.scale.images(available_images, holdout)
    settings, overrides = resolve_row(row, request, data.name, image_count)
    backbone = settings["recipe"]["backbone"]
    own_code = backbone_code(backbone, request)
    start_weights = choose_start_weights(data, backbone, own_code, request)
    further_start = further_weights(request.weights2 if card["networks"] > 1 else None)
    first_job = Job(
        method=row.method,
        method_version=card["version"],
        data={
            "name": data.name,
            "fingerprint": data.fingerprint,
            "landmarks": data.landmark_fingerprint if card["needs_landmarks"] else None,
        },
        noise=noise_identity(noise, rate, data),
        seed=0,
        precision=request.precision,
        preset=request.preset,
        scale=request.scale.identity,
        weights=start_weights.identity,
        overrides=overrides,
        holdout=holdout,
        part="correct" if part == "correct" else "all",
        weights2=further_start.identity or None,
        backbone_code=own_code,
    )
    place = Place(
        results=str(request.results),
        data=str(data.folder),
        weights=start_weights.path,
        weights2=further_start.path,
        device=request.device,
        methods_path=tuple(str(folder) for folder in request.methods_path),
        noise_argument=kind.partition(":")[2],
        fast=request.fast,
        graphs=request.graphs,
        jobs_on_gpu=request.per_gpu,
        checkpoint_seconds=checkpoint_seconds(),
        keep_weights=request.keep_weights,
    )
    facts = data.info.get("facts", {})
    data_facts = {"title": data.title, **facts, "card": data.info_hash, "train_images": image_count}
    resolved = settings | {"data": data_facts, "weights": {"text": start_weights.text + further_start.text}}
    return [Planned(replace(first_job, seed=seed), resolved, place, start_weights.pretraining) for seed in seeds]


def resolve_row(row: Row, request: Request, dataset: str, images: int) -> tuple[dict[str, Any], dict[str, str]]:
    """The resolved recipe and parameters of a row, and the overrides of its identity."""
    return recipes.resolve_recipe(
        request.cards,
        row.method,
        request.sets | row.overrides,
        request.scale,
        request.preset,
        dataset,
        images,
        request.published_settings or row.published_settings,
    )


def backbone_code(name: str, request: Request) -> str | None:
    """The code of a backbone of one's own as its identity has it, None for others; raises Usage for an unknown name."""
    if "/" not in name:
        known_names = [*plugins.find_backbone_files(request.methods_path), "torchvision/NAME", "timm/NAME"]
        one_of("--set recipe.backbone", "backbone", name, known_names)
    return plugins.hash_backbone(name, request.methods_path)


def noise_identity(kind: Noise, rate: str | None, data: decoded.Data) -> dict[str, Any]:
    """What a job's identity says of its noise; of a noise of one's own that includes its code.

    Earlier labels are no part of the data's fingerprint, so a noise that needs them names their hash.
    """
    identity = {"kind": kind.identity(), "rate": None if rate is None else number_text(rate), "version": kind.version}
    if "earlier_labels" in kind.needs:
        identity["earlier_labels"] = data.info["earlier_labels"][:20]
    own_code = hash_own_code(type(kind))
    if own_code:
        identity["code"] = own_code
    return identity


def checkpoint_seconds() -> float:
    text = os.environ.get("FER_CHECKPOINT_SECONDS", "30")
    try:
        return float(text)
    except ValueError:
        raise Usage(f"FER_CHECKPOINT_SECONDS: {text!r} is not a number of seconds") from None
