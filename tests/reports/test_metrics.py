"""Other numbers than accuracy: their values, what ranks and captions say of them, and how numbers are written."""

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from records import cell, request, rewrite, write_record
from scipy.stats import t as student

import reports
from benchmark.train.metrics import class_metrics
from reports.choose import pictures_beside
from reports.metrics import METRICS, confusion_matrices, image_values, largest_class, metric_of
from reports.paired import Hits
from reports.statistics import SPREADS, balanced_interval, half_width
from results.records import Records

CLASSES = ("anger", "joy", "fear")
LABELS = np.repeat([0, 1, 2], [120, 60, 20]).astype(np.uint8)


def predictions(seed: int, right: tuple[float, float, float], epochs: int = 6) -> np.ndarray:
    """[epochs, images]: of each class these shares are right in the last epoch, fewer before; the others go to class 0 or 1."""
    draw = np.random.default_rng(seed)
    order = draw.random(len(LABELS))
    wrong = np.where(LABELS == 0, 1, 0)
    shares = np.array(right)[LABELS] * np.linspace(0.5, 1, epochs)[:, None]
    return np.where(order < shares, LABELS, wrong).astype(np.uint8)


def record(folder: Path, method: str, seed: int, right: tuple[float, float, float], **more: Any) -> str:
    """A whole record whose metrics are those of its predictions."""
    made = predictions(seed, right)
    accuracy = [float((row == LABELS).mean()) for row in made]
    metrics = class_metrics(LABELS, made[-1].astype(int), 3) | {
        "last": accuracy[-1],
        "best": max(accuracy),
        "best_epoch": int(np.argmax(accuracy)) + 1,
        "last5": float(np.mean(accuracy[-5:])),
    }
    arrays = {"predictions": made, "test_labels": LABELS, "test_rows": np.arange(len(LABELS), dtype=np.int32)}
    kept = {name: float(value) if isinstance(value, np.floating) else value for name, value in metrics.items()}
    return write_record(
        folder,
        method=method,
        seed=seed,
        accuracy=accuracy[-1],
        class_names=CLASSES,
        metrics=kept | more.pop("metrics", {}),
        history={"test_accuracy": accuracy},
        arrays=arrays | more.pop("arrays", {}),
        **more,
    )


@pytest.fixture
def two_rows(tmp_path: Path) -> reports.Asked:
    """SCN is better by accuracy; EAC by every mean over classes. Five seeds, two rates."""
    rights = {"scn": (0.97, 0.9, 0.1), "eac": (0.7, 0.8, 0.9)}
    cells = [
        cell(method.upper(), method, "rafdb", rate, [record(tmp_path, method, s, right, rate=rate) for s in range(5)])
        for rate in ("0.1", "0.2")
        for method, right in rights.items()
    ]
    return request("table", "1", cells)


def draw(asked: reports.Asked, folder: Path, **options: Any) -> tuple[dict[str, str], list[dict[str, str]]]:
    reports.Report(folder, folder / "out", reports.Options(**options)).draw(asked)
    texts = {end: (folder / "out" / f"table1{end}").read_text() for end in (".md", ".tex", ".csv", ".html")}
    return texts, list(csv.DictReader(io.StringIO(texts[".csv"])))


@pytest.mark.parametrize("metric", METRICS)
def test_values_are_those_of_the_confusion_matrix(metric: str) -> None:
    made = predictions(3, (0.9, 0.6, 0.4))
    counts = confusion_matrices(made, LABELS, 3)
    told = class_metrics(LABELS, made[2].astype(int), 3)
    expected = {
        "accuracy": float((made[2] == LABELS).mean()),
        "balanced": told["balanced_accuracy"],
        "macro-f1": told["macro_f1"],
        "worst-class": min(told["per_class"]),
    }
    assert counts[2].tolist() == told["confusion"]
    assert metric_of(counts, metric)[2] == pytest.approx(expected[metric])


