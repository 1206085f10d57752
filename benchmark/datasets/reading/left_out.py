"""Files that lie beside pictures and are not read: counted by what they are, and said."""

from collections import Counter
from pathlib import Path

from benchmark.datasets.reading.files import list_few
from benchmark.datasets.reading.pictures import UNREAD, is_picture


def group_by_reason(unread: list[str]) -> dict[str, list[str]]:
    """{reason: names} of files that are not read."""
    found: dict[str, list[str]] = {}
    for name in unread:
        ending = Path(name).suffix.lower()
        kind = "not a picture"
        if is_picture(name):
            kind = "pictures that no split and no list names"
        elif ending in UNREAD:
            kind = f"{ending} pictures, not read (save them as PNG or JPEG)"
        found.setdefault(kind, []).append(name)
    return found


def describe_unread(unread: list[str]) -> list[str]:
    """A line on files that are no pictures, and one on pictures that belong to no split."""
    beside = [name for name in unread if is_picture(name)]
    others = [name for name in unread if not is_picture(name)]
    lines = []
    if others:
        ends = Counter(Path(name).suffix for name in others)
        endings = ", ".join(f"{n:,} {end or 'without ending'}" for end, n in ends.items())
        many = "1 file is" if len(others) == 1 else f"{len(others):,} files are"
        lines.append(f"{many} left out as no pictures that are read ({endings}): {list_few(others)}")
    if beside:
        many = "1 picture is" if len(beside) == 1 else f"{len(beside):,} pictures are"
        lines.append(f"{many} left out, which lie in no split's folder or stand in no list: {list_few(beside)}")
    return lines
