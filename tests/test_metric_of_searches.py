"""`--metric`, `--decimals` and `--spread` in searches and in the table of crossed data sets, through the command."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np
import pytest

from benchmark.commands import cross
from benchmark.commands.arguments import read_request
from benchmark.commands.options import parser
from benchmark.commands.run_all import main
from benchmark.plan.matrix import Plan, make_plan
from noise.expressions import SEVEN
from results.crossed import Crossed, write_crossed
from results.schema import SCHEMA
from results.store import Store

ROOT = Path(__file__).resolve().parent.parent
SPECKS = ROOT / "performance" / "faulty" / "specks.py"
SHORT = ["--weights", "random", "--devices", "cpu", "--methods-path"]
SEEDS, DRAWS, CLASSES = (0, 1, 2), 3, 7
SEARCH = [
    "--methods",
    "scn",
    "--datasets",
    "specks",
    "--tune",
    "own",
    "--draws",
    str(DRAWS),
    *SHORT,
    str(SPECKS.parent),
]
SEARCH += ["--seeds", *map(str, SEEDS)]
HELD_OUT = [[0.5, 0.5, 0.5], [0.6, 0.4, 0.4], [0.4, 0.4, 0.6]]  # [draw][seed]: seeds choose draws 1, 0 and 2
CHOSEN = (1, 0, 2)
OTHER = """

class Spots(Specks):
    name, title = "spots", "Spots"
"""
Measure = Callable[[np.ndarray, np.ndarray], float]  # of labels and predictions, a share of 1


def by_class(labels: np.ndarray, predicted: np.ndarray) -> list[float]:
    return [float((predicted[labels == c] == c).mean()) for c in range(CLASSES)]


def f1(labels: np.ndarray, predicted: np.ndarray) -> float:
    either = [(labels == c).sum() + (predicted == c).sum() for c in range(CLASSES)]
    return fmean(2 * ((labels == c) & (predicted == c)).sum() / either[c] for c in range(CLASSES))


MEASURES: dict[str, Measure] = {
    "accuracy": lambda labels, predicted: float((labels == predicted).mean()),
    "balanced": lambda labels, predicted: fmean(by_class(labels, predicted)),
    "macro-f1": f1,
    "worst-class": lambda labels, predicted: min(by_class(labels, predicted)),
}
LABELS = np.repeat(np.arange(CLASSES), (40, 25, 15, 10, 10, 10, 5))  # classes of different sizes


def answers(*numbers: int) -> np.ndarray:
    """[2 epochs, images] predictions, right for a part of the images that differs by class."""
    draw = np.random.default_rng(numbers)
    right = draw.random((2, len(LABELS))) < draw.uniform(0.3, 0.9, CLASSES)[LABELS]
    return np.where(right, LABELS, draw.integers(0, CLASSES, (2, len(LABELS)))).astype(np.uint8)


def planned(results: Path, *words: str) -> Plan:
    return make_plan(read_request(parser().read([*words, "--results", str(results)])))


def keep(store: Store, run: Any, predictions: np.ndarray, held_out: float | None = None) -> None:
    """Write the record of a planned run that predicted this."""
    run.resolved["data"]["class_names"] = list(SEVEN)
    metrics = {name: of(LABELS, predictions[-1]) for name, of in MEASURES.items()}
    record = {"schema": SCHEMA, "id": run.job.id, "status": "ok", "spec": run.job.spec, "resolved": run.resolved}
    record["metrics"] = {"last": metrics["accuracy"], "best": 1.0, "best_epoch": 1, "last5": 0.5, "held_out": held_out}
    record["metrics"] |= {"balanced_accuracy": metrics["balanced"], "macro_f1": metrics["macro-f1"]}
    record["metrics"] |= {"per_class": by_class(LABELS, predictions[-1])}
    record |= {"history": {"test_accuracy": [0.5, metrics["accuracy"]]}, "noise": {"realised": 0.3}, "provenance": {}}
    record |= {"times": {"total": 60.0}, "peak_memory": 1, "cost": {}}
    rows = np.arange(len(LABELS), dtype=np.int32)
    store.write(record, {"predictions": predictions, "test_labels": LABELS.astype(np.uint8), "test_rows": rows})


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The records of a search of SCN on specks: three draws, three seeds."""
    results = tmp_path_factory.mktemp("searched") / "runs"
    for cell in planned(results, "--table", "tuned", *SEARCH).cells["table", "tuned"]:
        for seed, run in zip(SEEDS, cell.runs, strict=True):
            keep(Store(results), run, answers(cell.row.draw, seed), HELD_OUT[cell.row.draw][seed])
    return results


