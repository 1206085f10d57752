"""Start weights: any published checkpoint of a residual network into a `Backbone`, completely or not at all.

The published programs load non-strictly, so a nested or prefixed file trains from random weights without a word. Here
every parameter and running statistic of the backbone must come from the file.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from methods.support.backbones import Backbone
from methods.support.weight_files import read_checkpoint

WRAPPERS = (
    "state_dict",
    "model_state_dict",
    "model",
    "net",
    "network",
    "backbone",
    "state_dict_ema",
    "ema_state_dict",
    "model_ema",
    "ema",
)  # entries under which programs keep a network, averaged ones last
NESTED = 3  # wrappers in each other
FLOATS = (torch.float64, torch.float32, torch.float16, torch.bfloat16)
STEMS = ("conv1.weight", "features.0.weight")  # first entry of a ResNet, by name or by number
CHILDREN = {
    "0": "conv1",
    "1": "bn1",
    "4": "layer1",
    "5": "layer2",
    "6": "layer3",
    "7": "layer4",
}  # children of a ResNet


@dataclass(frozen=True)
class Loaded:
    """What was loaded. filled: entries of the backbone; left_random: its entries that the file lacks (only step counts
    may be); ignored: entries of the file without a place in a backbone; container: how the file holds them."""

    sha256: str
    filled: int
    left_random: list[str]
    ignored: list[str]
    container: str


def load_backbone(backbone: Backbone, source: str | Path | Mapping[str, Any]) -> Loaded:
    """Fill a backbone from a checkpoint file, or from the dictionary that such a file holds.

    Raises a ValueError of one line if the file cannot be read safely or does not fill the backbone; the backbone is
    then unchanged.
    """
    if isinstance(source, Mapping):
        name = "the given dictionary"
        content = source
        container = "dictionary"
    else:
        name = str(source)
        content, container = read_checkpoint(Path(source))
    entries, wrapper = unwrap_checkpoint(content, name)
    network = backbone.published()
    state = network.state_dict()
    entries = without_prefix(rename_entries(entries, name), state)
    check_weights(name, entries, state, backbone.channels)
    fitting_entries = {key: entries[key] for key in state if key in entries}
    network.load_state_dict(fitting_entries, strict=False)
    return Loaded(
        sha256=entries_hash(entries) if isinstance(source, Mapping) else file_hash(Path(source)),
        filled=len(fitting_entries),
        left_random=[key for key in state if key not in entries],
        ignored=[key for key in entries if key not in state],
        container=f"{container}, under {wrapper!r}" if wrapper else container,
    )


def unwrap_checkpoint(content: Any, name: str) -> tuple[dict[str, Tensor], str | None]:
    """The tensors of a checkpoint by name, and the entries under which they lay."""
    wrappers: list[str] = []
    while isinstance(content, Mapping) and len(wrappers) < NESTED:
        wrapper = next((key for key in WRAPPERS if isinstance(content.get(key), Mapping)), None) or only_network(
            content, name
        )
        if wrapper is None:
            break
        wrappers.append(wrapper)
        content = content[wrapper]
    if isinstance(content, torch.nn.Module) or not isinstance(content, Mapping):
        raise ValueError(f"{name}: holds a {type(content).__name__}, expected a dictionary of names and tensors")
    entries = {}
    for key, value in content.items():
        if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "fiu":
            value = torch.from_numpy(np.array(value, dtype=value.dtype.newbyteorder("=")))
        if isinstance(key, str) and isinstance(value, Tensor):
            entries[key] = value
    if not entries:
        under_text = f" under {'.'.join(wrappers)!r}" if wrappers else ""
        held_names = ", ".join(str(key)[:40] for key in list(content)[:6])
        raise ValueError(f"{name}: holds no tensors{under_text}, only: {held_names}; give a network's state_dict")
    return entries, ".".join(wrappers) or None


def only_network(content: Mapping[str, Any], name: str) -> str | None:
    """The one entry, whatever its name, that holds a network where the tensors do not lie open; None where none does."""
    if any(isinstance(value, Tensor | np.ndarray) for value in content.values()):
        return None
    network_names = [key for key, value in content.items() if isinstance(value, Mapping) and holds_network(value)]
    if len(network_names) > 1:
        raise ValueError(
            f"{name}: holds {len(network_names)} networks ({', '.join(map(str, network_names))}); "
            "save the one to start from by itself"
        )
    return network_names[0] if network_names else None


def holds_network(content: Mapping[str, Any]) -> bool:
    return any(isinstance(key, str) and key.endswith(STEMS) for key in content)


def rename_entries(entries: dict[str, Tensor], name: str = "") -> dict[str, Tensor]:
    """torchvision's names: without what wrappers put in front of all of a network's ('module.', '_orig_mod.', 'model.',
    'ema_model.module.'), and 'layer1.' for 'features.4.' where all such keys are of a ResNet."""
    prefix = network_prefix(entries, name)
    entries = {key.removeprefix(prefix): value for key, value in entries.items()}
    children = {key: re.fullmatch(r"features\.(\d+)\.(.+)", key) for key in entries}
    numbered = [match for match in children.values() if match]
    if "conv1.weight" in entries or not numbered or any(match[1] not in CHILDREN for match in numbered):
        return entries
    renamed = {}
    for key, match in children.items():
        renamed[f"{CHILDREN[match[1]]}.{match[2]}" if match else key] = entries[key]
    return renamed


def network_prefix(entries: dict[str, Tensor], name: str) -> str:
    """What stands in front of the one network's names; of a network and its moving average, the network's."""
    for stem in STEMS:
        first_blocks = ("layer1.0.conv1.weight",) if stem == STEMS[0] else ("features.4.0.conv1.weight",)
        prefixes = [key[: -len(stem)] for key in entries if key.endswith(stem)]
        prefixes = [
            prefix
            for prefix in prefixes
            if prefix + first_blocks[0] in entries and (not prefix or prefix.endswith("."))
        ]
        plain_prefixes = [prefix for prefix in prefixes if "ema" not in re.split(r"[._]", prefix)] or prefixes
        if "" in plain_prefixes:
            return ""
        if len(plain_prefixes) > 1:
            raise ValueError(
                f"{name}: holds {len(plain_prefixes)} networks ({', '.join(plain_prefixes)}); "
                "save the one to start from by itself"
            )
        if plain_prefixes:
            return plain_prefixes[0]
    return ""


def without_prefix(entries: dict[str, Tensor], state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Of a network of another kind: without what one wrapper put in front of all of its names ('module.')."""
    first_name = next(iter(state))
    prefixes = [key.removesuffix(first_name) for key in entries if key.endswith(f".{first_name}")]
    if first_name in entries or len(prefixes) != 1:
        return entries
    return {key.removeprefix(prefixes[0]): value for key, value in entries.items()}


