"""A data set decoded once into a folder of arrays, moved into place whole or not at all."""

import contextlib
import hashlib
import inspect
import json
import os
import shutil
import socket
import traceback
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.cache.decoded import FORMAT, OPTIONAL, SPLITS, Unreadable, open_folder, pixel_hash
from benchmark.cache.leaks import HEIGHT, WIDTH, Leaks, find_leaks, sentences, shrunk
from benchmark.datasets.base import DataError, DataSet, Rows, Source
from benchmark.datasets.points import without_placeholders
from benchmark.datasets.reading.files import few
from benchmark.source import own_code

EVERY = 500  # images between two calls of `progress`
NAMES_KEPT = 1000  # of each reason in the card
LARGEST_CLASSES = 256  # predictions are kept as bytes
Progress = Callable[[int, int], None]


def check(dataset: DataSet, source: Source) -> None:
    """Raises DataError where a reader's rows do not fit together."""
    if not isinstance(source, Source):
        raise DataError(f"{dataset.name}: read gives {type(source).__name__}, expected a Source")
    classes = len(source.classes)
    if not 2 <= classes <= LARGEST_CLASSES:
        raise DataError(f"{dataset.name}: {classes} classes, expected 2 to {LARGEST_CLASSES}")
    odd = [name for name in source.classes if not name.isprintable()]
    if odd:
        raise DataError(f"{dataset.name}: class name {odd[0]!a}: expected printable text")
    for split, rows in zip(SPLITS, (source.train, source.test)):
        where, n = f"{dataset.name}: {split}", len(rows.names)
        if n == 0:
            raise DataError(f"{where}: no image is left to use; check the path and the label rule")
        if any(not isinstance(name, str) for name in rows.names):
            raise DataError(
                f"{where}: names are not all text: {few(repr(n) for n in rows.names if type(n) is not str)}"
            )
        if len(set(rows.names)) != n:
            twice = sorted(name for name, times in Counter(rows.names).items() if times > 1)
            raise DataError(f"{where}: names that stand twice: {few(twice)}; keep one row for each image")
        if not isinstance(rows.labels, np.ndarray) or rows.labels.dtype.kind not in "iu":
            raise DataError(f"{where}: labels are {kind_of(rows.labels)}, expected a numpy array of whole numbers")
        if rows.labels.shape != (n,) or rows.labels.min() < 0 or rows.labels.max() >= classes:
            raise DataError(f"{where}: labels are not {n} numbers from 0 to {classes - 1}")
        if rows.votes is not None and rows.votes.shape != (n, classes):
            raise DataError(f"{where}: votes of shape {rows.votes.shape}, expected [{n}, {classes}]")
        if rows.landmarks is not None and rows.landmarks.shape not in ((n, 68, 2), (n, 19, 2)):
            raise DataError(f"{where}: landmarks of shape {rows.landmarks.shape}, expected [{n}, 68 or 19, 2]")
        if rows.pixels is not None and len(rows.pixels) != n:
            raise DataError(f"{where}: {len(rows.pixels)} pixel hashes for {n} images")


def kind_of(labels: Any) -> str:
    return f"{labels.dtype} numbers" if isinstance(labels, np.ndarray) else f"a {type(labels).__name__}"


