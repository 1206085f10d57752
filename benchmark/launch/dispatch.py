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

A change of any method's file makes a job new in this respect, and so does `--retry-failed`.
"""

import atexit
import hashlib
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmark import find
from benchmark.launch.children import CHILDREN
from benchmark.launch.supervise import supervise
from benchmark.task import Outcome

atexit.register(CHILDREN.close)


def dispatch(
    requests: list[dict[str, Any]], workers: int, limit: float | None, cluster: str | None
) -> Iterator[Outcome]:
    """Run tasks, at most `workers` at once, in the given order; yields outcomes as they come.

    Tasks that another launcher has in flight come last, when it may have finished them.
    """
    from joblib import parallel_config

    CHILDREN.open()
    shared = {"launch": uuid.uuid4().hex, "limit": limit}
    by_id = {request["id"]: shared | {"code": code_hash(request)} | request for request in requests}
    settings, function, receive = {"backend": "threading", "n_jobs": workers}, supervise, None
    if cluster:
        from benchmark.launch.cluster import connect, receive, supervise_there

        settings, function = connect(cluster), supervise_there
    try:
        todo, wait = list(by_id), False
        while todo:
            busy = []
            with parallel_config(**settings):
                for answer in unordered([by_id[i] for i in todo], function, limit, wait):
                    outcome = receive(answer, by_id) if receive else answer
                    if outcome.status == "busy":
                        busy.append(outcome.id)
                    else:
                        yield outcome
            todo, wait = busy, True
    except BaseException:  # Ctrl-C, or nobody wants the rest
        CHILDREN.close()
        raise


def unordered(requests: list[dict[str, Any]], function: Callable, limit: float | None, wait: bool) -> Iterator[Any]:
    from joblib import Parallel, delayed

    run = Parallel(batch_size=1, return_as="generator_unordered", pre_dispatch="all")
    return run(delayed(function)(request, limit, wait) for request in requests)


def code_hash(request: dict[str, Any]) -> str:
    """The hash of all methods' files as this task sees them; a failure is worth another try when it has changed."""
    text = hashlib.sha256()
    for path in find.files([Path(folder) for folder in request.get("place", {}).get("methods_path", ())]):
        text.update(path.name.encode() + b"\0" + path.read_bytes())
    return text.hexdigest()[:20]
