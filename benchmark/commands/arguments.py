"""What was typed, checked one by one into a `Request`."""

import argparse
import os
import re
import sys
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from benchmark import hardware
from benchmark.commands.named_data import data_sets, given_data, own_folders
from benchmark.plan import catalogue
from benchmark.plan.experiments import EXPERIMENTS, find_experiment
from benchmark.plan.overrides import parse_sets
from benchmark.plan.request import Request
from benchmark.plan.sweeps import make_sweep
from benchmark.scale import SCALES, SUBSET_SEED, Scale
from benchmark.terminal import Usage, make_printable, one_of
from results.job import number_text
from results.records import Records

MOST_DRAWS = 1024
NO_BF16 = (
    "--precision auto is fp32 here, without TF32: a GPU below compute capability 8 (T4, V100) computes no bf16, and fp16 "
    "is not offered because its accuracy was not compared with fp32's; --devices chooses the newer ones of mixed GPUs"
)


def read_request(args: argparse.Namespace, against: Path | None = None) -> Request:
    """The arguments, checked one by one. against: the folder of others' records."""
    names = [("table", name) for name in args.table] + [("figure", name) for name in args.figure]
    if args.all:
        names = [(e.kind, e.name) for e in EXPERIMENTS if not e.optional or e.name in args.also]
    for name in args.also:
        one_of("--with", "optional table", name, [e.name for e in EXPERIMENTS if e.optional])
        if not args.all:
            raise Usage(f"--with {name}: goes with --all; without it give --table {name}")
    if not names and not args.sweep:
        raise Usage("nothing to show: give --table, --figure, --sweep or --all (python run_all.py prints them)")
    for kind, name in names:
        one_of(f"--{kind}", kind, name, [e.name for e in EXPERIMENTS if e.kind == kind])
    own = own_folders(args)
    data = given_data(args)
    asked = args.datasets or list(data) or (args.draw and described_data_sets(args.results)) or ["faces"]
    if ("table", "cross") in names and len(set(asked)) < 2:
        raise Usage(
            f"--table cross: trains on one data set and tests on another, and there is only {asked[0]}; give two or more, as "
            "--datasets faces ferplus --data ferplus=PATH"
        )
    known = data_sets(own, [*asked, *data])
    for name in [*asked, *data]:
        one_of("--datasets" if name in asked else "--data", "data set", name, known)
    for option, place in (("--results", args.results), ("--out", args.out)):
        if any(path.exists() and not path.is_dir() for path in (place, *place.parents)):
            raise Usage(f"{option}: {place} is, or lies below, a file; give a folder")
        if not str(place) or str(place) == ".":
            raise Usage(f"{option}: give a folder other than this one")
    if args.against is not None and args.force:
        raise Usage("--against: --force runs everything again, so nothing is taken from there; leave one of them out")
    if args.against is not None and ("table", "cross") in names:
        raise Usage(
            "--against: records of others come without networks, which --table cross tests; leave one of them out"
        )
    if not 1 <= args.per_gpu <= 64:
        raise Usage(f"--per-gpu: {args.per_gpu}; expected a number of jobs, 1 to 64")
    if not 1 <= args.draws <= MOST_DRAWS:
        raise Usage(f"--draws: {args.draws}; expected a number of settings, 1 to {MOST_DRAWS:,}")
    if args.limit is not None and not 0 < args.limit <= 1e7:
        raise Usage(f"--limit: {args.limit:g}; expected seconds, more than 0 and at most 1e7")
    if not 0 <= args.decimals <= 6:
        raise Usage(f"--decimals: {args.decimals}; expected a number of decimals, 0 to 6")
    if args.column_width is not None and not 2 <= args.column_width <= 12:
        raise Usage(f"--column-width: {args.column_width:g}; expected inches, 2 to 12 (a column of a paper has 3.3)")
    where = choose_device(args)
    real = any(known[name].needs_path for name in asked)
    usual = "paper" if where == "cuda" and real else "demo"
    drawn = [folder for folder in (args.results, against) if args.draw and folder]
    scale = SCALES[args.scale or scale_of(drawn, asked, usual)]
    if args.preset == "as_published" and scale.shortened:
        raise Usage(f"--preset as_published: the {scale.name} scale has one recipe for all methods; add --scale paper")
    every = catalogue.read_catalogue(args.results, own)
    swept = [name for name in (text.partition(".")[0] for text in args.sweep) if name in every]
    methods = catalogue.select_usable(every, [*(args.methods or []), *swept], own)
    sets = parse_sets(args.set, methods, known)
    cards = tuple(chosen_cards(args)) if where == "cuda" else ()
    sweeps = [make_sweep(text, methods, each_once(args.methods), sets, scale, args.preset) for text in args.sweep]
    return Request(
        experiments=[found for kind, name in names if (found := find_experiment(kind, name))] + sweeps,
        data=data,
        datasets=asked,
        methods=each_once(args.methods),
        noise=each_once(args.noise),
        rates=each_once([parse_rate(text) for text in args.rates or ()]),
        seeds=parse_seeds(args.seeds) if args.seeds else None,
        sets=sets,
        scale=scale_with_subset(scale, sets),
        preset=args.preset,
        weights=args.weights,
        weights2=args.weights2,
        precision=choose_precision(args.precision, where, cards, drawn),
        device=where,
        rule=args.rule,
        floor=args.floor,
        methods_path=own,
        draw=args.draw,
        results=args.results,
        cards=methods,
        against=against,
        fast=args.fast,
        graphs=not args.no_graphs,
        per_gpu=args.per_gpu,
        draws=args.draws,
        tune_learning_rate=args.tune == "all",
        published_settings=args.settings == "published",
        keep_weights=args.keep_weights and not args.draw,
    )


