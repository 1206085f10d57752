"""Which classes are taken for which, and accuracy class by class."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from records import cell, request, write_record

import reports

CLASSES = ("anger", "joy", "fear")
FIRST = [[8, 2, 0], [1, 9, 0], [5, 0, 0]]
SECOND = [[6, 2, 2], [3, 7, 0], [3, 0, 2]]


def measured(folder: Path, *confusions: Any, **more: Any) -> list[str]:
    return [
        write_record(folder, seed=s, class_names=CLASSES, metrics={"confusion": matrix}, **more)
        for s, matrix in enumerate(confusions)
    ]


def asked(kind: str, name: str, ids: list[str], title: str = "Baseline") -> reports.Asked:
    return request(kind, name, [cell(title, "baseline", "rafdb", "0.3", ids)])


def rows_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.open()))


def test_a_matrix_has_true_classes_as_rows_and_is_the_mean_over_seeds(tmp_path: Path) -> None:
    what = asked("figure", "confusion", measured(tmp_path, FIRST, SECOND, rate="0.3"))
    drawn = reports.Report(tmp_path, tmp_path / "out").draw(what)
    assert [path.name for path in drawn.files] == [f"figure_confusion.{end}" for end in ("pdf", "png", "csv")]
    shares = {
        (row["true_class"], row["predicted_class"]): row for row in rows_of(tmp_path / "out" / "figure_confusion.csv")
    }
    assert len(shares) == 9
    assert float(shares["anger", "joy"]["mean"]) == 20 and float(shares["joy", "anger"]["mean"]) == 20
    assert float(shares["fear", "anger"]["mean"]) == 80  # 5 of 5 and 3 of 5
    assert float(shares["fear", "anger"]["std"]) == pytest.approx(np.std([100, 60], ddof=1), abs=1e-5)
    assert shares["fear", "anger"]["images"] == "5" and shares["fear", "fear"]["n"] == "2"
    assert "true class (rows) by predicted class (columns)" in drawn.text.replace("\\", "")


def test_the_picture_shows_what_the_csv_says(tmp_path: Path) -> None:

    what = asked("figure", "confusion", measured(tmp_path, FIRST, SECOND, rate="0.3"))
    for options in (reports.Options(), reports.Options(column_width=3.3)):
        made = reports.Report(tmp_path, tmp_path / "out", options).make(what).render()
        (axes,) = made.axes
        said = {(int(t.get_position()[1]), int(t.get_position()[0])): t.get_text() for t in axes.texts}
        assert said == {
            (0, 0): "70",
            (0, 1): "20",
            (0, 2): "10",
            (1, 0): "20",
            (1, 1): "80",
            (2, 0): "80",
            (2, 2): "20",
        }
        assert [label.get_text() for label in axes.get_yticklabels()] == list(CLASSES)
        assert axes.get_title(loc="left") == "Baseline"
    assert made.get_size_inches()[0] == pytest.approx(3.3)


def test_a_table_of_classes_has_test_images_and_the_mean_of_classes(tmp_path: Path) -> None:
    what = asked("table", "classes", measured(tmp_path, FIRST, SECOND, rate="0.3"))
    drawn = reports.Report(tmp_path, tmp_path / "out", reports.Options(decimals=2)).draw(what)
    assert "| Method | anger (10) | joy (10) | fear (5) | mean |" in drawn.text
    assert "| Baseline | 70.00 | 80.00 | 20.00 | 56.67 |" in drawn.text
    rows = rows_of(tmp_path / "out" / "table_classes.csv")
    assert [(row["class"], float(row["mean"])) for row in rows] == [("anger", 70), ("joy", 80), ("fear", 20)]
    assert float(rows[2]["std"]) == pytest.approx(np.std([0, 40], ddof=1), abs=1e-5)
    assert rows[0]["ids"].split() == list(what.cells[0].ids)


def test_a_class_without_test_images_is_empty_and_no_nought(tmp_path: Path) -> None:
    what = asked("table", "classes", measured(tmp_path, [[8, 2, 0], [1, 9, 0], [0, 0, 0]], rate="0.3"))
    drawn = reports.Report(tmp_path, tmp_path / "out").draw(what)
    assert "| Baseline | 80.0 | 90.0 | – | 85.0 |" in drawn.text
    assert rows_of(tmp_path / "out" / "table_classes.csv")[2]["mean"] == ""


@pytest.mark.parametrize("bad", [None, [[1, 2], [3, 4]], "many", [[8, 2, -1], [1, 9, 0], [5, 0, 0]]])
@pytest.mark.parametrize(("kind", "name"), [("table", "classes"), ("figure", "confusion")])
def test_a_record_without_a_whole_matrix_is_named(tmp_path: Path, kind: str, name: str, bad: Any) -> None:
    drawn = reports.Report(tmp_path, tmp_path / "out").draw(
        asked(kind, name, measured(tmp_path, FIRST, bad, rate="0.3"))
    )
    assert "Without a whole confusion matrix: Baseline, rafdb, asymmetric 0.3." in drawn.text


def test_nothing_measured_is_drawn_and_said(tmp_path: Path) -> None:
    for kind, name in (("table", "classes"), ("figure", "confusion")):
        drawn = reports.Report(tmp_path, tmp_path / "out").draw(asked(kind, name, ["0" * 20]))
        assert "Nothing was measured here yet." in drawn.text and "not run" in drawn.gaps[0]
