"""`python -m benchmark landmarks NAME --data PATH`: 68 facial points for a data set that comes without.

dlib's face detector and its 68-point predictor (Kazemi and Sullivan, CVPR 2014), both offline in the extra `landmarks`.
The points are kept below `--results`, where every command that is given the same finds them, and never in the data's own folder
unless `--out` says so. The predictor was trained on data that
excludes commercial use.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from benchmark import hardware
from benchmark.cache.decoded import SPLITS, Data
from benchmark.cache.landmark_detection import detect_landmarks
from benchmark.cache.lookup import find_readable_path, landmarks_path
from benchmark.commands.command_line import command_parser, run_command
from benchmark.commands.named_data import add_data_arguments, choose_data_set, open_named_data, options_of
from benchmark.datasets.points import reduce_to_19_points
from benchmark.datasets.reading import landmark_files
from benchmark.launch.preflight import check_writable
from benchmark.terminal import Usage
from results.files import arrays_bytes, write_bytes

FILE = "landmarks_68.npz"
LEFT_EYE, RIGHT_EYE = 7, 10  # centres, among the 19 points
SHOWN = 40


def main(arguments: list[str]) -> int:
    """The command line; returns the exit status."""
    parser = command_parser("landmarks", __doc__)
    add_data_arguments(parser)
    parser.add_argument("--import", dest="imported", type=Path, metavar="FILE.npz", help="points made elsewhere")
    out_help = f"default: kept below --results, for all commands that are given the same; or a file, for example {FILE}"
    parser.add_argument("--out", type=Path, metavar="FILE.npz", help=out_help)
    workers_help = "processes that detect (default: cores)"
    parser.add_argument("--workers", type=int, default=hardware.count_cores(), help=workers_help)
    parser.add_argument("--sheets", type=Path, default=Path("reports/out"), metavar="DIR", help="where a picture goes")
    return run_command(parser, make_landmarks, arguments)


def make_landmarks(args: argparse.Namespace) -> int:
    """Detect or import the points, write them, read them back."""
    points_path = target_path(args)
    check_writable("--out", points_path.parent)
    check_writable("--sheets", args.sheets)
    data = open_named_data(args)
    if args.out is None and data.train.landmarks is not None:
        former_points = data.info["facts"].get("landmarks", "its own")
        raise Usage(f"{args.name}: has landmarks already ({former_points}); give --out FILE.npz to make others")
    image_names = [str(name) for split in SPLITS for name in getattr(data, split).names]

    if args.imported:
        points = import_points(data.name, args.imported, image_names)
    else:
        points = detect_landmarks(data, args.results / "landmarks" / data.folder.name, args.workers)
    write_bytes(points_path, arrays_bytes({"names": np.array(image_names), **points}))
    flagged_count = int((points["status"] != 0).sum())
    flagged_text = f"{flagged_count:,} flagged ({flagged_count / len(image_names):.1%}), which train no landmarks"
    print(f"wrote {points_path}: {len(image_names):,} images, {flagged_text}")
    if open_named_data(args).train.landmarks is None:
        print(f"runs do not look there: lay it beside the data as {FILE}, or leave out --out")
    compare_points(data, points)
    print(f"wrote {draw_landmark_sheet(data, points, args.sheets)}")
    return 0


def target_path(args: argparse.Namespace) -> Path:
    """The file that the points go into; raises Usage where it exists."""
    dataset, path = choose_data_set(args)
    if args.out is not None:
        points_path = args.out
    elif path is None:
        raise Usage(f"{args.name}: has exact landmarks; give --out FILE.npz to detect some all the same")
    else:
        cache_folder = args.results / "data"
        readable_path = find_readable_path(dataset, path, options_of(args, dataset), cache_folder)
        points_path = landmarks_path(dataset, readable_path, cache_folder)
    if points_path.exists():
        raise Usage(f"{points_path}: is there already; remove it to make it anew, or give --out")
    return points_path


def import_points(owner: str, path: Path, names: list[str]) -> dict[str, np.ndarray]:
    """Points of any npz that the readers understand, matched by name; refused where it knows none of the images."""
    points = landmark_files.read_npz(owner, path, names)
    usable = np.isfinite(points).all((1, 2))
    if not usable.any():
        raise Usage(f"{path}: holds points of none of the images; are the names those of the data set ({names[0]})?")
    points[~usable] = 0
    return {"xy": points, "status": (~usable).astype(np.uint8), "confidence": usable.astype(np.float32)}


def compare_points(data: Data, points: dict[str, np.ndarray]) -> None:
    """Print how far the points are from those that the data set had before."""
    former_points = [getattr(data, split).landmarks for split in SPLITS]
    if any(split_points is None for split_points in former_points):
        return
    is_usable = points["status"] == 0
    distance = point_errors(points["xy"], np.concatenate(former_points))[is_usable]
    distance = distance[np.isfinite(distance)]
    spread = f"median {np.median(distance):.1%} of the eye distance, 95 % within {np.percentile(distance, 95):.1%}"
    print(f"against the points it had before: {spread} (19 points, {len(distance):,} images)")


def point_errors(points: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """[n] mean distance of the 19 points over the distance of the eyes' centres; NaN where there is no reference."""
    ours, theirs = (reduce_to_19_points(p) if p.shape[1] == 68 else p for p in (points, reference))
    eye_distance = np.linalg.norm(theirs[:, LEFT_EYE] - theirs[:, RIGHT_EYE], axis=1)
    return np.linalg.norm(ours - theirs, axis=2).mean(1) / eye_distance


def draw_landmark_sheet(data: Data, points: dict[str, np.ndarray], folder: Path) -> Path:
    """Training images with their points: green, or red where they are flagged."""
    side = 120
    columns = 10
    rows = np.linspace(0, len(data.train.labels) - 1, min(SHOWN, len(data.train.labels))).astype(int)
    sheet = Image.new("RGB", (columns * side, -(-len(rows) // columns) * side), "white")
    for position, row in enumerate(rows):
        pixels = np.broadcast_to(data.train.images[row], (*data.train.images.shape[1:3], 3))
        thumbnail = Image.fromarray(np.ascontiguousarray(pixels)).resize((side - 2, side - 2))
        draw = ImageDraw.Draw(thumbnail)
        for x, y in points["xy"][row] * (side - 2):
            draw.ellipse((x - 1, y - 1, x + 1, y + 1), fill="red" if points["status"][row] else "lime")
        sheet.paste(thumbnail, (position % columns * side, position // columns * side))
    folder.mkdir(parents=True, exist_ok=True)
    sheet.save(folder / f"{data.name}_landmarks.png")
    return folder / f"{data.name}_landmarks.png"
