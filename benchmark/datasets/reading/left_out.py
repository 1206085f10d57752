"""Files that lie beside pictures and are not read: counted by what they are, and said."""

from collections import Counter
from pathlib import Path

from benchmark.datasets.reading.files import list_few
from benchmark.datasets.reading.pictures import UNREAD, is_picture


def group_by_reason(unread: list[str]) -> dict[str, list[str]]:
    """{reason: names} of files that are not read."""
    names_by_reason: dict[str, list[str]] = {}
    for name in unread:
        ending = Path(name).suffix.lower()
        reason = f"{ending} pictures, not read (save them as PNG or JPEG)" if ending in UNREAD else "not a picture"
        if is_picture(name):
            reason = "pictures that no split and no list names"
        names_by_reason.setdefault(reason, []).append(name)
    return names_by_reason


def describe_unread(unread: list[str]) -> list[str]:
    """A line on files that are no pictures, and one on pictures that belong to no split."""
    other_files = [name for name in unread if not is_picture(name)]
    unlisted_pictures = [name for name in unread if is_picture(name)]
    note_lines = []
    if other_files:
        ending_counts = Counter(Path(name).suffix for name in other_files)
        endings = ", ".join(f"{count:,} {ending or 'without ending'}" for ending, count in ending_counts.items())
        reason_text = f"left out as no pictures that are read ({endings})"
        note_lines.append(f"{count_names(other_files, 'file')} {reason_text}: {list_few(other_files)}")
    if unlisted_pictures:
        reason_text = "left out, which lie in no split's folder or stand in no list"
        note_lines.append(f"{count_names(unlisted_pictures, 'picture')} {reason_text}: {list_few(unlisted_pictures)}")
    return note_lines


def count_names(names: list[str], thing: str) -> str:
    """1 file is, 2 files are"""
    return f"1 {thing} is" if len(names) == 1 else f"{len(names):,} {thing}s are"
