"""`--reproduce` on a GPU waits for a slot of the chosen card, and gives up determinism where the record had."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmark import hardware
from benchmark.commands import reproduce
from benchmark.commands.run_all import main
from benchmark.launch import supervise
from benchmark.task import Outcome, Task
from results.store import Store
from tests.gpu.runs import job_of


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """The task that a child would get for a typed command."""
    job, resolved = job_of("baseline", {}, "fp32")
    tasks: list[Task] = []

    def noting(task: Task) -> Outcome:
        tasks.append(task)
        return Outcome(job.id, "error")

    monkeypatch.setattr(hardware, "cards", lambda: [("GPU-a", 9.0), ("GPU-b", 9.0)])
    monkeypatch.setattr(hardware, "unused", list)
    monkeypatch.setattr(Store, "read", lambda *_: {"spec": job.spec, "resolved": resolved})
    monkeypatch.setattr(reproduce, "where", lambda *found: {"data": "d", "weights": None, "device": found[3]})
    monkeypatch.setattr(supervise, "supervise", noting)

    def ask(*words: str) -> Task:
        assert main(["--reproduce", job.id, "--results", str(tmp_path), *words]) == 1
        return tasks[-1]

    return ask


def test_it_takes_a_slot_of_the_chosen_card(asked) -> None:
    assert asked().slots == hardware.slots(["GPU-a", "GPU-b"], 1)
    assert asked("--devices", "cuda:1").slots == hardware.slots(["GPU-b"], 1)
    assert asked("--devices", "cpu").slots == []


def test_it_is_as_fast_as_the_record_was(asked) -> None:
    assert asked("--fast").place["fast"] and not asked().place["fast"]
