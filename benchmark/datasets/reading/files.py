"""How the readers open what they are given: folders, zip archives and CSV files, none of them trusted."""

import codecs
import csv
import io
import os
import re
import unicodedata
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from benchmark.datasets.base import DataError
from benchmark.datasets.reading.splits import is_hidden

LARGEST_EXPANSION = 100  # declared size of an archive's content over its own size
LARGEST_ARCHIVE = 20 * 2**30  # bytes, unpacked
LARGEST_CELL = 1_000_000  # characters
BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, OSError)  # what reading a damaged file raises
WHOLE_NUMBER = re.compile(r"\s*-?[0-9]{1,9}\s*")


def list_few(names: Iterable[str]) -> str:
    """At most five names and how many more there are."""
    names = list(names)
    more_text = f" and {len(names) - 5:,} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more_text


def check_option(field: str, value: object, allowed: tuple) -> None:
    """Raises DataError where an option has a value that does not exist; field: 'ferplus.rule'."""
    if value not in allowed or isinstance(value, bool):
        raise DataError(f"{field}={value}: choose one of {', '.join(map(str, allowed))}")


def check_size(owner: str, size: int) -> None:
    """Raises DataError for a side at which images cannot be stored."""
    if not 32 <= size <= 512:
        raise DataError(f"{owner}.size={size}: expected 32 to 512 pixels")


def require_folder(owner: str, path: Path, expected: str) -> None:
    """Raises DataError where the path is no folder."""
    if not path.exists():
        raise DataError(f"{owner}: {path}: there is no such folder; expected {expected}")
    if not path.is_dir():
        raise DataError(f"{owner}: {path}: not a folder; give the one that holds it: {path.parent}")


def note_line(line_by_name: dict[str, str], name: str, where: str) -> None:
    """Keep the line in which an image is listed; raises DataError where it was listed before."""
    if name in line_by_name:
        raise DataError(f"{where}: {name} was listed before ({line_by_name[name]}); keep one row for each image")
    line_by_name[name] = where.rsplit(", ")[-1]


def compare_counts(owner: str, split_counts: dict[str, int], published_counts: dict[str, int]) -> list[str]:
    """One line that says by how much the sizes of the splits differ from the published ones, or none."""
    if split_counts == published_counts:
        return []
    size_pairs = [(split, split_counts[split], size) for split, size in published_counts.items()]
    counts_text = ", ".join(f"{split} {count:,} ({count - size:+,})" for split, count, size in size_pairs)
    published_text = " / ".join(f"{size:,}" for _, _, size in size_pairs)
    return [f"{owner}: images used: {counts_text}; published: {published_text}. Not the whole published data set?"]


def check_file_name(name: str, where: str) -> str:
    """A file name that stays inside its folder; raises DataError for '..', absolute paths and control characters."""
    if any(not (letter.isprintable() or unicodedata.category(letter) == "Zs") for letter in name):
        raise DataError(f"{where}: {name!a}: a control character in a file name, or none of UTF-8; rename the file")
    if name.startswith("/") or name[1:2] == ":" or "\\" in name or ".." in name.split("/"):
        raise DataError(f"{where}: {name!r}: a path that leads outside; expected a name inside the data folder")
    return name


class Folder:
    """The files below a folder."""

    def __init__(self, owner: str, path: Path) -> None:
        self.path = path
        self.where = f"{owner}: {path.name}"

    def names(self) -> set[str]:
        """Every file below, as names relative to the folder, but not what systems leave there."""
        file_names = set()
        for parent_folder, folders, files in os.walk(self.path, followlinks=True):
            folders[:] = [name for name in folders if not is_hidden(name)]
            files = [name for name in files if not is_hidden(name)]
            prefix = Path(parent_folder).relative_to(self.path).as_posix()
            file_names.update(files if prefix == "." else (f"{prefix}/{name}" for name in files))
        return file_names

    def open(self, name: str) -> BinaryIO:
        path = self.path / check_file_name(name, self.where)
        try:
            if path.exists() and not path.is_file():
                raise OSError(0, "not a plain file")
            return path.open("rb")
        except OSError as error:
            raise DataError(f"{self.where}/{name}: cannot be read ({error.strerror})") from None

    def read(self, name: str) -> bytes:
        with self.open(name) as file:
            return file.read()


