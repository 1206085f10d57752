"""Which task runs where: threads (or Dask workers) take tasks, each supervises one child process.

A supervised task never raises, whatever happens to its child. The disk is the truth: attempts are counted there before they
start, and a task whose result is there returns at once.

    class     again in this launch                        again in a later launch
    killed    until it has been killed three times        until it has been killed three times
    oom       once, alone on its GPU, if it shared one   yes
    disk      no                                          yes
    timeout   no                                          if the limit is longer
    error     no                                          no
    nan       no                                          no

A change of its method, or of what that imports, makes a job new in this respect, and so does `--retry-failed`.
"""

import atexit
import time
import uuid
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from functools import partial

from benchmark.launch.children import CHILDREN
from benchmark.launch.supervise import run_in_child
from benchmark.task import Outcome, Task
from benchmark.terminal import print_note
from results.job import Job

LOOK = 1.0  # seconds between two looks at tasks that others run
LOOKS = 60  # an owner found stopped so many times in a row is waited for no longer

atexit.register(CHILDREN.close)


def run_tasks(
    tasks: list[Task], workers: int, limit: float | None, cluster: str | None, wait: bool = True
) -> Generator[Outcome, None, None]:
    """Run tasks, at most `workers` at once, in the given order; yields outcomes as they come.

    Tasks that another launcher has in flight are put off and looked at again until they are done or free; without
    `wait` they are left to it and have no outcome.
    """
    CHILDREN.open()
    launch_id = uuid.uuid4().hex
    tasks_by_id = {task.id: replace(task, launch=launch_id, limit=limit) for task in tasks}
    supervise_all: Callable[[list[Task]], Iterator[Outcome]] = partial(run_in_threads, workers=workers)
    if cluster:
        from benchmark.launch.cluster import connect_cluster

        supervise_all = connect_cluster(cluster)
    try:
        pending_ids = list(tasks_by_id)
        titles = {task.id: Job(**task.job).text if task.job else "the start weights" for task in tasks}
        waiting_tasks = Waiting(titles)
        while pending_ids:
            held_outcomes = []
            for outcome in supervise_all([tasks_by_id[pending_id] for pending_id in pending_ids]):
                if outcome.status in ("busy", "halted"):
                    held_outcomes.append(outcome)
                else:
                    yield outcome
            pending_ids, abandoned_outcomes = waiting_tasks.wait(held_outcomes) if wait else ([], [])
            yield from abandoned_outcomes
    except BaseException:  # Ctrl-C, or nobody wants the rest
        CHILDREN.close()
        raise


def run_in_threads(tasks: list[Task], workers: int) -> Iterator[Outcome]:
    """Supervise tasks, at most `workers` at once, in their order; yields outcomes as they come."""
    thread_pool = ThreadPoolExecutor(max(1, workers))
    try:
        for finished_future in as_completed([thread_pool.submit(run_in_child, task) for task in tasks]):
            yield finished_future.result()
    finally:
        thread_pool.shutdown(wait=False, cancel_futures=True)


@dataclass
class Waiting:
    """Who waits for tasks that others run."""

    titles: dict[str, str]  # {task id: what a person calls it}
    announced: set[str] = field(default_factory=set)
    halted: dict[str, int] = field(default_factory=dict)  # {task id: how many looks in a row found its owner stopped}

    def wait(self, held_outcomes: list[Outcome]) -> tuple[list[str], list[Outcome]]:
        """Say once for what, and wait a moment; returns the tasks to look at again, and those given up."""
        for outcome in held_outcomes:
            if outcome.id not in self.announced:
                self.announced.add(outcome.id)
                print_note(f"waiting for {self.titles[outcome.id]}: {outcome.message}")
        halted_ids = [outcome.id for outcome in held_outcomes if outcome.status == "halted"]
        self.halted = {task_id: self.halted.get(task_id, 0) + 1 for task_id in halted_ids}
        abandoned_outcomes = [outcome for outcome in held_outcomes if self.halted.get(outcome.id, 0) > LOOKS]
        if len(held_outcomes) > len(abandoned_outcomes):
            time.sleep(LOOK)
        waiting_ids = [outcome.id for outcome in held_outcomes if outcome not in abandoned_outcomes]
        return waiting_ids, [replace(outcome, status="stopped") for outcome in abandoned_outcomes]
