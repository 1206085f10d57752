"""`python -m benchmark noise-list NAME --kind KIND --rate RATE --seed SEED`: a noise as a list that other programs read."""

import argparse
import csv
import json
import math
import shlex
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from benchmark import plugins
from benchmark.cache.data_card import mean_vote_shares
from benchmark.cache.decoded import Data
from benchmark.commands.arguments import parse_share
from benchmark.commands.command_line import command_parser, run_command
from benchmark.commands.named_data import add_data_arguments, given_data, open_named_data, own_folders
from benchmark.terminal import Usage, print_note
from noise.asymmetric import asymmetric_noise
from noise.expressions import ORDERS
from noise.statistics import realised_rates, transition_matrix
from results.files import write_bytes
from results.job import json_digest
from results.schema import Refused
from results.store import Store


def main(arguments: list[str]) -> int:
    """The command line; returns the exit status."""
    p = command_parser("noise-list", __doc__)
    add_data_arguments(p)
    kind_help = "symmetric, asymmetric, votes, fer2013, instance, scn, or one of yours"
    p.add_argument("--kind", default="asymmetric", help=kind_help)
    p.add_argument("--rate", type=parse_share, default=0.3)
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--from-confusion", metavar="FILE.csv|RECORD_ID|votes", help="asymmetric towards what is confused")
    order_help = "write numbers in the order of this data set, not class names"
    p.add_argument("--order", choices=sorted(ORDERS), help=order_help)
    p.add_argument("--out", type=Path, metavar="FILE", help="default reports/out/noise_<...>.txt")
    return run_command(p, show_noise_list, arguments)


def show_noise_list(args: argparse.Namespace) -> int:
    path = write_noise_list(args)
    facts = json.loads(path.with_suffix(".json").read_text())
    print(f"wrote {path} and {path.with_suffix('.json').name}: {facts['rate']:.4f} of {facts['images']:,} labels wrong")
    data_paths = [f"{name}={data_path}" for name, data_path in given_data(args).items() if name == args.name]
    command_words = ["python", "run_all.py", "--table", "1", "--datasets", args.name]
    for option, values in {"--data": data_paths, "--set": args.set, "--methods-path": args.methods_path}.items():
        command_words += [word for value in values for word in (option, value)]
    needs_order = args.order and not args.name == args.order == "rafdb"
    noise_argument = f"file:{path}?order={args.order}" if needs_order else f"file:{path}"
    print(f"use it: {shlex.join([*command_words, '--noise', noise_argument])}")
    return 0


def write_noise_list(args: argparse.Namespace) -> Path:
    """Write the list and the facts beside it; returns the list's path."""
    if args.seed < 0:
        raise Usage(f"--seed {args.seed}: expected 0 or more")
    if args.from_confusion and "--kind" in args.given:
        raise Usage("--kind: --from-confusion makes asymmetric noise; leave one of them out")
    if args.out and args.out.is_dir():
        raise Usage(f"--out {args.out}: a folder; give the file that the list goes into")
    if args.out and args.out.suffix == ".json":
        raise Usage(f"--out {args.out}: the facts are written beside it as .json; name the list otherwise")
    rated = bool(args.from_confusion) or plugins.make_noise(args.kind, own_folders(args)).rated
    data = open_named_data(args)
    if args.from_confusion:
        kind = "asymmetric"
        target = confused_targets(args.from_confusion, data, args.results)
        labels = asymmetric_noise(data.train.labels, target, args.rate, Random(args.seed))
        class_map = {name: data.classes[target[c]] for c, name in enumerate(data.classes)}
    else:
        kind = args.kind
        class_map = None
        labels = labels_with_noise(data, args.kind, args.rate, args.seed, own_folders(args))
    rate = args.rate if rated else None
    if rate is None and "--rate" in args.given:
        print_note(f"--rate: {kind} takes no rate; it changes nothing here")
    source = f"_from_{Path(args.from_confusion).stem}" if args.from_confusion else ""
    rate_text = "" if rate is None else f"_{rate:g}"
    list_name = f"noise_{data.name}-{data.fingerprint[:8]}_{kind}{source}{rate_text}_seed{args.seed}.txt"
    path = args.out or Path("reports/out") / list_name.replace("/", "_")
    list_bytes = "".join(format_list_lines(data, labels, args.order)).encode("utf-8", "surrogateescape")
    if path.exists() and not path.with_suffix(".json").exists() and path.read_bytes() != list_bytes:
        raise Usage(f"--out {path}: is there already and was not written by this command; give another name")
    write_bytes(path, list_bytes)
    clean = np.asarray(data.train.labels)
    facts = {
        "data": data.name,
        "fingerprint": data.fingerprint,
        "kind": kind,
        "nominal": rate,
        "seed": args.seed,
        "map": class_map,
        "images": len(labels),
        **realised_rates(clean, labels, len(data.classes)),
        "classes": list(data.classes),
        "transitions": transition_matrix(clean, labels, len(data.classes)).round(6).tolist(),
        "hash": json_digest(labels.tolist()),
    }
    path.with_suffix(".json").write_text(json.dumps(facts, indent=1))
    return path


