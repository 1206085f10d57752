"""`python -m benchmark import FOLDER|ZIP` (or `run_all.py --import`): records of others, merged after checking them."""

import io
import re
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark.cache import decoded
from benchmark.commands.command_line import command_parser, run_command
from benchmark.datasets.reading.pictures import LFS
from benchmark.terminal import Usage, count_things, make_printable
from results.compare import describe_difference, differing_parts
from results.files import digest_bytes, write_bytes
from results.job import PROTOCOL, Job
from results.schema import Refused, check_record
from results.slim import slim_record
from results.store import Store

# Not what methods say of themselves (cards/). "\\": some programs on Windows write it into zips.
RECORD = re.compile(r"(?:^|(?<!cards)[/\\])([0-9a-f]{20})\.json$")
MOST_BYTES = 256 * 2**20  # of one file, unpacked

NAMED = 20  # records with other numbers that are named, at most
MOST_IN_ALL = 64 * 2**30  # of the records of a zip, unpacked
MOST_RATIO = 200  # unpacked to packed; records compress about twentyfold


def main(arguments: list[str]) -> int:
    """The command line; returns the exit status."""
    parser = command_parser("import", __doc__)
    parser.add_argument("source", metavar="FOLDER|ZIP", type=Path, help="a results folder, or a zip of one")
    parser.add_argument("--results", type=Path, default=Path("results/runs"), help="where the records are merged into")
    parser.add_argument("--describe", action="store_true", help="also what drawing needs of the data; no pictures")
    parser.add_argument("--slim", action="store_true", help="of the arrays only what tables and figures are drawn from")
    return run_command(parser, lambda args: show_import(args.source, args.results, args.describe, args.slim), arguments)


def show_import(source: Path, results: Path, describe: bool = False, light: bool = False) -> int:
    """Import and say what came of it; 2 where nothing could be taken."""
    if describe and not source.is_dir():
        fix_hint = "unpack it, or leave --describe out"
        raise Usage(f"--describe: {source}: only a results folder has its data beside it; {fix_hint}")
    imported = import_records(source, results, light)
    if not (imported.taken or imported.kept or imported.refused):
        raise Usage(
            f"{source}: holds no records (ID.json with ID.npz, an id has 20 hexadecimal digits); give the folder that was "
            "--results there, not what was drawn from it"
        )
    print(imported)
    if describe:
        describe_from(source, results)
    return 0 if imported.taken or imported.kept else 2


def describe_from(source: Path, results: Path) -> None:
    """Take over what drawing needs of the data of a results folder, and which codes gave the same bits."""
    for card in sorted((source / "data").glob("*/card.json")):
        print(f"described {decoded.write_description(card.parent, results / 'data')}")
    store = Store(results)
    for method, codes_by_code in Store(source).proved().items():
        for old_code, same_codes in codes_by_code.items():
            for new_code in same_codes:
                store.note_proved(method, old_code, new_code)


@dataclass(frozen=True)
class Imported:
    """What came of an import."""

    taken: int
    kept: int  # were here already
    refused: tuple[str, ...]  # why, one line a record
    differing: tuple[str, ...] = ()  # of those that were here already: one line for each that holds other numbers

    def __str__(self) -> str:
        first_line = (
            f"imported {count_things(self.taken, 'record')}, {self.kept} here already, {len(self.refused)} refused"
        )
        lines = [first_line, *(f"other numbers: {line}" for line in self.differing[:NAMED])]
        if len(self.differing) > NAMED:
            lines.append(f"other numbers: {count_things(len(self.differing) - NAMED, 'record')} more")
        return "\n".join([*lines, *(f"refused: {line}" for line in self.refused)])


