"""`--table cross`: the kept networks of a plan, tested on the data sets that they were not trained on."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.cache.decoded import Data
from benchmark.launch.locks import take_slot
from benchmark.plan.matrix import Plan, Planned, PlannedCell
from benchmark.terminal import Usage, count_things, print_note
from results.crossed import Crossed, crossed_path, read_crossed, write_crossed
from results.store import Store

if TYPE_CHECKING:
    from benchmark.train.kept_network import Network

TABLE = ("table", "cross")


def evaluate_networks(plan: Plan, store: Store, slots: Sequence[Sequence[str]] = ()) -> None:
    """Test every network of the table on every other data set, unless that was done; what cannot be tested is said.

    slots: [GPU, lock file] of each place on a GPU, where it runs on one.
    """
    waiting_runs = list_waiting(plan, store)
    if not waiting_runs:
        return
    from benchmark.train.kept_network import load_network

    held_locks = take_slot(slots, whole_gpu=False)
    networks_text = count_things(
        len(waiting_runs), "network on data sets that it was", "networks on data sets that they were"
    )
    print_note(f"testing {networks_text} not trained on")
    for run, other_sets in waiting_runs:
        try:
            network = load_network(store.network(run.job.id), plan.request.methods_path, plan.request.device)
            for data in other_sets:
                path = crossed_path(store.root, run.job.id, data.name, data.fingerprint)
                write_crossed(path, test_network(network, data))
        except Usage as error:
            print_note(f"missing: {run.job.text}: {error}")
    for lock in held_locks:
        os.close(lock)


def list_waiting(plan: Plan, store: Store) -> list[tuple[Planned, list[Data]]]:
    """The runs whose network is there, each with the data sets that it has to be tested on."""
    waiting_runs: dict[str, tuple[Planned, list[Data]]] = {}
    for cell in plan.cells.get(TABLE, ()):
        for run in cell.runs:
            if run.is_done(store):
                untested_sets = [data for data in other_data(cell, plan) if not is_tested(run, data, store)]
                if untested_sets:
                    waiting_runs[run.job.id] = (run, untested_sets)
    return list(waiting_runs.values())


def other_data(cell: PlannedCell, plan: Plan) -> Iterator[Data]:
    """The data sets that a cell was not trained on."""
    return (data for name, data in plan.data.items() if name != cell.dataset)


def is_tested(run: Planned, data: Data, store: Store) -> bool:
    """Whether what is there came from the network that is kept now, and is all that is kept of one."""
    from benchmark.train.kept_network import read_info

    path = crossed_path(store.root, run.job.id, data.name, data.fingerprint)
    try:
        crossed = read_crossed(path, run.job.id)
        if crossed is None or crossed.worst_class is None:
            return False
        return crossed.network == read_info(store.network(run.job.id)).sha256
    except (ValueError, Usage):
        return False


def test_network(network: "Network", data: Data) -> Crossed:
    """One network on the test images of one data set."""
    from benchmark.train.network_evaluation import evaluate_network

    evaluation = evaluate_network(network, data)
    return Crossed(
        id=network.info.id,
        network=network.info.sha256,
        data=data.name,
        fingerprint=data.fingerprint,
        title=data.title,
        images=len(evaluation.labels),
        accuracy=evaluation.accuracy,
        balanced_accuracy=float(evaluation.measures["balanced_accuracy"]),
        macro_f1=float(evaluation.measures["macro_f1"]),
        left_out=evaluation.left_out,
        unused=list(evaluation.unused),
        worst_class=min(share for share in evaluation.measures["per_class"] if share is not None),
    )


def tested_files(cell: PlannedCell, plan: Plan, root: Path) -> dict[str, dict[str, Path]]:
    """{data set: {run: the file of its numbers there}}"""
    return {
        data.name: {run.job.id: crossed_path(root, run.job.id, data.name, data.fingerprint) for run in cell.runs}
        for data in other_data(cell, plan)
    }
