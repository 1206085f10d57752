"""A decoded data set as it lies on disk: what its files are, and how they are opened (memory-mapped)."""

import errno
import hashlib
import io
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.datasets.base import DataError
from noise.base import Noise, Training
from results.files import write_bytes, write_json

FORMAT = 2  # raised when the files below are written differently
SPLITS = ("train", "test")
OPTIONAL = ("votes", "landmarks")


class Unreadable(DataError):
    """A folder that may be whole but cannot be read now: nothing is to be built or removed in its place."""


@dataclass(frozen=True)
class Split:
    """One split, memory-mapped; nothing writes into it, and what did would not reach the files.

    images: uint8 [n, size, size, channels]. labels: [n] int64. names: [n] text. votes: [n, C] float32 or None.
    landmarks: [n, 68 or 19, 2] float32, fractions of the image, NaN where not usable; or None. earlier_labels: of the
    training images, [n] int64 that they were published with before, -1 where there is none; or None.
    """

    images: np.ndarray
    labels: np.ndarray
    names: np.ndarray
    votes: np.ndarray | None
    landmarks: np.ndarray | None
    earlier_labels: np.ndarray | None = None

    @cached_property
    def usable_landmarks(self) -> int:
        """How many images have landmarks that can be used."""
        return 0 if self.landmarks is None else int(np.isfinite(self.landmarks).all((1, 2)).sum())


@dataclass(frozen=True)
class Data:
    """A decoded data set. info: what card.json says; info_hash: its SHA-256; folder: where all of it lies."""

    name: str
    title: str
    classes: tuple[str, ...]
    train: Split
    test: Split
    fingerprint: str
    landmark_fingerprint: str | None
    info: dict[str, Any]
    info_hash: str
    folder: Path

    @property
    def lacks_images(self) -> bool:
        """Whether there are no pictures: enough to plan and to draw, not to train."""
        return not (self.folder / "train_images.npy").exists()

    def noise_input(self, noise: Noise, rows: np.ndarray | slice = slice(None)) -> Training:
        """What a noise may look at of the training images `rows`: images and earlier labels only where it needs them."""

        def read(name: str) -> np.ndarray | None:
            is_left_out = name in ("images", "earlier_labels") and name not in noise.needs
            array = None if is_left_out else getattr(self.train, name)
            return None if array is None else np.asarray(array[rows])

        optional_arrays = {name: read(name) for name in ("votes", "images", "earlier_labels")}
        labels = np.asarray(self.train.labels[rows])
        return Training(labels, self.classes, np.asarray(self.train.names[rows]), dataset=self.name, **optional_arrays)


def open_decoded(folder: Path) -> Data:
    """A data set that was decoded before; raises DataError where files are missing, cut short or do not fit."""
    folder = Path(folder)
    try:
        info_bytes = (folder / "card.json").read_bytes()
        dataset_info = json.loads(info_bytes)
        if dataset_info["format"] != FORMAT:
            raise ValueError("written by another version")
        splits = {split: open_split(folder, split, dataset_info) for split in SPLITS}
        return Data(
            name=dataset_info["name"],
            title=dataset_info["title"],
            classes=tuple(dataset_info["classes"]),
            fingerprint=dataset_info["fingerprint"],
            landmark_fingerprint=dataset_info["landmark_fingerprint"],
            info=dataset_info,
            info_hash=hashlib.sha256(info_bytes).hexdigest(),
            folder=folder,
            **splits,
        )
    except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
        if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE, errno.EACCES, errno.EIO):
            raise Unreadable(f"{folder}: cannot be read now ({error.strerror}); it may be whole") from None
        raise DataError(f"{folder}: not a whole decoded data set ({error}); remove the folder and run again") from None


def write_description(folder: Path, root: Path) -> Path:
    """Write what planning and drawing need of a decoded data set below `root`, without pictures and landmarks.

    Returns the folder, which `open_decoded` opens; what is there already stays.
    """
    data = open_decoded(folder)
    target_folder = root / folder.name
    if not (target_folder / "card.json").exists():
        target_folder.mkdir(parents=True, exist_ok=True)
        for split in SPLITS:
            for kind in ("labels", "names", "votes"):
                array = getattr(getattr(data, split), kind)
                if array is not None:
                    array = np.char.encode(array, "utf-8") if kind == "names" else array  # a quarter of the size
                    content = io.BytesIO()
                    np.save(content, array, allow_pickle=False)
                    write_bytes(target_folder / f"{split}_{kind}.npy", content.getvalue())
        if "earlier_labels" in data.info:
            labels_file = name_earlier_labels(data.info)
            write_bytes(target_folder / labels_file, (data.folder / labels_file).read_bytes())
        write_json(target_folder / "card.json", data.info | {"described": True})
    for stamp in sorted((folder.parent / "stamps").glob(f"{data.name}-*.json")):
        if json.loads(stamp.read_text())["folder"] == folder.name:
            write_bytes(root / "stamps" / stamp.name, stamp.read_bytes())
    return target_folder


def open_split(folder: Path, split: str, dataset_info: dict[str, Any]) -> Split:
    array_kinds = ["images", "labels", "names", *(kind for kind in OPTIONAL if split in dataset_info[kind])]
    image_count = sum(dataset_info["counts"][split].values())
    side = dataset_info["size"]
    arrays: dict[str, Any] = {}
    if dataset_info.get("described"):  # stand-ins that take no memory
        arrays["images"] = np.broadcast_to(np.uint8(0), (image_count, side, side, dataset_info["channels"]))
        if split in dataset_info["landmarks"]:
            arrays["landmarks"] = np.broadcast_to(np.float32(0), (image_count, 19, 2))
    for kind in array_kinds:
        if kind not in arrays:
            # Pixels as torch takes them without a copy; the file stays as it is.
            mmap_mode = "c" if kind == "images" else "r"
            arrays[kind] = np.load(folder / f"{split}_{kind}.npy", mmap_mode=mmap_mode, allow_pickle=False)
    if split == "train" and "earlier_labels" in dataset_info:
        labels_file = folder / name_earlier_labels(dataset_info)
        arrays["earlier_labels"] = np.load(labels_file, mmap_mode="r", allow_pickle=False)
    if dataset_info.get("described"):
        arrays["names"] = np.char.decode(arrays["names"], "utf-8")
    has_image_shape = arrays["images"].shape == (image_count, side, side, dataset_info["channels"])
    if not has_image_shape or any(len(array) != image_count for array in arrays.values()):
        raise ValueError(f"the {split} arrays do not hold {image_count:,} images each")
    absent_arrays: dict[str, Any] = dict.fromkeys(OPTIONAL)
    return Split(**(absent_arrays | arrays))


def name_earlier_labels(dataset_info: dict[str, Any]) -> str:
    """The file beside the images; another list of earlier labels has another name."""
    return f"train_earlier_labels-{dataset_info['earlier_labels'][:12]}.npy"


def hash_pixels(image: np.ndarray) -> str:
    return hashlib.sha256(f"{image.shape}".encode() + np.ascontiguousarray(image).tobytes()).hexdigest()
