"""What a training step hands to a card, counted without one: `python -m performance.launches [--json FILE] [--against FILE]`.

The engine's own epochs on a pretended card (`benchmark/check/pretended.py`): published recipes on a few drawn faces. Counts
are those of ATen operations a step by part of the work. They depend neither on the size of the images nor on the batch, so
both may be small. An operation that computes is one kernel or a few; the others only look at their input in another way.
`fill_` is counted by torch's profiler, as the engine sets determinism and without the fills that it adds to fresh tensors.
"""

import argparse
import json
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from benchmark import plugins
from benchmark.check.pretended import Card, clock_of
from benchmark.check.pretended_notes import TRAINING
from benchmark.task import Place
from benchmark.train.loop import train_epoch
from benchmark.train.trainer import Trainer
from performance import engine

SIDE, STEPS = 32, 2


def count(name: str, folder: str, precision: str, asked: dict[str, str]) -> dict[str, Any]:
    """Operations of a step by part, and fills: as the engine has it, with determinism's and without; past the first epoch."""
    batch = int(asked.get("recipe.batch_size", plugins.find_methods()[name].recipe.batch_size))
    data = engine.faces(Path(folder), max(100, STEPS * batch))
    job, resolved = engine.job_of(name, STEPS * batch, asked, precision, engine.paper_at(SIDE))
    card = Card()
    with card.there():
        made = engine.trainer(job, resolved, Place(folder, str(data), device="cuda", **engine.EAGER), clock_of(card))
        train_epoch(made, 1)
        steps = made.run.steps_per_epoch
        kept = torch.utils.deterministic.fill_uninitialized_memory
        found = {}
        for epoch, filled in ((2, True), (3, False)):
            torch.utils.deterministic.fill_uninitialized_memory = filled
            card.seen.operations.clear()
            found[filled] = fills(made, epoch) / steps
        torch.utils.deterministic.fill_uninitialized_memory = kept
    ran = {part: card.seen.operations.get(part, Counter()) for part in TRAINING}
    every = sum(ran.values(), Counter())
    counted = {"batch": batch} | {part: names.total() / steps for part, names in ran.items()}
    counted["all"] = every.total() / steps
    counted["that compute"] = sum(n for name, n in every.items() if not looks_only(name)) / steps
    counted |= {"fills": found[kept], "with determinism's": found[True], "without": found[False]}
    return counted


def fills(made: Trainer, epoch: int) -> int:
    """How often memory is filled in an epoch."""
    with profile(activities=[ProfilerActivity.CPU]) as seen:
        train_epoch(made, epoch)
    return sum(event.count for event in seen.key_averages() if event.key == "aten::fill_")


def looks_only(name: str) -> bool:
    """Whether an operation gives another look at its input and computes nothing."""
    packet = getattr(torch.ops.aten, name, None)
    return packet is not None and any(getattr(packet, overload).is_view for overload in packet.overloads())


def table(rows: dict[str, dict[str, Any]], before: dict[str, dict[str, Any]]) -> list[str]:
    """The counts as a table; before and after where there are older ones."""
    columns = [*TRAINING, "all", "that compute", "fills", "with determinism's", "without"]
    lines = ["| method, batch | " + " | ".join(columns) + " |", "| --- |" + " ---: |" * len(columns)]
    for name, row in rows.items():
        cells = []
        for column in columns:
            now, old = (f"{found[column]:.0f}" if found else "" for found in (row, before.get(name)))
            cells.append(now if old in ("", now) else f"{old} to {now}")
        lines.append(f"| {name} {row['batch']} | " + " | ".join(cells) + " |")
    return lines


def main(arguments: list[str] | None = None) -> dict[str, dict[str, Any]]:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--methods", nargs="+", default=list(engine.FIVE), choices=sorted(plugins.find_methods()))
    parser.add_argument("--batch", type=int, help="in place of the published one")
    parser.add_argument("--backbone", default="resnet18")
    parser.add_argument("--precision", default="bf16", choices=("fp32", "bf16"))
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the counts")
    parser.add_argument("--against", type=Path, metavar="FILE", help="print what was counted then beside what is now")
    args = parser.parse_args(arguments)
    asked = {"recipe.backbone": args.backbone} | ({"recipe.batch_size": str(args.batch)} if args.batch else {})
    with tempfile.TemporaryDirectory() as folder:
        rows = {name: count(name, folder, args.precision, asked) for name in args.methods}
    before = json.loads(args.against.read_text()) if args.against else {}
    print(f"launches: operations a step on the card, {args.backbone}, {args.precision}, deterministic")
    print("\n".join(table(rows, before)))
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1) + "\n")
    return rows


if __name__ == "__main__":
    main()
