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

from reports import AskedCell, Options, Report
from reports.cells import read_cells
from reports.search import Search, choose_setting, read_searches
from reports.statistics import crossed_interval, paired_t
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
                    resolved={"parameters": settings},
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
    assert list(scn.cell_of(scn.chosen).values.values()) == pytest.approx([80, 82, 64])
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
    drawn = Report(tmp_path, tmp_path / "out").draw(searched(tmp_path, "table", "tuned"))
    assert {path.suffix for path in drawn.files} == {".md", ".tex", ".csv", ".html"} and not drawn.gaps
    rows = list(csv.DictReader((tmp_path / "out" / "table_tuned.csv").open()))
    scn, rul = rows
    assert float(scn["published_mean"]) == pytest.approx(61) and float(scn["tuned_mean"]) == pytest.approx(226 / 3)
    assert float(scn["gain"]) == pytest.approx(43 / 3) and float(scn["gain_low"]) < 43 / 3 < float(scn["gain_high"])
    assert float(scn["test_chosen_mean"]) == pytest.approx(100 * (0.80 + 0.90 + 0.64) / 3)
    assert (scn["chosen"], scn["draws"], scn["n"]) == ("0:1 1:2 2:3", "4", "3")
    assert float(rul["gain"]) == 0 and rul["chosen"] == "0:0 1:0 2:0"
    assert ": chosen values**" in drawn.text
    assert "| SCN | scn.margin\\_2 | 0.2 | 0.43 | 0.1 to 0.6 |" in drawn.text
    assert "held-out images with noisy labels that no run trains on" in drawn.text


def test_a_search_that_is_not_finished_counts_what_every_seed_has_and_names_the_rest(tmp_path: Path) -> None:
    asked = searched(tmp_path, "table", "tuned")
    last = asked.cells[3]
    asked = replace(asked, cells=(*asked.cells[:3], replace(last, ids=(*last.ids[:2], "0" * 20)), *asked.cells[4:]))
    drawn = Report(tmp_path, tmp_path / "out").draw(asked)
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
    assert "the tenth of the training images" in Report(tmp_path, tmp_path / "out").draw(asked).text


@pytest.mark.parametrize("name", ["budget", "sensitivity"])
def test_the_figures_are_drawn_with_their_numbers(tmp_path: Path, name: str) -> None:
    drawn = Report(tmp_path, tmp_path / "out", Options()).draw(searched(tmp_path, "figure", name))
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


@pytest.mark.parametrize("name", ["budget", "sensitivity"])
@pytest.mark.parametrize("inches", [2.5, 7.0])
def test_the_figures_are_as_wide_as_a_column(tmp_path: Path, name: str, inches: float) -> None:
    Report(tmp_path, tmp_path / "out", Options(column_width=inches)).draw(searched(tmp_path, "figure", name))
    page_size = b"/MediaBox [ 0 0 %d " % (72 * inches)  # points
    assert page_size in (tmp_path / "out" / f"figure_{name}.pdf").read_bytes()
    drawing = Report(tmp_path, tmp_path / "out", Options(column_width=inches)).make(searched(tmp_path, "figure", name))
    drawing.figure.canvas.draw()
    edges = drawing.figure.bbox
    for axes in drawing.figure.axes:
        for text in (*axes.texts, axes.xaxis.label, axes.yaxis.label, axes._left_title):
            box = text.get_window_extent()
            assert box.x0 >= edges.x0 and box.x1 <= edges.x1 and box.y0 >= edges.y0 and box.y1 <= edges.y1


def test_nothing_measured_is_said(tmp_path: Path) -> None:
    asked = request("table", "tuned", [cell("SCN", "scn", "faces", "0.3", ["0" * 20], draw=0)])
    drawn = Report(tmp_path, tmp_path / "out").draw(asked)
    assert "Nothing was measured here yet" in drawn.text and drawn.gaps
    for name in ("budget", "sensitivity"):
        empty = request("figure", name, asked.cells)
        assert Report(tmp_path, tmp_path / "out").draw(empty).gaps


