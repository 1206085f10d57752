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

from benchmark.cache.copies import HEIGHT, WIDTH, Pair, shrink_image
from benchmark.cache.dataset_info import make_dataset_info
from benchmark.cache.decoded import OPTIONAL, SPLITS, Unreadable, hash_pixels, name_earlier_labels, open_decoded
from benchmark.cache.fingerprints import iterate_splits
from benchmark.cache.leaks import Leaks, find_leaks
from benchmark.cache.source_check import make_reader_error
from benchmark.datasets.base import DataError, DataSet, Rows, Source
from benchmark.datasets.points import blank_placeholders
from benchmark.datasets.reading.files import list_few
from benchmark.terminal import count_things

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
    build_folder = root / f".building-{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex}"
    build_folder.mkdir()
    try:
        row_orders = {
            split: sorted(range(len(rows.names)), key=rows.names.__getitem__) for split, rows in iterate_splits(source)
        }
        pixel_hashes, small_images = decode_images(dataset, source, row_orders, build_folder, progress)
        for split, rows in iterate_splits(source):
            write_arrays(build_folder, split, rows, row_orders[split])
        leaks = leaks_in(build_folder, small_images) if dataset.needs_path else Leaks()  # drawn data has none
        dataset_info = make_dataset_info(dataset, options, source, row_orders, pixel_hashes, leaks)
        if "earlier_labels" in dataset_info:
            earlier_labels = source.train.earlier_labels[row_orders["train"]].astype(np.int64)
            np.save(build_folder / name_earlier_labels(dataset_info), earlier_labels, allow_pickle=False)
        (build_folder / "card.json").write_text(json.dumps(dataset_info, indent=1))
        return move_into_place(build_folder, root, dataset_info)
    finally:
        shutil.rmtree(build_folder, ignore_errors=True)


def leaks_in(build_folder: Path, small_images: dict[str, np.ndarray]) -> Leaks:
    """What a build has in both splits, or under two labels."""

    def open_both_splits(kind: str) -> Pair:
        train_array, test_array = (np.load(build_folder / f"{split}_{kind}.npy", mmap_mode="r") for split in SPLITS)
        return train_array, test_array

    both_small = (small_images["train"], small_images["test"])
    return find_leaks(open_both_splits("images"), open_both_splits("labels"), both_small)


def check_free_space(dataset: DataSet, source: Source, root: Path) -> None:
    bytes_needed = (len(source.train.names) + len(source.test.names)) * dataset.size**2 * dataset.channels
    bytes_free = shutil.disk_usage(root).free
    if bytes_needed > bytes_free:
        sizes_text = f"{bytes_needed / 1e6:,.1f} MB needed, {bytes_free / 1e6:,.1f} MB free"
        raise DataError(f"{dataset.name}: {root}: {sizes_text}; give another --results")


def decode_images(
    dataset: DataSet, source: Source, row_orders: dict[str, list[int]], build_folder: Path, progress: Progress | None
) -> tuple[dict[str, list[str]], dict[str, np.ndarray]]:
    """Write the images of both splits; returns, in stored order, hashes and small images. Unusable ones: one DataError."""
    pixel_hashes: dict[str, list[str]] = {split: [] for split in SPLITS}
    small_images = {
        split: np.zeros((len(row_order), HEIGHT, WIDTH), np.uint8) for split, row_order in row_orders.items()
    }
    unusable_images = []
    images_done = 0
    images_total = sum(map(len, row_orders.values()))
    for split, rows in iterate_splits(source):
        array_shape = (len(rows.names), dataset.size, dataset.size, dataset.channels)
        stored_images = np.lib.format.open_memmap(
            build_folder / f"{split}_images.npy", mode="w+", dtype=np.uint8, shape=array_shape
        )
        for stored_row, source_row in enumerate(row_orders[split]):
            try:
                image = rows.image(source_row)
                stored_images[stored_row] = resize_image(image, dataset.size, dataset.channels)
                small_images[split][stored_row] = shrink_image(stored_images[stored_row])
                pixel_hashes[split].append(rows.pixels[source_row] if rows.pixels else hash_pixels(image))
            except DataError as error:
                unusable_images.append(str(error).removeprefix(f"{dataset.name}: "))
            except OSError:
                raise
            except Exception as error:  # of a reader of one's own
                raise make_reader_error(dataset, f"image {rows.names[source_row]}", error) from error
            images_done += 1
            if progress and (images_done % IMAGES_PER_REPORT == 0 or images_done == images_total):
                progress(images_done, images_total)
        stored_images.flush()
    if unusable_images:
        unusable_count = count_things(len(unusable_images), "image")
        raise DataError(f"{dataset.name}: {unusable_count} cannot be used: {list_few(unusable_images)}")
    return pixel_hashes, small_images


