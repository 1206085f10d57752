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
from benchmark.datasets.reading.files import (
    BROKEN,
    LARGEST_ARCHIVE,
    LARGEST_EXPANSION,
    Archive,
    check_file_name,
    stamp_file,
)

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
    is_alone = path.is_file()
    base_folder = path.parent if is_alone else path
    archive_paths = [path] if is_alone else archives_in(path)
    files_below = [] if is_alone else [file for file in path.rglob("*") if file.suffix in LISTS and file.is_file()]
    list_paths = [file for file in files_below if file.stat().st_size <= LARGEST_LIST]
    stamps = [(str(file.relative_to(base_folder)), *stamp_file(file)) for file in (*archive_paths, *list_paths)]
    stamp_hash = hashlib.sha256(json.dumps([str(base_folder.resolve()), stamps]).encode()).hexdigest()[:12]
    unpacked_folder = root / "unpacked" / f"{owner}-{stamp_hash}"
    if unpacked_folder.is_dir():
        return unpacked_folder
    partial_folder = unpacked_folder.with_name(f".{unpacked_folder.name}.{uuid.uuid4().hex}")
    try:
        partial_folder.mkdir(parents=True)
        for source in archive_paths:
            target = partial_folder / source.relative_to(base_folder)
            unpack_archive(owner, source, partial_folder if is_alone else choose_target(owner, source, target))
        for inner_archive in archives_in(partial_folder):
            unpack_archive(owner, inner_archive, choose_target(owner, inner_archive, inner_archive))
            inner_archive.unlink()
        for list_path in list_paths:
            target = partial_folder / list_path.relative_to(base_folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(list_path, target)
        try:
            partial_folder.rename(unpacked_folder)
        except OSError:  # another process was faster
            if not unpacked_folder.is_dir():
                raise
    finally:
        shutil.rmtree(partial_folder, ignore_errors=True)
    return unpacked_folder


def choose_target(owner: str, archive: Path, target_path: Path) -> Path:
    """Where the files of an archive that lies at `target_path` belong: beside it if they have a folder of the archive's name
    (aligned.zip with aligned/...), else in such a folder."""
    stem = next(archive.name[: -len(ending)] for ending in ENDINGS if archive.name.lower().endswith(ending))
    has_own_folder = all(name.startswith(f"{stem}/") for name, _ in iterate_members(owner, archive, read=False))
    return target_path.parent if has_own_folder else target_path.with_name(stem)


def unpack_archive(owner: str, path: Path, into: Path) -> None:
    """Write an archive's files below `into`; raises DataError."""
    into.mkdir(parents=True, exist_ok=True)
    free_bytes = min(LARGEST_ARCHIVE, shutil.disk_usage(into).free)
    where = f"{owner}: {path.name}"
    written_bytes = 0
    for name, file in iterate_members(owner, path):
        target = into / name
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with open(target, "xb") as target_file:
                while file_chunk := file.read(1 << 20):
                    written_bytes += len(file_chunk)
                    if written_bytes > free_bytes:
                        size_text = f"more than {free_bytes / 2**30:.0f} GiB unpacked"
                        raise DataError(f"{where}: {size_text}; unpack it by hand if you trust it")
                    target_file.write(file_chunk)
        except FileExistsError:
            fault_text = f"{name} stands twice in it, or is a file and a folder"
            raise DataError(f"{where}: {fault_text}; download it again") from None
        except (tarfile.TarError, *BROKEN) as error:
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
            total_bytes = 0
            for member in tar:
                name = check_file_name(member.name.removeprefix("./"), where)
                total_bytes += member.size
                if total_bytes > LARGEST_EXPANSION * path.stat().st_size:
                    raise DataError(f"{where}: would unpack to more than {LARGEST_EXPANSION} times its size; refused")
                if member.isdir():
                    continue
                if not member.isreg():
                    raise DataError(f"{where}: {name}: a link or device, expected plain files; unpack it by hand")
                yield name, tar.extractfile(member) if read else None
    except (tarfile.TarError, zlib.error, EOFError, OSError) as error:
        raise DataError(f"{where}: not a whole archive ({error}); copy or download it again") from None