def scale_with_subset(scale: Scale, sets: dict[str, str]) -> Scale:
    """The scale with the training images that `--set scale.subset=N` names; raises Usage."""
    text = sets.get("scale.subset")
    if text is None:
        return scale
    if scale.train_images is None:
        raise Usage(f"--set scale.subset={text}: the {scale.name} scale trains on all images; leave it out")
    if not re.fullmatch(r"\d{1,6}", text):
        raise Usage(
            f"--set scale.subset={text}: expected a whole number, the seed of the draw ({SUBSET_SEED} is usual)"
        )
    return replace(scale, subset=int(text))


def each_once(values: list[str] | None) -> list[str] | None:
    """Each value once, in their order; None for none."""
    return list(dict.fromkeys(values)) if values else None


def choose_device(args: argparse.Namespace) -> str:
    """'cpu' or 'cuda'."""
    typed = args.devices
    if typed and not re.fullmatch(r"cpu|cuda|cuda:\d+(,cuda:\d+)*", typed):
        why = "; Apple's GPUs are not supported" if typed == "mps" else ""
        raise Usage(f"--devices: {typed!r}; expected cpu, cuda, or cuda:0,cuda:1{why}")
    if typed == "cpu":
        return typed
    if not hardware.find_gpus():
        lines = hardware.list_unused() or (hardware.look_harder() if typed else [])
        if typed and not hardware.find_gpus():
            raise Usage(f"--devices: {typed}: no GPU can be used: {'; '.join(lines)}")
    for line in hardware.list_unused():
        print(f"run_all.py: {make_printable(line)}", file=sys.stderr)
    return "cuda" if hardware.find_gpus() else "cpu"


def chosen_cards(args: argparse.Namespace) -> list[str]:
    """UUIDs of the GPUs to use."""
    uuids = [uuid for uuid, _ in hardware.find_gpus()]
    wanted = [int(n) for n in re.findall(r"cuda:(\d+)", args.devices or "")]
    for n in wanted:
        if n >= len(uuids):
            raise Usage(f"--devices: there is no cuda:{n}; this machine shows {len(uuids)}")
    return [uuids[n] for n in wanted] or uuids


def check_workers(text: str) -> str:
    if text != "auto" and not re.fullmatch(r"[1-9][0-9]{0,3}", text):
        raise Usage(f"--workers: {text!r}; expected a positive number or auto")
    return text


