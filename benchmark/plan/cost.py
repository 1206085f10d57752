"""What a matrix will cost, from finished runs where there are some: `--plan`, and the order of the jobs."""

from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from benchmark.plan.matrix import Plan, Planned
from benchmark.scale import PUBLISHED_IMAGES, SCALES, SMALL, Scale
from benchmark.terminal import count_things, format_duration
from results.store import Store

LONG = 2 * 3600  # seconds after which a person is told of the smaller scale
LISTED = 40  # jobs printed one by one
Kind = tuple[str, str, str, str, str]  # method, data set, scale, precision, device


@dataclass(frozen=True)
class Cost:
    """One run: seconds of one worker, bytes of its record, bytes of memory at its peak; measured, or a guess."""

    seconds: float
    disk: float
    memory: float
    measured: bool = False


# Where nothing is measured: the methods' cost relative to a baseline run of the scale.
RELATIVE = {"baseline": 1.0, "scn": 1.0, "rul": 1.1, "eac": 2.0, "lanet": 2.4}


def measured_costs(store: Store) -> dict[Kind, Cost]:
    """The mean cost of the finished runs of each kind; of memory the largest. Those of a GPU or in bf16 tell no others."""
    costs_by_kind: dict[Kind, list[Cost]] = {}
    for record in store.records():
        spec = record["spec"]
        path = store.path(record["id"])
        arrays = path.with_suffix(".npz")
        record_bytes = path.stat().st_size + (arrays.stat().st_size if arrays.exists() else 0)
        cost = Cost(record["times"]["total"], record_bytes, record["peak_memory"])
        device = record["provenance"].get("device", "cpu")
        kind = spec["method"], spec["data"]["name"], spec["scale"]["name"], spec["precision"], device
        costs_by_kind.setdefault(kind, []).append(cost)
    return {
        kind: Cost(fmean(c.seconds for c in costs), fmean(c.disk for c in costs), max(c.memory for c in costs), True)
        for kind, costs in costs_by_kind.items()
    }


def expected_cost(run: Planned, finished: dict[Kind, Cost]) -> Cost:
    """From finished runs of the same method, data, scale and precision on such a device; else a rough guess."""
    scale = run.job.scale["name"]
    kind = run.job.method, run.job.data["name"], scale, run.job.precision, run.place.device
    measured_cost = finished.get(kind)
    if measured_cost:
        return measured_cost
    scale_guess = SCALES[scale]
    epochs = run.resolved["recipe"]["epochs"] / (scale_guess.recipe or {"epochs": 60})["epochs"]
    return Cost(epochs * guess_seconds(run, scale_guess), scale_guess.record_bytes, scale_guess.memory)


def guess_seconds(run: Planned, scale: Scale) -> float:
    """What a run of a scale's usual epochs may take."""
    image_count = run.resolved["data"].get("train_images", PUBLISHED_IMAGES)
    image_share = image_count / (scale.train_images or PUBLISHED_IMAGES)
    return scale.seconds[run.place.device] * RELATIVE.get(run.job.method, 1.5) * image_share


def suggest_shorter(runs: list[Planned], store: Store, workers: int) -> str | None:
    """A line where published recipes will take more than LONG: how long, and what the small scale would take."""
    published_runs = [run for run in runs if not SCALES[run.job.scale["name"]].shortened]
    finished = measured_costs(store) if published_runs else {}
    seconds = sum(expected_cost(run, finished).seconds for run in published_runs) / max(1, workers)
    if seconds <= LONG:
        return None
    small_seconds = sum(guess_seconds(run, SMALL) for run in published_runs) / max(1, workers)
    small = f"--scale small (all images, {SMALL.side} px, one shortened recipe) about {format_duration(small_seconds)}"
    jobs_text = count_things(len(published_runs), "job at paper scale takes", "jobs at paper scale take")
    return f"note: {jobs_text} about {format_duration(seconds)}; {small}"


def describe_cost(plan: Plan, store: Store, shard: tuple[int, int]) -> str:
    """The jobs, which are done, and the expected time, disk and memory."""
    runs = plan.of_shard(shard)
    finished = measured_costs(store)
    open_costs = {run.job.id: expected_cost(run, finished) for run in runs if not run.is_done(store)}
    costs = list(open_costs.values())
    lines = [f"{r.job.id}  {'to run' if r.job.id in open_costs else 'done':<6}  {r.job.text}" for r in runs[:LISTED]]
    if len(runs) > LISTED:
        lines.append(f"... and {len(runs) - LISTED} more")
    seconds = [cost.seconds for cost in costs]
    longest = format_duration(max(seconds, default=0))
    memory = max((cost.memory for cost in costs), default=0)
    lines += [
        f"{count_things(len(runs), 'job')} at {plan.request.scale.name} scale, {len(runs) - len(open_costs)} done, "
        f"{len(open_costs)} to run",
        f"expected: {format_duration(sum(seconds))} of one worker in all, the longest job {longest} "
        f"({sum(c.measured for c in costs)} of {len(open_costs)} from measured runs, the rest a rough guess)",
        f"disk: about {sum(c.disk for c in costs) / 1e6:.1f} MB of records; memory: at most {memory / 1e9:.1f} GB a job",
    ]
    weights = {run.pretraining["path"] for run in runs if run.pretraining and run.job.id in open_costs}
    missing_files = sorted(path for path in weights if not Path(path).exists())
    if missing_files:
        lines.append(f"start weights: {len(missing_files)} to be made first ({', '.join(missing_files)})")
    if line := suggest_shorter([run for run in runs if run.job.id in open_costs], store, 1):
        lines.append(line)
    return "\n".join(lines)
