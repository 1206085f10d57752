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
    work_pieces = list(split_work(data))
    missing_pieces = [piece for piece in work_pieces if not (folder / f"{piece[0]}-{piece[1]:06d}.npz").exists()]
    show_count = Counted("landmarks, in parts")
    with ProcessPoolExecutor(max(1, workers)) as pool:
        futures = [pool.submit(detect_part, data.folder, folder, *piece) for piece in missing_pieces]
        for pieces_done, future in enumerate(as_completed(futures), 1):
            future.result()
            show_count(pieces_done, len(missing_pieces))
    piece_files = [folder / f"{split}-{start:06d}.npz" for split, start, _ in work_pieces]
    piece_arrays = [dict(np.load(path, allow_pickle=False)) for path in piece_files]
    return {key: np.concatenate([piece[key] for piece in piece_arrays]) for key in ("xy", "status", "confidence")}


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
        image_count = len(getattr(data, split).labels)
        for start in range(0, image_count, PART):
            yield split, start, min(start + PART, image_count)


def detect_part(source: Path, folder: Path, split: str, start: int, stop: int) -> None:
    """Find the points of some rows, in a process of its own."""
    images = getattr(open_decoded(source), split).images[start:stop]
    scored_points = [detect_points(image) for image in images]
    arrays = {
        "xy": np.stack([points for points, _ in scored_points]).astype(np.float32),
        "status": np.array([score <= UNSEEN for _, score in scored_points], np.uint8),
        "confidence": np.array([score for _, score in scored_points], np.float32),
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
    enlarged_image = cv2.resize(pixels, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    boxes, scores, _ = detector.run(enlarged_image, 0, 0.0)
    best_box = int(np.argmax(scores)) if len(boxes) else None
    face_box = dlib.rectangle(0, 0, SIDE, SIDE) if best_box is None else boxes[best_box]
    face_shape = predictor(enlarged_image, face_box)
    points = np.array([(point.x, point.y) for point in face_shape.parts()], np.float64) / SIDE
    return points, UNSEEN if best_box is None else max(float(scores[best_box]), 2 * UNSEEN)


MODELS: list[Any] = []


def load_models() -> tuple[Any, Any]:
    """dlib's detector and predictor, loaded once a process."""
    import dlib
    import face_recognition_models

    if not MODELS:
        path = face_recognition_models.pose_predictor_model_location()
        MODELS.extend((dlib.get_frontal_face_detector(), dlib.shape_predictor(path)))
    return MODELS[0], MODELS[1]
