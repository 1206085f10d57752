"""`python -m benchmark export --tensorboard`: what TensorBoard reads is what the records hold."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmark.__main__ import main
from tests.reports.records import write_record

event_accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
HISTORY = {"loss ce": [2.0, float("1.5"), 0.25], "relabelled": [0, 1, 2], "odd": [None, 0.5, "x"]}


@pytest.fixture
def results(tmp_path: Path) -> Path:
    write_record(tmp_path / "runs", method="scn", seed=3, rate="0.2", history=HISTORY)
    write_record(tmp_path / "runs", method="scn", noise="votes", rate=None)
    return tmp_path / "runs"


def export(results: Path, folder: Path) -> int:
    return main(["export", "--tensorboard", str(folder), "--results", str(results)])


def read_run(folder: Path) -> Any:
    return event_accumulator.EventAccumulator(str(folder)).Reload()


def read_curve(run: Any, name: str) -> list[tuple[int, float]]:
    return [(point.step, pytest.approx(point.value)) for point in run.Scalars(name)]


def test_every_curve_of_every_epoch_is_there(results: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert export(results, tmp_path / "logs") == 0
    assert "2 runs written" in capsys.readouterr().out
    (rated,) = (tmp_path / "logs" / "rafdb" / "asymmetric_0.2").iterdir()
    (voted,) = (tmp_path / "logs" / "rafdb" / "votes").iterdir()
    (name,) = (path.stem for path in results.glob("??/*.json") if path.stem.startswith(rated.name[-8:]))
    record = json.loads((results / name[:2] / f"{name}.json").read_text())
    assert rated.name == f"scn_seed3_{name[:8]}" and voted.name.startswith("scn_seed0_")
    run = read_run(rated)
    assert set(run.Tags()["scalars"]) == {"test_accuracy", "recovered", "memorised", "loss/ce", "relabelled", "odd"}
    for curve in ("test_accuracy", "memorised", "relabelled"):
        assert read_curve(run, curve) == list(enumerate(record["history"][curve], start=1))
    assert read_curve(run, "loss/ce") == [(1, 2.0), (2, 1.5), (3, 0.25)]
    assert read_curve(run, "odd") == [(2, 0.5)]
    assert name in str(run.Tensors("run/text_summary")[0].tensor_proto.string_val[0])


def test_a_second_call_writes_new_records_alone(results: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    export(results, tmp_path / "logs")
    before = {path: path.read_bytes() for path in (tmp_path / "logs").rglob("events*")}
    write_record(results, method="rul", seed=7)
    capsys.readouterr()
    assert export(results, tmp_path / "logs") == 0
    assert "1 run written" in capsys.readouterr().out
    after = {path: path.read_bytes() for path in (tmp_path / "logs").rglob("events*")}
    assert len(after) == 3 and before.items() <= after.items()


def test_an_interrupted_run_is_not_taken_for_whole(results: Path, tmp_path: Path, monkeypatch) -> None:
    import torch.utils.tensorboard as package

    def fail(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(package.SummaryWriter, "add_scalar", fail)
        with pytest.raises(KeyboardInterrupt):
            export(results, tmp_path / "logs")
    assert not list((tmp_path / "logs").rglob("events*"))
    assert export(results, tmp_path / "logs") == 0
    assert len(list((tmp_path / "logs").rglob("events*"))) == 2


def test_a_broken_record_is_named_and_the_others_are_written(results: Path, tmp_path: Path, capsys) -> None:
    path = next(results.glob("??/*.json"))
    path.write_text(path.read_text().replace('"test_accuracy": [0.3', '"test_accuracy": [0.4'))
    assert export(results, tmp_path / "logs") == 1
    shown = capsys.readouterr()
    assert "1 run written" in shown.out and f"refused: {path}" in shown.err


def test_what_cannot_be_exported_is_said_in_one_line(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert export(tmp_path / "nothing", tmp_path / "logs") == 2
    assert capsys.readouterr().err.startswith("benchmark export: --results: there are no records in ")
    (tmp_path / "file").write_text("")
    assert export(results, tmp_path / "file") == 2
    assert "is a file; give a folder" in capsys.readouterr().err
    for name in ("torch.utils.tensorboard", "tensorboardX"):
        monkeypatch.setitem(sys.modules, name, None)  # as if it was not installed
    assert export(results, tmp_path / "logs") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "the package tensorboard is not installed; pip install" in line
