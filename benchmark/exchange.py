"""Records from elsewhere: `--import` merges them after checking, `--reproduce` runs one again and compares."""

import io
import re
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.cache.decoded import open_folder
from benchmark.settings import Usage, printable
from results.files import digest_bytes, write_bytes
from results.job import PROTOCOL, Job
from results.schema import Refused, check, incomplete
from results.store import Store

RECORD = re.compile(r"(?:^|/)([0-9a-f]{2})/(\1[0-9a-f]{18})\.json$")
MOST_BYTES = 256 * 2**20  # of one file, unpacked
UNREADABLE = (
    Refused,
    KeyError,
    TypeError,
    AttributeError,
    OSError,
    EOFError,
    ValueError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
)
MOST_RATIO = 200  # unpacked to packed; records compress about twentyfold


def import_records(source: Path, results: Path) -> str:
    """Copy every sound record of a folder or zip into `results`; returns a summary, one refusal a line.

    A record is taken only if its spec hashes to its name, its protocol is ours and its arrays hash to what it says.
    What is already here stays as it is.
    """
    store, taken, kept, refused = Store(results), 0, 0, []
    for name, job_id, read in members(source):
        try:
            if store.done(job_id):
                kept += 1
                continue
            text = read(name).decode("utf-8")
            record = check(text, job_id, Path(name))
            if record["spec"].get("protocol") != PROTOCOL:
                raise Refused(f"{name}: protocol {record['spec'].get('protocol')!r}, this program has {PROTOCOL}")
            complaint = incomplete(record)
            if complaint:
                raise Refused(f"{name}: {complaint}")
            arrays = read(name.removesuffix(".json") + ".npz")
            if digest_bytes(arrays) != record.get("arrays"):
                raise Refused(f"{name}: its .npz does not hash to the record's field 'arrays'")
            check_arrays(arrays, name)
        except UNREADABLE as error:
            text = str(error)
            refused.append(printable(text if str(name) in text else f"{name}: {text}"))
            continue
        write_bytes(store.path(job_id).with_suffix(".npz"), arrays)
        write_bytes(store.path(job_id), text.encode())
        taken += 1
    lines = [f"imported {taken} records, {kept} were here already, {len(refused)} refused"]
    return "\n".join(lines + [f"refused: {line}" for line in refused])


def check_arrays(content: bytes, name: str) -> None:
    """Raises where a record's arrays are no archive, or would take more memory than arrays of a run do."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        size = sum(info.file_size for info in archive.infolist())
    if size > MOST_BYTES:
        raise Refused(f"{name}: its .npz unpacks to {size:,} bytes; not a record")


def members(source: Path) -> Iterator[tuple[str, str, Any]]:
    """(name, job id, read) of every record-like file; nothing is unpacked to disk."""
    if source.is_dir():
        for path in sorted(source.rglob("*.json")):
            matched = RECORD.search(path.as_posix())
            if matched and not path.is_symlink():
                yield str(path), matched[2], lambda name: limited(Path(name))
    elif zipfile.is_zipfile(source):
        with zipfile.ZipFile(source) as archive:
            for name in sorted(archive.namelist()):
                matched = RECORD.search(name)
                if matched:
                    yield name, matched[2], lambda name: member(archive, name)
    else:
        raise Usage(f"--import: {source} is neither a folder nor a zip; give a results folder, or a zip of one")


def limited(path: Path) -> bytes:
    if path.stat().st_size > MOST_BYTES:
        raise Refused(f"{path}: larger than {MOST_BYTES >> 20} MiB")
    return path.read_bytes()


def member(archive: zipfile.ZipFile, name: str) -> bytes:
    info = archive.getinfo(name)
    if info.file_size > MOST_BYTES or info.file_size > MOST_RATIO * max(1, info.compress_size):
        raise Refused(f"{name}: unpacks to {info.file_size:,} bytes from {info.compress_size:,}; not a record")
    return archive.read(info)


def reproduce(job_id: str, results: Path, weights: Path | None, device: str, folders: Iterable[Path] = ()) -> int:
    """Run a job again aside and compare it with its record; 0 if they agree to the last bit."""
    from benchmark.dispatch import supervise

    store = Store(results)
    try:
        record = store.read(job_id)
    except Refused as error:
        raise Usage(f"--reproduce: {error}") from None
    if record is None:
        raise Usage(f"--reproduce: there is no record {job_id} in {results}{repeat(store, job_id)}")
    job = Job(**record["spec"])
    place = where(job, results, weights, device) | {"methods_path": [str(folder) for folder in folders]}
    with tempfile.TemporaryDirectory() as aside:
        again = Store(Path(aside))
        request = {
            "id": job.id,
            "task": "train",
            "job": asdict(job),
            "resolved": record["resolved"],
            "place": place | {"results": aside},
            "results": aside,
            "makes": str(again.path(job.id)),
            "log": str(again.log(job.id)),
        }
        outcome = supervise(request)
        if outcome.status != "ok":
            print(f"{job.text}: {outcome.status}: {outcome.message}")
            return 1
        return compare(record, again.read(job.id), arrays(store, job.id), arrays(again, job.id))


def repeat(store: Store, job_id: str) -> str:
    failure = store.failure(job_id) if re.fullmatch(r"[0-9a-f]{20}", job_id) else None
    return f"; it failed, and is tried again by: {failure['command']}" if failure and failure.get("command") else ""


def where(job: Job, results: Path, weights: Path | None, device: str) -> dict[str, Any]:
    """The inputs of a recorded job on this machine; raises Usage where one is missing."""
    wanted = job.data["landmarks"]
    folders = sorted((results / "data").glob(f"{job.data['name']}-{job.data['fingerprint'][:12]}*"))
    data = next((f for f in folders if wanted in (None, open_folder(f).landmark_fingerprint)), None)
    if data is None:
        raise Usage(
            f"--reproduce: the data of the job are not here; run a table with --data {job.data['name']}=PATH first"
        )
    if job.noise["kind"].startswith("file:"):
        raise Usage("--reproduce: the noise is a list file, which records do not keep; run its table with --force")
    kind, _, key = job.weights.partition(":")
    if kind == "landmarks":
        weights = results / "weights" / f"{key}.pt"
    if kind != "random" and (weights is None or not weights.exists()):
        raise Usage(f"--reproduce: the start weights {job.weights} are not here; give them with --weights PATH")
    return {"data": str(data), "weights": str(weights) if kind != "random" else None, "device": device}


def arrays(store: Store, job_id: str) -> dict[str, np.ndarray]:
    with np.load(store.path(job_id).with_suffix(".npz"), allow_pickle=False) as file:
        return dict(file)


def compare(old: dict, new: dict, old_arrays: dict, new_arrays: dict) -> int:
    """Print what differs; 0 if metrics, history and arrays are the same."""
    differing = [part for part in ("noise", "metrics", "history") if old[part] != new[part]]
    differing += [name for name, value in old_arrays.items() if not np.array_equal(value, new_arrays[name])]
    for name in ("last", "best", "last5"):
        before, after = old["metrics"][name], new["metrics"][name]
        print(
            f"{name:>6}: {100 * before:.2f} recorded, {100 * after:.2f} now, difference {100 * (after - before):+.2f}"
        )
    if not differing:
        print("the same bits: metrics, history, predictions and label distributions")
        return 0
    print(f"different: {', '.join(differing)}")
    changed = {k: (v, new["provenance"].get(k)) for k, v in old["provenance"].items() if v != new["provenance"].get(k)}
    for key, (before, after) in changed.items():
        print(f"  {key}: {before} recorded, {after} now")
    return 1