def values(metric: str, draws: tuple[int, ...]) -> list[float]:
    """Per cent of a draw for each seed."""
    pairs = zip(draws, SEEDS, strict=True)
    return [100 * MEASURES[metric](LABELS, answers(draw, seed)[-1]) for draw, seed in pairs]


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("metric", MEASURES)
def test_held_out_labels_choose_the_draw_and_the_metric_measures_it(
    searched: Path, tmp_path: Path, metric: str
) -> None:
    shown = ["--metric", metric, "--decimals", "2", "--spread", "se", "--draw"]
    assert main(["--table", "tuned", *SEARCH, *shown, "--results", str(searched), "--out", str(tmp_path)]) == 0
    tuned, published = values(metric, CHOSEN), values(metric, (0, 0, 0))
    (row,) = rows(tmp_path / "table_tuned.csv")
    assert (row["chosen"], row["metric"]) == ("0:1 1:0 2:2", metric)
    assert float(row["tuned_mean"]) == pytest.approx(fmean(tuned), abs=1e-5)
    assert float(row["published_std"]) == pytest.approx(stdev(published), abs=1e-5)
    assert float(row["gain"]) == pytest.approx(fmean(tuned) - fmean(published), abs=1e-5)
    best = [max(values(metric, (draw, draw, draw))[at] for draw in range(DRAWS)) for at in range(len(SEEDS))]
    assert float(row["test_chosen_mean"]) == pytest.approx(fmean(best), abs=1e-5)
    title = {"accuracy": "Accuracy", "balanced": "Balanced accuracy", "macro-f1": "Macro F1"}
    for ending in ("md", "tex", "html"):
        text = (tmp_path / f"table_tuned.{ending}").read_text().replace("\\ensuremath{\\pm}", "±")
        assert f"{fmean(tuned):.2f}±{stdev(tuned) / 3**0.5:.2f}" in text, ending
        assert f"{title.get(metric, 'Accuracy of the worst class')} with settings chosen by" in text, ending
        assert "standard error over seeds" in text, ending


