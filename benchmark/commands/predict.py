"""`python -m benchmark predict FILE FOLDER`: what a kept network sees in pictures of your own."""

import argparse
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmark.cache.build import resize_image
from benchmark.cache.resized import resize_all
from benchmark.commands import named_data, networks
from benchmark.commands.command_line import command_parser, run_command
from benchmark.datasets.base import DataError
from benchmark.datasets.reading.pictures import decode_picture, is_picture
from benchmark.terminal import Usage, count_things, error_line, make_printable, print_note

if TYPE_CHECKING:
    from benchmark.train.kept_network import Network

AT_ONCE = 2**28  # bytes of pictures in memory
NAMED = 5  # pictures that cannot be read and are named


def main(arguments: list[str]) -> int:
    """The command line; returns the exit status."""
    parser = command_parser("predict", __doc__)
    networks.add_network_arguments(parser)
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="pictures of faces, in folders below it, too")
    named_data.add_places(parser)
    return run_command(parser, predict_folder, arguments)


def predict_folder(args: argparse.Namespace) -> int:
    """Write one row a picture; 1 where some cannot be read."""
    paths = list_pictures(args.folder)
    network = networks.open_network(args)
    print(make_printable(networks.describe_network(network)))
    names: list[str] = []
    unreadable: list[str] = []
    probability_parts = [np.zeros((0, len(network.info.classes)), np.float32)]
    stored_form = network.info.stored
    pictures_at_once = max(1, AT_ONCE // (stored_form["side"] ** 2 * stored_form["channels"]))
    for start in range(0, len(paths), pictures_at_once):
        named_pictures = list(read_pictures(paths[start : start + pictures_at_once], args.folder, network, unreadable))
        names += [name for name, _ in named_pictures]
        if named_pictures:
            pictures = resize_all(np.stack([image for _, image in named_pictures]), network.info.scale)
            probability_parts.append(network.predict(pictures))
    probabilities = np.concatenate(probability_parts)
    if len(names):
        path = args.out / f"predictions_{network.info.id[:8]}.csv"
        networks.write_predictions(path, names, probabilities, network.info.classes)
        counts = Counter(network.info.classes[number] for number in probabilities.argmax(1))
        print(
            f"{count_things(len(names), 'picture')}: {', '.join(f'{name} {n:,}' for name, n in counts.most_common())}"
        )
        print(f"wrote {path}")
    more = [f"and {len(unreadable) - NAMED:,} more"] if len(unreadable) > NAMED else []
    for line in [*unreadable[:NAMED], *more]:
        print_note(f"left out: {line}")
    return 1 if unreadable else 0


def list_pictures(folder: Path) -> list[Path]:
    """Every picture in a folder and below it, in the order of their names; raises Usage."""
    if not folder.is_dir():
        raise Usage(f"FOLDER: {folder} is not a folder; give one that holds pictures of faces")
    paths = sorted(path for path in folder.rglob("*") if is_picture(path.name) and path.is_file())
    if not paths:
        raise Usage(f"FOLDER: {folder} holds no picture (PNG, JPEG, BMP, TIFF, WebP or GIF)")
    return paths


def read_pictures(
    paths: list[Path], folder: Path, network: "Network", unreadable: list[str]
) -> Iterator[tuple[str, np.ndarray]]:
    """(name below the folder, pixels as the network's data set stores them); why one cannot be read goes to `unreadable`."""
    side = network.info.stored["side"]
    channels = network.info.stored["channels"]
    for path in paths:
        name = path.relative_to(folder).as_posix()
        try:
            yield name, resize_image(decode_picture(path.read_bytes(), channels, name), side, channels)
        except (DataError, OSError) as error:
            unreadable.append(error_line(error))
