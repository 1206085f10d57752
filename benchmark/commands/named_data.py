"""A data set as it is named on the command line, opened: one grammar for all commands."""

import argparse
import os
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from benchmark import plugins
from benchmark.cache.decoded import Data
from benchmark.cache.lookup import open_data
from benchmark.datasets.base import DataSet
from benchmark.plan.overrides import dataset_options, parse_sets
from benchmark.progress import show_decoding
from benchmark.terminal import Usage, one_of, print_note, said_once
from results.published import DATASETS

note_once = cache(print_note)


def add_data_arguments(parser: argparse.ArgumentParser, name: str | None = None) -> None:
    """The options that name one data set, the same for every command; name: the default where it may be left out."""
    parser.add_argument(
        "name",
        metavar="NAME",
        nargs="?" if name else None,
        default=name,
        help="faces, ferplus, rafdb, affectnet, folder (pictures of your own), or a data set of yours",
    )
    parser.add_argument(
        "--data", action="append", default=[], metavar="PATH", help="where the data set lies (PATH, or NAME=PATH)"
    )
    add_data_options(parser)


def add_data_options(parser: argparse.ArgumentParser) -> None:
    """The options of a data set beside its name and place."""
    parser.add_argument("--set", action="append", default=[], metavar="NAME.option=value", help="an option of the data")
    add_places(parser)


def add_places(parser: argparse.ArgumentParser) -> None:
    """Where plug-ins of one's own lie, and records and decoded data."""
    parser.add_argument(
        "--methods-path", action="append", default=[], metavar="DIR", help="methods, noises and data sets of your own"
    )
    parser.add_argument(
        "--results", type=Path, default=Path("results/runs"), help="where records and decoded data are kept"
    )


def choose_data_set(args: argparse.Namespace) -> tuple[DataSet, Path | None]:
    """The data set that was named and where it lies; raises Usage."""
    known_data_sets = data_sets(own_folders(args), [args.name])
    dataset = known_data_sets[one_of("NAME", "data set", args.name, known_data_sets)]()
    path = given_data(args).get(args.name)
    if dataset.needs_path and path is None:
        raise Usage(f"{args.name}: give --data PATH, the place where it lies")
    return dataset, path


def open_named_data(args: argparse.Namespace, quiet: bool = False) -> Data:
    """The decoded data set that was named, with what a person should know of it; raises Usage or DataError."""
    dataset, path = choose_data_set(args)
    data = open_data(dataset, path, options_of(args, dataset), args.results / "data", show_decoding)
    for line in [] if quiet else data.info["warnings"]:
        print_note(said_once(data.name, line))
    return data


def options_of(args: argparse.Namespace, dataset: DataSet) -> Any:
    """The options of the data set from `--set`; raises Usage."""
    sets = parse_sets(args.set, {}, data_sets(own_folders(args)))
    for key in sets:
        if key.split(".")[0] != args.name:
            raise Usage(f"--set {key}: only options of {args.name} matter here")
    return dataset_options(dataset, sets)


def own_folders(args: argparse.Namespace) -> tuple[Path, ...]:
    """The folders of one's own that were named; raises Usage."""
    for path in args.methods_path:
        if not Path(path).is_dir():
            raise Usage(f"--methods-path: {path} is not a folder")
    return tuple(Path(path).resolve() for path in args.methods_path)


def data_sets(plugin_folders: tuple[Path, ...], needed_names: Iterable[str] = ()) -> dict[str, type[DataSet]]:
    """Every data set by its name; raises Usage where one that is asked for cannot be imported, warns of the others."""
    broken: dict[str, str] = {}
    try:
        known_data_sets = plugins.find_data_sets(plugin_folders, broken)
    except ValueError as error:
        raise Usage(f"--methods-path: {error}") from None
    for name, why in broken.items():
        if name in needed_names:
            raise Usage(f"--methods-path: {why}")
        note_once(f"warning: data set {name} is passed over: {why}")
    return known_data_sets


def given_data(args: argparse.Namespace) -> dict[str, Path]:
    """{data set: path} from FER_DATA and --data; the latter wins. A command that names one data set takes a bare PATH."""
    found_paths: dict[str, Path] = {}
    if data_root := os.environ.get("FER_DATA"):
        found_paths = {name: Path(data_root) / name for name in DATASETS if (Path(data_root) / name).exists()}
        if not found_paths:
            raise Usage(f"FER_DATA: {data_root} holds none of {', '.join(DATASETS)}")
    typed_paths: dict[str, Path] = {}
    single_name = getattr(args, "name", None)
    for text in args.data:
        name, _, path = text.partition("=")
        if single_name and (not path or name != single_name):
            name = single_name
            path = text
        path = os.path.expanduser(path)  # a shell does not look behind '='
        if not path or not name:
            raise Usage(f"--data {text}: expected NAME=PATH, for example ferplus=/data/ferplus")
        if not os.path.exists(path):
            raise Usage(f"--data {name}: {path} does not exist; give the folder that holds the data set")
        if typed_paths.setdefault(name, Path(path)) != Path(path):
            raise Usage(f"--data: {name} is given twice, {typed_paths[name]} and {path}; give one of them")
    return found_paths | typed_paths
