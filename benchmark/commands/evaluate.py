"""`python -m benchmark evaluate RECORD|FILE --data NAME=PATH`: a kept network on any data set."""

import argparse
from typing import TYPE_CHECKING

from benchmark.commands import named_data, networks
from benchmark.commands.command_line import command_parser, run_command
from benchmark.terminal import count_things, make_printable, one_of

if TYPE_CHECKING:
    from benchmark.train.kept_network import Network
    from benchmark.train.network_evaluation import Evaluation


def main(arguments: list[str]) -> int:
    """The command line; returns the exit status."""
    parser = command_parser("evaluate", __doc__)
    networks.add_network_arguments(parser)
    parser.add_argument(
        "--data", required=True, metavar="NAME=PATH", help="the data set and where it lies; faces alone needs no path"
    )
    parser.add_argument("--split", choices=("test", "train"), default="test", help="which images (default: test)")
    parser.add_argument(
        "--every-image", action="store_true", help="all of the split, not the part that the network's scale takes"
    )
    named_data.add_data_options(parser)
    return run_command(parser, evaluate_on_data, arguments)


def evaluate_on_data(args: argparse.Namespace) -> int:
    """Predict, print the numbers, write one row an image."""
    name_data(args)
    network = networks.open_network(args)
    from benchmark.train.network_evaluation import evaluate_network

    data = named_data.open_named_data(args)
    evaluation = evaluate_network(network, data, args.split, args.every_image)
    print(make_printable(networks.describe_network(network)))
    lines = [*describe_images(evaluation, data.title, args.split), *other_images(network, data.name, data.fingerprint)]
    print("\n".join(make_printable(line) for line in lines))
    print("\n" + "\n".join([*format_measures(evaluation), "", *format_classes(evaluation)]))
    path = args.out / f"evaluation_{network.info.id[:8]}_{data.name}_{args.split}.csv"
    labels = [evaluation.classes[number] for number in evaluation.labels]
    networks.write_predictions(path, evaluation.names, evaluation.probabilities, evaluation.classes, labels)
    print(f"\nwrote {path}")
    return 0


def name_data(args: argparse.Namespace) -> None:
    """Split NAME=PATH into what a data set is opened by; raises Usage."""
    args.name, _, path = args.data.partition("=")
    known_data_sets = named_data.data_sets(named_data.own_folders(args), [args.name])
    one_of("--data", "data set", args.name, known_data_sets, "Write NAME=PATH, for example ferplus=/data/ferplus")
    args.data = [args.data] if path else []


def describe_images(evaluation: "Evaluation", title: str, split: str) -> list[str]:
    """Which images count, and which do not."""
    count = len(evaluation.labels)
    left_out = sum(evaluation.left_out.values())
    of_available = f" of {evaluation.available:,}" if evaluation.available > count else ""
    lines = [f"on {title}: {count:,}{of_available} {split} images"]
    if evaluation.available > count + left_out:
        lines.append("these are the images that the network's scale takes; --every-image takes all")
    lines += [
        f"left out: {count_things(image_count, 'image')} of {name}; the network has no such class"
        for name, image_count in evaluation.left_out.items()
    ]
    lines += [f"the network does not choose {name}: the data set has no such class" for name in evaluation.unused]
    return lines


def other_images(network: "Network", name: str, fingerprint: str) -> list[str]:
    """A line where a data set has the name of the network's own and holds something else."""
    trained_data = network.info.spec["data"]
    if trained_data["name"] != name or trained_data["fingerprint"] == fingerprint:
        return []
    return [f"note: this {name} holds other images or labels than the one that the network was trained on"]


def format_measures(evaluation: "Evaluation") -> list[str]:
    values = {"accuracy": evaluation.accuracy} | evaluation.measures
    names = {"accuracy": "accuracy", "balanced_accuracy": "balanced accuracy", "macro_f1": "macro F1"}
    return [f"{100 * values[key]:6.2f} %  {text}" for key, text in names.items()]


def format_classes(evaluation: "Evaluation") -> list[str]:
    """A row a class: its images, the share that is right, and as what they were taken."""
    names = [make_printable(name) for name in evaluation.classes]
    measures = evaluation.measures
    name_width = max(map(len, [*names, "class"]))
    widths = [max(len(name), 5) for name in names]
    column_heads = "  ".join(f"{name:>{width}}" for name, width in zip(names, widths))
    lines = [f"{'class':<{name_width}}  images    right  taken for  {column_heads}"]
    for name, row, right in zip(names, measures["confusion"], measures["per_class"], strict=True):
        share = "–" if right is None else f"{100 * right:.1f} %"
        counts = "  ".join(f"{count:>{width}}" for count, width in zip(row, widths))
        lines.append(f"{name:<{name_width}}  {sum(row):>6}  {share:>7}             {counts}")
    return lines
