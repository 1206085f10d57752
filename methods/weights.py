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
STEMS = ("conv1.weight", "features.0.weight")  # first entry of a ResNet, by name or by number
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
    entries = renamed(entries, name)
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
        head = file.read(1024)
    if wrong := other_file(head):
        raise ValueError(f"{path}: {wrong}")
    is_torch = head.startswith(LEGACY_TORCH) or zipfile.is_zipfile(path)
    if head.startswith(b"PK") and not is_torch:
        raise ValueError(f"{path}: {CUT_OFF}")
    try:
        if head[8:9] == b"{":
            return safetensors(path), "safetensors"
        if is_torch:
            with torch.serialization.safe_globals(scalar_parts()):
                return torch.load(path, map_location="cpu", weights_only=True), "torch file"
        with path.open("rb") as file:
            return ArrayUnpickler(file, encoding="latin1").load(), "pickle of arrays"
    except ImportError:
        raise ValueError(f"{path}: a safetensors file; {NEEDED}") from None
    except Exception as error:  # a broken pickle can raise anything
        raise ValueError(f"{path}: {unreadable(error)}") from None


CUT_OFF = "not the whole file (a download that broke off?); download it again"
NEEDED = "install the extra to read it: pip install 'fer-noise-benchmark[safetensors]'"


def other_file(head: bytes) -> str:
    """What a file that is no checkpoint is, told by its first bytes, and what to do; empty if it may be one."""
    if not head:
        return "an empty file; download it again"
    if head.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer, not the weights; run: git lfs pull"
    if head.lstrip().lower().startswith((b"<!doctype", b"<html", b"<?xml")):
        return "a web page, not weights (a sign-in or a virus warning?); download the file itself"
    if head.startswith(b"\x1f\x8b") or head[257:262] == b"ustar":
        return "an archive; unpack it and give the weights in it"
    return ""


def unreadable(error: Exception) -> str:
    """Why a checkpoint cannot be read, and what to do."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", str(error))
    if foreign := re.search(r"Unsupported (?:global|class): (?:GLOBAL )?([\w.]+)", text) or re.search(
        r"it asks for ([\w.]+)", text
    ):
        return (
            f"cannot be read as plain weights: it asks for {foreign[1]}, which is no tensor and is not run here; save only "
            "its tensors with torch.save(network.state_dict(), ...) in the program that made it"
        )
    ended = isinstance(error, EOFError) or re.search(
        r"truncated|ran out of input|unexpected EOF|EOF|incomplete|central", text
    )
    if ended or "PytorchStreamReader" in text:
        return f"cannot be read as plain weights: {CUT_OFF}"
    reason = text.strip().split("\n")[0][:200]
    return (
        f"cannot be read as plain weights ({reason}): damaged, or no checkpoint; save its tensors with "
        "torch.save(network.state_dict(), ...) in the program that made it, or download it again"
    )


def safetensors(path: Path) -> dict[str, Tensor]:
    """A file of the extra `safetensors`; raises ImportError without it."""
    from safetensors.torch import load_file

    return load_file(path)


def scalar_parts() -> list[Any]:
    """What torch files name to rebuild a numpy number ('best accuracy'): numbers, no code."""
    scalar = np.float64(0).__reduce__()[0]
    kinds = [type(np.dtype(kind)) for kind in ("f8", "f4", "i8", "i4", "?")]
    return [scalar, (scalar, "numpy.core.multiarray.scalar"), np.dtype, *kinds]


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
    """The tensors of a checkpoint by name, and the entries under which they lay."""
    wrappers: list[str] = []
    while isinstance(content, Mapping) and len(wrappers) < NESTED:
        wrapper = next((key for key in WRAPPERS if isinstance(content.get(key), Mapping)), None)
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
        raise ValueError(f"{name}: holds no tensors, neither directly nor under {' or '.join(map(repr, WRAPPERS))}")
    return entries, ".".join(wrappers) or None


def renamed(entries: dict[str, Tensor], name: str = "") -> dict[str, Tensor]:
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