def import_records(source: Path, results: Path, light: bool = False) -> Imported:
    """Copy every sound record of a folder or zip into `results`.

    A record is taken only if its spec hashes to its name, its protocol is ours and its arrays hash to what it says.
    What is already here stays as it is, and is compared: one job on two machines may have other numbers.
    light: take only the arrays that are drawn (`results.slim`).
    """
    store = Store(results)
    taken_count = 0
    kept_count = 0
    refused: list[str] = []
    differing: list[str] = []
    for name, job_id, read_file in iterate_records(source):
        try:
            is_here = store.done(job_id)
            kept_count += is_here
            text = read_file(name).decode("utf-8-sig")
            record = check_record(text, job_id, Path(name))
            if record["spec"].get("protocol") != PROTOCOL:
                raise Refused(f"{name}: protocol {record['spec'].get('protocol')!r}, this program has {PROTOCOL}")
            if is_here:
                our_record = store.read(job_id)
                if our_record is not None and differing_parts(our_record, record):
                    differing.append(describe_difference(our_record, record, Job(**record["spec"]).text))
                continue
            arrays = read_arrays(name, read_file)
            if digest_bytes(arrays) != record.get("arrays"):
                raise Refused(f"{name}: its .npz does not hash to the record's field 'arrays'")
            check_archive_size(arrays, name)
            stored = slim_record(record, arrays) if light else (text.encode(), arrays)
        except Exception as error:  # whatever a file of others holds
            reason = str(error)
            refused.append(make_printable(reason if name in reason else f"{name}: {reason}"))
            continue
        store.set_aside(job_id)  # one that was refused here
        write_bytes(store.path(job_id).with_suffix(".npz"), stored[1])  # first: a full disk leaves no half of a record
        write_bytes(store.path(job_id), stored[0])
        taken_count += 1
    return Imported(taken_count, kept_count, tuple(refused), tuple(differing))


def read_arrays(name: str, read_file: Callable[[str], bytes]) -> bytes:
    """The file beside a record; raises Refused where it is not there, or stands for itself only."""
    arrays_name = name.removesuffix(".json") + ".npz"
    try:
        arrays = read_file(arrays_name)
    except (FileNotFoundError, KeyError):
        raise Refused(f"{name}: its arrays, {Path(name).stem}.npz, are not beside it; copy them there too") from None
    if arrays.startswith(LFS):
        raise Refused(f"{arrays_name}: a Git LFS pointer, not the arrays; run there: git lfs pull")
    return arrays


def check_archive_size(content: bytes, name: str) -> None:
    """Raises where a record's arrays are no archive, or would take more memory than arrays of a run do."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        size = sum(info.file_size for info in archive.infolist())
    if size > MOST_BYTES:
        raise Refused(f"{name}: its .npz unpacks to {size:,} bytes; not a record")


def iterate_records(source: Path) -> Iterator[tuple[str, str, Any]]:
    """(name, job id, read) of every record-like file; nothing is unpacked to disk."""
    if source.is_dir():
        for path in sorted(source.rglob("*.json")):
            matched = RECORD.search(path.as_posix())
            if matched and not path.is_symlink():
                yield str(path), matched[1], lambda name: read_limited(Path(name))
    elif zipfile.is_zipfile(source):
        with zipfile.ZipFile(source) as archive:
            if sum(info.file_size for info in archive.infolist()) > MOST_IN_ALL:
                raise Usage(f"{source}: unpacks to more than {MOST_IN_ALL >> 30} GiB; give a smaller zip of records")
            for name in sorted(archive.namelist()):
                matched = RECORD.search(name)
                if matched:
                    yield name, matched[1], lambda name: read_member(archive, name)
    else:
        raise Usage(f"{source} is neither a folder nor a zip; give a results folder, or a zip of one")


def read_limited(path: Path) -> bytes:
    if path.stat().st_size > MOST_BYTES:
        raise Refused(f"{path}: larger than {MOST_BYTES >> 20} MiB")
    return path.read_bytes()


def read_member(archive: zipfile.ZipFile, name: str) -> bytes:
    info = archive.getinfo(name)
    if info.file_size > MOST_BYTES or info.file_size > MOST_RATIO * max(1, info.compress_size):
        raise Refused(f"{name}: unpacks to {info.file_size:,} bytes from {info.compress_size:,}; not a record")
    return archive.read(info)
