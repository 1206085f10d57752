"""`python -m benchmark reproduce ID` (or `run_all.py --reproduce`): one job run again aside, compared with its record."""

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmark import hardware
from benchmark.commands.arguments import choose_device, chosen_gpus
from benchmark.commands.command_line import command_parser, run_command
from benchmark.commands.job_inputs import Sources, find_inputs
from benchmark.commands.named_data import data_sets, given_data, own_folders
from benchmark.launch.run import job_task
from benchmark.launch.supervise import run_in_child
from benchmark.plan.overrides import parse_sets
from benchmark.terminal import Usage
from results.compare import differing_parts, lacking_fields
from results.files import write_bytes
from results.job import Job
from results.records import NETWORK, NETWORK_INFO
from results.schema import Refused
from results.store import Store

DEFAULT_RESULTS = Path("results/runs")  # where inputs are made that the record's folder lacks
Arrays = dict[str, np.ndarray]


def main(arguments: list[str]) -> int:
    """The command line; returns the exit status."""
    parser = command_parser("reproduce", __doc__)
    parser.add_argument("id", metavar="ID", help="a record's name, 20 hexadecimal digits")
    parser.add_argument("--results", type=Path, default=DEFAULT_RESULTS, help="where the record is")
    data_help = "where a real data set lies, if it has to be read"
    parser.add_argument("--data", action="append", default=[], metavar="NAME=PATH", help=data_help)
    parser.add_argument("--set", action="append", default=[], metavar="NAME.option=value", help="an option of the data")
    parser.add_argument("--weights", type=Path, metavar="PATH", help="the start weights, where a file was given")
    parser.add_argument("--weights2", type=Path, metavar="PATH", help="those of further networks, likewise")
    parser.add_argument("--devices", metavar="cpu|cuda", help="where it is run (default: as its record was)")
    parser.add_argument("--fast", action="store_true", help="without determinism on a GPU, as in a record with --fast")
    parser.add_argument("--no-graphs", action="store_true", help="without CUDA graphs on a GPU")
    keep_help = "keep the trained network beside the record, if the bits are the same"
    parser.add_argument("--keep-weights", action="store_true", help=keep_help)
    parser.add_argument("--methods-path", action="append", default=[], metavar="DIR", help="where its method lies")
    return run_command(parser, lambda args: reproduce_job(args.id, args), arguments)


def reproduce_job(job_id: str, args: argparse.Namespace) -> int:
    """Run a job again aside and compare it with its record; 0 if they agree to the last bit.

    args: what was typed, of this command or of `run_all.py --reproduce`.
    """
    plugin_folders = own_folders(args)
    data_paths = given_data(args)
    sets = parse_sets(args.set, {}, data_sets(plugin_folders))
    typed_device = choose_device(args) if args.devices else None
    gpus = chosen_gpus(args)
    store = Store(args.results)
    try:
        record = store.read(job_id)
    except Refused as error:
        raise Usage(f"{error}") from None
    if record is None:
        raise Usage(f"there is no record {job_id} in {args.results}{retry_hint(store, job_id)}")
    device = typed_device or device_of(record)  # no other gives its bits
    slots = hardware.list_slots(gpus, 1) if device == "cuda" else []
    job = Job(**record["spec"])
    sources = Sources(
        results=args.results,
        aside=DEFAULT_RESULTS,
        data=data_paths,
        sets=sets,
        weights=args.weights and Path(args.weights),
        weights2=args.weights2 and Path(args.weights2),
        own=plugin_folders,
        slots=slots,
    )
    input_fields = find_inputs(record, sources, device)
    how = {"fast": args.fast, "graphs": not args.no_graphs, "keep_weights": args.keep_weights}
    with tempfile.TemporaryDirectory() as temporary_folder:
        new_store = Store(Path(temporary_folder))
        place = input_fields | how | {"results": temporary_folder}
        outcome = run_in_child(job_task(job, record["resolved"], place, slots))
        new_record = new_store.read(job.id)
        if outcome.status != "ok" or new_record is None:
            print(f"{job.text}: {outcome.status}: {outcome.message}")
            return 1
        status = compare_runs(record, new_record, load_arrays(store, job.id), load_arrays(new_store, job.id))
        if status == 0 and record["code"] != new_record["code"]:
            store.note_proved(job.method, record["code"], new_record["code"])
        if status == 0 and args.keep_weights:
            take_network(new_store, store, job.id)
        return status


def take_network(new_store: Store, store: Store, job_id: str) -> None:
    """Copy a trained network to the record that it belongs to."""
    for suffix in (NETWORK, NETWORK_INFO):
        write_bytes(store.path(job_id).with_suffix(suffix), new_store.path(job_id).with_suffix(suffix).read_bytes())
    print(f"kept {store.network(job_id)}")


def device_of(record: dict[str, Any]) -> str:
    """Where a record was made; raises Usage where there is no such device here."""
    device = record["provenance"].get("device", "cpu")
    if device == "cuda" and not hardware.find_gpus():
        gpu = record["provenance"].get("hardware")
        fix_hint = "--devices cpu runs it on a CPU, with other bits"
        raise Usage(f"the record was made on a GPU ({gpu}) and none can be used here; {fix_hint}")
    return device


def retry_hint(store: Store, job_id: str) -> str:
    failure = store.failure(job_id)
    return f"; it failed, and is tried again by: {failure['command']}" if failure and failure.get("command") else ""


def load_arrays(store: Store, job_id: str) -> Arrays:
    with np.load(store.path(job_id).with_suffix(".npz"), allow_pickle=False) as file:
        return dict(file)


def compare_runs(old: dict[str, Any], new: dict[str, Any], old_arrays: Arrays, new_arrays: Arrays) -> int:
    """Print what differs; 0 if everything that was recorded is the same to the last bit."""
    for name in ("last", "best", "last5"):
        before = 100 * old["metrics"][name]
        after = 100 * new["metrics"][name]
        print(f"{name:>6}: {before:.2f} recorded, {after:.2f} now, difference {after - before:+.2f}")
    shared_arrays = [name for name in old_arrays if name in new_arrays]
    differing_names = differing_parts(old, new)
    differing_names += [name for name in shared_arrays if not np.array_equal(old_arrays[name], new_arrays[name])]
    lacking_names = lacking_fields(old, new) + [name for name in old_arrays if name not in new_arrays]
    if not differing_names and not lacking_names:
        left_out = old.get("slim", {}).get("without", [])
        slim_note = f" (the record ships without {', '.join(left_out)})" if left_out else ""
        print(f"the same bits: noise, metrics, history, and the arrays {', '.join(sorted(shared_arrays))}{slim_note}")
        return 0
    if differing_names:
        print(f"different: {', '.join(differing_names)}")
    if lacking_names:
        print(f"recorded, and not measured now: {', '.join(lacking_names)}")
    for key, value in old["provenance"].items():  # what is another machine, version or setting
        if value != new["provenance"].get(key):
            print(f"  {key}: {value} recorded, {new['provenance'].get(key)} now")
    return 1
