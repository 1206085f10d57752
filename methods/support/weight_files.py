"""Files of weights: what is in one, told by its content and not by its name, or what it is instead.

Files are never trusted: torch files are read with weights_only, pickles by a reader that can make arrays and nothing else.
"""

import pickle
import re
import zipfile
import zlib
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

LEGACY_TORCH = pickle.dumps(0x1950A86A20F9469CFC6C, protocol=2)  # what torch.save wrote first before its zip format


def read_checkpoint(path: Path) -> tuple[Any, str]:
    """The content of a checkpoint and its kind, told by its first bytes and not by its name."""
    if not path.is_file():
        raise ValueError(f"{path}: there is no such weights file")
    with path.open("rb") as file:
        head = file.read(1024)
    is_zip = zipfile.is_zipfile(path)
    if complaint := other_file(head) or (other_zip(path) if is_zip else CUT_OFF if head.startswith(b"PK") else ""):
        raise ValueError(f"{path}: {complaint}")
    try:
        if head[8:9] == b"{" and not text_of(head):
            return read_safetensors(path), "safetensors"
        if head.startswith(LEGACY_TORCH) or is_zip:
            with torch.serialization.safe_globals(number_parts()):
                return torch.load(path, map_location="cpu", weights_only=True), "torch file"
        with path.open("rb") as file:
            return ArrayUnpickler(file, encoding="latin1").load(), "pickle of arrays"
    except ImportError:
        raise ValueError(f"{path}: a safetensors file; {NEEDED}") from None
    except Exception as error:  # a broken pickle can raise anything
        raise ValueError(f"{path}: {explain_unreadable(error, head, path.suffix)}") from None


