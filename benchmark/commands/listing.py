"""`run_all.py --list`: what may follow --methods, --datasets, --noise, --table and --figure."""

import inspect
from pathlib import Path

from benchmark import plugins
from benchmark.commands.named_data import data_sets
from benchmark.plan import catalogue
from benchmark.plan.experiments import EXPERIMENTS
from benchmark.terminal import make_printable


def list_known_names(results: Path, plugin_folders: tuple[Path, ...] = ()) -> str:
    """Every name with what it stands for; plugin_folders: of one's own. Raises Usage."""
    cards = catalogue.select_usable(catalogue.read_catalogue(results, plugin_folders), [], plugin_folders)
    noise_texts = {
        f"{name}:{kind.takes}" if kind.takes else name: first_doc_line(kind) + ("; takes --rates" if kind.rated else "")
        for name, kind in plugins.find_noises(plugin_folders).items()
    }
    sections = {
        "methods (--methods)": {name: card["source"] or card["title"] for name, card in cards.items()},
        "data sets (--datasets)": {
            name: data_set.title + (f"; --data {name}=PATH" if data_set.needs_path else "")
            for name, data_set in data_sets(plugin_folders).items()
        },
        "noises (--noise)": noise_texts,
        "backbones (--set backbone.name=NAME)": {
            **{name: file.name for name, file in plugins.find_backbone_files(plugin_folders).items()},
            "torchvision/NAME": "as torchvision.models calls it: torchvision/resnet34",
            "timm/NAME": "as timm calls it: timm/vit_tiny_patch16_224; pip install 'fer-noise-benchmark[timm]'",
        },
        "tables (--table)": {e.name: e.title for e in EXPERIMENTS if e.kind == "table"},
        "figures (--figure)": {e.name: e.title for e in EXPERIMENTS if e.kind == "figure"},
    }
    width = max(len(name) for names in sections.values() for name in names)
    paragraphs = []
    for head, names in sections.items():
        paragraphs.append("\n".join([head, *(make_printable(f"  {name:<{width}}  {names[name]}") for name in names)]))
    return "\n\n".join(paragraphs)


def first_doc_line(kind: type) -> str:
    """What a class, or else its file, says of itself in one line."""
    doc_text = vars(kind).get("__doc__") or getattr(inspect.getmodule(kind), "__doc__", "") or kind.__name__
    return doc_text.strip().partition("\n")[0].rstrip(".:")
