"""What `evaluate` and `predict` share: the network that was named, its options, its line, a CSV of its predictions."""

import argparse
import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmark import hardware
from benchmark.commands.arguments import choose_device, chosen_gpus
from benchmark.commands.named_data import own_folders
from benchmark.launch.locks import take_slot
from benchmark.launch.preflight import check_writable
from benchmark.terminal import Usage, print_note
from results.files import write_bytes
from results.schema import ID
from results.store import Store

if TYPE_CHECKING:
    from benchmark.train.kept_network import Network

RUN_AGAIN = "python -m benchmark reproduce {id} --results {results} --keep-weights"


def add_network_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that name a network and say where it runs; those of the data are added by each command."""
    parser.add_argument("network", metavar="RECORD|FILE", help="a record's id, or the .safetensors file of a network")
    parser.add_argument("--devices", metavar="cpu|cuda", help="where it runs (default: as it was trained, if it can)")
    parser.add_argument("--out", type=Path, default=Path("reports/out"), metavar="DIR", help="where the CSV goes")


def open_network(args: argparse.Namespace) -> "Network":
    """The network that was named, with what a person should know of it; raises Usage."""
    from benchmark.train.kept_network import load_network, read_info

    check_writable("--out", args.out)
    path = find_network(args.network, args.results)
    typed_device = choose_device(args) if args.devices else None
    info = read_info(path)
    device_kind = typed_device or ("cuda" if info.device == "cuda" and hardware.find_gpus() else "cpu")
    if device_kind == "cuda":
        take_slot(hardware.list_slots(chosen_gpus(args), 1), whole_gpu=False)  # until this process ends
    network = load_network(path, own_folders(args), device_kind)
    for line in network.notes:
        print_note(f"note: {line}")
    return network


def find_network(typed_network: str, results: Path) -> Path:
    """The file of tensors of a record or a file; raises Usage with the command that makes one."""
    from benchmark.train.kept_network import network_file

    path = Path(typed_network).expanduser()
    if ID.fullmatch(typed_network) and not path.exists():
        store = Store(results)
        if not store.path(typed_network).exists():
            raise Usage(f"there is no record {typed_network} in {results}; give its folder as --results")
        path = store.path(typed_network)
    elif not path.is_file():
        raise Usage(f"{typed_network}: is neither a record's id (20 hexadecimal digits) nor a file")
    elif path.suffix not in (".safetensors", ".json"):
        raise Usage(f"{typed_network}: expected a .safetensors file that --keep-weights kept; other files are not read")
    tensor_file = network_file(path)
    if not tensor_file.is_file():
        command = RUN_AGAIN.format(id=tensor_file.stem, results=tensor_file.parent.parent)
        raise Usage(f"{tensor_file.stem}: its network was not kept; this trains it again and keeps it: {command}")
    return tensor_file


def describe_network(network: "Network") -> str:
    """Baseline (record 0123456789abcdef0123), trained on faces, asymmetric noise 0.3, seed 0"""
    spec = network.info.spec
    rate = "" if spec["noise"].get("rate") is None else f" {spec['noise']['rate']}"
    noise = "without added noise" if spec["noise"]["kind"] == "none" else f"{spec['noise']['kind']} noise{rate}"
    title = type(network.method).title
    return f"{title} (record {network.info.id}), trained on {spec['data']['name']}, {noise}, seed {spec['seed']}"


def write_predictions(
    path: Path,
    names: Sequence[str] | np.ndarray,
    probabilities: np.ndarray,
    classes: Sequence[str],
    labels: Sequence[str] | None = None,
) -> None:
    """One row an image: name, label where it is known, class, and the probability of each class."""
    predicted_classes = [classes[number] for number in probabilities.argmax(1)]
    text_columns = {"name": names, "class": predicted_classes}
    if labels is not None:
        text_columns = {"name": names, "label": labels, "class": predicted_classes}
    text = io.StringIO()  # pandas refuses names that are no UTF-8
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*text_columns, *(f"p_{name}" for name in classes)])
    for *text_fields, row in zip(*text_columns.values(), probabilities.tolist(), strict=True):
        writer.writerow([*text_fields, *(f"{value:.6f}" for value in row)])
    write_bytes(path, text.getvalue().encode("utf-8", "surrogateescape"))