def write_search(
    folder: Path, held_out: list[list[float | None]], test: list[list[float]] | None = None, **changes: Any
) -> list[AskedCell]:
    """Cells of a search of SCN by [draw][seed] shares; None: a run that is not there."""
    cells = []
    for number, shares in enumerate(held_out):
        settings = {} if number == 0 else {"scn.margin_2": changes.get("values", SETTINGS)[number]}
        ids = []
        for seed, share in enumerate(shares):
            accuracy = test[number][seed] if test else 0.7
            run = {"method": "scn", "dataset": "faces", "rate": "0.3", "seed": seed, "overrides": settings}
            held = {} if share is None else {"held_out": share}
            ids.append(write_record(folder, accuracy=accuracy, metrics=held, **run) if held else f"{number}{seed}" * 10)
        published = {"scn.margin_2": changes.get("published", "0.2")}
        drawn = {"draw": number, "settings": settings, "published_settings": published, "overrides": settings}
        cells.append(cell("SCN", "scn", "faces", "0.3", ids, **drawn))
    return cells


def draw_tuned(folder: Path, cells: list[AskedCell]) -> tuple[Any, list[dict[str, str]]]:
    drawn = Report(folder, folder / "out").draw(request("table", "tuned", cells))
    return drawn, list(csv.DictReader((folder / "out" / "table_tuned.csv").open()))


def searches_in(folder: Path, cells: list[AskedCell]) -> list[Search]:
    return read_searches(read_cells(request("table", "tuned", cells), Records(folder), "last"))


def test_draws_with_the_same_mean_are_equal_whatever_the_last_bits_of_their_sums(tmp_path: Path) -> None:
    shares = [[0.3, 0.2, 0.1], [0.1, 0.2, 0.3]]  # their sums differ in the last bit
    assert sum(shares[0]) != sum(shares[1])
    for order in (shares, shares[::-1]):
        (one,) = searches_in(tmp_path, write_search(tmp_path, order))
        assert choose_setting(one) == 0


def test_a_seed_with_the_published_settings_alone_takes_no_draw_from_the_others(tmp_path: Path) -> None:
    held_out = [[0.5, 0.5, 0.5, 0.5], [0.6, None, 0.6, None], [None, 0.7, None, None], [0.55, 0.55, 0.45, None]]
    drawn, (row,) = draw_tuned(tmp_path, write_search(tmp_path, held_out))
    (one,) = searches_in(tmp_path, write_search(tmp_path, held_out))
    assert (one.seeds, [found.draw for found in one.draws]) == ([0, 1, 2], [0, 3])
    assert (one.other_seeds, one.other_draws) == ([3], [1, 2])
    assert (row["n"], row["draws"], row["draws_asked"]) == ("3", "2", "4")
    note = "SCN, faces, asymmetric 0.3: 2 of 4 draws count, in seeds 0-2; left out, because runs are missing"
    assert f"{note}: seed 3 and draws 1-2." in drawn.text
    assert "| 2 of 4 | 3 of 4 |" in drawn.text
    assert sum("SCN, draw 2, faces" in line and line.endswith("not run") for line in drawn.gaps) == 3


def test_a_draw_that_one_seed_lacks_in_every_seed_leaves_the_others(tmp_path: Path) -> None:
    held_out = [[0.5, 0.5], [None, 0.6], [0.7, None], [0.55, 0.4]]
    _, (row,) = draw_tuned(tmp_path, write_search(tmp_path, held_out))
    assert (row["n"], row["draws"], row["chosen"]) == ("2", "2", "0:3 1:0")