def choose_precision(text: str, where: str, cards: tuple[str, ...] = (), drawn: Sequence[Path] = ()) -> str:
    """fp32 or bf16; what `auto` comes to on a GPU without bf16 is said. drawn: where only records are drawn, their folders."""
    if text != "auto":
        return text
    here = "bf16" if hardware.has_bf16(where, cards) else "fp32"
    for folder in drawn:
        if found := {record["spec"]["precision"] for record in islice(Records(folder).records(), 100)}:
            return here if here in found or len(found) != 1 else found.pop()
    if where == "cuda" and here == "fp32":
        print(f"run_all.py: {NO_BF16}", file=sys.stderr)
    return here


def scale_of(folders: Sequence[Path], datasets: Collection[str], usual: str) -> str:
    """The scale of what is drawn: of the first folder with records of these data sets, that of most of them.

    Where they were trained here (the folder has pictures) it is what training takes on this machine, if any record is of that.
    """
    for folder in folders:
        elsewhere, found = bool(described_data_sets(folder)), Counter[str]()
        for spec in (record["spec"] for record in Records(folder).records()):
            name = spec["scale"]["name"]
            if spec["data"]["name"] in datasets and name in SCALES:
                if name == usual and not elsewhere:
                    return usual  # the others need not be read
                found[name] += 1
        if found:
            return found.most_common(1)[0][0]
    return usual


def described_data_sets(results: Path) -> list[str]:
    """Data sets of which a results folder holds everything but the pictures, faces first, which may have theirs."""
    folders = [path.parent for path in (results / "data").glob("*/card.json")]
    names = {path.name.rpartition("-")[0] for path in folders if not (path / "train_images.npy").exists()}
    drawn = [path for path in folders if names and path.name.startswith("faces-")]
    return ["faces"] * bool(drawn) + sorted(names - {"faces"})


def parse_rate(text: str) -> str:
    try:
        value = float(text)
    except ValueError:
        raise Usage(f"--rates: {text!r}: expected numbers, each with its decimals behind a point, as 0.1 0.3") from None
    if not 0 <= value <= 1:
        raise Usage(f"--rates: {text} is not in 0..1 (0.1 is 10 %)")
    return number_text(value + 0.0)  # no -0


def parse_decimal(text: str) -> float:
    """A number of an option, read whole; argparse says why one is refused."""
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r}: expected one number, its decimals behind a point as in 0.5"
        ) from None


def parse_seeds(texts: list[str]) -> list[int]:
    """[0, 1, 2] from '0 1 2' or '0-2'."""
    found: list[int] = []
    for text in texts:
        matched = re.fullmatch(r"(\d{1,9})(?:-(\d{1,9}))?", text)
        if not matched:
            raise Usage(f"--seeds: {text!r}; expected values such as 0 1 2, or a range such as 0-4")
        first, last = int(matched[1]), int(matched[2] or matched[1])
        if not first <= last < first + 1000:
            raise Usage(f"--seeds: {text} is no range of at most 1,000 seeds")
        found += range(first, last + 1)
    return list(dict.fromkeys(found))


def parse_shard(text: str | None) -> tuple[int, int]:
    """The part (I, N) of the jobs that was asked for; raises Usage."""
    if text is None:
        return 0, 1
    if text == "slurm":
        return slurm_part()
    matched = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text)
    if not matched or int(matched[1]) >= int(matched[2]):
        raise Usage(
            f"--shard: {text!r}; expected I/N with I from 0 to N-1, or slurm in a task of a SLURM array (any --array)"
        )
    return int(matched[1]), int(matched[2])


def slurm_part() -> tuple[int, int]:
    """The part of this task among those of its SLURM array, whatever the array's first number and step; raises Usage.

    In an array with holes two tasks can have one part. That is harmless: a part only says with which jobs a task begins.
    """
    fields = ("ID", "MIN", "STEP", "COUNT")
    try:
        task, first, step, count = (int(os.environ[f"SLURM_ARRAY_TASK_{name}"]) for name in fields)
        return (task - first) // step % count, count
    except (KeyError, ValueError, ZeroDivisionError):
        raise Usage("--shard slurm: this is no task of a SLURM array; submit it with sbatch --array=0-15") from None
