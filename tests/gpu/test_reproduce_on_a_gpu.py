"""`--reproduce` runs where its record was made: on a GPU in a slot of the chosen GPU, as fast as the record was."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmark import hardware
from benchmark.commands import reproduce
from benchmark.commands.run_all import main
from benchmark.task import Outcome, Task
from results.store import Store
from tests.gpu.runs import job_of


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """The task that a child would get for a typed command."""
    job, resolved = job_of("baseline", {}, "fp32")
    tasks: list[Task] = []
    on = "cuda"

    def noting(task: Task) -> Outcome:
        tasks.append(task)
        return Outcome(job.id, "error")

    monkeypatch.setattr(hardware, "find_gpus", lambda: [("GPU-a", 9.0), ("GPU-b", 9.0)])
    monkeypatch.setattr(hardware, "list_unused", list)
    made = {"spec": job.spec, "resolved": resolved}
    monkeypatch.setattr(Store, "read", lambda *_: made | {"provenance": {"device": on, "hardware": "NVIDIA H200"}})
    monkeypatch.setattr(reproduce, "find_inputs", lambda *found: {"data": "d", "weights": None, "device": found[2]})
    monkeypatch.setattr(reproduce, "run_in_child", noting)

    def ask(*words: str, made_on: str = "cuda", status: int = 1) -> Task:
        nonlocal on
        on = made_on
        assert main(["--reproduce", job.id, "--results", str(tmp_path), *words]) == status
        return tasks[-1]

    return ask


def test_it_takes_a_slot_of_the_chosen_gpu(asked) -> None:
    assert asked().slots == hardware.list_slots(["GPU-a", "GPU-b"], 1)
    assert asked("--devices", "cuda:1").slots == hardware.list_slots(["GPU-b"], 1)
    assert asked("--devices", "cpu").slots == []


def test_it_runs_where_its_record_was_made_unless_told_otherwise(asked, monkeypatch, capsys) -> None:
    assert asked(made_on="cpu").slots == [] and asked(made_on="cpu").place["device"] == "cpu"
    assert asked("--devices", "cuda", made_on="cpu").place["device"] == "cuda"
    monkeypatch.setattr(hardware, "find_gpus", list)
    asked(status=2)
    assert "made on a GPU (NVIDIA H200) and none can be used here; --devices cpu" in capsys.readouterr().err
    assert asked("--devices", "cpu").place["device"] == "cpu"


def test_it_is_as_fast_as_the_record_was(asked) -> None:
    assert asked("--fast").place["fast"] and not asked().place["fast"]