def test_the_figures_of_a_search_heed_the_metric(
    searched: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--results", str(searched), "--out", str(tmp_path), "--draw"]
    for name in ("budget", "sensitivity"):
        assert main(["--figure", name, *SEARCH, *where, "--metric", "balanced"]) == 0
    said = capsys.readouterr()
    assert "--metric" not in said.err
    assert "Balanced accuracy against the number of settings tried" in said.out
    assert "Correlation of held-out accuracy with balanced accuracy on the test images over draws" in said.out
    budget = rows(tmp_path / "figure_budget.csv")
    every = [values("balanced", (draw, draw, draw)) for draw in range(DRAWS)]
    assert float(budget[0]["mean"]) == pytest.approx(fmean(map(fmean, every)), abs=1e-3)
    assert float(budget[-1]["mean"]) == pytest.approx(fmean(values("balanced", CHOSEN)), abs=1e-3)
    for row in rows(tmp_path / "figure_sensitivity.csv"):
        draw = int(row["draw"])
        assert float(row["test"]) == pytest.approx(fmean(every[draw]), abs=1e-3)
        assert float(row["held_out"]) == pytest.approx(100 * fmean(HELD_OUT[draw]), abs=1e-3)
        assert row["metric"] == "balanced"


def test_bands_of_the_budget_follow_the_spread(searched: Path, tmp_path: Path) -> None:
    pictures = []
    for spread in ("sd", "ci"):
        where = ["--results", str(searched), "--out", str(tmp_path), "--draw", "--spread", spread]
        assert main(["--figure", "budget", *SEARCH, *where]) == 0
        pictures.append((tmp_path / "figure_budget.png").read_bytes())
    assert pictures[0] != pictures[1]


def test_the_rule_of_other_tables_refuses_no_search(searched: Path, tmp_path: Path) -> None:
    """Searches show the last epoch by any rule, so that predictions of every epoch are not needed."""
    where = ["--results", str(searched), "--out", str(tmp_path), "--draw"]
    assert main(["--table", "tuned", *SEARCH, *where, "--metric", "balanced", "--rule", "last5"]) == 0


def test_what_a_figure_of_draws_does_not_show_is_said(
    searched: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--results", str(searched), "--out", str(tmp_path), "--draw"]
    assert main(["--figure", "sensitivity", *SEARCH, *where, "--decimals", "3", "--spread", "ci"]) == 0
    said = capsys.readouterr().err
    assert "--decimals 3: nothing that is asked for" in said and "--spread ci: nothing that is asked for" in said


CROSS = ["--table", "cross", "--methods", "baseline", "--datasets", "specks", "spots", "--seeds", *map(str, SEEDS)]


@pytest.fixture(scope="module")
def crossed(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The command of a table of crossed data sets whose runs and tests are there."""
    folder = tmp_path_factory.mktemp("crossed")
    (folder / "own").mkdir()
    (folder / "own" / "both.py").write_text(SPECKS.read_text() + OTHER)
    words = [*CROSS, *SHORT, str(folder / "own"), "--results", str(folder / "runs")]
    plan, store = make_plan(read_request(parser().read(words))), Store(folder / "runs")
    for cell in plan.cells["table", "cross"]:
        (files,) = cross.tested_files(cell, plan, store.root).values()
        for seed, run in zip(SEEDS, cell.runs, strict=True):
            keep(store, run, answers(9, seed))
            shares = [0.6 + seed / 10, 0.5 + seed / 10, 0.4 + seed / 10]
            found = Crossed(run.job.id, "0" * 64, "x", "y", "X", 40, *shares, {}, [], worst_class=0.1 * seed)
            write_crossed(files[run.job.id], found)
    return words


@pytest.mark.parametrize(
    ("metric", "elsewhere"), [("accuracy", 70), ("balanced", 60), ("macro-f1", 50), ("worst-class", 10)]
)
def test_the_table_of_crossed_data_sets_heeds_the_metric(
    crossed: list[str], tmp_path: Path, metric: str, elsewhere: float
) -> None:
    shown = ["--metric", metric, "--decimals", "2", "--spread", "se", "--out", str(tmp_path), "--draw"]
    assert main([*crossed, *shown]) == 0
    table = {(row["trained_on"], row["tested_on"]): row for row in rows(tmp_path / "table_cross.csv")}
    own = fmean(values(metric, (9, 9, 9)))
    assert float(table["specks", "specks"]["mean"]) == pytest.approx(own, abs=1e-5)
    assert float(table["specks", "spots"]["mean"]) == pytest.approx(elsewhere)
    assert float(table["specks", "spots"]["worst_class"]) == pytest.approx(10)
    assert table["specks", "spots"]["metric"] == metric
    text = (tmp_path / "table_cross.md").read_text()
    assert f"{elsewhere:.2f}±{10 / 3**0.5:.2f}" in text and "mean ± standard error over seeds" in text


def test_a_test_of_before_the_worst_class_was_kept_is_one_line(
    crossed: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [*crossed, "--out", str(tmp_path), "--draw", "--metric", "worst-class"]
    path = next((Path(crossed[-1]) / "crossed").iterdir())
    kept = path.read_text()
    path.write_text(json.dumps({key: value for key, value in json.loads(kept).items() if key != "worst_class"}))
    assert main(words) == 1
    lines = [line for line in capsys.readouterr().err.splitlines() if "worst class" in line]
    assert len(lines) == 1 and "1 tests kept no accuracy of the worst class; run the table without --draw" in lines[0]
    path.write_text(kept)
