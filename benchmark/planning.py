"""`--plan`: what a command would do, before it does it."""

from benchmark.matrix import BYTES_A_RUN, duration, expected_seconds, measured_seconds
from benchmark.plan import Plan
from benchmark.store import Store

LISTED = 40  # jobs printed one by one


def describe(plan: Plan, store: Store, shard: tuple[int, int]) -> str:
    """The jobs, which are done, and the expected time and disk."""
    runs = [run for run in plan.runs() if int(run.job.id, 16) % shard[1] == shard[0]]
    measured = measured_seconds(store)
    todo = [run for run in runs if not store.done(run.job.id)]
    seconds = [expected_seconds(run, measured) for run in todo]
    known = sum((r.job.method, r.job.data["name"], r.job.scale["name"]) in measured for r in todo)
    lines = [f"{run.job.id}  {'done' if run not in todo else 'to run':<6}  {run.job.text}" for run in runs[:LISTED]] + (
        [f"... and {len(runs) - LISTED} more"] if len(runs) > LISTED else []
    )
    lines += [
        f"{len(runs)} jobs at {plan.request.scale} scale, {len(runs) - len(todo)} done, {len(todo)} to run",
        f"expected: {duration(sum(seconds))} of one worker in all, the longest job {duration(max(seconds, default=0))} "
        f"({known} of {len(todo)} from measured runs, the rest a rough guess)",
        f"disk: about {BYTES_A_RUN[plan.request.scale] * len(todo) / 1e6:.0f} MB of records",
    ]
    weights = {p.pretraining["path"] for p in todo if p.pretraining}
    if weights:
        lines.append(f"start weights: {len(weights)} to be made or found first ({', '.join(sorted(weights))})")
    return "\n".join(lines)
