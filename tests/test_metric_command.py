"""`--metric`, `--decimals`, `--spread`, `--column-width` through the command: what is drawn, and what is refused at once."""

import csv
import hashlib
import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from test_run_all import SHORT, records, run_all

from results.schema import content_hash

ASKED = ["--table", "1", "--methods", "baseline", "--rates", "0.3", "--seeds", "0", *SHORT]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One run of the baseline."""
    folder = tmp_path_factory.mktemp("metric") / "runs"
    done = run_all(*ASKED, "--results", str(folder), "--out", str(folder / "out"))
    assert done.returncode == 0, done.stderr
    return folder


def drawn(folder: Path, out: Path, *more: str) -> tuple[dict[str, str], str]:
    done = run_all(*ASKED, "--results", str(folder), "--out", str(out), "--draw", *more)
    assert done.returncode == 0, done.stderr
    (row,) = (row for row in csv.DictReader((out / "table1.csv").open()) if row["dataset"] == "faces")
    return row, done.stderr


@pytest.mark.parametrize(
    ("metric", "key"), [("accuracy", "last"), ("balanced", "balanced_accuracy"), ("macro-f1", "macro_f1")]
)
def test_a_trained_run_is_shown_by_the_metric(trained: Path, tmp_path: Path, metric: str, key: str) -> None:
    row, _ = drawn(trained, tmp_path, "--metric", metric, "--decimals", "3")
    (record,) = records(trained).values()
    assert float(row["mean"]) == pytest.approx(100 * record["metrics"][key], abs=1e-5)
    assert f"| Baseline | {100 * record['metrics'][key]:.3f} |" in (tmp_path / "table1.md").read_text()
    (run,) = csv.DictReader((tmp_path / "table1_runs.csv").open())
    assert (run["id"], run["seed"]) == (record["id"], "0") and float(run["value"]) == float(row["mean"])


def test_the_best_epoch_by_a_metric_is_found_in_the_predictions(trained: Path, tmp_path: Path) -> None:
    row, _ = drawn(trained, tmp_path, "--metric", "balanced", "--rule", "best")
    (record,) = records(trained).values()
    with np.load(next(trained.glob("??/*.npz"))) as arrays:
        labels, predictions = arrays["test_labels"], arrays["predictions"]
    of_epoch = [np.mean([(row == labels)[labels == c].mean() for c in np.unique(labels)]) for row in predictions]
    assert float(row["mean"]) == pytest.approx(100 * max(of_epoch), abs=1e-5)
    assert len(of_epoch) == len(record["history"]["test_accuracy"]) == 2


def test_a_record_without_predictions_of_every_epoch_is_refused_before_anything_is_run(
    trained: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "runs"
    shutil.copytree(trained, folder)
    (path,) = folder.glob("??/*.npz")
    with np.load(path) as kept:
        arrays = {name: kept[name][-1:] if name == "predictions" else kept[name] for name in kept.files}
    content = io.BytesIO()
    np.savez(content, **arrays)
    path.write_bytes(content.getvalue())
    record = json.loads(path.with_suffix(".json").read_text())
    record["arrays"] = hashlib.sha256(content.getvalue()).hexdigest()
    record["hash"] = content_hash(record)
    path.with_suffix(".json").write_text(json.dumps(record))
    where = ("--results", str(folder), "--out", str(tmp_path / "out"), "--metric", "balanced")
    refused = run_all(*ASKED[:-1], ASKED[-1], *where, "--rule", "best", "--seeds", "0", "1")
    assert refused.returncode == 2 and refused.stderr.strip().splitlines()[-1].startswith(
        f"run_all.py: --metric balanced --rule best: record {record['id']} (baseline faces asymmetric 0.3"
    )
    assert len(records(folder)) == 1 and not (tmp_path / "out").exists()  # seed 1 was not trained
    assert run_all(*ASKED, *where, "--draw").returncode == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--metric", "kappa"), "invalid choice: 'kappa'"),
        (("--decimals", "9"), "--decimals: 9; expected a number of decimals, 0 to 6"),
        (("--decimals", "1.5"), "--decimals: '1.5'; expected one whole number"),
        (("--spread", "iqr"), "invalid choice: 'iqr'"),
        (("--column-width", "0.3"), "--column-width: 0.3; expected inches, 2 to 12"),
        (("--column-width", "nan"), "--column-width: nan; expected inches"),
        (("--column-width", "3,3"), "'3,3': expected one number"),
    ],
)
def test_bad_values_get_one_line(tmp_path: Path, words: tuple[str, str], said: str) -> None:
    done = run_all(*ASKED, "--results", str(tmp_path), *words)
    assert done.returncode == 2 and said in done.stderr and len(done.stderr.strip().splitlines()) == 1


def test_what_changes_nothing_is_said(trained: Path, tmp_path: Path) -> None:
    where = ("--results", str(trained), "--out", str(tmp_path), "--plan")
    done = run_all("--table", "2", *ASKED[2:], *where, "--metric", "balanced", "--column-width", "3")
    assert "--metric balanced: nothing that is asked for" in done.stderr
    assert "--column-width: nothing that is asked for" in done.stderr
    assert "--metric" not in run_all(*ASKED, *where, "--metric", "balanced").stderr
