"""What a person sees while it runs: one live line on a terminal, plain lines in a log, and what may be asked for."""

import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest
from small_records import small_record
from test_job import JOB

from benchmark import plugins
from benchmark import progress as module
from benchmark.commands.options import parser
from benchmark.commands.run_all import main
from benchmark.launch.run import describe_outcome
from benchmark.plan.experiments import EXPERIMENTS
from benchmark.progress import Counted, show_progress
from benchmark.task import Outcome
from benchmark.terminal import print_note
from results.store import Store


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Standard error of the test that calls; a fixture's would be put back by pytest before the test begins."""
    shown = Terminal()
    monkeypatch.setattr(sys, "stderr", shown)
    return shown


def test_a_log_gets_a_line_at_the_start_and_one_a_finished_job(capsys) -> None:
    with show_progress("jobs", 3, 2, expected=65) as shown:
        shown.finished(Outcome("a", "ok"), "done: first: 81.0 %")
        shown.finished(Outcome("b", "error"), "error: second: no")
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "jobs: 0/3 done, 2 running, 0 s passed, about 1:05 left",
        "done: first: 81.0 % (1/3)",
        "error: second: no (2/3)",
    ]


def test_a_log_gets_a_line_a_minute_while_nothing_ends(capsys, monkeypatch) -> None:
    monkeypatch.setattr(module, "MINUTE", 0.05)
    with show_progress("jobs", 2, 1) as shown:
        shown.finished(Outcome("a", "error"), "error: first: no")
        deadline = time.monotonic() + 20
        lines: list[str] = []
        while len(lines) < 4 and time.monotonic() < deadline:
            time.sleep(0.02)
            lines += capsys.readouterr().err.splitlines()
    assert lines[0] == "jobs: 0/2 done, 1 running, 0 s passed"
    assert re.fullmatch(r"jobs: 0/2 done, 1 failed, 1 running, \d+ s passed, about \d+ s left", lines[3])
    time.sleep(0.2)
    capsys.readouterr()
    time.sleep(0.2)
    assert capsys.readouterr().err == ""  # it ends with its block


def test_a_terminal_has_one_live_line(monkeypatch) -> None:
    shown_on = terminal(monkeypatch)
    with show_progress("jobs", 3, 2, expected=65) as shown:
        shown.finished(Outcome("a", "cached"), "done: first: 81.0 %")
        print_note("something else\x1b[2J")
        shown.finished(Outcome("b", "nan"), "nan: second: no")
    text = shown_on.getvalue()
    assert "first" not in text and "second" not in text
    assert text.count("\n") == 2  # what was said, and the end of the live line
    live = re.split(r"[\r\n]", text)
    assert "something else?[2J" in live
    assert any("0/3" in part and "about 1:05 left" in part for part in live)
    assert [part for part in live if part.strip()][-1].startswith("jobs: 2/3 |")
    assert "1 failed, 1 running" in text


def test_nothing_to_do_is_no_progress(capsys) -> None:
    with show_progress("jobs", 0) as shown:
        assert shown is None
    assert capsys.readouterr().err == ""


def test_work_that_counts_itself_is_told_once_a_minute_and_at_its_end(capsys, monkeypatch) -> None:
    counted = Counted("decoding images")
    counted(500, 1200)
    counted(1000, 1200)
    assert capsys.readouterr().err.splitlines() == ["decoding images: 0/1200 done, 1 running, 0 s passed"]
    monkeypatch.setattr(module, "MINUTE", 0.0)
    counted(1100, 1200)
    assert capsys.readouterr().err.startswith("decoding images: 1100/1200 done")
    counted(1200, 1200)
    assert capsys.readouterr().err == "decoding images: 1,200/1,200 done in 0 s\n"
    counted(40, 40)  # another data set
    assert capsys.readouterr().err.endswith("decoding images: 40/40 done in 0 s\n")


def test_work_that_counts_itself_is_one_live_line_on_a_terminal(monkeypatch) -> None:
    shown_on = terminal(monkeypatch)
    counted = Counted("decoding images")
    for done in (500, 1000, 1200):
        counted(done, 1200)
    text = shown_on.getvalue()
    assert text.count("\n") == 1 and "500/1200" in text and "1200/1200" in text


@pytest.mark.parametrize("rule, shown", [("last", "50.0 % (last)"), ("best", "75.0 % (best)"), ("noisy_val", "50.0 %")])
def test_a_finished_job_is_told_with_the_accuracy_of_the_rule(tmp_path: Path, rule: str, shown: str) -> None:
    store = Store(tmp_path)
    assert (
        describe_outcome(Outcome(JOB.id, "nan", message="loss is nan"), JOB, store, rule)
        == f"nan: {JOB.text}: loss is nan"
    )
    store.write(small_record(JOB, metrics={"last": 0.5, "best": 0.75, "last5": 0.25}), {})
    told = describe_outcome(Outcome(JOB.id, "ok", 65.0), JOB, store, rule)
    assert told.startswith(f"done: {JOB.text}: {shown}") and told.endswith(", 1:05")


def test_every_option_says_what_it_does_and_which_values_there_are() -> None:
    for action in parser()._actions:
        assert action.help and len(action.help) > 15, action.option_strings
    text = parser().format_help()
    for experiment in EXPERIMENTS:
        group = re.search(rf"a {experiment.kind}: ([^(]*?)\n  -", text)
        assert group and experiment.name in re.split(r"[,\s]+", group[1])


def test_the_list_has_every_name(tmp_path: Path, capsys) -> None:
    (tmp_path / "mine.py").write_text(
        '"""Noise of mine."""\nfrom noise.base import Noise\n\n\nclass Mine(Noise):\n    name = "mine"\n'
    )
    assert main(["--list", "--results", str(tmp_path / "runs"), "--methods-path", str(tmp_path)]) == 0
    parts = dict(part.split("\n", 1) for part in capsys.readouterr().out.split("\n\n"))
    found = {head.split()[0]: [line.split()[0] for line in lines.splitlines()] for head, lines in parts.items()}
    assert found["methods"] == sorted(plugins.find_methods()) and found["data"] == sorted(plugins.find_data_sets())
    assert set(found["noises"]) == {"file:PATH", "mine", *plugins.find_noises()} - {"file"}
    for kind in ("table", "figure"):
        assert found[f"{kind}s"] == [e.name for e in EXPERIMENTS if e.kind == kind]
    assert re.search(r"mine +Noise of mine; takes --rates", parts["noises (--noise)"])
    assert re.search(r"none +No added noise", parts["noises (--noise)"])


@pytest.mark.parametrize("columns", [100, 0])
def test_a_real_terminal_is_drawn_on_if_it_has_a_width(columns: int) -> None:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30 if columns else 0, columns, 0, 0))
    code = "from benchmark.progress import show_progress\nwith show_progress('jobs', 3, 2, 65): pass"
    subprocess.run([sys.executable, "-c", code], stderr=theirs, check=True, cwd=Path(__file__).parents[2])
    shown = os.read(ours, 10_000).decode()
    assert "0/3" in shown and "about 1:05 left" in shown
    assert ("\r" in shown.rstrip()) == bool(columns)
    os.close(ours)
    os.close(theirs)
