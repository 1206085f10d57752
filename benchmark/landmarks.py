"""`python -m benchmark.landmarks NAME --data NAME=PATH`: 68 facial points for a data set that comes without.

dlib's face detector and its 68-point predictor (Kazemi and Sullivan, CVPR 2014), both offline in the extra `landmarks`.
The points go into `landmarks_68.npz` beside the data, where every reader looks. The predictor was trained on data that
excludes commercial use.
"""

import argparse
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import numpy as np

from benchmark import find
from benchmark.arguments import given_data
from benchmark.cache.decoded import SPLITS, Data, open_folder
from benchmark.cache.lookup import open_data
from benchmark.datasets.base import DataError, DataSet
from benchmark.datasets.points import nineteen
from benchmark.datasets.reading import landmark_files
from benchmark.settings import Usage, dataset_options, one_of, parse_sets
from results.files import arrays_bytes, write_bytes

FILE = "landmarks_68.npz"
SIDE = 150  # pixels to which a face crop is enlarged: the detector's window is 80
PART = 500  # images a file of unfinished work holds
LEFT_EYE, RIGHT_EYE = 7, 10  # centres, among the 19 points
UNSEEN = 1e-3  # confidence where the detector found no face and the whole image was taken for one
SHOWN = 40


def main(arguments: list[str]) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser("python -m benchmark.landmarks", description=__doc__.splitlines()[0])
    parser.add_argument("name", help="a data set")
    parser.add_argument("--data", action="append", default=[], metavar="NAME=PATH")
    parser.add_argument("--set", action="append", default=[], metavar="NAME.option=value")
    parser.add_argument("--import", dest="imported", type=Path, metavar="FILE.npz", help="points made elsewhere")
    parser.add_argument("--out", type=Path, metavar="FILE.npz", help=f"default {FILE} beside the data")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--results", type=Path, default=Path("results/runs"))
    parser.add_argument("--sheets", type=Path, default=Path("reports/out"), metavar="DIR")
    args = parser.parse_args(arguments)
    try:
        data, out = opened(args)
        names = [str(name) for split in SPLITS for name in getattr(data, split).names]
        made = imported(data.name, args.imported, names) if args.imported else detected(data, args)
        write_bytes(out, arrays_bytes({"names": np.array(names), **made}))
        if not args.out and reopened(args).train.landmarks is None:
            raise Usage(f"{out}: written, but not found again by the reader; unpack the data and give their folder")
    except (Usage, DataError, OSError) as error:
        print(f"benchmark.landmarks: {error}", file=sys.stderr)
        return 2
    flagged = int((made["status"] != 0).sum())
    print(
        f"wrote {out}: {len(names):,} images, {flagged:,} flagged ({flagged / len(names):.1%}), which train no landmarks"
    )
    compare(data, made)
    print(f"wrote {sheet(data, made, args.sheets)}")
    return 0


def opened(args: argparse.Namespace) -> tuple[Data, Path]:
    """The decoded data set and the file that the points go into; raises Usage where it exists."""
    known = find.data_sets()
    dataset = known[one_of("NAME", "data set", args.name, known)]()
    path = given_data(args).get(args.name)
    if dataset.needs_path and path is None:
        raise Usage(f"{args.name}: give --data {args.name}=PATH, the place where it lies")
    if path is None and args.out is None:
        raise Usage(f"{args.name}: has exact landmarks; give --out FILE.npz to detect some all the same")
    out = args.out or home(dataset, path) / FILE
    if out.exists():
        raise Usage(f"{out}: is there already; remove it to make it anew, or give --out")
    return reopened(args), out


def reopened(args: argparse.Namespace) -> Data:
    """The data set as every reader sees it now."""
    known = find.data_sets()
    dataset = known[args.name]()
    options = dataset_options(dataset, parse_sets(args.set, {}, known))
    return open_data(dataset, given_data(args).get(args.name), options, args.results / "data")


def home(dataset: DataSet, path: Path) -> Path:
    """Where the reader looks for landmarks; beside the archives, where it reads those."""
    try:
        return dataset.home(path)
    except DataError:
        return path if path.is_dir() else path.parent


def imported(owner: str, path: Path, names: list[str]) -> dict[str, np.ndarray]:
    """Points of any npz that the readers understand, matched by name; refused where it knows none of the images."""
    points = landmark_files.from_npz(owner, path, names)
    usable = np.isfinite(points).all((1, 2))
    if not usable.any():
        raise Usage(f"{path}: holds points of none of the images; are the names those of the data set ({names[0]})?")
    points[~usable] = 0
    return {"xy": points, "status": (~usable).astype(np.uint8), "confidence": usable.astype(np.float32)}