def test_a_class_without_test_images_counts_nowhere() -> None:
    counts = confusion_matrices(np.array([[0, 0, 1, 3]]), np.array([0, 0, 1, 1]), 4)
    assert metric_of(counts, "worst-class").tolist() == [0.5]
    assert metric_of(counts, "balanced").tolist() == [0.75]
    assert metric_of(counts, "macro-f1") == pytest.approx((1 + 2 / 3) / 2)


@pytest.mark.parametrize("metric", ["balanced", "macro-f1", "worst-class"])
def test_what_images_add_comes_to_the_metric(metric: str) -> None:
    made = predictions(1, (0.8, 0.7, 0.3))
    added = image_values(made[-5:], LABELS, 3, metric)
    of_classes = [added[c == LABELS].mean() for c in range(3)]
    assert np.mean(of_classes) == pytest.approx(metric_of(confusion_matrices(made[-5:], LABELS, 3), metric).mean())


def test_what_images_add_to_macro_f1_is_its_slope() -> None:
    """One more right answer changes macro F1 by about what the image's value changes its mean by."""
    before = predictions(2, (0.8, 0.7, 0.5))[-1:]
    after, changed = before.copy(), np.flatnonzero((before[0] != LABELS) & (LABELS == 0))[0]
    after[0, changed] = 0
    gained = metric_of(confusion_matrices(after, LABELS, 3), "macro-f1") - metric_of(
        confusion_matrices(before, LABELS, 3), "macro-f1"
    )
    f1 = [2 * h / s for h, s in zip(*sizes(before))]
    hits, size = sizes(before)
    slope = (2 / size[0] - f1[0] / size[0] + f1[1] / size[1]) / 3  # no longer taken for class 1
    assert gained[0] == pytest.approx(slope, rel=0.05)
    added = image_values(before, LABELS, 3, "macro-f1")
    right = np.flatnonzero((before[0] == LABELS) & (LABELS == 0))[0]
    assert (added[right] - added[changed]) / 120 / 3 == pytest.approx(slope)


