"""What every command does with an error: one line that names what is wrong and the fix, and exit status 2."""

import io
import sys
from collections.abc import Callable

from benchmark.datasets.base import DataError
from benchmark.terminal import Usage, error_line, make_printable, said_once
from noise.base import NoiseError
from reports.asked import ReportError

UNUSABLE = (Usage, DataError, NoiseError, ReportError)


def handle_errors(program: str, command: Callable[[], int]) -> int:
    """The exit status of a command; what it was given and cannot use is said in one line."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        return command()
    except UNUSABLE as error:
        message = error_line(error)
    except OSError as error:
        message = make_printable(f"{error.filename or 'output'}: {error.strerror or error}")
    print(said_once(program, message), file=sys.stderr)
    return 2
