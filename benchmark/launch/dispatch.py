"""Which task runs where: joblib hands tasks to threads (or Dask workers), each supervises one child process.

A supervised task never raises, whatever happens to its child, because joblib drops everything not yet started when a
dispatched function raises. The disk is the truth: attempts are counted there before they start, and a task whose
result is there returns at once.

    class     again in this launch                        again in a later launch
    killed    until it has been killed three times        until it has been killed three times
    oom       once, alone on its card, if it shared one   yes
    disk      no                                          yes
    timeout   no                                          if the limit is longer
    error     no                                          no
    nan       no                                          no

A change of its method, or of what that imports, makes a job new in this respect, and so does `--retry-failed`.
"""

import atexit
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from benchmark.launch.children import CHILDREN
from benchmark.launch.supervise import supervise
from benchmark.task import Outcome, Task
from benchmark.terminal import say
from results.job import Job

LOOK = 1.0  # seconds between two looks at tasks that others run
LOOKS = 60  # a holder found stopped so many times in a row is waited for no longer

atexit.register(CHILDREN.close)


def dispatch(
    tasks: list[Task], workers: int, limit: float | None, cluster: str | None, wait: bool = True
) -> Iterator[Outcome]:
    """Run tasks, at most `workers` at once, in the given order; yields outcomes as they come.

    Tasks that another launcher has in flight are put off and looked at again until they are done or free; without
    `wait` they are left to it and have no outcome.
    """
    from joblib import parallel_config

    CHILDREN.open()
    launch = uuid.uuid4().hex
    by_id = {task.id: replace(task, launch=launch, limit=limit) for task in tasks}
    settings: dict[str, Any] = {"backend": "threading", "n_jobs": workers}
    function: Callable = supervise
    receive: Callable | None = None
    if cluster:
        from benchmark.launch import cluster as there

        settings, function, receive = there.connect(cluster), there.supervise_there, there.receive
    try:
        todo, waiting = list(by_id), Waiting({task_id: name(task) for task_id, task in by_id.items()})
        while todo:
            held = []
            with parallel_config(**settings):
                for answer in unordered([by_id[i] for i in todo], function):
                    outcome = receive(answer, by_id) if receive else answer
                    if outcome.status in ("busy", "halted"):
                        held.append(outcome)
                    else:
                        yield outcome
            todo, given_up = waiting.wait(held) if wait else ([], [])
            yield from given_up
    except BaseException:  # Ctrl-C, or nobody wants the rest
        CHILDREN.close()
        raise


@dataclass
class Waiting:
    """Who waits for tasks that others run; names: by id. halted: {id: how many looks in a row found its holder stopped}."""

    names: dict[str, str]
    told: set[str] = field(default_factory=set)
    halted: dict[str, int] = field(default_factory=dict)

    def wait(self, held: list[Outcome]) -> tuple[list[str], list[Outcome]]:
        """Say once for what, and wait a moment; returns the tasks to look at again, and those given up."""
        for outcome in held:
            if outcome.id not in self.told:
                self.told.add(outcome.id)
                say(f"waiting for {self.names[outcome.id]}: {outcome.message}")
        self.halted = {o.id: self.halted.get(o.id, 0) + 1 for o in held if o.status == "halted"}
        over = [o for o in held if self.halted.get(o.id, 0) > LOOKS]
        if len(held) > len(over):
            time.sleep(LOOK)
        return [o.id for o in held if o not in over], [replace(o, status="stopped") for o in over]


def name(task: Task) -> str:
    """What a person calls a task."""
    return Job(**task.job).text if task.job else "the start weights"


def unordered(tasks: list[Task], function: Callable) -> Iterator[Any]:
    from joblib import Parallel, delayed

    run = Parallel(batch_size=1, return_as="generator_unordered", pre_dispatch="all")
    return run(delayed(function)(task) for task in tasks)