class Archive:
    """The files in a zip archive, read without unpacking it to disk."""

    def __init__(self, owner: str, path: Path) -> None:
        self.where = f"{owner}: {path.name}"
        try:
            self.zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            raise DataError(f"{self.where}: not a whole zip archive ({error}); copy or download it again") from None
        members = self.zip.infolist()
        for member in members:
            check_file_name(member.orig_filename, self.where)
        unpacked_bytes = sum(member.file_size for member in members)
        if unpacked_bytes > min(LARGEST_ARCHIVE, LARGEST_EXPANSION * path.stat().st_size):
            raise DataError(
                f"{self.where}: would unpack to {unpacked_bytes:,} bytes, more than {LARGEST_EXPANSION} times its size "
                f"or {LARGEST_ARCHIVE / 2**30:.0f} GiB; refused, unpack it by hand if you trust it"
            )

    def names(self) -> set[str]:
        return {name for name in self.zip.namelist() if not (name.endswith("/") or is_hidden(name))}

    def open(self, name: str) -> BinaryIO:
        try:
            return self.zip.open(name)
        except (zipfile.BadZipFile, KeyError, RuntimeError, NotImplementedError, OSError) as error:
            raise DataError(f"{self.where}/{name}: cannot be read ({error})") from None

    def read(self, name: str) -> bytes:
        with self.open(name) as file:
            try:
                return file.read()
            except BROKEN as error:
                raise DataError(f"{self.where}/{name}: cannot be read ({error})") from None


def read_csv_rows(files: Folder | Archive, name: str) -> Iterator[tuple[str, list[str]]]:
    """('ferplus: FER2013Train/label.csv, line 7', cells) of every row that is not empty; see `detect_dialect`."""
    where = f"{files.where}/{name}"
    line_number = 0
    csv.field_size_limit(LARGEST_CELL)
    encoding, cell_mark = detect_dialect(files, name)
    with io.TextIOWrapper(files.open(name), encoding=encoding, newline="") as text:
        rows = csv.reader(text, strict=True, delimiter=cell_mark, skipinitialspace=True)
        try:
            for row in rows:
                line_number = rows.line_num
                if row:
                    yield f"{where}, line {line_number}", row
        except UnicodeDecodeError:
            fault_text = "not UTF-8 text; is this a CSV file? Save it as UTF-8"
        except csv.Error as error:
            too_long = f"a cell of more than {LARGEST_CELL:,} characters"
            fault_text = f"not a CSV file ({too_long if 'field limit' in str(error) else error})"
        except BROKEN as error:
            fault_text = f"cannot be read ({error})"
        else:
            return
    raise DataError(f"{where}, after line {line_number}: {fault_text}")


def encoding_of(content: bytes) -> str:
    """UTF-8, or UTF-16 that says so."""
    return "utf-16" if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"


def detect_dialect(files: Folder | Archive, name: str) -> tuple[str, str]:
    """(encoding, mark between cells) of a CSV: UTF-8, or UTF-16 that says so; a comma, else what its first line has."""
    with files.open(name) as file:
        try:
            first_bytes = file.read(4096)
        except BROKEN:
            first_bytes = b""  # said where it is read
    encoding = encoding_of(first_bytes)
    first_line = next(iter(first_bytes.decode(encoding, "replace").splitlines()), "")
    return encoding, next((cell_mark for cell_mark in ",;\t" if cell_mark in first_line), ",")


def parse_whole_number(text: str, low: int, high: int, where: str, field: str) -> int:
    """A whole number from low to high; raises DataError naming the line and the field."""
    number = int(text) if WHOLE_NUMBER.fullmatch(text) else None
    if number is None or not low <= number <= high:
        raise DataError(f"{where}: {field} {text[:40]!r}, expected a whole number from {low} to {high}")
    return number


def stamp_file(path: Path) -> tuple[str, int, int]:
    """(name, size, modification time in ns) of a file or of a folder itself."""
    file_status = path.stat()
    return path.name, file_status.st_size, file_status.st_mtime_ns


def stamp_folder(path: Path) -> tuple[str, int, int]:
    """(name, summed size, checksum of names, sizes and modification times) of all files and folders below a folder."""
    total_size = 0
    checksum = 0
    folders = [path]
    while folders:
        folder = folders.pop()
        folder_name = folder.relative_to(path).as_posix()
        for entry in os.scandir(folder):
            try:
                entry_status = entry.stat()
            except OSError as error:
                shown_path = entry.path[:300]  # of a link into its own folder the way round it stands there many times
                raise DataError(f"{shown_path}: {error.strerror} (a broken link?); remove it") from None
            entry_text = f"{folder_name}/{entry.name} {entry_status.st_size} {entry_status.st_mtime_ns}"
            total_size = total_size + entry_status.st_size
            checksum = checksum + zlib.crc32(os.fsencode(entry_text))
            if entry.is_dir():
                folders.append(Path(entry.path))
    return path.name, total_size, checksum