CUT_OFF = "not the whole file (a download that broke off?); download it again"
NEEDED = "install what reads it: pip install safetensors"
SAVE = "save its tensors with torch.save(network.state_dict(), ...) in the program that made it"
ARCHIVES = (b"\x1f\x8b", b"7z\xbc\xaf", b"Rar!", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")
WEIGHTS = (".pth", ".pt", ".ckpt", ".pkl", ".tar", ".bin", ".safetensors")  # how files of weights are called
OTHERS = {
    b"\x93NUMPY": "one numpy array, not a network's",
    b"\x89HDF": "an HDF5 file (Keras?)",
    b"MATLAB": "a MATLAB file",
}  # by their first bytes
SUFFIXES = {
    ".onnx": "an ONNX graph",
    ".caffemodel": "a Caffe network",
    ".msgpack": "a Flax checkpoint",
    ".index": "a TensorFlow checkpoint",
    ".pb": "a TensorFlow graph",
    ".tflite": "a TensorFlow Lite network",
}  # by their names, where nothing else tells


def other_file(head: bytes) -> str:
    """What a file that is no checkpoint is, told by its first bytes, and what to do; empty if it may be one."""
    if not head:
        return "an empty file; download it again"
    if not head.strip(b"\0"):
        return "begins with zeros only (a download that was given its room and not its bytes?); download it again"
    if head.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer, not the weights; run: git lfs pull"
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith((b"<!", b"<html", b"<?xml")):
        return "a web page, not weights (a sign-in or a virus warning?); download the file itself"
    if head.startswith(ARCHIVES) or head[257:262] == b"ustar":
        return "an archive; unpack it and give the weights in it"
    return next((f"{what}; {SAVE}" for start, what in OTHERS.items() if head.startswith(start)), "")


def other_zip(path: Path) -> str:
    """What a zip that torch.save did not write, or that is damaged, is; empty for a sound one of torch's."""
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        inner_names = [Path(name).name for name in names]
        if "constants.pkl" in inner_names:
            return f"a TorchScript archive: a program, which is not run here; {SAVE}"
        if "archive_format" in inner_names:
            return f"an exported program (torch.export), which is not run here; {SAVE}"
        if "data.pkl" not in inner_names:
            weights_name = next((name for name in names if name.endswith(WEIGHTS)), None)
            if names and all(name.endswith(".npy") for name in names):
                return f"a zip of numpy arrays (.npz); {SAVE}"
            description = (
                f"a zip with {weights_name} in it" if weights_name else f"a zip of other files ({', '.join(names[:2])})"
            )
            return f"{description}; " + (
                "unpack it and give that file" if weights_name else "give the file of the weights"
            )
        for info in archive.infolist():
            if info.CRC and not is_whole(archive, info):  # torch can leave the sum out, as 0
                return f"damaged: {info.filename} in it does not have its checksum; download it again"
    return ""


def is_whole(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bool:
    """Whether a member of a zip is what was put in; torch does not look."""
    try:
        with archive.open(info) as member:
            while member.read(1 << 20):
                pass
    except (zipfile.BadZipFile, EOFError, OSError, zlib.error):
        return False
    return True


def text_of(head: bytes) -> str:
    """The beginning of a file that is text; empty for other files."""
    text = head[:400].decode("utf-8", errors="ignore").lstrip("\ufeff").strip()
    return text if text and all(c.isprintable() or c in "\r\n\t" for c in text) and b"\0" not in head else ""


def explain_unreadable(error: Exception, head: bytes = b"", suffix: str = "") -> str:
    """Why a checkpoint cannot be read, and what to do."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", str(error))
    # torch begins with the advice to read the file without this protection.
    text = re.sub(r"(?s)^Weights only load failed\..*?(?:error: |\n\n)\s*", "", text)
    foreign_class = re.search(r"nsupported (?:global|class|GLOBAL):? (?:GLOBAL )?([\w.]+)|it asks for ([\w.]+)", text)
    if foreign_class:
        foreign_name = foreign_class[1] or foreign_class[2]
        if foreign_name.startswith("torch._utils."):
            return "a pickle of torch tensors; load it where it was made and write it with torch.save"
        return (
            f"cannot be read as plain weights: it asks for {foreign_name}, which is no tensor (a whole network, or settings "
            "beside it?) and is not run here; save only its tensors with torch.save(network.state_dict(), ...) in the "
            "program that made it"
        )
    if beginning := text_of(head):
        return (
            f"cannot be read as plain weights: a text that begins with {beginning[:60]!r}; give the file of the weights"
        )
    if file_kind := SUFFIXES.get(suffix.lower()):
        return f"cannot be read as plain weights: {file_kind} by its name; {SAVE}"
    is_cut_off = isinstance(error, EOFError) or re.search(
        r"truncated|ran out of input|unexpected EOF|EOF|incomplete|central", text
    )
    if is_cut_off or "PytorchStreamReader" in text:
        return f"cannot be read as plain weights: {CUT_OFF}"
    reason = text.strip().split("\n")[0][:200]
    return f"cannot be read as plain weights ({reason}): damaged, or no checkpoint; {SAVE}, or download it again"


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """A file of safetensors; raises ImportError where an older environment lacks it."""
    from safetensors.torch import load_file

    return load_file(path)


def number_parts() -> list[Any]:
    """What torch files name to rebuild numpy's numbers and arrays ('best accuracy', a confusion matrix): no code."""
    scalar = np.float64(0).__reduce__()[0]
    array = np.zeros(1).__reduce__()[0]
    number_kinds = [type(np.dtype(kind)) for kind in ("f8", "f4", "f2", "i8", "i4", "i2", "i1", "u1", "?")]
    old_names = [(scalar, "numpy.core.multiarray.scalar"), (array, "numpy.core.multiarray._reconstruct")]
    return [scalar, array, np.ndarray, np.dtype, *old_names, *number_kinds]


def encode_latin1(text: str, encoding: str) -> bytes:
    """Bytes that Python 3 writes as text into a pickle of protocol 2."""
    if encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError(f"bytes in the encoding {encoding!r}")
    return text.encode("latin1")


def array_parts() -> dict[tuple[str, str], Any]:
    """What pickles of numpy 1 and 2 name to rebuild an array."""
    array = np.zeros(1)
    parts = {("numpy", "ndarray"): np.ndarray, ("numpy", "dtype"): np.dtype, ("_codecs", "encode"): encode_latin1}
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
