"""`python -m benchmark data-card NAME --data PATH`: decode a data set, say what it is and whether it is the right one."""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from benchmark.cache import data_card
from benchmark.cache.decoded import Data
from benchmark.commands.command_line import command_parser, run_command
from benchmark.commands.named_data import add_data_arguments, open_named_data
from benchmark.launch.preflight import check_writable

SHOWN = 12  # images of each class on the contact sheet
SIDE = 72  # pixels of each


def main(arguments: list[str]) -> int:
    """The command line; returns the exit status."""
    parser = command_parser("data-card", __doc__)
    add_data_arguments(parser)
    parser.add_argument("path", nargs="?", help="the same as --data PATH")
    parser.add_argument("--out", type=Path, default=Path("reports/out"), help="where contact sheets are written")
    return run_command(parser, show_data_card, arguments)


def show_data_card(args: argparse.Namespace) -> int:
    """Decode, describe, draw."""
    if args.path:
        args.data.append(args.path)
    check_writable("--out", args.out)
    data = open_named_data(args, quiet=True)  # the card says all
    card_facts = data_card.make_data_card(data)
    page_text = data_card.format_page(card_facts)
    (data.folder / "data_card.json").write_text(json.dumps(card_facts, indent=1))
    (data.folder / "data_card.md").write_text(page_text)
    print(page_text)
    for path in draw_sheets(data, card_facts, args.out):
        print(f"wrote {path}")
    print(f"decoded images and this card: {data.folder}")
    return 0


def draw_sheets(data: Data, card_facts: dict, out: Path) -> list[Path]:
    """Contact sheets: some training images of each class, and pairs of near copies."""
    class_rows = []
    for number, name in enumerate(data.classes):
        rows = np.flatnonzero(data.train.labels == number)
        chosen_rows = rows[np.linspace(0, len(rows) - 1, min(SHOWN, len(rows))).astype(int)]
        class_rows.append((name, [data.train.images[row] for row in chosen_rows]))
    sheets = {f"{data.name}_classes.png": class_rows}
    pair_rows = []
    for split, row, other_split, other_row, mirrored in card_facts["near"]["rows"][:SHOWN]:
        images = [getattr(data, split).images[row], getattr(data, other_split).images[other_row]]
        title = f"{split}, {other_split}, mirrored" if mirrored else f"{split}, {other_split}"
        pair_rows.append((title, images))
    if pair_rows:
        sheets[f"{data.name}_near_copies.png"] = pair_rows
    for name, content in sheets.items():
        make_contact_sheet(content).save(out / name)
    return [out / name for name in sheets]


def make_contact_sheet(rows: list[tuple[str, list[np.ndarray]]]) -> Any:
    """Rows of images, each with its words on the left, as one picture."""
    text_width = 150
    columns = max(len(images) for _, images in rows)
    sheet = Image.new("RGB", (text_width + columns * SIDE, len(rows) * SIDE), "white")
    for line, (text, images) in enumerate(rows):
        ImageDraw.Draw(sheet).text((6, line * SIDE + SIDE // 2 - 6), text, fill="black")
        for column, image in enumerate(images):
            picture = Image.fromarray(np.broadcast_to(image, (*image.shape[:2], 3)).copy())
            sheet.paste(picture.resize((SIDE - 2, SIDE - 2)), (text_width + column * SIDE, line * SIDE))
    return sheet
