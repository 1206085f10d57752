"""Run what is missing of a plan: start weights first, then the jobs, seeds outermost and the longest first."""

import shlex
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from benchmark import hardware
from benchmark.launch.dispatch import run_tasks
from benchmark.plan.cost import expected_cost, measured_costs
from benchmark.plan.matrix import Plan, Planned, is_in_part
from benchmark.progress import show_progress
from benchmark.task import Outcome, Task
from benchmark.terminal import format_duration, print_note
from results.job import Job, json_digest
from results.schema import Refused
from results.store import Store


@dataclass(frozen=True)
class RunOptions:
    """How jobs are run; never part of a job's identity."""

    workers: int  # jobs at once
    slots: Sequence[Sequence[str]] = ()  # [GPU, lock file] of each place on a GPU
    limit: float | None = None  # seconds after which a job is killed
    cluster: str | None = None  # address of a Dask scheduler
    fail_fast: bool = False
    retry_failed: bool = False
    typed: str = "python run_all.py"  # the command line, for the words that repeat a failed job
    part: tuple[int, int] | None = None  # the jobs (I, N) to begin with; those that others train are left to them


def list_missing(plan: Plan, store: Store, shard: tuple[int, int] = (0, 1)) -> list[Planned]:
    """The runs of this shard without a sound record, or without their network where that is to be kept."""
    return [planned for planned in plan.of_shard(shard) if not planned.is_done(store)]


def run_jobs(plan: Plan, todo: list[Planned], options: RunOptions) -> dict[str, Outcome]:
    """Run the given jobs; returns how each ended, by id."""
    store = Store(plan.request.results)
    measured = measured_costs(store)
    todo = sorted(todo, key=lambda planned: (planned.job.seed, -expected_cost(planned, measured).seconds))
    if cluster_part := options.part:
        todo = sorted(todo, key=lambda planned: not is_in_part(planned.job.id, cluster_part))
    outcomes: dict[str, Outcome] = {}
    pretraining = {planned.pretraining["path"]: planned.pretraining for planned in todo if planned.pretraining}
    missing_weights = [weights for path, weights in pretraining.items() if not Path(path).exists()]
    tasks = [make_pretraining_task(weights, plan.request.results, options.slots) for weights in missing_weights]
    if options.retry_failed:
        for task_id in [*(planned.job.id for planned in todo), *(task.id for task in tasks)]:
            store.forget_failures(task_id)
    expected_seconds = sum(expected_cost(planned, measured).seconds for planned in todo)
    bad_weights = {}
    with (
        show_progress("start weights", len(tasks), options.workers) as progress,
        closing(run_tasks(tasks, options.workers, options.limit, None)) as finished_outcomes,
    ):
        for outcome in finished_outcomes:
            if outcome.status not in ("ok", "cached"):
                bad_weights[outcome.id] = outcome.message
            progress.finished(outcome, "start weights: " + (outcome.message or "made"))
    tasks = []
    for planned in todo:
        weights_key = planned.pretraining and json_digest(planned.pretraining["path"])
        if weights_key in bad_weights:
            message = f"its start weights could not be made: {bad_weights[weights_key]}"
            outcomes[planned.job.id] = Outcome(planned.job.id, "error", message=message)
        else:
            tasks.append(make_job_task(planned, plan, options))
    jobs = {planned.job.id: planned.job for planned in todo}
    running = run_tasks(tasks, options.workers, options.limit, options.cluster, wait=options.part is None)
    with (
        show_progress("jobs", len(tasks), options.workers, expected_seconds / max(1, options.workers)) as progress,
        closing(running) as finished_outcomes,
    ):
        for outcome in finished_outcomes:
            outcomes[outcome.id] = outcome
            progress.finished(outcome, describe_outcome(outcome, jobs[outcome.id], store, plan.request.rule))
            if options.fail_fast and outcome.status not in ("ok", "cached"):
                break  # which closes the children
    jobs_left = len(jobs) - len(outcomes)
    if options.part and jobs_left and not options.fail_fast:
        print_note(f"{jobs_left} of the jobs are left to the tasks that train them now")
    return outcomes


def describe_outcome(outcome: Outcome, job: Job, store: Store, rule: str) -> str:
    """A finished job in one line: its accuracy under the rule that is shown, or why it has none."""
    if outcome.status not in ("ok", "cached"):
        return f"{outcome.status}: {job.text}: {outcome.message}"
    try:
        metrics = (store.read(job.id) or {}).get("metrics", {})
    except Refused as error:
        return f"done: {job.text}: {error}"
    shown_rule = rule if rule in metrics else "last"
    accuracy = f"{100 * metrics[shown_rule]:.1f} % ({shown_rule})" if shown_rule in metrics else "no accuracy"
    return f"done: {job.text}: {accuracy}, {format_duration(outcome.seconds)}"


def make_job_task(planned: Planned, plan: Plan, options: RunOptions) -> Task:
    job = planned.job
    task = job_task(job, planned.resolved, asdict(planned.place), options.slots)
    return replace(task, command=repeat_command(job, options.typed), code=plan.cards[job.method]["code"])


def job_task(job: Job, resolved: dict[str, Any], place: dict[str, Any], slots: Sequence[Sequence[str]]) -> Task:
    """What trains a job; place: the fields of a `Place`."""
    store = Store(Path(place["results"]))
    log_path = str(store.log(job.id))
    return Task(job.id, str(store.path(job.id)), place["results"], log_path, slots, asdict(job), resolved, place)


def repeat_command(job: Job, typed: str) -> str:
    """The command that was typed, narrowed to one job (and to others of its method and seed that are missing)."""
    job_options = {"--datasets": job.data["name"], "--methods": job.method, "--seeds": str(job.seed)}
    if job.noise["rate"]:
        job_options["--rates"] = job.noise["rate"]
    replaced_options = {*job_options, "--retry-failed"}
    command_words = []
    is_kept = True
    for word in shlex.split(typed):
        if word.startswith("--"):  # what follows an option belongs to it
            is_kept = word.partition("=")[0] not in replaced_options
        if is_kept:
            command_words.append(word)
    job_words = [f"{option} {value}" for option, value in job_options.items()]
    return " ".join([shlex.join(command_words), *job_words, "--retry-failed"])


def make_pretraining_task(weights: dict[str, Any], results: Path, slots: Sequence[Sequence[str]]) -> Task:
    weights_key = json_digest(weights["path"])
    log_path = str(Store(results).log(weights_key))
    return Task(weights_key, weights["path"], str(results), log_path, slots, pretrain=weights)


def count_workers(workers: str, slots: Sequence[Sequence[str]]) -> int:
    """`--workers auto`: one single-threaded process a core on a CPU, one a slot on GPUs."""
    return (len(slots) or hardware.count_cores()) if workers == "auto" else int(workers)
