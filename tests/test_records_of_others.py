"""Records of one job that hold other numbers: told apart by `--import`, by `--against` and by `reproduce`."""

import errno
import io
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchmark.__main__ import main as benchmark
from benchmark.commands.run_all import main
from results.files import digest_bytes
from results.schema import content_hash

OWN = Path(__file__).resolve().parents[1] / "performance" / "faulty"  # holds the data set 'specks': forty images
WORDS = ["--table", "clean", "--methods", "scn", "--datasets", "specks", "--methods-path", str(OWN), "--seeds", "0"]
WORDS += ["--scale", "demo", "--set", "recipe.epochs=2", "--weights", "random"]
WORDS += ["--precision", "fp32", "--devices", "cpu"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder with one record."""
    folder = tmp_path_factory.mktemp("trained")
    assert main([*WORDS, "--results", str(folder / "runs"), "--out", str(folder / "out")]) == 0
    return folder / "runs"


@pytest.fixture
def theirs(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "theirs"))


def record_file(results: Path) -> Path:
    (found,) = results.glob("??/*.json")
    return found


def change(results: Path, how: Callable[[dict, dict], None]) -> str:
    """Change the one record of a folder and its arrays, so that both are sound again; returns its name."""
    path = record_file(results)
    record = json.loads(path.read_text())
    with np.load(path.with_suffix(".npz")) as kept:
        arrays = dict(kept)
    how(record, arrays)
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)
    record["arrays"] = digest_bytes(content.getvalue())
    record["hash"] = content_hash(record)
    path.with_suffix(".npz").write_bytes(content.getvalue())
    path.write_text(json.dumps(record))
    return path.stem


def lower_accuracy(record: dict, _: dict) -> None:
    record["metrics"]["last"] = record["history"]["test_accuracy"][-1] = 0.0
    record["provenance"] |= {"hardware": "another machine", "torch": "9.9"}


def other_history(record: dict, _: dict) -> None:
    name = next(name for name in record["history"] if name.startswith("loss "))
    record["history"][name][0] += 1e-6


def other_predictions(_: dict, arrays: dict) -> None:
    arrays["predictions"][-1, 0] ^= 1


def other_parameters(record: dict, _: dict) -> None:
    record["resolved"]["parameters"]["beta"] = 0.25


def test_an_import_names_a_record_of_one_job_with_other_numbers(
    trained: Path, theirs: Path, capsys: pytest.CaptureFixture
) -> None:
    name = change(theirs, lower_accuracy)
    before = record_file(trained).read_bytes()
    ours = json.loads(before)
    assert main(["--import", str(theirs), "--results", str(trained)]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == "imported 0 records, 1 here already, 0 refused"
    settings = " ".join(f"{key}={value}" for key, value in ours["spec"]["overrides"].items())
    machine = f"({ours['provenance']['hardware']}, torch {ours['provenance']['torch']})"
    assert second == (
        f"other numbers: {name} (scn specks none {settings} seed 0): {100 * ours['metrics']['last']:.2f} % at the "
        f"last epoch {machine} here, 0.00 % at the last epoch (another machine, torch 9.9) there; the one here stays"
    )
    assert record_file(trained).read_bytes() == before


def test_an_import_says_nothing_of_the_same_numbers_and_names_twenty(
    trained: Path, theirs: Path, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(theirs, lambda record, arrays: record["times"].update(total=1.0))
    assert main(["--import", str(theirs), "--results", str(trained)]) == 0
    assert capsys.readouterr().out == "imported 0 records, 1 here already, 0 refused\n"
    change(theirs, other_history)
    monkeypatch.setattr("benchmark.commands.import_records.NAMED", 0)
    assert main(["--import", str(theirs), "--results", str(trained)]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == ["other numbers: 1 record more"]


@pytest.mark.parametrize("writes", [0, 1])
def test_a_full_disk_leaves_no_half_of_a_record(
    theirs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    real, count = os.fsync, [0]

    def fill(file: int) -> None:
        count[0] += 1
        if count[0] > writes:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(file)

    results = tmp_path / "ours"
    with monkeypatch.context() as full:
        full.setattr("results.files.os.fsync", fill)
        assert main(["--import", str(theirs), "--results", str(results)]) == 2
    assert not list(results.glob("??/*.json"))
    assert main(["--import", str(theirs), "--results", str(results)]) == 0
    assert record_file(results).read_bytes() == record_file(theirs).read_bytes()


def test_a_disk_that_fills_while_drawing_leaves_what_was_drawn_and_names_the_file(
    theirs: Path, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    words = [*WORDS, "--draw", "--results", str(theirs), "--out", str(tmp_path / "out")]
    main(words)
    drawn = {path: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    capsys.readouterr()
    with monkeypatch.context() as full:
        full.setattr("results.files.os.replace", fill)
        assert main([*words, "--decimals", "2"]) == 2
    assert (
        f"--out: {tmp_path / 'out' / 'table_clean.md'}: No space left on device; give another --out"
        in capsys.readouterr().err
    )
    assert drawn and drawn == {path: path.read_bytes() for path in (tmp_path / "out").iterdir()}


@pytest.mark.parametrize(
    ("how", "taken", "said"),
    [
        (other_history, 1, ""),
        (other_parameters, 0, "1 run of scn on specks is not taken: parameters.beta is 0.25 there, 0.754 here"),
    ],
    ids=["the same", "another parameter"],
)
def test_others_records_are_taken_under_the_same_parameters_only(
    theirs: Path, tmp_path: Path, capsys: pytest.CaptureFixture, how: Callable, taken: int, said: str
) -> None:
    change(theirs, how)
    words = [*WORDS, "--results", str(tmp_path / "ours"), "--against", str(theirs), "--plan"]
    assert main(words) == 0
    told = capsys.readouterr()
    taken_text = "1 run is" if taken == 1 else "0 runs are"
    assert f"against theirs: {taken_text} taken from there" in told.err and said in told.err
    assert f"{taken} done, {1 - taken} to run" in told.out


@pytest.mark.parametrize(
    ("how", "status", "said"),
    [
        (lambda record, arrays: None, 0, "the same bits: noise, metrics, history, and the arrays "),
        (other_history, 1, "different: history"),
        (other_predictions, 1, "different: predictions"),
        (lambda record, arrays: arrays.update(more=np.zeros(3)), 1, "recorded, and not measured now: more"),
    ],
    ids=["the same", "a loss", "a prediction", "an array"],
)
def test_reproducing_compares_what_was_recorded_to_the_last_bit(
    theirs: Path, capsys: pytest.CaptureFixture, how: Callable, status: int, said: str
) -> None:
    name = change(theirs, how)
    assert benchmark(["reproduce", name, "--results", str(theirs), "--methods-path", str(OWN)]) == status
    assert said in capsys.readouterr().out
