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
        kind = "not a picture"
        if is_picture(name):
            kind = "pictures that no split and no list names"
        elif ending in UNREAD:
            kind = f"{ending} pictures, not read (save them as PNG or JPEG)"
        names_by_reason.setdefault(kind, []).append(name)
    return names_by_reason


def describe_unread(unread: list[str]) -> list[str]:
    """A line on files that are no pictures, and one on pictures that belong to no split."""
    unlisted_pictures = [name for name in unread if is_picture(name)]
    other_files = [name for name in unread if not is_picture(name)]
    note_lines = []
    if other_files:
        ending_counts = Counter(Path(name).suffix for name in other_files)
        endings = ", ".join(f"{count:,} {ending or 'without ending'}" for ending, count in ending_counts.items())
        count_text = "1 file is" if len(other_files) == 1 else f"{len(other_files):,} files are"
        note_lines.append(f"{count_text} left out as no pictures that are read ({endings}): {list_few(other_files)}")
    if unlisted_pictures:
        count_text = "1 picture is" if len(unlisted_pictures) == 1 else f"{len(unlisted_pictures):,} pictures are"
        few_names = list_few(unlisted_pictures)
        note_lines.append(f"{count_text} left out, which lie in no split's folder or stand in no list: {few_names}")
    return note_lines
