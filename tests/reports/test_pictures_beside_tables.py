"""Pictures beside a table of accuracy: what is drawn, where it is marked, and that names can be read."""

import csv
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from records import cell, request, table1, with_runs, write_record

import reports
from reports.asked import Asked, Options
from reports.cells import read_cells
from reports.choose import pictures_beside
from reports.pictures.drawing import Drawing
from reports.pictures.lines import line_styles, spread_heights
from results.records import Records

RATES = ("0.1", "0.2", "0.3")


def beside(folder: Path, asked: Asked, *others: Asked) -> dict[str, Drawing]:
    """The pictures of `asked` by name, where the others were asked for in the same command."""
    records = Records(folder)
    read = [(one, read_cells(one, records, "last")) for one in (asked, *others)]
    return {drawing.name: drawing for drawing in pictures_beside(asked, read, Options())}


def clean(folder: Path, accuracy: float = 0.9, **more: Any) -> Asked:
    ids = [write_record(folder, method="lanet", noise="none", rate=None, seed=s, accuracy=accuracy) for s in range(3)]
    return request("table", "clean", [cell("LA-Net", "lanet", "rafdb", None, ids, **more)])


def of_title(axes: Any, title: str) -> Any:
    return next(line for line in axes.get_lines() if line.get_label() == title)


def test_a_line_a_method_its_mean_and_a_band_of_one_deviation(tmp_path: Path) -> None:
    drawing = beside(tmp_path, table1(tmp_path))["table1_rates"]
    axes = drawing.render().axes[0]
    line = of_title(axes, "LA-Net")
    assert list(line.get_xdata()) == [10, 20, 30]
    assert list(line.get_ydata()) == pytest.approx([74.5, 64.5, 54.5])  # seeds are half a point apart
    bands = [band.get_paths()[0].vertices[:, 1] for band in axes.collections]
    assert any(band.min() == pytest.approx(54.5 - 0.5) and band.max() == pytest.approx(74.5 + 0.5) for band in bands)
    assert {text.get_text() for text in axes.texts} >= {"LA-Net  54.5", "Baseline  50.5"}
    assert drawing.caption == (
        "Accuracy in per cent, last epoch; lines: means over seeds, bands: one sample standard deviation; n = 3 seeds "
        "unless noted; demo scale; dashed: published."
    )
    assert any(fact.startswith("RAF-DB: 8 classes") for fact in drawing.stands_on)


def test_clean_accuracy_stands_at_rate_0_only_where_it_was_asked_for(tmp_path: Path) -> None:
    asked = table1(tmp_path)
    alone, both = (beside(tmp_path, asked, *others)["table1_rates"] for others in ((), (clean(tmp_path),)))
    assert {fact["rate"] for fact in alone.facts} == set(RATES)
    line = of_title(both.render().axes[0], "LA-Net")
    assert list(line.get_xdata()) == [0, 10, 20, 30] and line.get_ydata()[0] == pytest.approx(90)
    assert list(of_title(both.render().axes[0], "EAC").get_xdata()) == [10, 20, 30]
    assert "Rates are nominal. 0 %: without added noise, measured in the same way." in " ".join(both.stands_on)
    other_row = clean(tmp_path, label="LA-Net (another)")
    assert {fact["rate"] for fact in beside(tmp_path, asked, other_row)["table1_rates"].facts} == set(RATES)


def test_rate_0_stands_on_the_seeds_of_the_other_rates(tmp_path: Path) -> None:
    ids = [
        write_record(tmp_path, method="lanet", noise="none", rate=None, seed=s, accuracy=0.9 - 0.3 * (s > 2))
        for s in range(6)
    ]
    more = request("table", "clean", [cell("LA-Net", "lanet", "rafdb", None, ids)])
    first = beside(tmp_path, table1(tmp_path, seeds=3), more)["table1_rates"].facts
    (at_zero,) = [fact for fact in first if fact["rate"] == "0"]
    assert (at_zero["n"], at_zero["asked"], at_zero["mean"]) == (3, 3, 90.0)


def test_a_method_of_the_paper_has_one_colour_everywhere() -> None:
    alone, all_five = line_styles(["Baseline", "LA-Net"]), line_styles(["Baseline", "SCN", "RUL", "EAC", "LA-Net"])
    rows = line_styles(
        ["Baseline (LA-Net's recipe)", "SCN (LA-Net's recipe)", "LA-Net", "LA-Net (published sampler)", "X"]
    )
    assert alone["LA-Net"] == all_five["LA-Net"] == rows["LA-Net"]
    assert rows["SCN (LA-Net's recipe)"] == all_five["SCN"]
    assert len(set(rows.values())) == 5 and not {rows["X"], rows["LA-Net (published sampler)"]} & set(all_five.values())
    assert len(set(line_styles(["Baseline", *map(str, range(15))]).values())) == 16


