"""Tables and figures of equal tuning, from searches made by hand."""

import csv
import itertools
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import pytest
from records import cell, request, write_record

from reports import Options, draw
from reports.cells import read_cells
from reports.search import choose_setting, read_searches
from results.records import Records

HELD = {  # [draw][seed] of the held-out labels, and of the test images
    "scn": [[0.50, 0.50, 0.50], [0.60, 0.55, 0.40], [0.60, 0.70, 0.45], [0.40, 0.60, 0.52]],
    "rul": [[0.55, 0.55, 0.55], [0.50, 0.50, 0.50], [0.50, 0.50, 0.50], [0.54, 0.54, 0.54]],
}
TEST = {
    "scn": [[0.60, 0.61, 0.62], [0.80, 0.70, 0.50], [0.70, 0.82, 0.55], [0.40, 0.90, 0.64]],
    "rul": [[0.75, 0.76, 0.77], [0.70, 0.70, 0.70], [0.60, 0.60, 0.60], [0.78, 0.79, 0.80]],
}
SETTINGS = ["0.2", "0.43", "0.1", "0.6"]


def searched(folder: Path, kind: str, name: str, draws: int = 4, seeds: int = 3, **changes: Any) -> Any:
    cells = []
    for method, title in (("scn", "SCN"), ("rul", "RUL")):
        key = f"{method}.margin_2"
        for draw_number in range(draws):
            settings = {} if draw_number == 0 else {key: SETTINGS[draw_number]}
            ids = [
                write_record(
                    folder,
                    method=method,
                    dataset="faces",
                    rate="0.3",
                    seed=seed,
                    overrides=settings,
                    accuracy=TEST[method][draw_number][seed],
                    metrics={"held_out": HELD[method][draw_number][seed]},
                )
                for seed in range(seeds)
            ]
            cells.append(
                cell(
                    title,
                    method,
                    "faces",
                    "0.3",
                    ids,
                    overrides=settings,
                    draw=draw_number,
                    settings=settings,
                    published_settings={key: "0.2"},
                )
            )
    return request(kind, name, cells, **changes)


def searches_of(folder: Path, **changes: Any) -> Any:
    return read_searches(read_cells(searched(folder, "table", "tuned", **changes), Records(folder), "last"))


def test_each_seed_takes_the_draw_with_the_best_held_out_labels_and_of_equal_ones_the_first(tmp_path: Path) -> None:
    scn, rul = searches_of(tmp_path)
    assert scn.chosen.tolist() == [1, 2, 3]  # draws 1 and 2 are equal in seed 0
    assert rul.chosen.tolist() == [0, 0, 0]
    assert scn.accuracy_of(scn.chosen).tolist() == [0.80, 0.82, 0.64]
    assert scn.chosen_on_test.tolist() == [1, 3, 3]
    assert choose_setting(scn) == 2 and choose_setting(rul) == 0


def test_the_expected_accuracy_of_a_budget_is_that_of_all_its_subsets(tmp_path: Path) -> None:
    for one in searches_of(tmp_path):
        for draws in range(1, 5):
            for at in range(3):
                reached = []
                for subset in itertools.combinations(range(4), draws):
                    best = max(subset, key=lambda number: (one.held_out[number, at], -number))
                    reached.append(one.test[best, at])
                assert one.expected_accuracy(draws)[at] == pytest.approx(fmean(reached))


def test_the_table_shows_both_settings_and_what_was_chosen(tmp_path: Path) -> None:
    drawn = draw(searched(tmp_path, "table", "tuned"), tmp_path, tmp_path / "out")
    assert {path.suffix for path in drawn.files} == {".md", ".tex", ".csv", ".html"} and not drawn.gaps
    rows = list(csv.DictReader((tmp_path / "out" / "table_tuned.csv").open()))
    scn, rul = rows
    assert float(scn["published_mean"]) == pytest.approx(61) and float(scn["tuned_mean"]) == pytest.approx(226 / 3)
    assert float(scn["gain"]) == pytest.approx(43 / 3) and float(scn["gain_low"]) < 43 / 3 < float(scn["gain_high"])
    assert float(scn["test_chosen_mean"]) == pytest.approx(100 * (0.80 + 0.90 + 0.64) / 3)
    assert (scn["chosen"], scn["draws"], scn["n"]) == ("0:1 1:2 2:3", "4", "3")
    assert float(rul["gain"]) == 0 and rul["chosen"] == "0:0 1:0 2:0"
    assert "| SCN | scn.margin\\_2 | 0.2 | 0.43 | 0.1 to 0.6 |" in drawn.text
    assert "held-out images with noisy labels that no run trains on" in drawn.text


