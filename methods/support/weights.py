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
        name, content, container = "the given dictionary", source, "dictionary"
    else:
        name = str(source)
        content, container = read_checkpoint(Path(source))
    entries, wrapper = unwrap_checkpoint(content, name)
    network = backbone.published()
    state = network.state_dict()
    entries = without_prefix(rename_entries(entries, name), state)
    check_weights(name, entries, state, backbone.channels)
    fitting = {key: entries[key] for key in state if key in entries}
    network.load_state_dict(fitting, strict=False)
    return Loaded(
        sha256=entries_hash(entries) if isinstance(source, Mapping) else file_hash(Path(source)),
        filled=len(fitting),
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
        under = f" under {'.'.join(wrappers)!r}" if wrappers else ""
        held = ", ".join(str(key)[:40] for key in list(content)[:6])
        raise ValueError(f"{name}: holds no tensors{under}, only: {held}; give a network's state_dict")
    return entries, ".".join(wrappers) or None


def only_network(content: Mapping[str, Any], name: str) -> str | None:
    """The one entry, whatever its name, that holds a network where the tensors do not lie open; None where none does."""
    if any(isinstance(value, Tensor | np.ndarray) for value in content.values()):
        return None
    found = [key for key, value in content.items() if isinstance(value, Mapping) and holds_network(value)]
    if len(found) > 1:
        raise ValueError(
            f"{name}: holds {len(found)} networks ({', '.join(map(str, found))}); save the one to start from by itself"
        )
    return found[0] if found else None


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
    return {f"{CHILDREN[m[1]]}.{m[2]}" if (m := children[key]) else key: entries[key] for key in entries}


def network_prefix(entries: dict[str, Tensor], name: str) -> str:
    """What stands in front of the one network's names; of a network and its moving average, the network's."""
    for stem in STEMS:
        blocks = ("layer1.0.conv1.weight",) if stem == STEMS[0] else ("features.4.0.conv1.weight",)
        found = [key[: -len(stem)] for key in entries if key.endswith(stem)]
        found = [prefix for prefix in found if prefix + blocks[0] in entries and (not prefix or prefix.endswith("."))]
        plain = [prefix for prefix in found if "ema" not in re.split(r"[._]", prefix)] or found
        if "" in plain:
            return ""
        if len(plain) > 1:
            raise ValueError(
                f"{name}: holds {len(plain)} networks ({', '.join(plain)}); save the one to start from by itself"
            )
        if plain:
            return plain[0]
    return ""


def without_prefix(entries: dict[str, Tensor], state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Of a network of another kind: without what one wrapper put in front of all of its names ('module.')."""
    first = next(iter(state))
    found = [key.removesuffix(first) for key in entries if key.endswith(f".{first}")]
    if first in entries or len(found) != 1:
        return entries
    return {key.removeprefix(found[0]): value for key, value in entries.items()}


def check_weights(name: str, entries: dict[str, Tensor], state: dict[str, Tensor], channels: int) -> None:
    """Refuse a file that does not fill the backbone, or that fills it with a part of a deeper network."""
    stem = entries.get("conv1.weight")
    if stem is not None and stem.ndim == 4 and stem.shape[1] != channels:
        raise ValueError(
            f"{name}: made for images of {stem.shape[1]} channels, the backbone takes {channels}; "
            f"use weights trained on {channels} channel(s), or --weights landmarks"
        )
    odd = [key for key in state if key in entries and not is_plain_tensor(entries[key], state[key].is_floating_point())]
    if odd:
        raise ValueError(
            f"{name}: {odd[0]} is no plain array of numbers ({entries[odd[0]].dtype}, {entries[odd[0]].layout}); save the file "
            "again with torch.save(network.float().state_dict(), ...)"
        )
    missing = [key for key in state if key not in entries and not key.endswith("num_batches_tracked")]
    misshaped = [key for key in state if key in entries and entries[key].shape != state[key].shape]
    surplus = [key for key in entries if key not in state and re.match(r"(conv1|bn1|layer\d)\.", key)]
    if told := list_complaints({"missing": missing, "of another shape": misshaped, "of a deeper network": surplus}):
        elsewhere = next((key for key in entries if missing and key.endswith(f".{missing[0]}")), None)
        fix = (
            f"{missing[0]} stands there as {elsewhere}: give all names one prefix"
            if elsewhere
            else "choose the backbone that the file was made for (--set recipe.backbone=...) or another file"
        )
        raise ValueError(f"{name}: does not fill the backbone's {len(state)} entries: {told}; {fix}")
    filled = [key for key in state if key in entries]
    broken = [key for key in filled if not torch.isfinite(entries[key]).all()]
    negative = [key for key in filled if key.endswith("running_var") and (entries[key] < 0).any()]
    blank = [key for key in filled if entries[key].ndim == 4 and not entries[key].any()]
    if told := list_complaints({"not finite": broken, "negative": negative, "all zero": blank}):
        raise ValueError(f"{name}: {told}: damaged, diverged, or float16 that ran over; give another file")


def list_complaints(found: dict[str, list[str]]) -> str:
    """'3 missing (first: bn1.weight, ...)' for each kind of entries that there are."""
    return "; ".join(f"{len(keys)} {what} (first: {', '.join(keys[:3])})" for what, keys in found.items() if keys)


def is_plain_tensor(tensor: Tensor, fractions: bool) -> bool:
    """A dense array of real numbers in memory; fractions: of floating point, as a weight is."""
    numbers = tensor.dtype in FLOATS or (not fractions and tensor.dtype in (torch.int64, torch.int32))
    return tensor.layout == torch.strided and tensor.device.type == "cpu" and numbers and not tensor.is_quantized


def file_hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def entries_hash(entries: dict[str, Tensor]) -> str:
    found = hashlib.sha256()
    for key in sorted(entries):
        found.update(f"{key} {entries[key].dtype} {tuple(entries[key].shape)}\n".encode())
        found.update(entries[key].detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return found.hexdigest()
