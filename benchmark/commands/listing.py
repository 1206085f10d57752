"""`run_all.py --list`: what may follow --methods, --datasets, --noise, --table and --figure."""

import inspect
from pathlib import Path

from benchmark import plugins
from benchmark.commands.named_data import data_sets
from benchmark.plan import catalogue
from benchmark.plan.experiments import EXPERIMENTS
from benchmark.terminal import make_printable


def list_known_names(results: Path, own: tuple[Path, ...] = ()) -> str:
    """Every name with what it stands for; own: folders of one's own. Raises Usage."""
    cards = catalogue.select_usable(catalogue.read_catalogue(results, own), [], own)
    kinds = plugins.find_noises(own)
    parts = {
        "methods (--methods)": {name: card["source"] or card["title"] for name, card in cards.items()},
        "data sets (--datasets)": {
            name: found.title + (f"; --data {name}=PATH" if found.needs_path else "")
            for name, found in data_sets(own).items()
        },
        "noises (--noise)": {
            f"{name}:{kind.takes}" if kind.takes else name: first_doc_line(kind)
            + ("; takes --rates" if kind.rated else "")
            for name, kind in kinds.items()
        },
        "backbones (--set backbone.name=NAME)": list_backbones(own),
        "tables (--table)": {e.name: e.title for e in EXPERIMENTS if e.kind == "table"},
        "figures (--figure)": {e.name: e.title for e in EXPERIMENTS if e.kind == "figure"},
    }
    width = max(len(name) for names in parts.values() for name in names)
    return "\n\n".join("\n".join([head, *format_names(names, width)]) for head, names in parts.items())


def list_backbones(own: tuple[Path, ...]) -> dict[str, str]:
    """The networks by name, with the files that define them; nothing is imported."""
    found = {known.name: known.file.name for known in plugins.find_definitions(own) if known.kind == "backbone"}
    return found | {
        "torchvision/NAME": "as torchvision.models calls it: torchvision/resnet34",
        "timm/NAME": "as timm calls it: timm/vit_tiny_patch16_224; pip install 'fer-noise-benchmark[timm]'",
    }


def format_names(names: dict[str, str], width: int) -> list[str]:
    return [make_printable(f"  {name:<{width}}  {text}") for name, text in names.items()]


def first_doc_line(kind: type) -> str:
    """What a class, or else its file, says of itself in one line."""
    words = (
        kind.__doc__ if "__doc__" in vars(kind) and kind.__doc__ else getattr(inspect.getmodule(kind), "__doc__", "")
    )
    return (words or kind.__name__).strip().partition("\n")[0].rstrip(".:")