def failed(dataset: DataSet, doing: str, error: Exception) -> DataError:
    """What stopped a reader, in one line with the place in its file."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename == inspect.getfile(type(dataset))] or frames
    place = f"{Path(own[-1].filename).name}, line {own[-1].lineno}"
    return DataError(f"{dataset.name}: {doing}: {type(error).__name__}: {str(error)[:120]} ({place})")


def build(dataset: DataSet, options: Any, source: Source, root: Path, progress: Progress | None) -> Path:
    """Decode a source into its folder; of several builders of the same data one wins and all end with its folder."""
    root.mkdir(parents=True, exist_ok=True)
    remove_abandoned(root)
    for _, rows in pairs(source):
        if rows.landmarks is not None:
            rows.landmarks = without_placeholders(rows.landmarks)
    need_room(dataset, source, root)
    # Not mkdtemp: a data cache is there for everybody who may read its parent.
    aside = root / f".building-{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex}"
    aside.mkdir()
    try:
        orders = {split: sorted(range(len(rows.names)), key=rows.names.__getitem__) for split, rows in pairs(source)}
        hashes, small = decode(dataset, source, orders, aside, progress)
        for split, rows in pairs(source):
            write_facts(aside, split, rows, orders[split])
        leaks = leaks_in(aside, small) if dataset.needs_path else Leaks()  # drawn data has none
        card = make_card(dataset, options, source, orders, hashes, leaks)
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


def pairs(source: Source) -> Iterator[tuple[str, Rows]]:
    return zip(SPLITS, (source.train, source.test))


def need_room(dataset: DataSet, source: Source, root: Path) -> None:
    need = (len(source.train.names) + len(source.test.names)) * dataset.size**2 * dataset.channels
    free = shutil.disk_usage(root).free
    if need > free:
        raise DataError(
            f"{dataset.name}: {root}: {need / 1e9:.1f} GB needed, {free / 1e9:.1f} GB free; give another --results"
        )


def decode(
    dataset: DataSet, source: Source, orders: dict[str, list[int]], aside: Path, progress: Progress | None
) -> tuple[dict[str, list[str]], dict[str, np.ndarray]]:
    """Write the images of both splits; returns, in stored order, hashes and small images. Unusable ones: one DataError."""
    hashes: dict[str, list[str]] = {split: [] for split in SPLITS}
    small = {split: np.zeros((len(order), HEIGHT, WIDTH), np.uint8) for split, order in orders.items()}
    bad, done = [], 0
    total = sum(map(len, orders.values()))
    for split, rows in pairs(source):
        shape = (len(rows.names), dataset.size, dataset.size, dataset.channels)
        images = np.lib.format.open_memmap(aside / f"{split}_images.npy", mode="w+", dtype=np.uint8, shape=shape)
        for place, row in enumerate(orders[split]):
            try:
                image = rows.image(row)
                images[place] = fitted(image, dataset.size, dataset.channels)
                small[split][place] = shrunk(images[place])
                hashes[split].append(rows.pixels[row] if rows.pixels else pixel_hash(image))
            except DataError as error:
                bad.append(str(error).removeprefix(f"{dataset.name}: "))
            except OSError:
                raise
            except Exception as error:  # of a reader of one's own
                raise failed(dataset, f"image {rows.names[row]}", error) from error
            done += 1
            if progress and (done % EVERY == 0 or done == total):
                progress(done, total)
        images.flush()
    if bad:
        unusable = "1 image" if len(bad) == 1 else f"{len(bad):,} images"
        raise DataError(f"{dataset.name}: {unusable} cannot be used: {few(bad)}")
    return hashes, small


def fitted(image: np.ndarray, size: int, channels: int) -> np.ndarray:
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


def write_facts(aside: Path, split: str, rows: Rows, order: list[int]) -> None:
    """Write the small arrays of a split."""
    arrays = {"labels": rows.labels.astype(np.int64), "names": np.array(rows.names), "votes": rows.votes}
    arrays["landmarks"] = rows.landmarks
    for kind, array in arrays.items():
        if array is not None:
            array = array[order].astype(np.float32) if kind in OPTIONAL else array[order]
            np.save(aside / f"{split}_{kind}.npy", array, allow_pickle=False)


def make_card(
    dataset: DataSet,
    options: Any,
    source: Source,
    orders: dict[str, list[int]],
    hashes: dict[str, list[str]],
    leaks: Leaks,
) -> dict[str, Any]:
    """card.json: what the data is, and all that a caption may want to say of it."""
    counts = {split: np.bincount(rows.labels, minlength=len(source.classes)).tolist() for split, rows in pairs(source)}
    copies = sentences(leaks, len(source.test.names))
    drops = hasattr(options, "drop_leaks") and bool(leaks.exact)
    fix = f" (--set {dataset.name}.drop_leaks=true leaves them out)" if drops else ""
    return {
        "format": FORMAT,
        "name": dataset.name,
        "title": dataset.title,
        "fingerprint": fingerprint(dataset, source, orders, hashes),
        "landmark_fingerprint": landmark_fingerprint(source, orders),
        "classes": list(source.classes),
        "size": dataset.size,
        "channels": dataset.channels,
        "options": asdict(options),
        "label_rule": source.facts.get("label_rule"),
        "counts": {split: dict(zip(source.classes, counts[split])) for split in SPLITS},
        "votes": [split for split, rows in pairs(source) if rows.votes is not None],
        "landmarks": [split for split, rows in pairs(source) if rows.landmarks is not None],
        "landmarks usable": {split: usable(rows) for split, rows in pairs(source) if rows.landmarks is not None},
        "test_images_also_in_train": len(leaks.exact),
        "test_images_nearly_in_train": len(leaks.near),
        "training_images_under_two_labels": len(leaks.torn),
        "dropped": {reason: {"count": len(n), "names": n[:NAMES_KEPT]} for reason, n in source.dropped.items()},
        "warnings": source.warnings
        + empty_classes(dataset, counts, source.classes)
        + no_landmarks(dataset, source)
        + [f"{dataset.name}: {line}{fix * (n == 0)}" for n, line in enumerate(copies)],
        "facts": source.facts | stored(dataset) | ({"copies": "; ".join(copies)} if copies else {}),
    }


def stored(dataset: DataSet) -> dict[str, str]:
    """The side at which images are stored, as captions say it."""
    return {"stored": f"{dataset.size} px"}


def empty_classes(dataset: DataSet, counts: dict[str, list[int]], classes: tuple[str, ...]) -> list[str]:
    """A line on classes of which a split has no picture, which noise and predictions may still name."""
    lines = []
    for split in SPLITS:
        if empty := [name for name, count in zip(classes, counts[split]) if not count]:
            seven = "contempt" in empty and hasattr(dataset.Options(), "classes")
            fix = f" (--set {dataset.name}.classes=7 leaves contempt out)" if seven else ""
            lines.append(f"{dataset.name}: no picture of class {few(empty)} in {split}{fix}")
    return lines


def no_landmarks(dataset: DataSet, source: Source) -> list[str]:
    """A line where there are landmarks and none of them can be used."""
    if source.train.landmarks is None or usable(source.train):
        return []
    return [
        f"{dataset.name}: landmarks: {source.facts.get('landmarks', 'none is usable')}; do they name these pictures?"
    ]


def usable(rows: Rows) -> int:
    """How many images have landmarks that are a face."""
    return int(np.isfinite(rows.landmarks).all((1, 2)).sum())


def fingerprint(dataset: DataSet, source: Source, orders: dict[str, list[int]], hashes: dict[str, list[str]]) -> str:
    """SHA-256 of what the images, labels and votes are; the same for every container, path and order of the source."""
    head = [
        dataset.name,
        source.classes,
        source.facts.get("label_rule"),
        dataset.size,
        dataset.channels,
        source.identity,
    ]
    if code := own_code(type(dataset)):  # hashes of files say nothing of what a reader of one's own makes of them
        head.append(code)
    text = hashlib.sha256(json.dumps(head).encode())
    for split, rows in pairs(source):
        for place, row in enumerate(orders[split]):
            votes = None if rows.votes is None else [f"{vote:.9g}" for vote in rows.votes[row].tolist()]
            pixels = hashes[split][place] if source.identity is None else None
            line = [split, rows.names[row], pixels, source.classes[rows.labels[row]], votes]
            text.update(json.dumps(line).encode() + b"\n")
    return text.hexdigest()


def landmark_fingerprint(source: Source, orders: dict[str, list[int]]) -> str | None:
    """SHA-256 of the names and points of both splits; None where there are none."""
    if source.train.landmarks is None and source.test.landmarks is None:
        return None
    text = hashlib.sha256()
    for split, rows in pairs(source):
        if rows.landmarks is not None:
            points = rows.landmarks[orders[split]].astype("<f4")
            points[np.isnan(points)] = np.nan  # one spelling
            text.update(json.dumps([split, points.shape, [rows.names[row] for row in orders[split]]]).encode())
            text.update(points.tobytes())
    return text.hexdigest()


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
                data = open_folder(folder)
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
                if not data.described:
                    with contextlib.suppress(PermissionError):  # somebody else's cache
                        os.replace(
                            aside / "card.json", folder / "card.json"
                        )  # the same images, other files beside them
                return folder
            break
    raise DataError(f"{folder}: holds other data than its name says; remove the folder and run again")


def remove_abandoned(root: Path) -> None:
    """Remove what builders on this host left that do not run any more."""
    prefix = f".building-{socket.gethostname()}-"
    for folder in root.glob(f"{prefix}*"):
        process = folder.name.removeprefix(prefix).split("-")[0]
        if process.isdigit() and not alive(int(process)):
            shutil.rmtree(folder, ignore_errors=True)


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