def check_weights(name: str, entries: dict[str, Tensor], state: dict[str, Tensor], channels: int) -> None:
    """Refuse a file that does not fill the backbone, or that fills it with a part of a deeper network."""
    stem = entries.get("conv1.weight")
    if stem is not None and stem.ndim == 4 and stem.shape[1] != channels:
        raise ValueError(
            f"{name}: made for images of {stem.shape[1]} channels, the backbone takes {channels}; "
            f"use weights trained on {channels} channel(s), or --weights landmarks"
        )
    odd_names = [
        key for key in state if key in entries and not is_plain_tensor(entries[key], state[key].is_floating_point())
    ]
    if odd_names:
        odd_tensor = entries[odd_names[0]]
        raise ValueError(
            f"{name}: {odd_names[0]} is no plain array of numbers ({odd_tensor.dtype}, {odd_tensor.layout}); save the file "
            "again with torch.save(network.float().state_dict(), ...)"
        )
    missing_names = [key for key in state if key not in entries and not key.endswith("num_batches_tracked")]
    misshaped_names = [key for key in state if key in entries and entries[key].shape != state[key].shape]
    surplus_names = [key for key in entries if key not in state and re.match(r"(conv1|bn1|layer\d)\.", key)]
    if complaint := list_complaints(
        {"missing": missing_names, "of another shape": misshaped_names, "of a deeper network": surplus_names}
    ):
        prefixed_name = next((key for key in entries if missing_names and key.endswith(f".{missing_names[0]}")), None)
        advice = (
            f"{missing_names[0]} stands there as {prefixed_name}: give all names one prefix"
            if prefixed_name
            else "choose the backbone that the file was made for (--set recipe.backbone=...) or another file"
        )
        raise ValueError(f"{name}: does not fill the backbone's {len(state)} entries: {complaint}; {advice}")
    filled_names = [key for key in state if key in entries]
    broken_names = [key for key in filled_names if not torch.isfinite(entries[key]).all()]
    negative_names = [key for key in filled_names if key.endswith("running_var") and (entries[key] < 0).any()]
    blank_names = [key for key in filled_names if entries[key].ndim == 4 and not entries[key].any()]
    if complaint := list_complaints({"not finite": broken_names, "negative": negative_names, "all zero": blank_names}):
        raise ValueError(f"{name}: {complaint}: damaged, diverged, or float16 that ran over; give another file")


def list_complaints(names_by_complaint: dict[str, list[str]]) -> str:
    """'3 missing (first: bn1.weight, ...)' for each kind of entries that there are."""
    return "; ".join(
        f"{len(names)} {complaint} (first: {', '.join(names[:3])})"
        for complaint, names in names_by_complaint.items()
        if names
    )


def is_plain_tensor(tensor: Tensor, fractions: bool) -> bool:
    """A dense array of real numbers in memory; fractions: of floating point, as a weight is."""
    numbers = tensor.dtype in FLOATS or (not fractions and tensor.dtype in (torch.int64, torch.int32))
    return tensor.layout == torch.strided and tensor.device.type == "cpu" and numbers and not tensor.is_quantized


def file_hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def entries_hash(entries: dict[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for key in sorted(entries):
        digest.update(f"{key} {entries[key].dtype} {tuple(entries[key].shape)}\n".encode())
        digest.update(entries[key].detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
