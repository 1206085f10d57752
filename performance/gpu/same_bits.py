"""Item 2: whole jobs through the launcher, each twice: the same bits? And one that is killed and goes on: the same, too?"""

import threading
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np

from benchmark import hardware
from benchmark.launch.children import CHILDREN
from benchmark.launch.dispatch import run_tasks
from benchmark.scale import DEMO, PAPER
from benchmark.task import Place, Task
from performance.gpu.course import Notes
from performance.gpu.setting import Setting, make_job
from results.store import Store

EPOCHS = "2"
LOOK = 0.002  # seconds between two looks for the checkpoint at which a job is killed


def compare_jobs(setting: Setting, notes: Notes) -> None:
    methods = setting.methods[:1] if setting.rehearse else setting.methods
    slots = hardware.list_slots([name for name, _ in hardware.find_gpus()][:1], 2) if setting.cuda else []
    stores = {name: Store(setting.out / "jobs" / f"{name}-{time.time_ns()}") for name in ("once", "again", "killed")}
    tasks = {name: [job_task(setting, method, store, slots) for method in methods] for name, store in stores.items()}
    ends: dict[str, dict[str, str]] = {}
    for name in ("once", "again"):
        outcomes = run_tasks(tasks[name], max(1, len(slots)), 120, None)
        ends[name] = {outcome.id: outcome.message or outcome.status for outcome in outcomes}
        notes[f"jobs, {name}"] = sorted(ends[name].values())
    for one in tasks["once"]:
        differing = list_differences(stores["once"], stores["again"], one.id)
        notes.add_row(job=one.job["method"], against="the same again", differing=differing)
    last = tasks["killed"][-1]
    killer = threading.Thread(target=kill_at_checkpoint, args=(stores["killed"], last.id), daemon=True)
    killer.start()
    list(run_tasks([last], 1, 120, None))
    attempts = stores["killed"].attempts(last.id)
    differing = list_differences(stores["once"], stores["killed"], last.id)
    how = "killed and resumed" if attempts > 1 else "it ended before it could be killed"
    notes.add_row(job=last.job["method"], against=how, differing=differing)
    CHILDREN.close()


def job_task(setting: Setting, method: str, store: Store, slots: list[list[str]]) -> Task:
    """A job of two epochs that keeps a checkpoint after the first, as a launcher asks for it."""
    scale = DEMO if setting.rehearse else PAPER  # a fork server knows the project's scales only
    changed = {"recipe.epochs": EPOCHS} | ({"recipe.batch_size": "50"} if setting.rehearse else {})
    precision = "bf16" if setting.cuda else "fp32"
    job, resolved = make_job(method, setting.images, changed, precision, scale)
    data = str(setting.faces(setting.images))
    place = Place(str(store.root), data, device=setting.device, checkpoint_seconds=0.0, jobs_on_gpu=max(1, len(slots)))
    return Task(
        id=job.id,
        makes=str(store.path(job.id)),
        results=str(store.root),
        log=str(store.log(job.id)),
        slots=slots,
        job=asdict(job),
        resolved=resolved,
        place=asdict(place),
    )


def kill_at_checkpoint(store: Store, job_id: str) -> None:
    """Kill the job's process as soon as its first checkpoint is there; the launcher then tries it again."""
    while not store.path(job_id).exists():
        if store.checkpoint(job_id).exists():
            CHILDREN.send(CHILDREN.start(), {"kill": job_id})
            return
        time.sleep(LOOK)


def list_differences(one: Store, other: Store, job_id: str) -> list[str]:
    """What of two records of a job is not the same to the last bit."""
    records = [store.read(job_id) for store in (one, other)]
    if None in records:
        return [f"no record: {failure_of(store, job_id)}" for store, r in zip((one, other), records) if r is None]
    differing = [part for part in ("noise", "metrics", "history") if records[0][part] != records[1][part]]
    arrays = [dict(np.load(Path(store.path(job_id)).with_suffix(".npz"))) for store in (one, other)]
    return differing + [name for name, value in arrays[0].items() if not np.array_equal(value, arrays[1][name])]


def failure_of(store: Store, job_id: str) -> str:
    failure = store.failure(job_id) or {}
    return f"{failure.get('class', 'unknown')}: {failure.get('message', '')[:200]}"
