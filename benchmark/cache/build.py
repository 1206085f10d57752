"""A data set decoded once into a folder of arrays, moved into place whole or not at all."""

import contextlib
import json
import os
import shutil
import socket
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.cache.copies import HEIGHT, WIDTH, shrink_image
from benchmark.cache.dataset_info import make_dataset_info
from benchmark.cache.decoded import (
    OPTIONAL,
    SPLITS,
    Unreadable,
    hash_pixels,
    name_earlier_labels,
    open_decoded,
)
from benchmark.cache.fingerprints import iterate_splits
from benchmark.cache.leaks import Leaks, find_leaks
from benchmark.cache.source_check import make_reader_error
from benchmark.datasets.base import DataError, DataSet, Rows, Source
from benchmark.datasets.points import blank_placeholders
from benchmark.datasets.reading.files import list_few

IMAGES_PER_REPORT = 500  # images between two calls of `progress`


Progress = Callable[[int, int], None]


def build_cache(dataset: DataSet, options: Any, source: Source, root: Path, progress: Progress | None) -> Path:
    """Decode a source into its folder; of several builders of the same data one wins and all end with its folder."""
    root.mkdir(parents=True, exist_ok=True)
    remove_abandoned_builds(root)
    for _, rows in iterate_splits(source):
        if rows.landmarks is not None:
            rows.landmarks = blank_placeholders(rows.landmarks)
    check_free_space(dataset, source, root)
    # Not mkdtemp: a data cache is there for everybody who may read its parent.
    aside = root / f".building-{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex}"
    aside.mkdir()
    try:
        orders = {
            split: sorted(range(len(rows.names)), key=rows.names.__getitem__) for split, rows in iterate_splits(source)
        }
        hashes, small = decode_images(dataset, source, orders, aside, progress)
        for split, rows in iterate_splits(source):
            write_arrays(aside, split, rows, orders[split])
        leaks = leaks_in(aside, small) if dataset.needs_path else Leaks()  # drawn data has none
        card = make_dataset_info(dataset, options, source, orders, hashes, leaks)
        if "earlier_labels" in card:
            labels = source.train.earlier_labels[orders["train"]].astype(np.int64)
            np.save(aside / name_earlier_labels(card), labels, allow_pickle=False)
        (aside / "card.json").write_text(json.dumps(card, indent=1))
        return move_into_place(aside, root, card)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def leaks_in(aside: Path, small: dict[str, np.ndarray]) -> Leaks:
    """What a build has in both splits, or under two labels."""
    images, labels = (
        (np.load(aside / f"train_{kind}.npy", mmap_mode="r"), np.load(aside / f"test_{kind}.npy", mmap_mode="r"))
        for kind in ("images", "labels")
    )
    return find_leaks(images, labels, (small["train"], small["test"]))


def check_free_space(dataset: DataSet, source: Source, root: Path) -> None:
    need = (len(source.train.names) + len(source.test.names)) * dataset.size**2 * dataset.channels
    free = shutil.disk_usage(root).free
    if need > free:
        raise DataError(
            f"{dataset.name}: {root}: {need / 1e9:.1f} GB needed, {free / 1e9:.1f} GB free; give another --results"
        )


def decode_images(
    dataset: DataSet, source: Source, orders: dict[str, list[int]], aside: Path, progress: Progress | None
) -> tuple[dict[str, list[str]], dict[str, np.ndarray]]:
    """Write the images of both splits; returns, in stored order, hashes and small images. Unusable ones: one DataError."""
    hashes: dict[str, list[str]] = {split: [] for split in SPLITS}
    small = {split: np.zeros((len(order), HEIGHT, WIDTH), np.uint8) for split, order in orders.items()}
    bad, done = [], 0
    total = sum(map(len, orders.values()))
    for split, rows in iterate_splits(source):
        shape = (len(rows.names), dataset.size, dataset.size, dataset.channels)
        images = np.lib.format.open_memmap(aside / f"{split}_images.npy", mode="w+", dtype=np.uint8, shape=shape)
        for place, row in enumerate(orders[split]):
            try:
                image = rows.image(row)
                images[place] = resize_image(image, dataset.size, dataset.channels)
                small[split][place] = shrink_image(images[place])
                hashes[split].append(rows.pixels[row] if rows.pixels else hash_pixels(image))
            except DataError as error:
                bad.append(str(error).removeprefix(f"{dataset.name}: "))
            except OSError:
                raise
            except Exception as error:  # of a reader of one's own
                raise make_reader_error(dataset, f"image {rows.names[row]}", error) from error
            done += 1
            if progress and (done % IMAGES_PER_REPORT == 0 or done == total):
                progress(done, total)
        images.flush()
    if bad:
        unusable = "1 image" if len(bad) == 1 else f"{len(bad):,} images"
        raise DataError(f"{dataset.name}: {unusable} cannot be used: {list_few(bad)}")
    return hashes, small