def sizes(made: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    confusion = confusion_matrices(made, LABELS, 3)[0]
    return np.diag(confusion), confusion.sum(0) + confusion.sum(1)


def test_numbers_ranks_and_words_follow_the_metric(two_rows: reports.Asked, tmp_path: Path) -> None:
    texts, rows = draw(two_rows, tmp_path, metric="balanced")
    assert "### Table 1. Balanced accuracy under asymmetric noise" in texts[".md"]
    assert "Balanced accuracy (mean over classes) in per cent, last epoch" in texts[".md"]
    assert [(row["method"], row["rank_low"], row["rank_high"]) for row in rows[:2]] == [
        ("scn", "2", "2"),
        ("eac", "1", "1"),
    ]
    kept = [Records(tmp_path).get(name)["metrics"]["balanced_accuracy"] for name in rows[0]["ids"].split()]
    assert float(rows[0]["mean"]) == pytest.approx(100 * np.mean(kept), abs=1e-5)
    assert {row["metric"] for row in rows} == {"balanced"}
    assert "published" not in texts[".md"] + texts[".tex"] and 'class="published"' not in texts[".html"]
    for text in texts.values():
        assert "The paper's average gain" not in text
    _, rows = draw(two_rows, tmp_path)
    assert [(row["method"], row["rank_low"]) for row in rows[:2]] == [("scn", "1"), ("eac", "2")]


@pytest.mark.parametrize("metric", ["balanced", "macro-f1", "worst-class"])
@pytest.mark.parametrize("rule", ["last", "best", "last5"])
def test_rules_look_at_the_metric_after_each_epoch(
    two_rows: reports.Asked, tmp_path: Path, metric: str, rule: str
) -> None:
    _, rows = draw(two_rows, tmp_path, metric=metric, rule=rule)
    curves = [metric_of(confusion_matrices(predictions(seed, (0.7, 0.8, 0.9)), LABELS, 3), metric) for seed in range(5)]
    by_rule = {"last": lambda c: c[-1], "best": max, "last5": lambda c: c[-5:].mean()}
    expected = 100 * np.mean([by_rule[rule](curve) for curve in curves])
    assert float(next(row["mean"] for row in rows if row["method"] == "eac")) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("metric", ["accuracy", "balanced"])
@pytest.mark.parametrize("rule", ["last", "best", "last5"])
def test_ranks_stand_on_the_epochs_that_the_rule_chooses(tmp_path: Path, metric: str, rule: str) -> None:
    """Class 0 is right in the first epoch, which accuracy likes best; then 1 and 2, which the mean over classes does; then 2."""
    right = np.stack([LABELS == 0, LABELS > 0, LABELS == 2])
    made = np.where(right, LABELS, (LABELS + 1) % 3).astype(np.uint8)
    one = record(tmp_path, "scn", 0, (0.9, 0.8, 0.5), arrays={"predictions": made}, metrics={"best_epoch": 1})
    records = Records(tmp_path)
    expected = {"last": right[2], "last5": right.mean(0), "best": right[0 if metric == "accuracy" else 1]}[rule]
    assert Hits(records, rule, metric).read(records.get(one)).share == pytest.approx(expected.astype(float))


def test_a_record_without_predictions_of_every_epoch_has_no_other_rule(tmp_path: Path) -> None:
    ids = [record(tmp_path, "scn", s, (0.9, 0.8, 0.5)) for s in range(2)]
    ids += [record(tmp_path, "scn", 2, (0.9, 0.8, 0.5), arrays={"predictions": predictions(2, (0.9, 0.8, 0.5))[-1:]})]
    asked = request("table", "1", [cell("SCN", "scn", "rafdb", "0.1", ids)])
    drawn = reports.Report(tmp_path, tmp_path / "out", reports.Options(metric="balanced", rule="best")).draw(asked)
    assert len(drawn.gaps) == 1 and "has no balanced accuracy by the rule best" in drawn.gaps[0]
    assert not reports.Report(tmp_path, tmp_path / "out", reports.Options(metric="balanced")).draw(asked).gaps


def test_a_record_without_the_metric_is_a_gap_and_not_a_nought(tmp_path: Path) -> None:
    one = record(tmp_path, "scn", 0, (0.9, 0.8, 0.5), metrics={"macro_f1": None})
    asked = request("table", "1", [cell("SCN", "scn", "rafdb", "0.1", [one])])
    drawn = reports.Report(tmp_path, tmp_path / "out", reports.Options(metric="macro-f1")).draw(asked)
    assert "– †" in drawn.text and "has no macro f1 by the rule last" in drawn.gaps[0]


@pytest.mark.parametrize("spread", SPREADS)
def test_what_stands_behind_a_mean(two_rows: reports.Asked, tmp_path: Path, spread: str) -> None:
    texts, rows = draw(two_rows, tmp_path, spread=spread, decimals=3)
    values = 100 * np.array([(predictions(s, (0.97, 0.9, 0.1))[-1] == LABELS).mean() for s in range(5)])
    std = values.std(ddof=1)
    expected = {"sd": std, "se": std / 5**0.5, "ci": student.ppf(0.975, 4) * std / 5**0.5}[spread]
    for end, sign in ((".md", "±"), (".html", "±"), (".tex", r"\ensuremath{\pm}")):
        assert f"{values.mean():.3f}{sign}{expected:.3f}" in texts[end], end
        assert SPREADS[spread][0] in texts[end].replace("\\", "")
    assert half_width(values, spread) == pytest.approx(expected)
    assert float(rows[0]["std"]) == pytest.approx(std, abs=1e-6)
    assert float(rows[0]["se"]) == pytest.approx(std / 5**0.5, abs=1e-6)
    half = student.ppf(0.975, 4) * std / 5**0.5
    assert float(rows[0]["ci_high"]) - float(rows[0]["ci_low"]) == pytest.approx(2 * half, abs=1e-5)


def test_pictures_follow_metric_spread_and_decimals(two_rows: reports.Asked, tmp_path: Path) -> None:
    options = reports.Options(metric="balanced", spread="se", decimals=2)
    reports.Report(tmp_path, tmp_path / "out", options).draw_pictures([two_rows])
    rows = list(csv.DictReader((tmp_path / "out" / "table1_epochs.csv").open()))
    curves = [
        100 * metric_of(confusion_matrices(predictions(s, (0.97, 0.9, 0.1)), LABELS, 3), "balanced") for s in range(5)
    ]
    third = next(row for row in rows if row["epoch"] == "3" and row["method"] == "scn")
    assert float(third["mean"]) == pytest.approx(np.mean([c[2] for c in curves]), abs=1e-5)
    best = next(row for row in rows if row["rule"] == "best" and row["method"] == "scn")
    assert float(best["mean"]) == pytest.approx(np.mean([c.max() for c in curves]), abs=1e-5)
    made = pictures_of(two_rows, tmp_path, options)
    rates, epochs = made["table1_rates"], made["table1_epochs"]
    assert rates.title.startswith("Balanced accuracy against") and "one standard error" in rates.caption
    axes = rates.render().axes[0]
    assert axes.get_ylabel() == "balanced accuracy (%)"
    assert f"SCN  {np.mean([c[-1] for c in curves]):.2f}" in {text.get_text() for text in axes.texts}
    assert "Balanced accuracy (mean over classes) in per cent after each epoch" in epochs.caption


def pictures_of(asked: reports.Asked, folder: Path, options: reports.Options) -> dict[str, Any]:
    from reports.cells import read_cells

    asked = asked.of_metric(options.metric)
    read = [(asked, read_cells(asked, Records(folder), options.rule, options))]
    return {drawing.name: drawing for drawing in pictures_beside(asked, read, options)}


def test_pictures_are_as_wide_as_a_column(two_rows: reports.Asked, tmp_path: Path) -> None:
    from PIL import Image

    reports.Report(tmp_path, tmp_path / "out", reports.Options(column_width=3.25)).draw_pictures([two_rows])
    for name in ("table1_rates", "table1_epochs"):
        assert Image.open(tmp_path / "out" / f"{name}.png").width == 3.25 * 160
        assert b"/MediaBox [ 0 0 234 " in (tmp_path / "out" / f"{name}.pdf").read_bytes()  # 72 points an inch
    made = pictures_of(two_rows, tmp_path, reports.Options(column_width=3.25))["table1_rates"].render()
    made.canvas.draw()
    edge = made.bbox.x1
    assert all(text.get_window_extent().x1 <= edge for axes in made.axes for text in axes.texts)


def test_a_line_a_run_has_every_metric(two_rows: reports.Asked, tmp_path: Path) -> None:
    draw(two_rows, tmp_path, metric="worst-class")
    rows = list(csv.DictReader((tmp_path / "out" / "table1_runs.csv").open()))
    assert len(rows) == 20 and len({row["id"] for row in rows}) == 20
    for row in rows:
        kept = Records(tmp_path).get(row["id"])
        assert (int(row["seed"]), float(row["realised"])) == (kept["spec"]["seed"], kept["noise"]["realised"])
        assert float(row["last"]) == pytest.approx(100 * kept["metrics"]["last"], abs=1e-5)
        assert float(row["macro_f1"]) == pytest.approx(100 * kept["metrics"]["macro_f1"], abs=1e-5)
        assert float(row["value"]) == float(row["worst_class"])
        assert float(row["value"]) == pytest.approx(100 * min(kept["metrics"]["per_class"]), abs=1e-5)
        assert int(row["best_epoch"]) == kept["metrics"]["best_epoch"] and row["noisy_val"] == ""


def test_no_field_of_a_csv_looks_like_a_date(two_rows: reports.Asked, tmp_path: Path) -> None:
    draw(two_rows, tmp_path)
    reports.Report(tmp_path, tmp_path / "out").draw_pictures([two_rows])
    read = [row for path in (tmp_path / "out").glob("*.csv") for row in csv.reader(path.open())]
    assert len(read) > 30
    assert not [field for row in read for field in row if field.replace("-", "/").count("/") == 1 and "/" in field
                and all(part.isdigit() for part in field.replace("-", "/").split("/"))]  # fmt: skip


def test_the_answer_that_names_one_class(tmp_path: Path) -> None:
    one = record(tmp_path, "scn", 0, (1.0, 0.0, 0.0), metrics={"majority": 0.6})
    kept = Records(tmp_path).get(one)
    always = confusion_matrices(np.zeros((1, len(LABELS)), int), LABELS, 3)
    for metric in METRICS:
        assert largest_class(kept, metric) == pytest.approx(metric_of(always, metric)[0]), metric


def test_arrays_with_other_classes_are_not_counted(tmp_path: Path) -> None:
    bad = predictions(0, (0.9, 0.8, 0.5))
    bad[0, 0] = 7
    ids = [record(tmp_path, "scn", s, (0.9, 0.8, 0.5), arrays={"predictions": bad}) for s in range(5)]
    more = [record(tmp_path, "eac", s, (0.9, 0.8, 0.5)) for s in range(5)]
    asked = request("table", "1", [cell("SCN", "scn", "rafdb", "0.1", ids), cell("EAC", "eac", "rafdb", "0.1", more)])
    drawn = reports.Report(tmp_path, tmp_path / "out", reports.Options(metric="macro-f1")).draw(asked)
    assert "No ranks and no bold" in drawn.text
    drawn = reports.Report(tmp_path, tmp_path / "out", reports.Options(metric="macro-f1", rule="best")).draw(asked)
    assert len(drawn.gaps) == 5


def test_a_title_read_from_a_record_is_not_lost(tmp_path: Path) -> None:
    """A record can be edited by others: a metric that is no number is a gap."""
    one = record(tmp_path, "scn", 0, (0.9, 0.8, 0.5))
    rewrite(tmp_path, one, lambda kept: kept["metrics"].update(per_class="all"))
    asked = request("table", "1", [cell("SCN", "scn", "rafdb", "0.1", [one])])
    drawn = reports.Report(tmp_path, tmp_path / "out", reports.Options(metric="worst-class")).draw(asked)
    assert len(drawn.gaps) == 1


@pytest.mark.slow
@pytest.mark.parametrize("metric", ["macro-f1", "worst-class"])
def test_intervals_of_other_metrics_hold_what_they_say(metric: str) -> None:
    """Two methods that are equally good by design: 95 % of the intervals of their difference hold 0; more is no fault."""
    rng, held = np.random.default_rng(5), 0
    labels = np.repeat(np.arange(5), (300, 160, 100, 50, 25))
    level = np.array([2.0, 1.2, 0.8, 0.2, -0.5])[labels]
    tables = 500
    for _ in range(tables):
        hard, own = rng.normal(0, 1.2, len(labels)), rng.normal(0, 0.7, (2, len(labels)))
        runs = level + hard + own[:, None] + rng.normal(0, 0.15, (2, 5, 1))
        right = rng.random(runs.shape) < 1 / (1 + np.exp(-runs))
        made = np.where(right, labels, (labels + 1) % 5)
        added = [[image_values(run[None], labels, 5, metric) for run in row] for row in made]
        found = balanced_interval(np.array(added[0]) - np.array(added[1]), labels)
        held += found.low <= 0 <= found.high
    assert 0.92 <= held / tables <= 0.999
