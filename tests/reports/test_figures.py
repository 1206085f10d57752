"""Figures from small records: what is plotted, marked, said and embedded."""

import csv
from dataclasses import replace

import numpy as np
import pytest
from records import cell, request, write_record
from test_divergence import table2

import reports
from reports.cells import read_cells
from reports.pictures.gallery import choose_faces
from reports.pictures.sweeps import draw_sweep
from results.records import Records

PUBLISHED = {"confidence": "0.7", "landmark_weight": "1", "contrastive_weight": "0.1", "temperature": "0.1"}
PUBLISHED |= {"label_momentum": "0.9"}


def sweep(folder, name="1", options=None, rates=("0.1", "0.2"), seeds=2):
    grids = options or {
        "confidence": (0.5, 0.7, 0.9),
        "landmark_weight": (0.1, 1, 5),
        "contrastive_weight": (0.01, 0.1, 1),
    }
    cells = []
    for option, values in grids.items():
        for rate in rates:
            for place, value in enumerate(values):
                ids = [
                    write_record(
                        folder,
                        method="lanet",
                        rate=rate,
                        seed=seed,
                        overrides={f"lanet.{option}": f"{value:g}"},
                        accuracy=0.8 - float(rate) + 0.01 * place + 0.02 * seed,
                    )
                    for seed in range(seeds)
                ]
                point = {"label": f"{option}={value:g}", "settings": {f"lanet.{option}": f"{value:g}"}}
                point["marks"] = {"published": PUBLISHED[option]}
                cells.append(cell("LA-Net", "lanet", "rafdb", rate, ids, **point))
    return request("figure", name, cells)


def test_figure_1_has_a_line_a_noise_level_and_a_band_of_one_deviation(tmp_path):
    what = sweep(tmp_path)
    made = draw_sweep(read_cells(what, Records(tmp_path), "last"), "")
    panels = made.axes
    assert [axes.get_xlabel()[0] for axes in panels] == ["δ", "α", "β"]
    assert [axes.get_xscale() for axes in panels] == ["linear", "log", "log"]
    lines = [line for line in panels[0].get_lines() if line.get_label().startswith("asymmetric")]
    assert [line.get_label() for line in lines] == ["asymmetric noise, 10 %", "asymmetric noise, 20 %"]
    assert lines[0].get_xdata().tolist() == [0.5, 0.7, 0.9]
    assert lines[0].get_ydata().tolist() == pytest.approx([71, 72, 73])
    band = panels[0].collections[0].get_paths()[0].vertices[:, 1]
    assert band.min() == pytest.approx(71 - np.sqrt(2))
    assert band.max() == pytest.approx(73 + np.sqrt(2))
    assert len({(line.get_linestyle(), line.get_marker()) for line in lines}) == 2  # apart in grey
    marks = [[line.get_xdata()[0] for line in axes.get_lines() if line not in lines][-1] for axes in panels]
    assert marks == [0.7, 1.0, 0.1]


def test_the_caption_says_what_is_assumed(tmp_path):
    what = sweep(tmp_path)
    drawn = reports.Report(tmp_path, tmp_path / "out").draw(what)
    assert "is an assumption" in drawn.text
    assert "are ours" in drawn.text
    assert "last epoch" in drawn.text
    assert [path.name for path in drawn.files] == ["figure1.pdf", "figure1.png", "figure1.csv"]


def test_fonts_are_embedded_as_truetype(tmp_path):
    reports.Report(tmp_path, tmp_path / "out").draw(sweep(tmp_path, rates=("0.1",)))
    content = (tmp_path / "out" / "figure1.pdf").read_bytes()
    assert content.startswith(b"%PDF")
    assert b"/FontFile2" in content
    assert b"/Type3" not in content
    image = (tmp_path / "out" / "figure1.png").read_bytes()
    assert image.startswith(b"\x89PNG")
    assert b"majority rule, Train+Valid, 60 training and 200 test images" in image  # a picture alone says what it is of


def test_a_grid_search_and_its_missing_runs(tmp_path):
    what = sweep(tmp_path, "tau", {"temperature": (0.05, 0.1, 0.2)}, ("0.2",))
    first, *others = what.cells
    what = replace(what, cells=(replace(first, ids=("0" * 20, *first.ids[1:])), *others))
    drawing = reports.Report(tmp_path, tmp_path / "out").make(what)
    assert "n = 1 of 2" in " ".join(drawing.notes)
    assert len(drawing.gaps) == 1
    assert [path.name for path in drawing.write(tmp_path)] == ["figure_tau.pdf", "figure_tau.png", "figure_tau.csv"]
    rows = list(csv.DictReader((tmp_path / "figure_tau.csv").open()))
    assert [(row["n"], row["std"]) for row in rows] == [("1", ""), ("2", "1.414214"), ("2", "1.414214")]