def resize_image(image: np.ndarray, size: int, channels: int) -> np.ndarray:
    """uint8 [H, W] or [H, W, 3] as [size, size, channels]; area means where it shrinks, bicubic where it grows."""
    if image.dtype != np.uint8 or image.ndim not in (2, 3) or image.shape[2:] not in ((), (1,), (3,)):
        raise DataError(f"an image is {image.dtype} of shape {image.shape}, expected uint8 [H, W] or [H, W, 3]")
    if image.shape[:2] != (size, size):
        import cv2

        shrinks = min(image.shape[:2]) >= size
        image = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
    image = image.reshape(size, size, -1)
    if image.shape[2] == 3 and channels == 1:
        return np.rint(image @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)[..., None]
    return np.broadcast_to(image, (size, size, channels))


def write_arrays(aside: Path, split: str, rows: Rows, order: list[int]) -> None:
    """Write the small arrays of a split."""
    arrays = {"labels": rows.labels.astype(np.int64), "names": np.array(rows.names), "votes": rows.votes}
    arrays["landmarks"] = rows.landmarks
    for kind, array in arrays.items():
        if array is not None:
            array = array[order].astype(np.float32) if kind in OPTIONAL else array[order]
            np.save(aside / f"{split}_{kind}.npy", array, allow_pickle=False)


def move_into_place(aside: Path, root: Path, card: dict[str, Any]) -> Path:
    """Give a finished build its name. The same images with other landmarks get a longer name."""
    plain = f"{card['name']}-{card['fingerprint'][:12]}"
    identity = (card["fingerprint"], card["landmark_fingerprint"])
    for folder in (root / plain, root / f"{plain}-{(card['landmark_fingerprint'] or 'none')[:8]}"):
        while True:
            try:
                os.rename(aside, folder)
                return folder
            except OSError:
                if not folder.is_dir():
                    raise
            try:
                data = open_decoded(folder)
            except Unreadable:
                raise
            except DataError:  # damaged: out of the way, then try again
                bin = aside.with_name(f"{aside.name}-damaged")
                bin.mkdir()
                with contextlib.suppress(FileNotFoundError):
                    os.rename(folder, bin / "damaged")
                shutil.rmtree(bin)
                continue
            if (data.fingerprint, data.landmark_fingerprint) == identity:
                if not data.lacks_images:
                    with contextlib.suppress(PermissionError):  # somebody else's cache
                        replace_card(aside, folder, card, data.info)
                return folder
            break
    raise DataError(f"{folder}: holds other data than its name says; remove the folder and run again")


def replace_card(aside: Path, folder: Path, card: dict[str, Any], before: dict[str, Any]) -> None:
    """The same images, other files beside them; earlier labels that are known already stay."""
    if "earlier_labels" in card:
        os.replace(aside / name_earlier_labels(card), folder / name_earlier_labels(card))
    elif "earlier_labels" in before:
        card = card | {"earlier_labels": before["earlier_labels"]}
        (aside / "card.json").write_text(json.dumps(card, indent=1))
    os.replace(aside / "card.json", folder / "card.json")


def remove_abandoned_builds(root: Path) -> None:
    """Remove what builders on this host left that do not run any more."""
    prefix = f".building-{socket.gethostname()}-"
    for folder in root.glob(f"{prefix}*"):
        process = folder.name.removeprefix(prefix).split("-")[0]
        if process.isdigit() and not is_running(int(process)):
            shutil.rmtree(folder, ignore_errors=True)


def is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