def test_published_values_are_dashed_and_far_ones_have_a_scale_of_their_own(tmp_path: Path) -> None:
    near = beside(tmp_path, table1(tmp_path))["table1_rates"].render()
    assert len(near.axes) == 1
    dashed = [line for line in near.axes[0].get_lines() if line.get_linestyle() == "--"]
    assert [80.93, 75.62, 70.38] in [list(line.get_ydata()) for line in dashed] and len(dashed) == 5
    cells = [c for c in table1(tmp_path).cells if c.method == "baseline"]
    far = [
        replace(c, ids=(write_record(tmp_path, rate=c.rate, accuracy=0.3 - float(c.rate) / 10, seed=9),)) for c in cells
    ]
    made = beside(tmp_path, request("table", "1", far))["table1_rates"].render()
    assert len(made.axes) == 2
    assert made.axes[0].get_ylim()[1] < 40 and made.axes[1].get_ylim()[0] > 60
    assert made.axes[0].get_xlim() == made.axes[1].get_xlim()


def test_one_rate_has_no_picture_of_rates_and_a_table_without_rates_has_none(tmp_path: Path) -> None:
    assert set(beside(tmp_path, table1(tmp_path, rates=("0.2",)))) == {"table1_epochs"}
    assert beside(tmp_path, clean(tmp_path)) == {}
    empty = request("table", "1", [cell("LA-Net", "lanet", "rafdb", rate, ["0" * 20]) for rate in RATES])
    assert beside(tmp_path, empty) == {}


def test_two_kinds_of_noise_have_two_pictures_each(tmp_path: Path) -> None:
    cells = [
        cell("LA-Net", "lanet", "rafdb", rate, [write_record(tmp_path, method="lanet", noise=noise, rate=rate)], noise=noise)
        for noise in ("asymmetric", "symmetric")
        for rate in ("0.1", "0.2")
    ]  # fmt: skip
    names = [f"table_later_{noise}_{what}" for what in ("rates", "epochs") for noise in ("asymmetric", "symmetric")]
    assert list(beside(tmp_path, request("table", "later", cells))) == names


def test_missing_seeds_and_points_are_said(tmp_path: Path) -> None:
    asked = table1(tmp_path)
    asked = with_runs(asked, [*asked.cells[0].ids[:2], "0" * 20], method="baseline", rate="0.1")
    asked = with_runs(asked, ["1" * 20], method="eac", rate="0.2")
    notes = " ".join(beside(tmp_path, asked)["table1_rates"].notes)
    assert "Fewer seeds than asked: Baseline, rafdb, asymmetric 0.1: n = 2 of 3." in notes
    assert "Not measured: 1 of 15 points." in notes


@pytest.mark.parametrize("many", [5, 10, 16])
def test_names_of_lines_do_not_overlap_and_looks_differ(tmp_path: Path, many: int) -> None:
    """All lines end within two of forty-five points, so that every name has to move."""
    cells = []
    for number in range(many):
        for rate in ("0.1", "0.3"):
            accuracy = 0.95 if rate == "0.1" else 0.5 + 0.02 * number / many
            one = write_record(tmp_path, method=f"m{number}", rate=rate, accuracy=accuracy)
            cells.append(cell(f"Method {number}", f"m{number}", "rafdb", rate, [one]))
    made = beside(tmp_path, request("table", "general", cells))["table_general_rates"].render()
    made.canvas.draw()
    axes = made.axes[0]
    boxes = sorted((text.get_window_extent() for text in axes.texts), key=lambda box: box.y0)
    assert len(boxes) == many
    assert all(above.y0 >= below.y1 - 1 for below, above in pairwise(boxes))
    whole = made.get_window_extent()
    assert all(whole.x0 <= box.x0 and box.x1 <= whole.x1 and whole.y0 <= box.y0 and box.y1 <= whole.y1 for box in boxes)
    assert len(set(line_styles(f"Method {number}" for number in range(many)).values())) == many


def test_names_stay_near_their_lines() -> None:
    assert spread_heights([3, 9, 20], 2, 0, 30) == [3, 9, 20]
    assert spread_heights([5, 5, 20], 2, 0, 30) == [4, 6, 20]
    assert spread_heights([0, 0, 30], 2, 0, 30) == [0, 2, 30]
    placed = spread_heights([9, 1, 5, 5, 5, 29], 3, 0, 30)
    assert all(b - a >= 3 - 1e-9 for a, b in pairwise(sorted(placed))) and np.argsort(placed)[0] == 1


def with_history(
    folder: Path, rate: str = "0.3", accuracies: tuple[float, ...] = (0.6, 0.64), **more: Any
) -> list[str]:
    """Runs of ten epochs: 0.5 throughout, the best at epoch 3 or 5, the last as given."""
    ids = []
    for seed, last in enumerate(accuracies):
        curve = [0.5] * 9 + [last]
        curve[2 + 2 * seed] = 0.8
        metrics = {"best": 0.8, "best_epoch": 3 + 2 * seed, "last5": float(np.mean(curve[-5:]))}
        ids.append(
            write_record(folder, rate=rate, seed=seed, accuracy=last, metrics=metrics, history={"test_accuracy": curve}, **more)
        )  # fmt: skip
    return ids