def detected(data: Data, args: argparse.Namespace) -> dict[str, np.ndarray]:
    """Points of every image; what was found by an interrupted run is kept in the results folder."""
    need_dlib()
    folder = args.results / "landmarks" / data.folder.name
    todo = list(parts(data))
    missing = [part for part in todo if not (folder / f"{part[0]}-{part[1]:06d}.npz").exists()]
    with ProcessPoolExecutor(max(1, args.workers)) as pool:
        running = [pool.submit(work, data.folder, folder, *part) for part in missing]
        for done, future in enumerate(as_completed(running), 1):
            future.result()
            if sys.stderr.isatty():
                end = "\n" if done == len(missing) else ""
                print(f"\rlandmarks: {done * 100 // len(missing)} %", end=end, file=sys.stderr, flush=True)
    files = [folder / f"{split}-{start:06d}.npz" for split, start, _ in todo]
    held = [dict(np.load(path, allow_pickle=False)) for path in files]
    return {key: np.concatenate([part[key] for part in held]) for key in ("xy", "status", "confidence")}


def need_dlib() -> None:
    try:
        import dlib  # noqa: F401
        import face_recognition_models  # noqa: F401
    except ImportError as error:
        raise Usage(
            f"no module {error.name}; install the extra: pip install 'fer-noise-benchmark[landmarks]'"
        ) from None


def parts(data: Data) -> Iterator[tuple[str, int, int]]:
    """(split, first row, row after the last) of each piece of work."""
    for split in SPLITS:
        n = len(getattr(data, split).labels)
        for start in range(0, n, PART):
            yield split, start, min(start + PART, n)


def work(source: Path, folder: Path, split: str, start: int, stop: int) -> None:
    """Find the points of some rows, in a process of its own."""
    images = getattr(open_folder(source), split).images[start:stop]
    found = [detect(image) for image in images]
    arrays = {
        "xy": np.stack([points for points, _ in found]).astype(np.float32),
        "status": np.array([score <= UNSEEN for _, score in found], np.uint8),
        "confidence": np.array([score for _, score in found], np.float32),
    }
    write_bytes(folder / f"{split}-{start:06d}.npz", arrays_bytes(arrays))


def detect(image: np.ndarray) -> tuple[np.ndarray, float]:
    """[68, 2] points as fractions of an image (uint8 [S, S, channels]) and the detector's confidence.

    Where it sees no face, the whole image is taken for one; half of such points are bad, so they are flagged.
    """
    import cv2
    import dlib

    detector, predictor = models()
    pixels = np.ascontiguousarray(image[..., 0] if image.shape[2] == 1 else image)
    large = cv2.resize(pixels, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    boxes, scores, _ = detector.run(large, 0, 0.0)
    best = int(np.argmax(scores)) if len(boxes) else None
    box = dlib.rectangle(0, 0, SIDE, SIDE) if best is None else boxes[best]
    shape = predictor(large, box)
    points = np.array([(point.x, point.y) for point in shape.parts()], np.float64) / SIDE
    return points, UNSEEN if best is None else max(float(scores[best]), 2 * UNSEEN)


MODELS: list[Any] = []


def models() -> tuple[Any, Any]:
    """dlib's detector and predictor, loaded once a process."""
    import dlib
    import face_recognition_models

    if not MODELS:
        path = face_recognition_models.pose_predictor_model_location()
        MODELS.extend((dlib.get_frontal_face_detector(), dlib.shape_predictor(path)))
    return MODELS[0], MODELS[1]


def compare(data: Data, made: dict[str, np.ndarray]) -> None:
    """Print how far the points are from those that the data set had before."""
    known = [getattr(data, split).landmarks for split in SPLITS]
    if any(points is None for points in known):
        return
    good = made["status"] == 0
    distance = errors(made["xy"], np.concatenate(known))[good]
    distance = distance[np.isfinite(distance)]
    print(
        f"against the points it had before: median {np.median(distance):.1%} of the eye distance, 95 % within "
        f"{np.percentile(distance, 95):.1%} (19 points, {len(distance):,} images)"
    )


def errors(points: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """[n] mean distance of the 19 points over the distance of the eyes' centres; NaN where there is no reference."""
    ours, theirs = (nineteen(p) if p.shape[1] == 68 else p for p in (points, reference))
    eyes = np.linalg.norm(theirs[:, LEFT_EYE] - theirs[:, RIGHT_EYE], axis=1)
    return np.linalg.norm(ours - theirs, axis=2).mean(1) / eyes


def sheet(data: Data, made: dict[str, np.ndarray], folder: Path) -> Path:
    """Training images with their points: green, or red where they are flagged."""
    from PIL import Image, ImageDraw

    side, columns = 120, 10
    rows = np.linspace(0, len(data.train.labels) - 1, min(SHOWN, len(data.train.labels))).astype(int)
    whole = Image.new("RGB", (columns * side, -(-len(rows) // columns) * side), "white")
    for place, row in enumerate(rows):
        pixels = np.broadcast_to(data.train.images[row], (*data.train.images.shape[1:3], 3))
        shown = Image.fromarray(np.ascontiguousarray(pixels)).resize((side - 2, side - 2))
        draw = ImageDraw.Draw(shown)
        for x, y in made["xy"][row] * (side - 2):
            draw.ellipse((x - 1, y - 1, x + 1, y + 1), fill="red" if made["status"][row] else "lime")
        whole.paste(shown, (place % columns * side, place // columns * side))
    folder.mkdir(parents=True, exist_ok=True)
    whole.save(folder / f"{data.name}_landmarks.png")
    return folder / f"{data.name}_landmarks.png"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
