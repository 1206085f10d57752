"""68 points of every image of a decoded data set, found by dlib's detector in parts that survive an interruption."""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.cache.decoded import SPLITS, Data, open_decoded
from benchmark.progress import Counted
from benchmark.terminal import Usage
from results.files import arrays_bytes, write_bytes

SIDE = 150  # pixels to which a face crop is enlarged: the detector's window is 80
PART = 500  # images a file of unfinished work holds
UNSEEN = 1e-3  # confidence where the detector found no face and the whole image was taken for one


def detect_landmarks(data: Data, folder: Path, workers: int) -> dict[str, np.ndarray]:
    """Points of every image; folder: keeps what an interrupted run had found."""
    require_dlib()
    todo = list(split_work(data))
    missing = [part for part in todo if not (folder / f"{part[0]}-{part[1]:06d}.npz").exists()]
    shown = Counted("landmarks, in parts")
    with ProcessPoolExecutor(max(1, workers)) as pool:
        running = [pool.submit(detect_part, data.folder, folder, *part) for part in missing]
        for done, future in enumerate(as_completed(running), 1):
            future.result()
            shown(done, len(missing))
    files = [folder / f"{split}-{start:06d}.npz" for split, start, _ in todo]
    held = [dict(np.load(path, allow_pickle=False)) for path in files]
    return {key: np.concatenate([part[key] for part in held]) for key in ("xy", "status", "confidence")}


def require_dlib() -> None:
    try:
        import dlib  # noqa: F401
        import face_recognition_models  # noqa: F401
    except ImportError as error:
        raise Usage(
            f"no module {error.name}; install the extra: pip install 'fer-noise-benchmark[landmarks]'"
        ) from None


def split_work(data: Data) -> Iterator[tuple[str, int, int]]:
    """(split, first row, row after the last) of each piece of work."""
    for split in SPLITS:
        n = len(getattr(data, split).labels)
        for start in range(0, n, PART):
            yield split, start, min(start + PART, n)


def detect_part(source: Path, folder: Path, split: str, start: int, stop: int) -> None:
    """Find the points of some rows, in a process of its own."""
    images = getattr(open_decoded(source), split).images[start:stop]
    found = [detect_points(image) for image in images]
    arrays = {
        "xy": np.stack([points for points, _ in found]).astype(np.float32),
        "status": np.array([score <= UNSEEN for _, score in found], np.uint8),
        "confidence": np.array([score for _, score in found], np.float32),
    }
    write_bytes(folder / f"{split}-{start:06d}.npz", arrays_bytes(arrays))


def detect_points(image: np.ndarray) -> tuple[np.ndarray, float]:
    """[68, 2] points as fractions of an image (uint8 [S, S, channels]) and the detector's confidence.

    Where it sees no face, the whole image is taken for one; half of such points are bad, so they are flagged.
    """
    import cv2
    import dlib

    detector, predictor = load_models()
    pixels = np.ascontiguousarray(image[..., 0] if image.shape[2] == 1 else image)
    large = cv2.resize(pixels, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    boxes, scores, _ = detector.run(large, 0, 0.0)
    best = int(np.argmax(scores)) if len(boxes) else None
    box = dlib.rectangle(0, 0, SIDE, SIDE) if best is None else boxes[best]
    shape = predictor(large, box)
    points = np.array([(point.x, point.y) for point in shape.parts()], np.float64) / SIDE
    return points, UNSEEN if best is None else max(float(scores[best]), 2 * UNSEEN)


MODELS: list[Any] = []


def load_models() -> tuple[Any, Any]:
    """dlib's detector and predictor, loaded once a process."""
    import dlib
    import face_recognition_models

    if not MODELS:
        path = face_recognition_models.pose_predictor_model_location()
        MODELS.extend((dlib.get_frontal_face_detector(), dlib.shape_predictor(path)))
    return MODELS[0], MODELS[1]
