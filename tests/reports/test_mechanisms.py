"""Curves of a method's idea: what is drawn of them, and what is said of rows whose idea did nothing."""

import csv
from dataclasses import replace
from pathlib import Path

import pytest
from records import cell, request, write_record

import reports
from reports.asked import AskedCell
from reports.cells import read_cells
from reports.mechanisms import read_curves
from reports.pictures.mechanisms import draw_mechanisms
from reports.statements.evidence import read_evidence
from reports.statements.findings import idle_mechanisms
from results.records import Records

AMBIGUOUS = {
    "name": "ambiguous",
    "title": "Images called ambiguous (%)",
    "idle": [0.95, 1],
    "idle_text": "its contrastive loss had no classes",
}
SPREAD = {"name": "spread", "title": "Spread of the weights", "idle": None, "idle_text": ""}
IDLE, BUSY = [0.2, 0.4, 0.99, 0.97], [1.0, 1.0, 0.95, 0.93]


def lanet(folder: Path, rate: str, histories: list[list[float]], **more: object) -> AskedCell:
    """A cell of LA-Net, a history of ambiguous images a seed."""
    resolved = {"mechanism": more.pop("mechanism", [AMBIGUOUS])}
    ids = [
        write_record(folder, method="lanet", rate=rate, seed=seed, history={"ambiguous": values}, resolved=resolved)
        for seed, values in enumerate(histories)
    ]
    return cell("LA-Net", "lanet", "rafdb", rate, ids, **more)


def notes_of_table_1(folder: Path, *cells: AskedCell) -> str:
    reports.Report(folder, folder / "out").draw(request("table", "1", cells))
    return (folder / "out" / "table1.md").read_text()


def test_a_row_whose_idea_idles_says_so_below_its_table(tmp_path: Path) -> None:
    cells = [lanet(tmp_path, "0.1", [BUSY]), lanet(tmp_path, "0.2", [IDLE, IDLE]), lanet(tmp_path, "0.3", [[1.0] * 4])]
    assert (
        "LA-Net: images called ambiguous 98 to 100 % on RAF-DB (asymmetric noise, 20, 30 %), so its contrastive loss had no "
        "classes (mean over the last half of the epochs)."
    ) in notes_of_table_1(tmp_path, *cells)


@pytest.mark.parametrize("histories", [[BUSY], [IDLE, [0.0] * 4], [[None] * 4], [IDLE, [1.0] * 3]])
def test_it_says_nothing_where_the_mean_over_seeds_is_outside_or_is_not_there(tmp_path: Path, histories: list) -> None:
    assert "contrastive" not in notes_of_table_1(tmp_path, lanet(tmp_path, "0.3", histories))


def test_records_of_before_take_what_the_method_declares_today(tmp_path: Path) -> None:
    old = lanet(tmp_path, "0.3", [IDLE], mechanism=None)
    assert "contrastive" not in notes_of_table_1(tmp_path, old)
    assert "so its contrastive loss had no classes" in notes_of_table_1(tmp_path, replace(old, mechanism=(AMBIGUOUS,)))
    assert "spread" not in notes_of_table_1(tmp_path, replace(old, mechanism=(SPREAD,)))  # no history of it
    new = lanet(tmp_path, "0.2", [IDLE])
    other = AMBIGUOUS | {"idle": [0, 0.1]}
    assert "so its contrastive" in notes_of_table_1(
        tmp_path, replace(new, mechanism=(other,))
    )  # a record's own is first


@pytest.mark.parametrize(
    "curve",
    [
        7,
        {},
        AMBIGUOUS | {"idle": [1]},
        AMBIGUOUS | {"idle": ["a", 1]},
        AMBIGUOUS | {"title": 3},
        AMBIGUOUS | {"name": []},
    ],
)
def test_what_is_no_curve_in_another_s_record_is_passed_over(tmp_path: Path, curve: object) -> None:
    assert "contrastive" not in notes_of_table_1(tmp_path, lanet(tmp_path, "0.3", [IDLE], mechanism=[curve]))


