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
    launch = uuid.uuid4().hex
    by_id = {task.id: replace(task, launch=launch, limit=limit) for task in tasks}
    supervise_all: Callable[[list[Task]], Iterator[Outcome]] = partial(run_in_threads, workers=workers)
    if cluster:
        from benchmark.launch.cluster import connect_cluster

        supervise_all = connect_cluster(cluster)
    try:
        todo = list(by_id)
        waiting = Waiting({task_id: task_title(task) for task_id, task in by_id.items()})
        while todo:
            held = []
            for outcome in supervise_all([by_id[i] for i in todo]):
                if outcome.status in ("busy", "halted"):
                    held.append(outcome)
                else:
                    yield outcome
            todo, given_up = waiting.wait(held) if wait else ([], [])
            yield from given_up
    except BaseException:  # Ctrl-C, or nobody wants the rest
        CHILDREN.close()
        raise


def run_in_threads(tasks: list[Task], workers: int) -> Iterator[Outcome]:
    """Supervise tasks, at most `workers` at once, in their order; yields outcomes as they come."""
    threads = ThreadPoolExecutor(max(1, workers))
    try:
        for ended in as_completed([threads.submit(run_in_child, task) for task in tasks]):
            yield ended.result()
    finally:
        threads.shutdown(wait=False, cancel_futures=True)


@dataclass
class Waiting:
    """Who waits for tasks that others run."""

    titles: dict[str, str]  # {task id: what a person calls it}
    announced: set[str] = field(default_factory=set)
    halted: dict[str, int] = field(default_factory=dict)  # {task id: how many looks in a row found its owner stopped}

    def wait(self, held: list[Outcome]) -> tuple[list[str], list[Outcome]]:
        """Say once for what, and wait a moment; returns the tasks to look at again, and those given up."""
        for outcome in held:
            if outcome.id not in self.announced:
                self.announced.add(outcome.id)
                print_note(f"waiting for {self.titles[outcome.id]}: {outcome.message}")
        self.halted = {o.id: self.halted.get(o.id, 0) + 1 for o in held if o.status == "halted"}
        over = [o for o in held if self.halted.get(o.id, 0) > LOOKS]
        if len(held) > len(over):
            time.sleep(LOOK)
        return [o.id for o in held if o not in over], [replace(o, status="stopped") for o in over]


def task_title(task: Task) -> str:
    """What a person calls a task."""
    return Job(**task.job).text if task.job else "the start weights"
