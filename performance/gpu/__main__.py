"""`python -m performance.gpu --out FOLDER [--items 1 3] [--data ferplus=PATH] [--long] [--device cpu --rehearse]`."""

import argparse
import multiprocessing
import os
import sys
import time
from pathlib import Path

import torch._dynamo  # once, for every child: its first optimiser step would import it, in seconds

from benchmark import hardware
from performance.gpu.course import run_items
from performance.gpu.items import ITEMS, SECONDS
from performance.gpu.setting import Setting
from performance.gpu.training import train_long


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m performance.gpu", description="What only a GPU can tell.")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where gpu.json and gpu.md go")
    parser.add_argument(
        "--items", type=int, nargs="+", choices=[i.number for i in ITEMS], help="default: all, in order"
    )
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    parser.add_argument("--rehearse", action="store_true", help="tiny sizes: to see that all of it runs")
    parser.add_argument("--data", nargs="+", default=[], metavar="NAME=PATH", help="real data for item 5 and --long")
    parser.add_argument("--long", action="store_true", help="train on, in place of the items; call it until it is done")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="in all (default: %(default)s)")
    args = parser.parse_args(arguments)
    if args.device == "cuda" and not hardware.find_gpus():
        sys.exit(
            "performance.gpu: no GPU can be used here; "
            + ("; ".join(hardware.list_unused()) or "--device cpu --rehearse")
        )
    set_up_like_a_job()
    data = {name: Path(path).resolve() for name, _, path in (word.partition("=") for word in args.data)}
    setting = Setting(args.out.resolve(), args.device, args.rehearse, data)
    setting.out.mkdir(parents=True, exist_ok=True)
    if args.long:
        return train_long(setting, args.seconds)
    start = time.monotonic()
    drawing = multiprocessing.get_context("fork").Process(target=setting.draw_faces)
    drawing.start()  # in a child: this process, which all others are forked from, computes nothing
    drawing.join()
    asked = [item for item in ITEMS if not args.items or item.number in args.items]
    found = run_items(asked, setting, args.seconds - (time.monotonic() - start))
    return int(any(found[str(item.number)]["status"].startswith("failed") for item in asked))


def set_up_like_a_job() -> None:
    """One thread, and what cuBLAS needs for the same bits again, as the fork server of all jobs sets them."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.set_num_threads(1)


if __name__ == "__main__":
    sys.exit(main())