def test_a_figure_without_runs_is_still_drawn(tmp_path):
    what = sweep(tmp_path, "omega", {"label_momentum": (0.8, 0.9)}, ("0.2",), seeds=0)
    what = replace(what, cells=tuple(replace(c, ids=("0" * 20,)) for c in what.cells))
    drawn = reports.Report(tmp_path, tmp_path / "out").draw(what)
    assert len(drawn.gaps) == 2
    assert all(path.is_file() for path in drawn.files)


def test_names_with_dollar_signs_are_no_mathematics(tmp_path):
    ids = [write_record(tmp_path, method="lanet", title=r"$\undefined{$", dataset="mine", rate="0.2")]
    what = request(
        "figure", "tau", [cell("LA-Net", "lanet", "mine", "0.2", ids, settings={"lanet.temperature": "0.1"})]
    )
    assert reports.Report(tmp_path, tmp_path / "out").draw(what).files


def test_the_gallery_s_faces_are_chosen_by_a_seeded_rule():
    kind_of = np.random.default_rng(1).integers(3, size=500)
    chosen = choose_faces(kind_of)
    assert {name: len(rows) for name, rows in chosen.items()} == {"wrong": 6, "ambiguous": 12, "clear": 6}
    for kind, rows in enumerate(chosen.values()):
        assert (kind_of[rows] == kind).all()
        assert len(set(rows)) == len(rows)
    again = choose_faces(kind_of)
    assert all(np.array_equal(chosen[name], again[name]) for name in chosen)


def test_figure_2_shows_24_faces_with_three_charts_each(tmp_path):
    what, votes, _ = table2(tmp_path)
    asked = request("figure", "2", [what.cells[1]])
    drawing = reports.Report(tmp_path, tmp_path / "out").make(asked)
    assert drawing.gaps == []
    faces = drawing.render.__self__
    made = drawing.render()
    assert len(made.axes) == 24 * 4
    at = faces.chosen["wrong"][0]
    label, people, ours = ([bar.get_width() for bar in axes.patches] for axes in made.axes[1:4])
    assert label.index(1) == faces.given[at]
    assert people == pytest.approx(votes[at] / votes[at].sum())
    assert ours == pytest.approx(people, abs=1e-3)  # LA-Net's distributions are people's in this record
    assert made.axes[1].get_tightbbox().x0 > made.axes[0].get_window_extent().x1  # names of classes beside the face
    shown = made.axes[0].get_images()[0].get_array()
    stored = np.load(next((tmp_path / "data").iterdir()) / "train_images.npy")[faces.rows[at], ..., 0]
    assert np.array_equal(shown, stored)
    assert "default_rng(2)" in " ".join(drawing.stands_on)
    assert "FERPlus" in drawing.caption and "n = 1 seed; demo scale" in drawing.caption


def test_figure_2_without_votes_says_so(tmp_path):
    ids = [write_record(tmp_path, method="lanet", noise="votes", rate=None)]
    drawn = reports.Report(tmp_path, tmp_path / "out").draw(
        request("figure", "2", [cell("LA-Net", "lanet", "rafdb", None, ids)])
    )
    assert "no run with people's votes" in drawn.gaps[0]
    assert all(path.is_file() for path in drawn.files)


def test_a_noise_level_has_one_colour_in_all_panels(tmp_path):
    what = sweep(tmp_path)
    lost = [c.rate == "0.1" and "confidence" in c.label for c in what.cells]
    what = replace(what, cells=tuple(replace(c, ids=("0" * 20,)) if no else c for c, no in zip(what.cells, lost)))
    made = reports.Report(tmp_path, tmp_path / "out").make(what).render()
    found = {}
    for axes in made.axes:
        for line in axes.lines:
            if "noise" in line.get_label():
                found.setdefault(line.get_label(), set()).add(line.get_color())
    assert len(found) == 2 and all(len(colours) == 1 for colours in found.values())
    assert {text.get_text() for text in made.legends[0].get_texts()} == set(found)