def test_each_rule_is_marked_at_its_epochs_with_what_it_reports(tmp_path: Path) -> None:
    asked = request("table", "1", [cell("Baseline", "baseline", "rafdb", "0.3", with_history(tmp_path))])
    drawing = beside(tmp_path, asked)["table1_epochs"]
    axes = drawing.render().axes[0]
    lines = {line.get_marker(): line for line in axes.get_lines()}
    assert (lines["*"].get_xdata()[0], lines["*"].get_ydata()[0]) == pytest.approx((4, 80))
    assert (lines["o"].get_xdata()[0], lines["o"].get_ydata()[0]) == pytest.approx((10, 62))
    (five,) = [line for line in axes.get_lines() if line.get_linewidth() == 3]
    assert list(five.get_xdata()) == pytest.approx([5.6, 10.4]) and list(five.get_ydata()) == pytest.approx([52.4] * 2)
    assert [text.get_text() for text in axes.texts] == ["● last  62.0", "━ last five  52.4", "★ best on test  80.0"]
    band = axes.collections[0].get_paths()[0].vertices
    assert band[band[:, 0] == 10][:, 1].max() == pytest.approx(62 + np.sqrt(8))
    of_rules = {fact["rule"]: (fact["epoch"], fact["mean"]) for fact in drawing.facts if fact["rule"]}
    assert of_rules == {"best": (4.0, 80.0), "last5": ("6 to 10", 52.4), "last": (10, 62.0)}
    assert [fact["epoch"] for fact in drawing.facts if not fact["rule"]] == list(range(1, 11))


def test_it_is_the_highest_rate_that_was_measured(tmp_path: Path) -> None:
    cells = [cell("Baseline", "baseline", "rafdb", rate, with_history(tmp_path, rate)) for rate in ("0.1", "0.2")]
    cells.append(cell("Baseline", "baseline", "rafdb", "0.3", ["0" * 20]))
    drawing = beside(tmp_path, request("table", "1", cells))["table1_epochs"]
    assert "20 %" in drawing.title and {fact["rate"] for fact in drawing.facts} == {"0.2"}


def test_a_panel_a_method_and_the_baseline_faint_in_the_others(tmp_path: Path) -> None:
    cells = [
        cell(m, m, name, "0.3", with_history(tmp_path, method=m, dataset=name))
        for name in ("rafdb", "ferplus")
        for m in ("baseline", "scn", "rul", "eac", "lanet", "nla", "clex")
    ]
    made = beside(tmp_path, request("table", "later", cells))["table_later_epochs"].render()
    assert [axes.get_title(loc="left") for axes in made.axes] == 2 * [c.method for c in cells[:7]]
    curves = [sum(len(line.get_xdata()) == 10 for line in axes.get_lines()) for axes in made.axes]
    assert curves == 2 * [1, 2, 2, 2, 2, 2, 2]
    made.canvas.draw()
    boxes = [axes.get_tightbbox() for axes in made.axes]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[i + 1 :])


def test_a_row_without_a_history_is_named(tmp_path: Path) -> None:
    strange = write_record(tmp_path, method="eac", rate="0.3", history={"test_accuracy": None})
    cells = [
        cell("Baseline", "baseline", "rafdb", "0.3", with_history(tmp_path)),
        cell("EAC", "eac", "rafdb", "0.3", [strange]),
    ]
    notes = beside(tmp_path, request("table", "1", cells))["table1_epochs"].notes
    assert notes == ["Without a history of test accuracy: EAC, rafdb, asymmetric 0.3."]


def test_they_are_written_beside_the_table_with_what_is_drawn(tmp_path: Path) -> None:
    drawn = reports.Report(tmp_path, tmp_path / "out").draw_pictures([table1(tmp_path), clean(tmp_path)])
    names = [f"table1_{what}.{suffix}" for what in ("rates", "epochs") for suffix in ("pdf", "png", "csv")]
    assert [path.name for path in drawn] == ["table1.png", *names, "table_clean.png"]
    assert b"/Type3" not in (tmp_path / "out" / "table1_rates.pdf").read_bytes()
    with (tmp_path / "out" / "table1_rates.csv").open() as file:
        rows = list(csv.DictReader(file))
    ours = {row["rate"]: float(row["mean"]) for row in rows if row["method"] == "lanet"}
    assert ours == pytest.approx({"0": 90.0, "0.1": 74.5, "0.2": 64.5, "0.3": 54.5})
    assert {row["published"] for row in rows if row["method"] == "baseline"} == {"80.93", "75.62", "70.38"}
