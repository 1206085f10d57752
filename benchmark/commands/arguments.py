"""What was typed, checked one by one into a `Request`."""

import argparse
import os
import re
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmark import hardware
from benchmark.commands.named_data import data_sets, given_data, own_folders
from benchmark.plan import catalogue
from benchmark.plan.experiments import EXPERIMENTS, find_experiment
from benchmark.plan.overrides import parse_number, parse_sets
from benchmark.plan.request import Request
from benchmark.plan.sweeps import make_sweep
from benchmark.scale import SCALES, SUBSET_SEED, Scale
from benchmark.terminal import Usage, one_of, print_note
from results.job import number_text
from results.records import Records

MOST_DRAWS = 1024
NO_BF16 = (
    "--precision auto is fp32 here, without TF32: a GPU below compute capability 8 (T4, V100) computes no bf16, and fp16 "
    "is not offered because its accuracy was not compared with fp32's; --devices chooses the newer ones of mixed GPUs"
)
SLOW_BF16 = (
    "--precision bf16: this processor has no instructions for bf16, so training takes about ten times as long as in fp32; "
    "leave the option out unless you need the very jobs of records that were made in bf16"
)


def read_request(args: argparse.Namespace, against: Path | None = None) -> Request:
    """The arguments, checked one by one. against: the folder of others' records."""
    wanted_names = [("table", name) for name in args.table] + [("figure", name) for name in args.figure]
    if args.all:
        wanted_names = [(e.kind, e.name) for e in EXPERIMENTS if not e.optional or e.name in args.also]
    for name in args.also:
        one_of("--with", "optional table", name, [e.name for e in EXPERIMENTS if e.optional])
        if not args.all:
            raise Usage(f"--with {name}: goes with --all; without it give --table {name}")
    if not wanted_names and not args.sweep:
        raise Usage("nothing to show: give --table, --figure, --sweep or --all (python run_all.py prints them)")
    for kind, name in wanted_names:
        one_of(f"--{kind}", kind, name, [e.name for e in EXPERIMENTS if e.kind == kind])
    plugin_folders = own_folders(args)
    data_paths = given_data(args)
    dataset_names = args.datasets or list(data_paths) or (args.draw and described_data_sets(args.results)) or ["faces"]
    if ("table", "cross") in wanted_names and len(set(dataset_names)) < 2:
        fix_hint = "give two or more, as --datasets faces ferplus --data ferplus=PATH"
        raise Usage(f"--table cross: tests on other data sets, and there is only {dataset_names[0]}; {fix_hint}")
    known_data_sets = data_sets(plugin_folders, [*dataset_names, *data_paths])
    for name in [*dataset_names, *data_paths]:
        one_of("--datasets" if name in dataset_names else "--data", "data set", name, known_data_sets)
    for option, typed_path in (("--results", args.results), ("--out", args.out)):
        if any(path.exists() and not path.is_dir() for path in (typed_path, *typed_path.parents)):
            raise Usage(f"{option}: {typed_path} is, or lies below, a file; give a folder")
        if not str(typed_path) or str(typed_path) == ".":
            raise Usage(f"{option}: give a folder other than this one")
    if args.study and not args.study.is_file():
        raise Usage(f"--study: {args.study} is no file; give a CSV with the column image, and one a class")
    if args.against is not None and args.force:
        raise Usage("--against: --force runs everything again, so nothing is taken from there; leave one of them out")
    if args.against is not None and ("table", "cross") in wanted_names:
        raise Usage("--against: others' records have no networks, which --table cross tests; leave one of them out")
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
    device_kind = choose_device(args)
    has_real_data = any(known_data_sets[name].needs_path for name in dataset_names)
    usual_scale = "paper" if device_kind == "cuda" and has_real_data else "demo"
    drawn_folders = [folder for folder in (args.results, against) if args.draw and folder]
    scale = SCALES[args.scale or scale_of(drawn_folders, dataset_names, usual_scale)]
    if args.preset == "as_published" and scale.shortened:
        raise Usage(f"--preset as_published: the {scale.name} scale has one recipe for all methods; add --scale paper")
    all_methods = catalogue.read_catalogue(args.results, plugin_folders)
    swept_methods = [name for text in args.sweep if (name := text.partition(".")[0]) in all_methods]
    methods = catalogue.select_usable(all_methods, [*(args.methods or []), *swept_methods], plugin_folders)
    sets = parse_sets(args.set, methods, known_data_sets)
    gpu_uuids = tuple(chosen_gpus(args)) if device_kind == "cuda" else ()
    sweeps = [make_sweep(text, methods, each_once(args.methods), sets, scale, args.preset) for text in args.sweep]
    experiments = [find_experiment(kind, name) for kind, name in wanted_names]
    return Request(
        experiments=[*(experiment for experiment in experiments if experiment), *sweeps],
        data=data_paths,
        datasets=dataset_names,
        methods=each_once(args.methods),
        noise=each_once(args.noise),
        rates=each_once(args.rates),
        seeds=parse_seeds(args.seeds) if args.seeds else None,
        sets=sets,
        scale=scale_with_subset(scale, sets),
        preset=args.preset,
        weights=args.weights,
        weights2=args.weights2,
        precision=choose_precision(args.precision, device_kind, gpu_uuids, drawn_folders),
        device=device_kind,
        rule=args.rule,
        floor=args.floor,
        methods_path=plugin_folders,
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
        expected = f"a whole number, the seed of the draw ({SUBSET_SEED} is usual)"
        raise Usage(f"--set scale.subset={text}: expected {expected}")
    return replace(scale, subset=int(text))


def each_once(values: list[str] | None) -> list[str] | None:
    """Each value once, in their order; None for none."""
    return list(dict.fromkeys(values)) if values else None


def choose_device(args: argparse.Namespace) -> str:
    """'cpu' or 'cuda'."""
    typed_devices = args.devices
    if typed_devices and not re.fullmatch(r"cpu|cuda|cuda:\d+(,cuda:\d+)*", typed_devices):
        mps_note = "; Apple's GPUs are not supported" if typed_devices == "mps" else ""
        raise Usage(f"--devices: {typed_devices!r}; expected cpu, cuda, or cuda:0,cuda:1{mps_note}")
    if typed_devices == "cpu":
        return typed_devices
    if typed_devices and not hardware.find_gpus():
        lines = hardware.look_harder()
        if not hardware.find_gpus():
            raise Usage(f"--devices: {typed_devices}: no GPU can be used: {'; '.join(lines)}")
    for line in hardware.list_unused():
        print_note(f"run_all.py: {line}")
    return "cuda" if hardware.find_gpus() else "cpu"


def chosen_gpus(args: argparse.Namespace) -> list[str]:
    """UUIDs of the GPUs to use."""
    uuids = [uuid for uuid, _ in hardware.find_gpus()]
    gpu_numbers = [int(n) for n in re.findall(r"cuda:(\d+)", args.devices or "")]
    for n in gpu_numbers:
        if n >= len(uuids):
            raise Usage(f"--devices: there is no cuda:{n}; this machine shows {len(uuids)}")
    return [uuids[n] for n in gpu_numbers] or uuids


def parse_workers(text: str) -> str:
    """A number of jobs, or 'auto'; argparse says why one is refused."""
    if text != "auto" and not re.fullmatch(r"[1-9][0-9]{0,3}", text):
        raise argparse.ArgumentTypeError(f"{text!r}; expected a positive number or auto")
    return text


def choose_precision(
    text: str, device_kind: str, gpu_uuids: tuple[str, ...] = (), drawn_folders: Sequence[Path] = ()
) -> str:
    """fp32 or bf16; what a machine without bf16 does is said. drawn_folders: of what is only drawn."""
    has_bf16 = hardware.has_bf16(device_kind, gpu_uuids)
    if text == "auto" and drawn_folders:
        return recorded_choice(drawn_folders, lambda spec: spec["precision"], "bf16" if has_bf16 else "fp32")
    if text == "auto":
        if device_kind == "cuda" and not has_bf16:
            print_note(f"run_all.py: {NO_BF16}")
        return "bf16" if has_bf16 else "fp32"
    if text == "bf16" and device_kind == "cpu" and not has_bf16 and not drawn_folders:
        print_note(f"run_all.py: {SLOW_BF16}")
    return text


def scale_of(folders: Sequence[Path], datasets: Collection[str], usual_scale: str) -> str:
    """The scale of what is drawn."""

    def read_scale(spec: dict[str, Any]) -> str | None:
        name: str = spec["scale"]["name"]
        return name if spec["data"]["name"] in datasets and name in SCALES else None

    return recorded_choice(folders, read_scale, usual_scale)


def recorded_choice(folders: Sequence[Path], read_choice: Callable[[dict[str, Any]], str | None], usual: str) -> str:
    """What most records of the first folder with records have.

    Where they were trained here (the folder has pictures) it is what training takes on this machine, if any record is of that.
    """
    for folder in folders:
        trained_elsewhere = bool(described_data_sets(folder))
        choice_counts = Counter[str]()
        for record in Records(folder).records():
            choice = read_choice(record["spec"])
            if choice == usual and not trained_elsewhere:
                return usual  # the others need not be read
            if choice is not None:
                choice_counts[choice] += 1
        if choice_counts:
            return choice_counts.most_common(1)[0][0]
    return usual


def described_data_sets(results: Path) -> list[str]:
    """Data sets of which a results folder holds everything but the pictures, faces first, which may have theirs."""
    data_folders = [path.parent for path in (results / "data").glob("*/card.json")]
    described_folders = [path for path in data_folders if not (path / "train_images.npy").exists()]
    names = {path.name.rpartition("-")[0] for path in described_folders}
    if names and any(path.name.startswith("faces-") for path in data_folders):
        names.add("faces")
    return sorted(names, key=lambda name: (name != "faces", name))


def parse_rate(text: str) -> str:
    """A share of wrong labels as jobs name it; argparse says why one is refused."""
    return number_text(parse_share(text))


def parse_share(text: str) -> float:
    """A share of wrong labels; argparse says why one is refused."""
    value = parse_decimal(text, "a share from 0 to 1, its decimals behind a point as in 0.3 (30 %)")
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not in 0..1 (0.1 is 10 %)")
    return value + 0.0  # no -0


def parse_decimal(text: str, expected: str = "one number, its decimals behind a point as in 0.5") -> float:
    """A number of an option, read whole; argparse says why one is refused."""
    try:
        return parse_number(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: expected {expected}") from None


def parse_seeds(texts: list[str]) -> list[int]:
    """[0, 1, 2] from '0 1 2' or '0-2'."""
    seed_list: list[int] = []
    for text in texts:
        matched = re.fullmatch(r"(\d{1,9})(?:-(\d{1,9}))?", text)
        if not matched:
            raise Usage(f"--seeds: {text!r}; expected values such as 0 1 2, or a range such as 0-4")
        first_seed = int(matched[1])
        last_seed = int(matched[2] or matched[1])
        if not first_seed <= last_seed < first_seed + 1000:
            raise Usage(f"--seeds: {text} is no range of at most 1,000 seeds")
        seed_list += range(first_seed, last_seed + 1)
    return list(dict.fromkeys(seed_list))


def parse_shard(text: str | None) -> tuple[int, int]:
    """The part (I, N) of the jobs that was asked for; raises Usage."""
    if text is None:
        return 0, 1
    if text == "slurm":
        return slurm_part()
    matched = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text)
    if not matched or int(matched[1]) >= int(matched[2]):
        expected = "I/N with I from 0 to N-1, or slurm in a task of a SLURM array (any --array)"
        raise Usage(f"--shard: {text!r}; expected {expected}")
    return int(matched[1]), int(matched[2])


def slurm_part() -> tuple[int, int]:
    """The part of this task among those of its SLURM array, whatever the array's first number and step; raises Usage.

    In an array with holes two tasks can have one part. That is harmless: a part only says with which jobs a task begins.
    """
    fields = ("ID", "MIN", "STEP", "COUNT")
    try:
        task_number, first_task, step, task_count = (int(os.environ[f"SLURM_ARRAY_TASK_{name}"]) for name in fields)
        return (task_number - first_task) // step % task_count, task_count
    except (KeyError, ValueError, ZeroDivisionError):
        raise Usage("--shard slurm: this is no task of a SLURM array; submit it with sbatch --array=0-15") from None
