"""Start weights: any published checkpoint of a residual network into a `Backbone`, completely or not at all.

The published programs load non-strictly, so a nested or prefixed file trains from random weights without a word. Here
every parameter and running statistic of the backbone must come from the file. Files are never trusted: torch files are
read with weights_only, pickles by a reader that can make arrays and nothing else.
"""

import hashlib
import pickle
import re
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from methods.backbones import Backbone

WRAPPERS = ("state_dict", "model")
CHILDREN = {
    "0": "conv1",
    "1": "bn1",
    "4": "layer1",
    "5": "layer2",
    "6": "layer3",
    "7": "layer4",
}  # children of a ResNet
LEGACY_TORCH = pickle.dumps(0x1950A86A20F9469CFC6C, protocol=2)  # what torch.save wrote first before its zip format


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
        content, container = read(Path(source))
    entries, wrapper = unwrap(content, name)
    entries = renamed(entries)
    state = backbone.state_dict()
    check(name, entries, state, backbone.channels)
    fitting = {key: entries[key] for key in state if key in entries}
    backbone.load_state_dict(fitting, strict=False)
    return Loaded(
        sha256=entries_hash(entries) if isinstance(source, Mapping) else file_hash(Path(source)),
        filled=len(fitting),
        left_random=[key for key in state if key not in entries],
        ignored=[key for key in entries if key not in state],
        container=f"{container}, under {wrapper!r}" if wrapper else container,
    )


def read(path: Path) -> tuple[Any, str]:
    """The content of a checkpoint and its kind, told by its first bytes and not by its name."""
    if not path.is_file():
        raise ValueError(f"{path}: there is no such weights file")
    with path.open("rb") as file:
        is_torch = file.read(len(LEGACY_TORCH)) == LEGACY_TORCH or zipfile.is_zipfile(path)
    try:
        if is_torch:
            return torch.load(path, map_location="cpu", weights_only=True), "torch file"
        with path.open("rb") as file:
            return ArrayUnpickler(file, encoding="latin1").load(), "pickle of arrays"
    except Exception as error:  # a broken pickle can raise anything
        reason = str(error).strip().split("\n")[0]
        raise ValueError(
            f"{path}: cannot be read as plain weights ({reason[:200]}); save only its tensors with "
            "torch.save(network.state_dict(), ...) in the program that made it"
        ) from None


def latin1(text: str, encoding: str) -> bytes:
    """Bytes that Python 3 writes as text into a pickle of protocol 2."""
    if encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError(f"bytes in the encoding {encoding!r}")
    return text.encode("latin1")


def array_parts() -> dict[tuple[str, str], Any]:
    """What pickles of numpy 1 and 2 name to rebuild an array."""
    array = np.zeros(1)
    parts = {("numpy", "ndarray"): np.ndarray, ("numpy", "dtype"): np.dtype, ("_codecs", "encode"): latin1}
    parts["collections", "OrderedDict"] = OrderedDict
    for package in ("numpy.core", "numpy._core"):
        parts[f"{package}.multiarray", "_reconstruct"] = array.__reduce__()[0]
        parts[f"{package}.numeric", "_frombuffer"] = array.__reduce_ex__(5)[0]
    return parts


class ArrayUnpickler(pickle.Unpickler):
    """Reads dictionaries of numpy arrays; refuses to even look up anything else."""

    allowed = array_parts()

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self.allowed:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which is no part of an array")
        return self.allowed[module, name]


def unwrap(content: Any, name: str) -> tuple[dict[str, Tensor], str | None]:
    """The tensors of a checkpoint by name, and the entry under which they lay."""
    wrapper = None
    if isinstance(content, Mapping):
        wrapper = next((key for key in WRAPPERS if isinstance(content.get(key), Mapping)), None)
        content = content[wrapper] if wrapper else content
    if not isinstance(content, Mapping):
        raise ValueError(f"{name}: holds a {type(content).__name__}, expected a dictionary of names and tensors")
    entries = {}
    for key, value in content.items():
        if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "fiu":
            value = torch.from_numpy(np.array(value, dtype=value.dtype.newbyteorder("=")))
        if isinstance(key, str) and isinstance(value, Tensor):
            entries[key] = value
    if not entries:
        raise ValueError(f"{name}: holds no tensors, neither directly nor under {' or '.join(map(repr, WRAPPERS))}")
    return entries, wrapper


def renamed(entries: dict[str, Tensor]) -> dict[str, Tensor]:
    """torchvision's names: without 'module.', and 'layer1.' for 'features.4.' where all such keys are of a ResNet."""
    entries = {key.removeprefix("module."): value for key, value in entries.items()}
    children = {key: re.fullmatch(r"features\.(\d+)\.(.+)", key) for key in entries}
    numbered = [match for match in children.values() if match]
    if "conv1.weight" in entries or not numbered or any(match[1] not in CHILDREN for match in numbered):
        return entries
    return {f"{CHILDREN[m[1]]}.{m[2]}" if (m := children[key]) else key: entries[key] for key in entries}


def check(name: str, entries: dict[str, Tensor], state: dict[str, Tensor], channels: int) -> None:
    """Refuse a file that does not fill the backbone, or that fills it with a part of a deeper network."""
    stem = entries.get("conv1.weight")
    if stem is not None and stem.ndim == 4 and stem.shape[1] != channels:
        raise ValueError(
            f"{name}: made for images of {stem.shape[1]} channels, the backbone takes {channels}; "
            f"use weights trained on {channels} channel(s), or --weights landmarks"
        )
    odd = [key for key in state if key in entries and not plain(entries[key])]
    if odd:
        raise ValueError(
            f"{name}: {odd[0]} is no plain array of numbers; save the file again with torch.save(state_dict)"
        )
    missing = [key for key in state if key not in entries and not key.endswith("num_batches_tracked")]
    misshaped = [key for key in state if key in entries and entries[key].shape != state[key].shape]
    surplus = [key for key in entries if key not in state and re.match(r"(conv1|bn1|layer\d)\.", key)]
    fitting = [key for key in state if key in entries and key not in misshaped]
    broken = [key for key in fitting if not torch.isfinite(entries[key]).all()]
    negative = [key for key in fitting if key.endswith("running_var") and (entries[key] < 0).any()]
    complaints = [
        f"{len(keys)} {what} (first: {', '.join(keys[:3])})"
        for keys, what in (
            (missing, "missing"),
            (misshaped, "of another shape"),
            (surplus, "of a deeper network"),
            (broken, "not finite"),
            (negative, "negative"),
        )
        if keys
    ]
    if complaints:
        raise ValueError(
            f"{name}: does not fill the backbone's {len(state)} entries: {'; '.join(complaints)}; "
            "choose the backbone that the file was made for (--set recipe.backbone=...) or another file"
        )


def plain(tensor: Tensor) -> bool:
    """A dense array of real numbers in memory."""
    numbers = tensor.is_floating_point() or tensor.dtype in (torch.int64, torch.int32)
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
