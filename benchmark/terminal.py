"""What a person sees: errors in one line with the nearest valid name, durations, a line."""

import difflib
import os
import re
import sys
from collections.abc import Iterable


class Usage(ValueError):
    """Wrong arguments or unusable input; the message is the one line that is printed before anything is trained."""


def make_printable(text: str) -> str:
    """Names of others may hold control characters; a terminal must not see them."""
    return "".join(c if c.isprintable() else "?" for c in text)[:1000]


def error_line(error: Exception) -> str:
    """What an error says, for a terminal."""
    return make_printable(str(error).partition("\n")[0]) or type(error).__name__


def said_once(owner: str, line: str) -> str:
    """A line of somebody's behind its owner's name; where it says the name, 'warning' or 'error' itself, that goes, and so
    does any word with a colon that stands twice on end."""
    repeated_prefix = re.compile(rf"\s*(?:warning|error|{re.escape(owner)})\s*:\s*", re.IGNORECASE)
    while match := repeated_prefix.match(line):
        line = line[match.end() :]
    return re.sub(r"(?<!\S)([^\s:]+: )\1+", r"\1", f"{owner}: {line}")


def one_of(option: str, name_kind: str, value: str, known_names: Iterable[str], further_help: str = "") -> str:
    """`value` if it is known, else a Usage error with the nearest valid name; further_help: what else helps to find it."""
    names = sorted(known_names)
    if value in names:
        return value
    raise Usage(f"{option}: {describe_unknown(name_kind, value, names)}{further_help and f' {further_help}.'}")


def describe_unknown(name_kind: str, value: str, known_names: Iterable[str]) -> str:
    """there is no noise 'symetric' (did you mean 'symmetric'?). Known: ..."""
    names = sorted(known_names)
    near_names = difflib.get_close_matches(value, names, 1, 0.5)
    hint = f" (did you mean {near_names[0]!r}?)" if near_names else ""
    return f"there is no {name_kind} {value!r}{hint}. Known: {', '.join(names)}."


def count_things(number: int, one: str, many: str = "") -> str:
    """1 job, 2 jobs, 1,000 jobs; many: where it is not `one` with an s, as 'runs are'."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def format_duration(seconds: float) -> str:
    """1:05:09, 5:09 or 9 s."""
    hours, seconds_left = divmod(round(seconds), 3600)
    minutes, seconds_left = divmod(seconds_left, 60)
    if hours:
        return f"{hours}:{minutes:02}:{seconds_left:02}"
    return f"{minutes}:{seconds_left:02}" if minutes else f"{seconds_left} s"


def is_live() -> bool:
    """Whether standard error is a terminal of some width, on which a line can be drawn anew."""
    try:
        return sys.stderr.isatty() and os.get_terminal_size(sys.stderr.fileno()).columns > 0
    except (OSError, ValueError):  # nothing behind it that has a size
        return sys.stderr.isatty()


def print_note(text: str) -> None:
    """One line on standard error, above the live line where there is one."""
    if is_live():
        from tqdm import tqdm

        tqdm.write(make_printable(text), file=sys.stderr)
    else:
        print(make_printable(text), file=sys.stderr, flush=True)
