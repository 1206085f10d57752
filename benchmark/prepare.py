"""`python -m benchmark.prepare NAME PATH`: decode a data set, say what it is and whether it is the right one."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from benchmark import find
from benchmark.cache import card
from benchmark.cache.decoded import Data
from benchmark.cache.lookup import open_data
from benchmark.cli import show_decoding
from benchmark.settings import Usage, dataset_options, one_of, parse_sets, printable

SHOWN = 12  # images of each class on the contact sheet
SIDE = 72  # pixels of each


def main(arguments: list[str]) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser("python -m benchmark.prepare", description=__doc__.splitlines()[0])
    parser.add_argument("name", help="faces, ferplus, rafdb, affectnet, folder (pictures of your own), or one of yours")
    parser.add_argument("path", type=Path, nargs="?", help="where the data set lies, in any of its published layouts")
    parser.add_argument("--set", action="append", default=[], metavar="NAME.option=value")
    parser.add_argument("--methods-path", action="append", default=[], type=Path, metavar="DIR")
    parser.add_argument("--results", type=Path, default=Path("results/runs"))
    parser.add_argument("--out", type=Path, default=Path("reports/out"))
    args = parser.parse_args(arguments)
    try:
        args.out.mkdir(parents=True, exist_ok=True)
        data = prepared(args)
    except (ValueError, OSError) as error:
        print(f"benchmark.prepare: {printable(str(error))}", file=sys.stderr)
        return 2
    found = card.card(data)
    text = card.page(found)
    (data.folder / "data_card.json").write_text(json.dumps(found, indent=1))
    (data.folder / "data_card.md").write_text(text)
    print(text)
    for path in draw(data, found, args.out):
        print(f"wrote {path}")
    print(f"decoded images and this card: {data.folder}")
    return 0


def prepared(args: argparse.Namespace) -> Data:
    """The decoded data set; raises Usage or DataError."""
    folders = tuple(folder.resolve() for folder in args.methods_path)
    missing = [str(folder) for folder in folders if not folder.is_dir()]
    if missing:
        raise Usage(f"--methods-path: {missing[0]} is not a folder")
    known = find.data_sets(folders)
    dataset = known[one_of("NAME", "data set", args.name, known)]()
    if dataset.needs_path and args.path is None:
        raise Usage(f"{args.name}: give the path where it lies")
    if args.path is not None and not args.path.exists():
        raise Usage(f"{args.name}: {args.path} does not exist")
    sets = parse_sets(args.set, {}, known)
    for key in sets:
        if key.split(".")[0] != args.name:
            raise Usage(f"--set {key}: only options of {args.name} matter here")
    return open_data(dataset, args.path, dataset_options(dataset, sets), args.results / "data", show_decoding)


def draw(data: Data, found: dict, out: Path) -> list[Path]:
    """Contact sheets: some training images of each class, and pairs of near copies."""
    out.mkdir(parents=True, exist_ok=True)
    rows = []
    for number, name in enumerate(data.classes):
        chosen = np.flatnonzero(data.train.labels == number)
        chosen = chosen[np.linspace(0, len(chosen) - 1, min(SHOWN, len(chosen))).astype(int)] if len(chosen) else []
        rows.append((name, [data.train.images[row] for row in chosen]))
    sheets = {f"{data.name}_classes.png": rows}
    pairs = []
    for split, row, other_split, other_row, mirrored in found["near"]["rows"][:SHOWN]:
        images = [getattr(data, split).images[row], getattr(data, other_split).images[other_row]]
        pairs.append((f"{split}, {other_split}" + ", mirrored" * mirrored, images))
    if pairs:
        sheets[f"{data.name}_near_copies.png"] = pairs
    for name, content in sheets.items():
        sheet(content).save(out / name)
    return [out / name for name in sheets]


def sheet(rows: list[tuple[str, list[np.ndarray]]]) -> Any:
    """Rows of images, each with its words on the left, as one picture."""
    from PIL import Image, ImageDraw

    words = 150
    columns = max(len(images) for _, images in rows)
    whole = Image.new("RGB", (words + columns * SIDE, len(rows) * SIDE), "white")
    for line, (text, images) in enumerate(rows):
        ImageDraw.Draw(whole).text((6, line * SIDE + SIDE // 2 - 6), text, fill="black")
        for column, image in enumerate(images):
            shown = Image.fromarray(np.broadcast_to(image, (*image.shape[:2], 3)).copy()).resize((SIDE - 2, SIDE - 2))
            whole.paste(shown, (words + column * SIDE, line * SIDE))
    return whole


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
