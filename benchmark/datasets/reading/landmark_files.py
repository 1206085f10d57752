"""Facial landmarks that lie beside a data set: an .npz with names and points, or published tensors in list order."""

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.datasets.base import DataError, Rows
from benchmark.datasets.points import blank_placeholders
from benchmark.datasets.reading.files import Archive, list_few

LARGEST = 2.0  # fraction of the image beyond which a point belongs to no face in it
FRAME = 224  # side in pixels of the frame that the published tensors use


def find_npz(owner: str, folder: Path) -> Path | None:
    """`landmarks_68.npz` in the folder, else its only `landmarks*.npz`, else None."""
    landmark_paths = sorted(folder.glob("landmarks*.npz"))
    if folder / "landmarks_68.npz" in landmark_paths:
        return folder / "landmarks_68.npz"
    if len(landmark_paths) > 1:
        path_names = list_few(path.name for path in landmark_paths)
        raise DataError(f"{owner}: more than one landmark file ({path_names}); keep one of them")
    return next(iter(landmark_paths), None)


def read_npz(owner: str, path: Path, names: list[str]) -> np.ndarray:
    """Points of the images `names` as float32 [n, P, 2], fractions of the image; NaN rows where there is no good point.

    The file holds `names` [N] and `xy` [N, 68 or 19, 2], and may hold `unit` and `frame` (xy * unit lies in 0..frame;
    both 1 where absent), `status` [N] (0 is good) and `confidence` [N] (0 is bad).
    """
    where = f"{owner}: {path.name}"
    Archive(owner, path)  # refuses what is truncated or would fill the memory
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {key: file[key] for key in ("names", "xy", "unit", "frame", "status", "confidence") if key in file}
    except (ValueError, OSError, EOFError, MemoryError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{where}: not readable as plain arrays ({error}); write it with numpy.savez") from None
    check_landmark_arrays(where, arrays)
    row_by_name = {str(name).replace("\\", "/"): row for row, name in enumerate(arrays["names"])}
    if len(row_by_name) != len(arrays["names"]):
        raise DataError(f"{where}: array 'names' holds the same name twice; keep one row for each image")
    points = arrays["xy"].astype(np.float64) * float(arrays.get("unit", 1)) / float(arrays.get("frame", 1))
    is_bad = ~np.isfinite(points).all((1, 2)) | is_one_number(points)
    is_bad |= (arrays["status"] != 0) if "status" in arrays else False
    is_bad |= ~(arrays["confidence"] > 0) if "confidence" in arrays else False
    points[is_bad] = np.nan
    good_distances = np.abs(points[~is_bad]).max((1, 2))
    median_distance = float(np.median(good_distances)) if len(good_distances) else 0.0
    if median_distance > LARGEST:
        raise DataError(
            f"{where}: points up to {median_distance:.0f} images away, expected fractions of the image, 0 to 1; add an array "
            "'frame' (the side of the image in the unit of xy)"
        )
    points = blank_placeholders(points)
    points = np.concatenate([points, np.full((1, *points.shape[1:]), np.nan)]).astype(np.float32)
    return points[[row_by_name.get(name, -1) for name in names]]


def check_landmark_arrays(where: str, arrays: dict[str, np.ndarray]) -> None:
    """Raises DataError where the arrays do not fit together."""
    for key in ("names", "xy"):
        if key not in arrays:
            raise DataError(f"{where}: no array {key!r}; expected names [N] and xy [N, 68 or 19, 2]")
    names = arrays["names"]
    xy = arrays["xy"]
    if names.ndim != 1 or names.dtype.kind != "U":
        raise DataError(f"{where}: array 'names' is {names.dtype} of shape {names.shape}, expected N texts")
    if xy.shape not in ((len(names), 68, 2), (len(names), 19, 2)) or xy.dtype.kind not in "iuf":
        raise DataError(f"{where}: array 'xy' is {xy.dtype} of shape {xy.shape}, expected [{len(names)}, 68 or 19, 2]")
    for key in ("unit", "frame"):
        value = arrays.get(key, np.array(1))
        if value.ndim or value.dtype.kind not in "iuf" or not 0 < value < np.inf:
            raise DataError(f"{where}: array {key!r} is {str(value)[:40]}, expected one positive number")
    for key in ("status", "confidence"):
        value = arrays.get(key, np.zeros(len(names)))
        if value.shape != (len(names),) or value.dtype.kind not in "biuf":
            array_text = f"{value.dtype} of shape {value.shape}"
            raise DataError(f"{where}: array {key!r} is {array_text}, expected {len(names)} numbers")


def read_tensor(owner: str, path: Path, rows: int | None) -> np.ndarray:
    """A published float tensor [rows, 19, 2] in a 224-pixel frame as float32 fractions; rows in list order (None: any)."""
    import torch

    where = f"{owner}: {path.name}"
    try:
        points = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for what is not a plain tensor
        first_line = str(error).splitlines()[0][:120] if str(error) else ""
        raise DataError(f"{where}: not a plain tensor file ({type(error).__name__}: {first_line})") from None
    if rows is None and isinstance(points, torch.Tensor) and points.ndim == 3:
        rows = len(points)
    if not isinstance(points, torch.Tensor) or points.shape != (rows, 19, 2) or not points.is_floating_point():
        found_shape = list(points.shape) if isinstance(points, torch.Tensor) else type(points).__name__
        raise DataError(
            f"{where}: found {found_shape}, expected a float tensor [{rows or 'n'}, 19, 2]: one row for each line of the list"
        )
    points = points.float().numpy() / np.float32(FRAME)
    largest_distance = np.nanmax(np.abs(np.where(np.isfinite(points), points, 0)), (1, 2), initial=0)
    used_distances = largest_distance[~is_one_number(points)]
    if len(used_distances) and np.median(used_distances) > LARGEST:
        farthest_point = largest_distance.max() * FRAME
        raise DataError(f"{where}: points up to {farthest_point:.0f}, expected pixels from 0 to {FRAME}")
    return blank_placeholders(points)


def is_one_number(points: np.ndarray) -> np.ndarray:
    """[n] bool: rows [n, P, 2] that repeat one number, as detectors write where they found no face."""
    return (points == points[:, :1, :1]).all((1, 2))


def attach_from_folder(owner: str, folder: Path, train: Rows, test: Rows, facts: dict[str, Any]) -> None:
    """Fill in the points of a file that lies in the folder, if there is one; raises DataError."""
    if path := find_npz(owner, folder):
        attach_points(owner, path, train, test, facts)


def attach_points(owner: str, path: Path, train: Rows, test: Rows, facts: dict[str, Any]) -> None:
    """Fill in the points of both splits, and say in the facts how many there are; raises DataError."""
    points = read_npz(owner, path, train.names + test.names)
    train.landmarks, test.landmarks = np.split(points, [len(train.names)])
    facts["landmarks"] = describe_coverage(train.landmarks, path.name)


def describe_coverage(points: np.ndarray, file: str) -> str:
    """What a data card says of landmarks: '68 points from x.npz, usable for 1,963 of 2,060 training images'."""
    usable_count = int(np.isfinite(blank_placeholders(points)).all((1, 2)).sum())
    return f"{points.shape[1]} points from {file}, usable for {usable_count:,} of {len(points):,} training images"
