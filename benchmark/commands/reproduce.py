"""`python -m benchmark reproduce ID` (or `run_all.py --reproduce`): one job run again aside, compared with its record."""

import argparse
import tempfile
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from benchmark import hardware
from benchmark.cache.decoded import open_folder
from benchmark.commands.arguments import chosen_cards, device
from benchmark.commands.errors import answered
from benchmark.commands.named_data import folders
from benchmark.task import Task
from benchmark.terminal import Usage
from results.compare import differing_parts, lacking_fields
from results.files import write_bytes
from results.job import Job
from results.records import NETWORK, NETWORK_INFO
from results.schema import Refused
from results.store import Store

Arrays = dict[str, np.ndarray]


def main(arguments: list[str]) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser("python -m benchmark reproduce", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("id", metavar="ID", help="a record's name, 20 hexadecimal digits")
    parser.add_argument("--results", type=Path, default=Path("results/runs"), help="where the record is")
    parser.add_argument("--weights", type=Path, metavar="PATH", help="the start weights, where a file was given")
    parser.add_argument("--weights2", type=Path, metavar="PATH", help="those of further networks, likewise")
    parser.add_argument("--devices", metavar="cpu|cuda", help="where it is run (default: as its record was)")
    parser.add_argument(
        "--fast", action="store_true", help="without determinism on a GPU, as a record made with --fast"
    )
    parser.add_argument("--no-graphs", action="store_true", help="without CUDA graphs on a GPU")
    parser.add_argument(
        "--keep-weights",
        action="store_true",
        help="keep the trained network beside the record, if the bits are the same",
    )
    parser.add_argument("--methods-path", action="append", default=[], metavar="DIR", help="where its method lies")
    args = parser.parse_args(arguments)
    return answered(
        "benchmark reproduce",
        lambda: reproduce(
            args.id,
            args.results,
            args.weights,
            device(args) if args.devices else None,
            folders(args),
            args.weights2,
            args.fast,
            chosen_cards(args),
            not args.no_graphs,
            args.keep_weights,
        ),
    )


def reproduce(
    job_id: str,
    results: Path,
    weights: Path | None,
    device: str | None,
    own: Iterable[Path] = (),
    weights2: Path | None = None,
    fast: bool = False,
    cards: Iterable[str] = (),
    graphs: bool = True,
    keep_weights: bool = False,
) -> int:
    """Run a job again aside and compare it with its record; 0 if they agree to the last bit.

    device: None for that of the record, since no other gives its bits.
    fast: give up determinism on a GPU. cards: the GPUs of which it waits for a slot, where it runs on one. graphs: whether its
    steps may be captured there. keep_weights: keep the trained network beside the record.
    """
    from benchmark.launch.supervise import supervise

    store = Store(results)
    try:
        record = store.read(job_id)
    except Refused as error:
        raise Usage(f"{error}") from None
    if record is None:
        raise Usage(f"there is no record {job_id} in {results}{repeat(store, job_id)}")
    device = device or device_of(record)
    job = Job(**record["spec"])
    place = (
        where(job, results, weights, device)
        | {"weights2": second(job, weights2)}
        | {
            "methods_path": [str(folder) for folder in own],
            "fast": fast,
            "graphs": graphs,
            "keep_weights": keep_weights,
        }
    )
    with tempfile.TemporaryDirectory() as aside:
        again = Store(Path(aside))
        task = Task(
            id=job.id,
            makes=str(again.path(job.id)),
            results=aside,
            log=str(again.log(job.id)),
            slots=hardware.list_slots(list(cards), 1) if device == "cuda" else [],
            job=asdict(job),
            resolved=record["resolved"],
            place=place | {"results": aside},
        )
        outcome = supervise(task)
        new = again.read(job.id)
        if outcome.status != "ok" or new is None:
            print(f"{job.text}: {outcome.status}: {outcome.message}")
            return 1
        status = compare(record, new, arrays(store, job.id), arrays(again, job.id))
        if status == 0 and record["code"] != new["code"]:
            store.note_proved(job.method, record["code"], new["code"])
        if status == 0 and keep_weights:
            take_network(again, store, job.id)
        return status


def take_network(again: Store, store: Store, job_id: str) -> None:
    """Copy a trained network to the record that it belongs to."""
    for suffix in (NETWORK, NETWORK_INFO):
        write_bytes(store.path(job_id).with_suffix(suffix), again.path(job_id).with_suffix(suffix).read_bytes())
    print(f"kept {store.network(job_id)}")


def device_of(record: dict[str, Any]) -> str:
    """Where a record was made; raises Usage where there is no such device here."""
    device, hardware_then = (record["provenance"].get(name) for name in ("device", "hardware"))
    if device == "cuda" and not hardware.find_gpus():
        raise Usage(
            f"the record was made on a GPU ({hardware_then}) and none can be used here; --devices cpu runs it on a CPU, "
            "with other bits"
        )
    return device or "cpu"


def repeat(store: Store, job_id: str) -> str:
    failure = store.failure(job_id)
    return f"; it failed, and is tried again by: {failure['command']}" if failure and failure.get("command") else ""


def where(job: Job, results: Path, weights: Path | None, device: str) -> dict[str, Any]:
    """The inputs of a recorded job on this machine; raises Usage where one is missing."""
    wanted = job.data["landmarks"]
    folders = sorted((results / "data").glob(f"{job.data['name']}-{job.data['fingerprint'][:12]}*"))
    opened = {folder: open_folder(folder) for folder in folders}
    data = next((f for f, d in opened.items() if wanted in (None, d.landmark_fingerprint) and not d.lacks_images), None)
    if data is None:
        raise Usage(f"the data of the job are not here; run a table with --data {job.data['name']}=PATH first")
    if job.noise["kind"].startswith("file:"):
        raise Usage("the noise is a list file, which records do not keep; run its table with --force")
    kind, _, key = job.weights.partition(":")
    if kind == "landmarks":
        weights = results / "weights" / f"{key}.pt"
    if kind != "random" and (weights is None or not weights.exists()):
        raise Usage(f"the start weights {job.weights} are not here; give them with --weights PATH")
    return {"data": str(data), "weights": str(weights) if kind != "random" else None, "device": device}


def second(job: Job, path: Path | None) -> str | None:
    """The file that the further networks of a recorded job started from; raises Usage where it is missing."""
    if job.weights2 in (None, "random"):
        return None
    if path is None or not path.exists():
        raise Usage(f"the start weights {job.weights2} are not here; give them with --weights2 PATH")
    return str(path)


def arrays(store: Store, job_id: str) -> Arrays:
    with np.load(store.path(job_id).with_suffix(".npz"), allow_pickle=False) as file:
        return dict(file)


def compare(old: dict[str, Any], new: dict[str, Any], old_arrays: Arrays, new_arrays: Arrays) -> int:
    """Print what differs; 0 if everything that was recorded is the same to the last bit."""
    for name in ("last", "best", "last5"):
        before, after = old["metrics"][name], new["metrics"][name]
        print(
            f"{name:>6}: {100 * before:.2f} recorded, {100 * after:.2f} now, difference {100 * (after - before):+.2f}"
        )
    shared = [name for name in old_arrays if name in new_arrays]
    differing = differing_parts(old, new)
    differing += [name for name in shared if not np.array_equal(old_arrays[name], new_arrays[name])]
    lacking = lacking_fields(old, new) + [name for name in old_arrays if name not in new_arrays]
    if not differing and not lacking:
        left_out = old.get("slim", {}).get("without", [])
        aside = f" (the record ships without {', '.join(left_out)})" if left_out else ""
        print(f"the same bits: noise, metrics, history, and the arrays {', '.join(sorted(shared))}{aside}")
        return 0
    if differing:
        print(f"different: {', '.join(differing)}")
    if lacking:
        print(f"recorded, and not measured now: {', '.join(lacking)}")
    print_changes(old["provenance"], new["provenance"])
    return 1


def print_changes(before: dict[str, Any], after: dict[str, Any]) -> None:
    """What is another machine, version or setting than at the time of the record."""
    for key, value in before.items():
        if value != after.get(key):
            print(f"  {key}: {value} recorded, {after.get(key)} now")
