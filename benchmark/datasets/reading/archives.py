"""Data sets as they are handed out: one archive of everything, or a folder of archives, unpacked once beside the cache.

Zips and tars are not trusted: only plain files and folders are written, below the folder that is theirs, and no more
bytes than a data set can have. What a reader opens by itself (FERPlus's three zips) is not unpacked.
"""

import hashlib
import json
import shutil
import tarfile
import uuid
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from benchmark.datasets.base import DataError
from benchmark.datasets.reading.files import LARGEST_ARCHIVE, LARGEST_EXPANSION, Archive, check_file_name, stamp_file

ENDINGS = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
LISTS = (".txt", ".csv", ".npz", ".pt", ".pth")  # files beside archives that a reader may want
LARGEST_LIST = 500 * 2**20  # bytes
DEPTH = 4  # levels below the given folder in which archives are looked for, and in which archives may lie in archives


def is_archive(path: Path) -> bool:
    return path.is_file() and path.name.lower().endswith(ENDINGS)


def archives_in(folder: Path) -> list[Path]:
    """Archives at most DEPTH levels below, in the order of their names."""
    patterns = ["/".join(["*"] * (depth + 1)) for depth in range(DEPTH)]
    return sorted(path for pattern in patterns for path in folder.glob(pattern) if is_archive(path))


def unpack_archives(owner: str, path: Path, root: Path) -> Path:
    """The folder with what the archive, or the archives in the folder, hold; unpacked now if it is not there.

    Archives may hold archives. A folder's lists (txt, csv, npz) are copied beside them. Raises DataError.
    """
    sources = [path] if path.is_file() else archives_in(path)
    base = path.parent if path.is_file() else path
    lists = [] if path.is_file() else [p for p in base.rglob("*") if p.suffix in LISTS and p.is_file()]
    lists = [p for p in lists if p.stat().st_size <= LARGEST_LIST]
    stamps = [(str(p.relative_to(base)), *stamp_file(p)) for p in [*sources, *lists]]
    key = hashlib.sha256(json.dumps([str(base.resolve()), stamps]).encode()).hexdigest()[:12]
    final = root / "unpacked" / f"{owner}-{key}"
    if final.is_dir():
        return final
    aside = final.with_name(f".{final.name}.{uuid.uuid4().hex}")
    try:
        aside.mkdir(parents=True)
        for source in sources:
            target = aside if path.is_file() else choose_target(owner, source, aside / source.relative_to(base))
            unpack_archive(owner, source, target)
        for inner in archives_in(aside):
            unpack_archive(owner, inner, choose_target(owner, inner, inner))
            inner.unlink()
        for part in lists:
            target = aside / part.relative_to(base)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(part, target)
        try:
            aside.rename(final)
        except OSError:  # another process was faster
            if not final.is_dir():
                raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return final


def choose_target(owner: str, archive: Path, place: Path) -> Path:
    """Where the files of an archive that lies at `place` belong: beside it if they have a folder of the archive's name
    (aligned.zip with aligned/...), else in such a folder."""
    stem = next(archive.name[: -len(end)] for end in ENDINGS if archive.name.lower().endswith(end))
    own = all(name.startswith(f"{stem}/") for name, _ in iterate_members(owner, archive, read=False))
    return place.parent if own else place.with_name(stem)


def unpack_archive(owner: str, path: Path, into: Path) -> None:
    """Write an archive's files below `into`; raises DataError."""
    into.mkdir(parents=True, exist_ok=True)
    room = min(LARGEST_ARCHIVE, shutil.disk_usage(into).free)
    where, written = f"{owner}: {path.name}", 0
    for name, file in iterate_members(owner, path):
        target = into / name
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with open(target, "xb") as out:
                while chunk := file.read(1 << 20):
                    written += len(chunk)
                    if written > room:
                        raise DataError(
                            f"{where}: more than {room / 2**30:.0f} GiB unpacked; unpack it by hand if you trust it"
                        )
                    out.write(chunk)
        except FileExistsError:
            raise DataError(
                f"{where}: {name} stands twice in it, or is a file and a folder; download it again"
            ) from None
        except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
            raise DataError(f"{where}/{name}: cannot be unpacked ({error}); copy or download it again") from None


def iterate_members(owner: str, path: Path, read: bool = True) -> Iterator[tuple[str, IO[bytes] | None]]:
    """(name, open file) of every plain file in an archive, checked; the file is None unless `read`. Raises DataError."""
    where = f"{owner}: {path.name}"
    if zipfile.is_zipfile(path):
        archive = Archive(owner, path)
        for name in sorted(archive.names()):
            yield name, archive.open(name) if read else None
        return
    try:
        with tarfile.open(path) as tar:
            total = 0
            for member in tar:
                name = check_file_name(member.name.removeprefix("./"), where)
                total += member.size
                if total > LARGEST_EXPANSION * path.stat().st_size:
                    raise DataError(f"{where}: would unpack to more than {LARGEST_EXPANSION} times its size; refused")
                if member.isdir():
                    continue
                if not member.isreg():
                    raise DataError(f"{where}: {name}: a link or device, expected plain files; unpack it by hand")
                yield name, tar.extractfile(member) if read else None
    except (tarfile.TarError, zlib.error, EOFError, OSError) as error:
        raise DataError(f"{where}: not a whole archive ({error}); copy or download it again") from None