def test_the_figure_has_a_panel_a_curve_a_line_a_rate_and_the_idle_range(tmp_path: Path) -> None:
    cells = [lanet(tmp_path, "0.1", [BUSY]), lanet(tmp_path, "0.3", [[0.9, 1.0], [0.9, 0.9]])]
    scn = [write_record(tmp_path, method="scn", history={"spread": [1.0, 2.0]}, resolved={"mechanism": [SPREAD]})]
    asked = request("figure", "mechanisms", [*cells, cell("SCN", "scn", "rafdb", "0.1", scn)])
    curves = [c for one in read_cells(asked, Records(tmp_path), "last") for c in read_curves(one)]
    ambiguous, spread = draw_mechanisms(curves).axes
    lines = [line for line in ambiguous.get_lines() if line.get_label().startswith("asymmetric")]
    assert [line.get_label() for line in lines] == ["asymmetric noise, 10 %", "asymmetric noise, 30 %"]
    assert lines[1].get_xdata().tolist() == [1, 2] and lines[1].get_ydata().tolist() == pytest.approx([90, 95])
    (idle,) = [patch for patch in ambiguous.patches if patch.get_label() == "idle"]
    assert (idle.get_y(), idle.get_y() + idle.get_height()) == pytest.approx((95, 100))
    assert [patch for patch in spread.patches if patch.get_label() == "idle"] == []
    assert spread.get_lines()[0].get_ydata().tolist() == [1, 2]


def test_its_numbers_lie_beside_it_and_its_notes_say_what_idles_and_what_is_lacking(tmp_path: Path) -> None:
    cells = [lanet(tmp_path, "0.3", [[0.9, 1.0], [0.9, 0.92]], mechanism=[AMBIGUOUS, SPREAD])]
    drawn = reports.Report(tmp_path, tmp_path / "out").draw(request("figure", "mechanisms", cells))
    assert [path.name for path in drawn.files] == [f"figure_mechanisms.{kind}" for kind in ("pdf", "png", "csv")]
    rows = list(csv.DictReader((tmp_path / "out" / "figure_mechanisms.csv").open()))
    assert [(row["epoch"], float(row["mean"]), row["idles"]) for row in rows] == [
        ("1", 90, ""),
        ("2", 96, ""),
        ("2-2", 96, "yes"),
    ]
    assert {(row["curve"], row["idle_low"], row["idle_high"], row["n"]) for row in rows} == {
        ("ambiguous", "95.0", "100.0", "2")
    }
    assert float(rows[2]["std"]) == pytest.approx(32**0.5) and rows[2]["ids"] == " ".join(cells[0].ids)
    assert "so its contrastive loss had no classes" in drawn.text
    assert "made before it was kept: LA-Net (spread of the weights)" in drawn.text


def test_it_is_drawn_without_runs_and_without_curves(tmp_path: Path) -> None:
    lone = cell("SCN", "scn", "rafdb", "0.1", [write_record(tmp_path, method="scn")])
    missing = cell("RUL", "rul", "rafdb", "0.1", ["0" * 20])
    drawing = reports.Report(tmp_path, tmp_path / "out").make(request("figure", "mechanisms", [lone, missing]))
    assert "Nothing was measured here yet." in drawing.words and len(drawing.gaps) == 1
    assert [path.name for path in drawing.write(tmp_path)] == ["figure_mechanisms.pdf", "figure_mechanisms.png"]


def test_findings_name_rows_of_five_seeds_that_idle(tmp_path: Path) -> None:
    lanet(tmp_path, "0.1", [IDLE] * 4)
    lanet(tmp_path, "0.3", [IDLE] * 5)
    (sentence,) = idle_mechanisms(read_evidence(Records(tmp_path)))
    assert sentence.startswith("lanet: images called ambiguous 98 % on RAF-DB (asymmetric noise, 30 %), so its")


def test_findings_of_records_of_before_take_what_is_declared_today(tmp_path: Path) -> None:
    lanet(tmp_path, "0.3", [IDLE] * 5, mechanism=None)
    assert idle_mechanisms(read_evidence(Records(tmp_path))) == []
    assert len(idle_mechanisms(read_evidence(Records(tmp_path), None, {"lanet": [AMBIGUOUS]}))) == 1