def test_a_search_that_is_not_finished_counts_what_every_seed_has_and_names_the_rest(tmp_path: Path) -> None:
    asked = searched(tmp_path, "table", "tuned")
    last = asked.cells[3]
    asked = replace(asked, cells=(*asked.cells[:3], replace(last, ids=(*last.ids[:2], "0" * 20)), *asked.cells[4:]))
    drawn = draw(asked, tmp_path, tmp_path / "out")
    scn = next(csv.DictReader((tmp_path / "out" / "table_tuned.csv").open()))
    assert (scn["n"], scn["draws"]) == ("2", "4") and scn["chosen"] == "0:1 1:2"  # the seeds that are whole
    assert [line for line in drawn.gaps if "00000000: not run" in line]


def test_where_a_part_of_the_training_images_chose_the_table_says_so(tmp_path: Path) -> None:
    ids = []
    for seed in range(2):
        held = {"noisy_validation": [0.9, 0.3 + 0.1 * seed]}
        ids.append(write_record(tmp_path, method="scn", dataset="faces", seed=seed, history=held, holdout=True))
    asked = request("table", "tuned", [cell("SCN", "scn", "faces", "0.1", ids, draw=0)])
    (one,) = read_searches(read_cells(asked, Records(tmp_path), "last"))
    assert one.held_out.tolist() == [[0.3, 0.4]]
    assert "the tenth of the training images" in draw(asked, tmp_path, tmp_path / "out").text


@pytest.mark.parametrize("name", ["budget", "sensitivity"])
def test_the_figures_are_drawn_with_their_numbers(tmp_path: Path, name: str) -> None:
    drawn = draw(searched(tmp_path, "figure", name), tmp_path, tmp_path / "out", Options())
    assert sorted(path.suffix for path in drawn.files) == [".csv", ".pdf", ".png"]
    rows = list(csv.DictReader((tmp_path / "out" / f"figure_{name}.csv").open()))
    if name == "budget":
        scn = [row for row in rows if row["method"] == "scn"]
        assert [int(row["draws"]) for row in scn] == [1, 2, 3, 4]
        assert float(scn[0]["mean"]) == pytest.approx(100 * np.mean(TEST["scn"]), abs=1e-3)
        assert float(scn[3]["mean"]) == pytest.approx(226 / 3, abs=1e-3)
        assert float(scn[1]["minutes"]) == pytest.approx(2 * 12.5 / 60, abs=1e-3)
    else:
        row = next(row for row in rows if row["method"] == "scn" and row["draw"] == "1")
        assert (row["option"], row["value"], row["published"]) == ("scn.margin_2", "0.43", "0.2")
        assert float(row["test"]) == pytest.approx(100 * fmean(TEST["scn"][1]), abs=1e-3)
        assert float(row["held_out"]) == pytest.approx(100 * fmean(HELD["scn"][1]), abs=1e-3)


def test_nothing_measured_is_said(tmp_path: Path) -> None:
    asked = request("table", "tuned", [cell("SCN", "scn", "faces", "0.3", ["0" * 20], draw=0)])
    drawn = draw(asked, tmp_path, tmp_path / "out")
    assert "Nothing was measured here yet" in drawn.text and drawn.gaps
    for name in ("budget", "sensitivity"):
        empty = request("figure", name, asked.cells)
        assert draw(empty, tmp_path, tmp_path / "out").gaps
