"""`python -m benchmark export --tensorboard DIR`: the curves of finished runs, for other programs."""

import contextlib
import json
import math
import os
import re
import shutil
import uuid
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmark.commands.command_line import command_parser, run_command
from benchmark.terminal import Usage, count_things, print_note
from results.job import Job
from results.records import Records


def main(arguments: list[str]) -> int:
    """The command line; returns the exit status."""
    parser = command_parser("export", __doc__)
    parser.add_argument(
        "--tensorboard",
        type=Path,
        metavar="DIR",
        required=True,
        help="write one TensorBoard run a record into DIR, with every curve that is kept of each epoch",
    )
    parser.add_argument("--results", type=Path, default=Path("results/runs"), help="where the records are")
    return run_command(parser, lambda args: export_tensorboard(args.results, args.tensorboard), arguments)


def export_tensorboard(results: Path, folder: Path) -> int:
    """A run a record below `folder`; those that are there stay as they are. 1 if a record cannot be used."""
    make_writer = find_writer()
    if folder.exists() and not folder.is_dir():
        raise Usage(f"--tensorboard: {folder} is a file; give a folder")
    records = Records(results)
    written_count = 0
    kept_count = 0
    for record in records.records():
        run_folder = folder / name_run(record)
        if run_folder.exists():
            kept_count += 1
            continue
        write_run(record, run_folder, make_writer)
        written_count += 1
    if not written_count + kept_count + len(records.refused):
        raise Usage(f"--results: there are no records in {results}; give the folder that holds them")
    print(f"{count_things(written_count, 'run')} written, {kept_count} there already: tensorboard --logdir {folder}")
    for line in sorted(records.refused.values()):
        print_note(f"refused: {line}")
    return 1 if records.refused else 0


def find_writer() -> Any:
    """The class that writes event files; raises Usage where no package has it."""
    for module in ("torch.utils.tensorboard", "tensorboardX"):
        with contextlib.suppress(ImportError):
            return import_module(module).SummaryWriter
    raise Usage("--tensorboard: the package tensorboard is not installed; pip install tensorboard")


def name_run(record: dict[str, Any]) -> str:
    """'faces/asymmetric_0.3/scn_seed0_6a07bda6': runs of one data set and noise lie beside each other."""
    job = Job(**record["spec"])
    noise = job.noise["kind"] + (f"_{job.noise['rate']}" if job.noise["rate"] is not None else "")
    parts = (job.data["name"], noise, f"{job.method}_seed{job.seed}_{job.id[:8]}")
    return "/".join(re.sub(r"[^\w.+-]+", "-", part) for part in parts)


def write_run(record: dict[str, Any], run_folder: Path, make_writer: Any) -> None:
    """Write one run aside and move it into place, whole or not at all."""
    temporary_folder = run_folder.parent / f".{run_folder.name}.{uuid.uuid4().hex}"
    try:
        with make_writer(str(temporary_folder)) as writer:
            run_facts = {"job": Job(**record["spec"]).text, "id": record["id"], "resolved": record["resolved"]}
            writer.add_text("run", f"```\n{json.dumps(run_facts, indent=1)}\n```")
            for name, values in record["history"].items():
                for epoch, value in enumerate(values if isinstance(values, list) else [], start=1):
                    if isinstance(value, int | float) and math.isfinite(value):
                        writer.add_scalar(name_curve(name), value, epoch)
        os.rename(temporary_folder, run_folder)
    finally:
        shutil.rmtree(temporary_folder, ignore_errors=True)


def name_curve(name: str) -> str:
    """'loss/ce' of 'loss ce', so that losses stand together; other curves keep their name."""
    kind, _, loss_name = name.partition(" ")
    return f"loss/{loss_name}" if kind == "loss" and loss_name else name