def test_a_record_of_before_held_out_images_were_kept_is_a_gap(tmp_path: Path) -> None:
    cells = write_search(tmp_path, [[0.5, 0.5], [0.6, 0.4]])
    old = write_record(tmp_path, method="scn", dataset="faces", rate="0.3", seed=2)
    first, *others = cells
    drawn, _ = draw_tuned(tmp_path, [replace(first, ids=(*first.ids, old)), *others])
    assert drawn.gaps == [
        f"SCN, draw 0, faces, asymmetric 0.3: {old[:8]}: its record has no accuracy on held-out images; run it again with --force"
    ]


def test_a_method_without_any_run_keeps_its_row(tmp_path: Path) -> None:
    lacking = cell("RUL", "rul", "faces", "0.3", ["0" * 20], draw=0)
    drawn, rows = draw_tuned(tmp_path, [*write_search(tmp_path, [[0.5, 0.5]]), lacking])
    assert "| RUL | – | – | – | – | – | – | – |" in drawn.text and len(rows) == 1
    assert drawn.gaps == ["RUL, draw 0, faces, asymmetric 0.3: 00000000: not run"]


def test_rows_with_fewer_draws_are_not_ranked_and_named(tmp_path: Path) -> None:
    cells = write_search(tmp_path, [[0.5] * 5] * 4, [[0.5] * 5] * 4)
    for method, title, level in (("rul", "RUL", 0.9), ("eac", "EAC", 0.7)):
        for number in range(4):
            settings = {f"{method}.x": str(number)} if number else {}
            run = {"method": method, "dataset": "faces", "rate": "0.3", "overrides": settings}
            held = {"metrics": {"held_out": 0.5}, "accuracy": level}
            ids = [write_record(tmp_path, seed=seed, **run, **held) for seed in range(5)]
            if method == "eac" and number == 3:
                ids = ["0" * 20] * 5
            cells.append(cell(title, method, "faces", "0.3", ids, draw=number, overrides=settings, settings=settings))
    drawn, rows = draw_tuned(tmp_path, cells)
    assert {row["method"]: (row["rank_low"], row["rank_high"]) for row in rows} == {
        "scn": ("2", "2"),
        "rul": ("1", "1"),
        "eac": ("", ""),
    }
    assert (
        "Without a rank, because fewer draws count than were asked for: EAC, faces, asymmetric 0.3 (3)." in drawn.text
    )


def test_the_gain_is_the_closed_form_over_seeds_and_images_of_the_chosen_runs(tmp_path: Path) -> None:
    cells = searched(tmp_path, "table", "tuned").cells
    (row, _) = draw_tuned(tmp_path, list(cells))[1]
    pairs = (
        (160, 120),
        (164, 122),
        (128, 124),
    )  # how many of 200 images are right, always the first ones: tuned, published
    images = np.arange(200)
    hits = np.array([(images < tuned).astype(float) - (images < published) for tuned, published in pairs])
    expected = crossed_interval(hits)
    assert float(row["gain_low"]) == pytest.approx(100 * expected.low, abs=1e-4)
    assert float(row["gain_high"]) == pytest.approx(100 * expected.high, abs=1e-4)
    assert float(row["gain_p"]) == pytest.approx(min(1, 10 * expected.p), abs=1e-5)
    assert row["gain_counts_images"] == "yes"


def test_without_predictions_the_interval_is_over_seeds_and_marked(tmp_path: Path) -> None:
    cells = list(searched(tmp_path, "table", "tuned").cells)
    for run in {run for c in cells for run in c.ids}:
        (tmp_path / run[:2] / f"{run}.npz").unlink()
    drawn, (row, _) = draw_tuned(tmp_path, cells)
    expected = paired_t(np.array([20.0, 21.0, 2.0]))
    assert float(row["gain_low"]) == pytest.approx(expected.low) and row["gain_counts_images"] == "no"
    assert "\\* Interval over seeds alone" in drawn.text and drawn.refused


