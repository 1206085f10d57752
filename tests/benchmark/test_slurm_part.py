"""A task of a SLURM array takes its part first and leaves what others train to them."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_dispatch import HOLD, task

from benchmark import hardware
from benchmark.commands.arguments import parse_shard
from benchmark.launch import run as launching
from benchmark.launch.children import CHILDREN
from benchmark.launch.dispatch import run_tasks
from benchmark.terminal import Usage
from results.store import Store


def enter_array(monkeypatch: pytest.MonkeyPatch, task_id: int, first: int, step: int, count: int) -> None:
    for name, value in {"ID": task_id, "MIN": first, "STEP": step, "COUNT": count}.items():
        monkeypatch.setenv(f"SLURM_ARRAY_TASK_{name}", str(value))


@pytest.mark.parametrize("first, step", [(0, 1), (1, 1), (0, 2), (3, 4)])
def test_the_tasks_of_an_array_have_one_part_each(monkeypatch: pytest.MonkeyPatch, first: int, step: int) -> None:
    parts = []
    for i in range(4):
        enter_array(monkeypatch, first + i * step, first, step, 4)
        parts.append(parse_shard("slurm"))
    assert parts == [(0, 4), (1, 4), (2, 4), (3, 4)]


def test_tasks_that_are_submitted_alone_have_parts_too(monkeypatch: pytest.MonkeyPatch) -> None:
    for task_id in (5, 9):  # --array=5,9
        enter_array(monkeypatch, task_id, 5, 1, 2)
        part, count = parse_shard("slurm")
        assert count == 2 and 0 <= part < 2


@pytest.mark.parametrize("name, value", [("ID", None), ("COUNT", "0"), ("MIN", "one")])
def test_outside_of_an_array_it_is_said_how_to_submit_one(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str | None
) -> None:
    enter_array(monkeypatch, 0, 0, 1, 4)
    monkeypatch.delenv(f"SLURM_ARRAY_TASK_{name}")
    if value:
        monkeypatch.setenv(f"SLURM_ARRAY_TASK_{name}", value)
    with pytest.raises(Usage, match=r"--shard slurm: .*sbatch --array=0-15"):
        parse_shard("slurm")


def test_a_part_that_is_not_there_names_the_array() -> None:
    with pytest.raises(
        Usage, match=re.escape("'4/4'; expected I/N with I from 0 to N-1, or slurm in a task of a SLURM")
    ):
        parse_shard("4/4")


def test_no_more_jobs_run_at_once_than_slurm_gave_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware.os, "sched_getaffinity", lambda pid: range(8), raising=False)
    assert hardware.count_cores() == 8
    monkeypatch.setenv("SLURM_CPUS_ON_NODE", "3")
    assert launching.count_workers("auto", []) == 3
    monkeypatch.setenv("SLURM_CPUS_ON_NODE", "64")  # of the node; this step is bound to eight of them
    assert hardware.count_cores() == 8


@pytest.fixture
def other_task(tmp_path: Path) -> Iterator[subprocess.Popen]:
    """A process that holds the lock of job 'ab'."""
    path = Store(tmp_path).lock("ab")
    path.parent.mkdir(parents=True)
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE)
    assert process.stdout and process.stdout.readline() == b"held\n"
    yield process
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_a_job_that_another_task_trains_is_left_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other_task: subprocess.Popen
) -> None:
    monkeypatch.setattr(CHILDREN, "run", lambda wanted: (Path(wanted.makes).touch(), (0, 1))[1])
    tasks = [task(tmp_path), task(tmp_path, id="cd", makes=str(tmp_path / "cd"))]
    assert [(o.id, o.status) for o in run_tasks(tasks, 1, None, None, wait=False)] == [("cd", "ok")]
