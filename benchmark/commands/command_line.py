"""What every command shares: its parser, and one line with the fix for what it cannot use."""

import argparse
import io
import os
import re
import sys
from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from typing import NoReturn

from benchmark.datasets.base import DataError
from benchmark.task import FULL
from benchmark.terminal import Usage, error_line, make_printable, print_note, said_once
from noise.base import NoiseError
from reports.asked import ReportError

UNUSABLE = (Usage, DataError, NoiseError, ReportError)


class Parser(argparse.ArgumentParser):
    """A parser that says in one line what it cannot use."""

    def error(self, message: str) -> NoReturn:
        message = message.removeprefix("argument ")
        message = re.sub(r"invalid int value: (.*)", r"\1; expected one whole number", message)
        if unknown := re.match(r"unrecognized arguments: (--[\w-]+)", message):
            near = get_close_matches(unknown[1], self._option_string_actions, 1, 0.7)
            message += f" (did you mean {near[0]}?)" if near else f"; {self.prog} --help lists the options"
        elif message.startswith("unrecognized arguments"):
            message += "; write NAME=VALUE without blanks around '=', and a value that holds blanks in quotes"
        raise Usage(message)

    def read(self, words: list[str]) -> argparse.Namespace:
        """The arguments, with ~ in paths resolved; raises Usage, also for an empty value. Of an option that has one place the
        last one counts, as in any program, so that a script's own can be changed behind it; that is said."""
        values_by_option = by_option(words)
        for option, values in values_by_option.items():
            action = self._option_string_actions.get(option)
            if isinstance(action, argparse._StoreAction) and any(value != values[0] for value in values):
                fix_hint = f" (several values go behind one {option})" if action.nargs else ""
                counting = f"the last one counts, {' '.join(values[-1])}{fix_hint}"
                print_note(f"{option}: you gave it {len(values)} times; {counting}")
        args = self.parse_args(words)
        for name, value in vars(args).items():
            if isinstance(value, Path):  # a shell does not look behind '='
                setattr(args, name, Path(os.path.expanduser(value)))
        args.given = set(values_by_option)
        return args


def by_option(words: list[str]) -> dict[str, list[list[str]]]:
    """{option: the words behind it, each time that it is given}; raises Usage for an empty word."""
    values_by_option: dict[str, list[list[str]]] = {"": [[]]}
    option = ""
    for word in words:
        if word.startswith("--"):
            option, equals, word = word.partition("=")
            values_by_option.setdefault(option, []).append([])
            if not equals:
                continue
        if not word:
            fix_hint = "give one, or leave the option out (is a shell variable not set?)"
            raise Usage(f"{option or 'an argument'}: its value is empty; {fix_hint}")
        values_by_option[option][-1].append(word)
    return values_by_option


def command_parser(name: str, page: str | None) -> Parser:
    """The parser of a command, described by the first line of its module."""
    return Parser(f"python -m benchmark {name}", description=(page or "").splitlines()[0])


def run_command(parser: Parser, command: Callable[[argparse.Namespace], int], arguments: list[str]) -> int:
    """Run a command on what was typed behind its name; returns the exit status."""
    return handle_errors(parser.prog.removeprefix("python -m "), lambda: command(parser.read(arguments)))


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
        hint = "; make room, or give other folders; the same command goes on from there" if error.errno in FULL else ""
        message = make_printable(f"{error.filename or 'output'}: {error.strerror or error}{hint}")
    print(said_once(program, message), file=sys.stderr)
    return 2