def labels_with_noise(
    data: Data, kind: str, rate: float, seed: int, plugin_folders: tuple[Path, ...] = ()
) -> np.ndarray:
    """[n] int64 labels of all training images, as a run at paper scale gets them."""
    noise = plugins.make_noise(kind, plugin_folders)
    return noise.labels(data.noise_input(noise), rate if noise.rated else 0.0, seed)


def format_list_lines(data: Data, labels: np.ndarray, order: str | None = None) -> list[str]:
    """'name label' lines: class names, or numbers in a named order; for RAF-DB 1..7 in its own, as published.

    A tab parts the two where a name holds a space.
    """
    names = [str(name) for name in data.train.names]
    separator = "\t" if any(len(name.split()) != 1 for name in names) else " "
    if order is None and data.name == "rafdb" and (labels == data.classes.index(ORDERS["rafdb"][-1])).any():
        order = "rafdb"
    label_texts = list(data.classes)
    if order:
        absent_classes = [name for name in data.classes if name not in ORDERS[order]]
        if absent_classes:
            raise Usage(f"--order {order}: has no number for {absent_classes[0]}; leave it out to write class names")
        label_texts = [str(ORDERS[order].index(name) + (order == "rafdb")) for name in data.classes]
    return [f"{name}{separator}{label_texts[label]}\n" for name, label in zip(names, labels)]


def confused_targets(source: str, data: Data, results: Path) -> np.ndarray:
    """[C] int64: the other class that each class is most often confused with."""
    if source == "votes":
        if data.train.votes is None:
            raise Usage(f"--from-confusion votes: {data.name} has no votes of people")
        matrix = np.array(mean_vote_shares(data.train, len(data.classes)))
    elif Path(source).suffix == ".csv":
        matrix = from_csv(Path(source), data.classes)
    else:
        matrix = from_record(source, data, results)
    matrix = matrix.astype(float)
    np.fill_diagonal(matrix, -math.inf)
    never_confused = [name for c, name in enumerate(data.classes) if not matrix[c].max() > 0]
    if never_confused:
        raise Usage(f"--from-confusion {source}: {never_confused[0]} is never confused with another class")
    return matrix.argmax(1)


def from_csv(path: Path, classes: tuple[str, ...]) -> np.ndarray:
    """A confusion matrix with class names in its first line and first column; rows are the true classes."""
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            lines = [[cell.strip() for cell in line] for line in csv.reader(file) if line]
        names = [cell.lower() for cell in lines[0][1:]]
        counts_by_class = {line[0].lower(): dict(zip(names, map(float, line[1:]), strict=True)) for line in lines[1:]}
        return np.array([[counts_by_class[one][other] for other in classes] for one in classes])
    except (OSError, UnicodeDecodeError, ValueError, IndexError) as error:
        raise Usage(f"--from-confusion {path}: not a table of numbers with class names around it ({error})") from None
    except KeyError as error:
        raise Usage(f"--from-confusion {path}: no row or column for the class {error}") from None


def from_record(job_id: str, data: Data, results: Path) -> np.ndarray:
    """The confusion matrix of a finished run on the same classes."""
    try:
        record: dict[str, Any] | None = Store(results).read(job_id)
    except Refused as error:
        raise Usage(f"--from-confusion {job_id}: {error}") from None
    if record is None:
        fix_hint = "give its whole id, or a file that ends in .csv"
        raise Usage(f"--from-confusion {job_id}: no such record in {results}; {fix_hint}")
    names = record["resolved"]["data"]["class_names"]
    if set(names) != set(data.classes):
        raise Usage(f"--from-confusion {job_id}: its classes are {', '.join(names)}")
    order = [names.index(name) for name in data.classes]
    return np.array(record["metrics"]["confusion"])[np.ix_(order, order)]