def resize_image(image: np.ndarray, size: int, channels: int) -> np.ndarray:
    """uint8 [H, W] or [H, W, 3] as [size, size, channels]; area means where it shrinks, bicubic where it grows."""
    if image.dtype != np.uint8 or image.ndim not in (2, 3) or image.shape[2:] not in ((), (1,), (3,)):
        raise DataError(f"an image is {image.dtype} of shape {image.shape}, expected uint8 [H, W] or [H, W, 3]")
    if image.shape[:2] != (size, size):
        import cv2

        is_shrunk = min(image.shape[:2]) >= size
        image = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA if is_shrunk else cv2.INTER_CUBIC)
    image = image.reshape(size, size, -1)
    if image.shape[2] == 3 and channels == 1:
        return np.rint(image @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)[..., None]
    return np.broadcast_to(image, (size, size, channels))


def write_arrays(build_folder: Path, split: str, rows: Rows, row_order: list[int]) -> None:
    """Write the small arrays of a split."""
    arrays = {"labels": rows.labels.astype(np.int64), "names": np.array(rows.names)}
    arrays |= {kind: getattr(rows, kind).astype(np.float32) for kind in OPTIONAL if getattr(rows, kind) is not None}
    for kind, array in arrays.items():
        np.save(build_folder / f"{split}_{kind}.npy", array[row_order], allow_pickle=False)


def move_into_place(build_folder: Path, root: Path, dataset_info: dict[str, Any]) -> Path:
    """Give a finished build its name. The same images with other landmarks get a longer name."""
    short_name = f"{dataset_info['name']}-{dataset_info['fingerprint'][:12]}"
    fingerprints = (dataset_info["fingerprint"], dataset_info["landmark_fingerprint"])
    for folder in (root / short_name, root / f"{short_name}-{(dataset_info['landmark_fingerprint'] or 'none')[:8]}"):
        while True:
            try:
                os.rename(build_folder, folder)
                return folder
            except OSError:
                if not folder.is_dir():
                    raise
            try:
                present_data = open_decoded(folder)
            except Unreadable:
                raise
            except DataError:  # damaged
                clear_away(folder, build_folder)
                continue
            if (present_data.fingerprint, present_data.landmark_fingerprint) == fingerprints:
                if present_data.lacks_images:  # a description: now it gets its pictures
                    take_over_description(build_folder, folder, dataset_info, present_data.info)
                    clear_away(folder, build_folder)
                    continue
                with contextlib.suppress(PermissionError):  # somebody else's cache
                    replace_card(build_folder, folder, dataset_info, present_data.info)
                return folder
            break
    raise DataError(f"{folder}: holds other data than its name says; remove the folder and run again")


def clear_away(folder: Path, build_folder: Path) -> None:
    """Remove what has the name of a finished build."""
    trash_folder = build_folder.with_name(f"{build_folder.name}-replaced")
    trash_folder.mkdir()
    with contextlib.suppress(FileNotFoundError):
        os.rename(folder, trash_folder / "replaced")
    shutil.rmtree(trash_folder)


def take_over_description(
    build_folder: Path, folder: Path, dataset_info: dict[str, Any], described_info: dict[str, Any]
) -> None:
    """Keep what only the description of these pictures says, such as labels that they had before."""
    kept_info = {key: value for key, value in described_info.items() if key != "described"}
    if "earlier_labels" in kept_info.keys() - dataset_info.keys():
        labels_file = name_earlier_labels(kept_info)
        shutil.copyfile(folder / labels_file, build_folder / labels_file)
    (build_folder / "card.json").write_text(json.dumps(kept_info | dataset_info, indent=1))


def replace_card(build_folder: Path, folder: Path, dataset_info: dict[str, Any], present_info: dict[str, Any]) -> None:
    """The same images, other files beside them; earlier labels that are known already stay."""
    if "earlier_labels" in dataset_info:
        os.replace(build_folder / name_earlier_labels(dataset_info), folder / name_earlier_labels(dataset_info))
    elif "earlier_labels" in present_info:
        dataset_info = dataset_info | {"earlier_labels": present_info["earlier_labels"]}
        (build_folder / "card.json").write_text(json.dumps(dataset_info, indent=1))
    os.replace(build_folder / "card.json", folder / "card.json")


def remove_abandoned_builds(root: Path) -> None:
    """Remove what builders on this host left that do not run any more."""
    prefix = f".building-{socket.gethostname()}-"
    for folder in root.glob(f"{prefix}*"):
        process_id = folder.name.removeprefix(prefix).split("-")[0]
        if process_id.isdigit() and not is_running(int(process_id)):
            shutil.rmtree(folder, ignore_errors=True)


def is_running(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except OSError as error:
        return isinstance(error, PermissionError)  # somebody else's
    return True
