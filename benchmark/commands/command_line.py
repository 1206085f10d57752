"""What every command shares: its parser, and one line with the fix for what it cannot use."""

import argparse
import io
import sys
from collections.abc import Callable

from benchmark.datasets.base import DataError
from benchmark.terminal import Usage, error_line, make_printable, said_once
from noise.base import NoiseError
from reports.asked import ReportError

UNUSABLE = (Usage, DataError, NoiseError, ReportError)


def command_parser(name: str, page: str | None) -> argparse.ArgumentParser:
    """The parser of a command, described by the first line of its module."""
    return argparse.ArgumentParser(f"python -m benchmark {name}", description=(page or "").splitlines()[0])


def run_command(
    parser: argparse.ArgumentParser, command: Callable[[argparse.Namespace], int], arguments: list[str]
) -> int:
    """Run a command on what was typed behind its name; returns the exit status."""
    args = parser.parse_args(arguments)
    return handle_errors(parser.prog.removeprefix("python -m "), lambda: command(args))


def handle_errors(program: str, command: Callable[[], int]) -> int:
    """The exit status of a command: 2, and a line, for what it was given and cannot use."""
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