def test_one_seed_has_a_gain_without_an_interval(tmp_path: Path) -> None:
    drawn, (row,) = draw_tuned(tmp_path, write_search(tmp_path, [[0.5], [0.6]], [[0.7], [0.75]]))
    assert "| 70.0 | 75.0 | +5.0 |" in drawn.text and (row["gain_low"], row["published_std"]) == ("", "")


def test_words_are_counted_and_all_that_was_tried_is_shown(tmp_path: Path) -> None:
    words = ["", "uniform", "by class", "balanced"]
    cells = write_search(
        tmp_path, [[0.5, 0.5, 0.5], [0.6, 0.4, 0.6], [0.4] * 3, [0.3] * 3], values=words, published="balanced"
    )
    drawn, _ = draw_tuned(tmp_path, cells)
    row = "| SCN | scn.margin\\_2 | balanced | balanced (1), uniform (2) | balanced, uniform | balanced, by class, uniform |"
    assert row in drawn.text
    drawing = Report(tmp_path, tmp_path / "out").make(request("figure", "sensitivity", cells))
    above, below = drawing.figure.axes
    assert [text.get_text() for text in below.get_xticklabels()] == ["balanced", "uniform", "by class"]
    assert above.collections[0].get_offsets()[:, 0].tolist() == [0, 1, 2, 0]


@pytest.mark.parametrize(("values", "scale"), [(["", "0.3", "0.1", "0.6"], "linear"), (["", "2", "0.05", "1"], "log")])
def test_options_over_more_than_a_decade_are_on_a_logarithmic_axis(
    tmp_path: Path, values: list[str], scale: str
) -> None:
    held_out = [[0.5, 0.5], [0.6, 0.7], [0.4, 0.4], [0.3, 0.3]]
    cells = write_search(tmp_path, held_out, [[0.6, 0.6], [0.7, 0.8], [0.5, 0.5], [0.4, 0.4]], values=values)
    drawing = Report(tmp_path, tmp_path / "out").make(request("figure", "sensitivity", cells))
    above, below = drawing.figure.axes
    assert (above.get_xscale(), below.get_xscale()) == (scale, scale)
    points, ring = below.collections
    assert points.get_offsets()[:, 1].tolist() == pytest.approx([50, 65, 40, 30])
    assert ring.get_offsets().tolist() == [pytest.approx([float(values[1]), 65])]
    assert above.get_lines()[0].get_xdata()[0] == 0.2  # the published value
    assert (
        "Correlation of held-out with test accuracy over draws: faces, asymmetric noise, 30 %: SCN 1.00."
        in drawing.notes
    )


def test_the_budget_has_draws_and_minutes_of_each_method_with_names_at_the_lines(tmp_path: Path) -> None:
    drawing = Report(tmp_path, tmp_path / "out").make(searched(tmp_path, "figure", "budget"))
    left, right = drawing.figure.axes
    lines = {line.get_label(): line for line in left.get_lines() if not line.get_label().startswith("_")}
    assert set(lines) == {"SCN", "RUL"} and lines["SCN"].get_xdata().tolist() == [1, 2, 3, 4]
    minutes = next(line for line in right.get_lines() if line.get_label() == "SCN").get_xdata()
    assert minutes.tolist() == pytest.approx([draws * 12.5 / 60 for draws in (1, 2, 3, 4)])
    assert right.get_xscale() == "log"
    assert {text.get_text() for text in left.texts} == {"SCN  75.3", "RUL  76.0"}


def test_the_page_shows_a_search_and_its_published_settings_alone(tmp_path: Path) -> None:
    asked = [searched(tmp_path, "table", "tuned"), searched(tmp_path, "figure", "sensitivity")]
    Report(tmp_path, tmp_path / "out").draw_page(asked)
    page = (tmp_path / "out" / "report.html").read_text()
    assert page.count("<details><summary>SCN, faces</summary>") == 1
    assert (
        "chosen: median" in page and '"sensitivity":[{"title":"faces, asymmetric noise, 30 %","rows":[["scn",0,' in page
    )
