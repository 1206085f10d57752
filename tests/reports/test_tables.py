"""Tables of accuracy, drawn from small records."""

import csv
import io
import json
import pickle
import re
import subprocess
import sys
from dataclasses import replace
from html import escape
from pathlib import Path
from statistics import fmean

import numpy as np
import pytest
from records import EIGHT, FINGERPRINT, cell, request, table1, with_cells, with_runs, write_record

import reports
from noise.asymmetric import MISTAKEN_FOR
from reports.cells import Cell
from reports.facts import mean_and_std, round_alike
from reports.formats import markdown_text
from reports.latex import latex_text
from reports.table import format_signed
from reports.tables.accuracy import accuracy_table
from results.records import Records
from results.store import Store

ROOT = Path(__file__).resolve().parent.parent.parent


def draw(what, folder, **options):
    drawn = reports.Report(folder, folder / "out", reports.Options(**options)).draw(what)
    name = reports.output_stem(what)
    texts = {suffix: (folder / "out" / f"{name}.{suffix}").read_text() for suffix in ("md", "tex", "csv", "html")}
    return drawn, texts, list(csv.DictReader(io.StringIO(texts["csv"])))


def ranks(rows):
    """The two columns of a CSV's rows; '-' where there is no rank."""
    return [f"{row['rank_low']}-{row['rank_high']}" for row in rows]


def one_cell(folder, accuracies, asked=3, **more):
    ids = [write_record(folder, seed=s, accuracy=a, **more) for s, a in enumerate(accuracies)]
    ids += [f"{number:020x}" for number in range(asked - len(ids))]
    return ids


def test_mean_and_sample_deviation_agree_with_a_table_made_by_hand(tmp_path):
    ids = one_cell(tmp_path, [0.84, 0.845, 0.838], scale="paper")
    drawn, texts, rows = draw(request("table", "1", [cell("Baseline", "baseline", "rafdb", "0.1", ids)]), tmp_path)
    assert "84.1±0.4" in texts["md"] and "| difference |" in texts["md"]
    assert "84.1\\ensuremath{\\pm}0.4" in texts["tex"]
    assert float(rows[0]["mean"]) == pytest.approx(84.1)
    assert float(rows[0]["std"]) == pytest.approx(0.360555, abs=1e-6)
    assert (rows[0]["published"], rows[0]["published_std"]) == ("80.93", "0.49")
    assert float(rows[0]["difference"]) == pytest.approx(84.1 - 80.93)
    assert rows[0]["ids"].split() == ids
    assert drawn.gaps == []
    assert [path.name for path in drawn.files] == [
        *("table1.md", "table1.csv", "table1.html", "table1_runs.csv", "table1.tex", "table1_notes.tex")
    ]


def test_a_mean_halfway_between_two_numbers_is_rounded_alike_however_it_was_summed() -> None:
    """The last bit of a mean differs between processors."""
    sums = [np.nextafter(76.95625, end) for end in (0, 100)]
    assert len({mean_and_std(np.array([value] * 4), 4)["mean"] for value in sums}) == 1
    assert (round_alike(76.95624, 4), round_alike(76.95626, 4)) == (76.9562, 76.9563)


def test_a_table_of_other_settings_is_said_to_be_replaced(tmp_path):
    def drawn(margin):
        name = {"scn.margin_2": margin} if margin else {}
        ids = [write_record(tmp_path, method="scn", seed=0, accuracy=0.8, overrides=name)]
        what = request("table", "1", [cell("SCN", "scn", "rafdb", "0.1", ids)])
        return reports.Report(tmp_path, tmp_path / "out").draw(what).replaced

    assert [drawn("0.1"), drawn("0.1")] == ["", ""]
    assert drawn("0.2") == (
        f"{tmp_path}/out/table1.md is replaced, and its other formats; they showed other settings "
        "(Changed from that: scn.margin_2=0.1). To keep both, give another --out"
    )
    assert "(Changed from that: scn.margin_2=0.2)" in drawn("")
    assert "(fewer set by hand)" in drawn("0.2")


def test_fewer_seeds_than_asked_are_said(tmp_path):
    ids = one_cell(tmp_path, [0.838, 0.844])
    drawn, texts, rows = draw(request("table", "1", [cell("Baseline", "baseline", "rafdb", "0.1", ids)]), tmp_path)
    assert "84.1±0.4 (2/3)" in texts["md"]
    assert (rows[0]["n"], rows[0]["asked"]) == ("2", "3")
    assert len(drawn.gaps) == 1
    assert "not run" in drawn.gaps[0]


def test_one_seed_has_no_deviation(tmp_path):
    ids = one_cell(tmp_path, [0.838], asked=1)
    _, texts, rows = draw(request("table", "1", [cell("Baseline", "baseline", "rafdb", "0.1", ids)]), tmp_path)
    assert "| 83.8 |" in texts["md"].replace("*", "")
    assert rows[0]["std"] == ""


def test_empty_failed_and_impossible_cells_are_told_apart(tmp_path):
    full = one_cell(tmp_path, [0.8, 0.8, 0.8])
    failed = ["1" * 20]
    cells = [
        cell("Baseline", "baseline", "faces", "0.1", full),
        cell("SCN", "scn", "faces", "0.1", ["2" * 20]),
        cell("RUL", "rul", "faces", "0.1", failed, failures={failed[0]: "the loss is not a number"}),
        cell("EAC", "eac", "faces", "0.1", [], reason="no votes"),
    ]
    drawn, texts, _ = draw(request("table", "1", cells), tmp_path)
    assert "| SCN | – |" in texts["md"]
    assert "| RUL | – † |" in texts["md"]
    assert "| EAC | – † |" in texts["md"]
    assert "the loss is not a number" in texts["md"]
    assert "no votes" in texts["md"]
    assert len(drawn.gaps) == 3


def test_a_record_that_does_not_hash_to_its_name_counts_as_missing(tmp_path):
    ids = one_cell(tmp_path, [0.8, 0.81, 0.82])
    path = tmp_path / ids[0][:2] / f"{ids[0]}.json"
    path.write_text(path.read_text().replace('"seed": 0', '"seed": 5'))
    drawn, texts, rows = draw(request("table", "1", [cell("Baseline", "baseline", "rafdb", "0.1", ids)]), tmp_path)
    assert rows[0]["n"] == "2"
    assert "(2/3) †" in texts["md"]
    assert any("does not hash" in gap for gap in drawn.gaps)


def test_two_data_fingerprints_in_a_cell_are_an_error(tmp_path):
    ids = [write_record(tmp_path, seed=0), write_record(tmp_path, seed=1, fingerprint="cd" * 20)]
    with pytest.raises(reports.ReportError, match=f"{ids[0]} and {ids[1]} were trained on different data"):
        draw(request("table", "1", [cell("Baseline", "baseline", "rafdb", "0.1", ids)]), tmp_path)


def test_bold_goes_to_the_rows_that_none_is_better_than(tmp_path):
    """Neighbours are 1 point apart, two of 200 images, which cannot be told; three points can, as p counts ten pairs."""
    _, texts, rows = draw(table1(tmp_path, seeds=5, rates=("0.1", "0.2")), tmp_path)
    assert ranks(rows[:5]) == ["3-5", "2-5", "1-5", "1-4", "1-3"]
    first = texts["md"].split("20 %**")[0]
    assert "| Method | RAF-DB | rank | published |" in first and "| LA-Net | **75.0±0.8** | 1-3 |" in first
    assert [line.count("**") for line in first.splitlines() if line.startswith("| ") and "±" in line] == [0, 0, 2, 2, 2]
    assert texts["html"].count("<b>") == texts["tex"].count("\\textbf{") == 6  # published values are never bold
    assert "\\textbf{75.0\\ensuremath{\\pm}0.8} & 1-3 &" in texts["tex"] and ">1-3</td>" in texts["html"]
    assert "120 with a general one; 21 with any other row); rank: the places" in texts["md"]


def test_rows_that_differ_have_a_place_each(tmp_path):
    _, texts, rows = draw(table1(tmp_path, seeds=5, rates=("0.1",), step=0.05), tmp_path)
    assert ranks(rows) == ["5-5", "4-4", "3-3", "2-2", "1-1"]
    assert texts["md"].count("| **") == 1 and "| **91.0±0.8** | 1 |" in texts["md"]


def test_the_column_of_ranks_can_be_left_out(tmp_path):
    _, texts, _ = draw(table1(tmp_path, seeds=5, rates=("0.1",), step=0.05), tmp_path, ranks=False)
    assert "| Method | RAF-DB | published |" in texts["md"] and texts["md"].count("| **") == 1
    assert "rank" not in texts["md"]


def test_fewer_than_five_seeds_rank_nothing_and_it_is_said(tmp_path):
    _, texts, rows = draw(table1(tmp_path, seeds=4, rates=("0.1",), step=0.05), tmp_path)
    assert "No ranks and no bold: n = 4 is fewer than five seeds." in texts["md"]
    assert "| **" not in texts["md"] and "<b>" not in texts["html"] and "| rank |" not in texts["md"]
    assert set(ranks(rows)) == {"-"}


def test_a_row_with_few_seeds_stays_without_a_rank_beside_ranked_ones(tmp_path):
    what = table1(tmp_path, seeds=5, rates=("0.1",), step=0.05)
    what = with_runs(what, next(c.ids[:2] for c in what.cells if c.method == "eac"), method="eac")
    _, texts, rows = draw(what, tmp_path)
    assert dict(zip([row["method"] for row in rows], ranks(rows)))["eac"] == "-"
    assert ranks([row for row in rows if row["method"] != "eac"]) == ["4-4", "3-3", "2-2", "1-1"]
    assert "| n = 2 |" in texts["md"]


def test_rows_on_other_test_images_are_not_ranked(tmp_path):
    what = table1(tmp_path, seeds=5, rates=("0.1",), step=0.05)
    arrays = {"test_rows": np.arange(200, dtype=np.int32) + 1}
    moved = [write_record(tmp_path, method="eac", seed=s, overrides={"eac.x": "1"}, arrays=arrays) for s in range(5)]
    _, texts, rows = draw(with_runs(what, moved, method="eac"), tmp_path)
    assert set(ranks(rows)) == {"-"}
    assert "No ranks and no bold: rows do not share five seeds and test images." in texts["md"]


def test_a_column_that_was_not_run_has_published_values_and_no_data(tmp_path):
    what = replace(table1(tmp_path, rates=("0.1",)), columns=("rafdb", "affectnet"))
    drawn, texts, rows = draw(what, tmp_path)
    line = next(line for line in texts["md"].splitlines() if line.startswith("| LA-Net"))
    assert "no data | *62.45±0.17* |" in line
    assert drawn.gaps == []  # it was not asked for
    assert [row["n"] for row in rows if row["dataset"] == "affectnet"] == ["0"] * 5


@pytest.mark.parametrize(("rule", "shown"), [("last", 80.0), ("best", 82.0), ("last5", 79.0)])
def test_rules_of_accuracy_are_never_mixed(tmp_path, rule, shown):
    ids = one_cell(tmp_path, [0.8, 0.8, 0.8])
    _, texts, rows = draw(
        request("table", "1", [cell("Baseline", "baseline", "rafdb", "0.1", ids)]), tmp_path, rule=rule
    )
    assert float(rows[0]["mean"]) == pytest.approx(shown)
    assert rows[0]["rule"] == rule
    assert {"last": "last epoch", "best": "best epoch on the test set", "last5": "last five"}[rule] in texts["md"]


def test_a_record_without_the_rule_s_accuracy_is_missing(tmp_path):
    ids = one_cell(tmp_path, [0.8], asked=1)
    drawn, _, rows = draw(
        request("table", "1", [cell("B", "baseline", "rafdb", "0.1", ids)]), tmp_path, rule="noisy_val"
    )
    assert rows[0]["n"] == "0"
    assert "noisy_val" in drawn.gaps[0]


def test_the_caption_says_what_the_numbers_stand_on(tmp_path):
    ids = [
        write_record(tmp_path, seed=s, hardware=f"machine {s % 2}", realised=0.09 + 0.01 * s, dataset="ferplus")
        for s in range(3)
    ]
    _, texts, _ = draw(request("table", "1", [cell("Baseline", "baseline", "ferplus", "0.1", ids)]), tmp_path)
    caption = texts["md"].replace("\\", "")
    for words in (
        "FERPlus: 8 classes, majority rule, Train+Valid, 60 training and 200 test images",
        "resnet10_w16",
        "random weights",
        "Demo scale: small images",
        "precision fp32",
        "10.0 % for 10 %",
        "n = 3 seeds",
        "machine 0 (2 runs), machine 1 (1 run)",
        "LA-Net supplement (ICCV 2023), Table 1",
    ):
        assert words in caption, words
    _, texts, _ = draw(request("table", "1", [cell("Baseline", "baseline", "ferplus", "0.1", ids[1:2])]), tmp_path)
    assert "- Trained on machine 1." in texts["md"]
    ids = [write_record(tmp_path, seed=5, hardware=None, dataset="ferplus", subset=7)]  # of before hardware was kept
    _, texts, _ = draw(request("table", "1", [cell("Baseline", "baseline", "ferplus", "0.1", ids)]), tmp_path)
    assert "Trained on" not in texts["md"]
    assert "60 training (scale.subset=7) and 200 test images" in texts["md"]


def test_the_asymmetric_map_is_printed_as_the_noise_applies_it(tmp_path):
    ids = one_cell(tmp_path, [0.8, 0.8, 0.8])
    _, texts, _ = draw(request("table", "1", [cell("Baseline", "baseline", "rafdb", "0.1", ids)]), tmp_path)
    (said,) = re.findall(r"Asymmetric noise turns.*", texts["md"])
    assert dict(re.findall(r"(\w+) to (\w+)", said)) == MISTAKEN_FOR
    assert said.endswith("not in its map of seven classes: contempt to neutral.")


@pytest.mark.parametrize("changes", [{"class_names": ("cat", "dog", "cow")}, {"noise": "symmetric"}])
def test_no_map_is_printed_for_other_classes_or_noise(tmp_path, changes):
    ids = one_cell(tmp_path, [0.8, 0.8, 0.8], **changes)
    asked = cell("Baseline", "baseline", "rafdb", "0.1", ids, noise=changes.get("noise", "asymmetric"))
    _, texts, _ = draw(request("table", "1", [asked]), tmp_path)
    assert "noise turns" not in texts["md"]


def test_a_sampler_of_ones_own_is_said_below_the_table(tmp_path):
    def row(title, method, rate, sampler):
        resolved = {"parameters": {"sampler": sampler}, "method_title": title.partition(",")[0]}
        runs = one_cell(tmp_path, [0.8, 0.8], asked=2, method=method, rate=rate, resolved=resolved)
        return cell(title, method, "rafdb", rate, runs)

    def said(*rows):
        text = draw(request("table", "1", rows), tmp_path)[1]["md"]
        return re.findall(r"- (.*) sampler of its own", text)

    scn = row("SCN", "scn", "0.1", "uniform")
    first, second = (row(f"LA-Net, {rate}", "lanet", rate, "balanced") for rate in ("0.1", "0.2"))
    assert said(scn, first, second) == ["LA-Net: the balanced"]
    uniform = row("LA-Net, uniform", "lanet", "0.3", "uniform")
    assert said(scn, first, second, uniform) == ["LA-Net, 0.1, LA-Net, 0.2: the balanced"]


def test_the_same_data_have_the_same_facts_in_every_table(tmp_path):
    """Records of before and of today's reading; what was decoded here is what counts."""
    early, late = (
        {"data": {"class_names": list(EIGHT), "title": "RAF-DB", "copies": f"{n} copies"}} for n in (19, 114)
    )
    ids = one_cell(tmp_path, [0.8, 0.8, 0.8], resolved=early)
    one = request("table", "1", [cell("Baseline", "baseline", "rafdb", "0.1", ids)])
    assert "In the whole data set: 19 copies." in draw(one, tmp_path)[1]["md"]
    folder = tmp_path / "data" / f"rafdb-{FINGERPRINT[:12]}"
    folder.mkdir(parents=True)
    (folder / "card.json").write_text(json.dumps({"facts": late["data"]}))
    assert "In the whole data set: 114 copies." in draw(one, tmp_path)[1]["md"]


def test_no_random_number_is_drawn_for_a_table(tmp_path, monkeypatch):
    what = table1(tmp_path, seeds=5, step=0.02)
    _, before, _ = draw(what, tmp_path)

    def refuse(*_arguments):
        raise AssertionError("a table was drawn with random numbers")

    monkeypatch.setattr(np.random, "default_rng", refuse)
    np.random.seed(1)
    state = np.random.get_state()[1].tolist()
    _, after, _ = draw(what, tmp_path)
    assert before == after and "**" in after["md"]
    assert np.random.get_state()[1].tolist() == state


def test_the_caption_is_one_short_sentence_and_no_format_loses_a_fact(tmp_path):
    what = table1(tmp_path, seeds=5, rates=("0.1", "0.3"))
    made = accuracy_table(what, Records(tmp_path), reports.Options())
    assert made.caption == (
        "Accuracy in per cent, last epoch; mean ± sample standard deviation; n = 5 seeds unless noted; demo scale; "
        "bold: none shown to be better; grey or italic: published."
    )
    for beginning in ("RAF-DB: 8 classes", "Backbone", "Recipes", "Realised", "Bold", "The smallest gain", "Published"):
        assert sum(fact.startswith(beginning) for fact in made.stands_on) == 1, beginning
    _, texts, _ = draw(what, tmp_path)
    folded = texts["html"].split("<summary>Stands on</summary>")[1].split("</details>")[0]
    assert made.caption in texts["html"].split("<summary>Stands on</summary>")[0]
    for fact in made.stands_on:
        assert f"- {markdown_text(fact)}\n" in texts["md"]
        assert latex_text(fact) in (tmp_path / "out" / "table1_notes.tex").read_text()
        assert f"<li>{escape(fact, quote=True)}</li>" in folded.replace("&#39;", "&#x27;")


def test_fewer_seeds_are_named_with_what_has_them(tmp_path):
    def measured(method, dataset, seeds):
        made = [write_record(tmp_path, method=method, dataset=dataset, seed=s) for s in range(seeds)]
        return cell(method.upper(), method, dataset, "0.1", made)

    cells = [measured("scn", "rafdb", 6), measured("eac", "rafdb", 3), measured("scn", "ferplus", 5)]
    made = accuracy_table(request("table", "1", cells), Records(tmp_path), reports.Options())
    assert "; n = 6 seeds (FERPlus: 5; EAC on RAF-DB: 3) unless noted; " in made.caption


def test_states_of_a_file_are_named_unless_they_were_proved_to_be_one(tmp_path):
    codes = ["statements:aaaaaaaaaaaa", "statements:bbbbbbbbbbbb", "statements:bbbbbbbbbbbb"]
    made = [write_record(tmp_path, seed=s, code=code) for s, code in enumerate(codes)]
    asked = request("table", "1", [cell("Baseline", "baseline", "rafdb", "0.1", made)])
    said = (
        "Different states of a method's file at equal version: baseline aaaaaaaa (1 run), baseline bbbbbbbb (2 runs)."
    )
    assert said in accuracy_table(asked, Records(tmp_path), reports.Options()).stands_on
    Store(tmp_path).note_proved("baseline", *codes[:2])
    assert not any("states" in fact for fact in accuracy_table(asked, Records(tmp_path), reports.Options()).stands_on)


def test_a_mean_does_not_depend_on_the_order_in_which_its_runs_were_read():
    values = [75.9, 76.3, 78.1, 74.4, 73.8, 77.0, 75.6, 74.9, 76.2, 76.3]
    one, two = (Cell("", "", "", "", None, values=dict(enumerate(order))) for order in (values, values[::-1]))
    assert one.text == two.text and one.mean == fmean(values)


def test_marks_are_explained_in_sight(tmp_path):
    cells = [cell("EAC", "eac", "rafdb", "0.1", [], reason="no votes")]
    made = accuracy_table(request("table", "1", cells), Records(tmp_path), reports.Options())
    assert made.notes == ["† EAC, rafdb, asymmetric 0.1: no votes"]
    assert made.caption == "Nothing was measured here yet; grey or italic: published."
    _, texts, _ = draw(request("table", "1", cells), tmp_path)
    assert "no votes" in texts["html"].split("<summary>Stands on</summary>")[0]


def test_floor_and_ceiling_stand_below_the_table_when_asked(tmp_path):
    what = table1(tmp_path, rates=("0.1",))
    correct = write_record(tmp_path, part="correct", accuracy=0.81)
    clean = write_record(tmp_path, noise="none", rate=None, accuracy=0.85)
    ceiling = ("Baseline, correct labels only", "baseline", "rafdb", "0.1", [correct])
    what = with_cells(
        what,
        cell(*ceiling, part="correct", noise="asymmetric"),
        cell("Baseline, clean labels", "baseline", "rafdb", None, [clean], part="clean", noise="none"),
    )
    _, texts, rows = draw(what, tmp_path, floor=True)
    order = [texts["md"].index(text) for text in ("| LA-Net", "| Largest class | 38.0", "| 81.0", "| 85.0")]
    assert order == sorted(order)
    assert texts["md"].count(" 38.0 ") == 1  # not beside it, under rank or what was published
    assert ranks(rows[-2:]) == ["-", "-"]
    assert [row["part"] for row in rows[-2:]] == ["correct", "clean"]
    _, without, _ = draw(what, tmp_path)
    assert "Largest class" not in without["md"]
    assert "correct labels" not in without["md"]


def test_the_smallest_detectable_gain_stands_next_to_the_paper_s(tmp_path):
    cells = []
    for method, extra in (("baseline", (0, 0, 0)), ("lanet", (0.02, 0.01, 0.03))):
        ids = [write_record(tmp_path, method=method, seed=s, accuracy=0.7 + 0.01 * s + extra[s]) for s in range(3)]
        cells.append(cell(method, method, "rafdb", "0.1", ids))
    _, texts, _ = draw(request("table", "1", cells), tmp_path)
    assert "RAF-DB: 3.3 points (n = 3, standard deviation of paired differences 1.00)" in texts["md"]
    assert "is 1.2 points" in texts["md"] and "Not above the baseline" not in texts["md"]
    ids = [write_record(tmp_path, method="scn", seed=s, accuracy=0.7 + 0.01 * s) for s in range(3)]
    _, texts, _ = draw(request("table", "1", [cells[0], cell("scn", "scn", "rafdb", "0.1", ids)]), tmp_path)
    assert re.search(r"Not above the baseline, points on the same seeds: scn \(.*\) [+]?0[.]0[.]", texts["md"])
    assert "-0.0" not in texts["md"] and "−0.0" not in texts["md"]


def test_other_methods_stand_below_in_a_block_of_their_own_and_are_ranked_among_all(tmp_path):
    cells = []
    for method, accuracy in (("baseline", 0.7), ("gce", 0.9)):
        ids = [write_record(tmp_path, method=method, seed=s, accuracy=accuracy) for s in range(5)]
        cells.append(cell(method, method, "rafdb", "0.1", ids))
    _, texts, rows = draw(request("table", "1", cells), tmp_path)
    first, second = texts["md"].split("10 %: other methods**")
    assert "| baseline | 70.0±0.0 | 2 |" in first and "gce" not in first
    assert "| gce | **90.0±0.0** | 1 |" in second and "published" not in second.split("Accuracy in per cent")[0]
    assert {row["method"] for row in rows} >= {"baseline", "gce"}
    _, alone, _ = draw(request("table", "1", cells[1:]), tmp_path)
    assert "other methods" not in alone["md"] and "| gce | 90.0±0.0 |" in alone["md"]


def test_a_row_that_does_not_beat_the_baseline_is_named(tmp_path):
    cells = []
    for method, gain in (("baseline", 0), ("lanet", 0.02), ("eac", -0.015)):
        ids = [write_record(tmp_path, method=method, seed=s, accuracy=0.7 + 0.01 * s + gain) for s in range(2)]
        cells.append(cell(method, method, "rafdb", "0.1", ids))
    _, texts, _ = draw(request("table", "1", cells), tmp_path)
    assert "points on the same seeds: eac (RAF-DB, asymmetric noise, 10 %) −1.5." in texts["md"]


@pytest.mark.parametrize(
    ("dataset", "classes", "published", "difference"),
    [("affectnet", 7, "67.09", True), ("affectnet", 8, "64.24", True), ("rafdb", 7, "90.81", True)],
)
def test_clean_values_are_those_of_the_class_set(tmp_path, dataset, classes, published, difference):
    names = [f"class {c}" for c in range(classes)]
    ids = [
        write_record(
            tmp_path, method="lanet", dataset=dataset, noise="none", rate=None, class_names=names, scale="paper"
        )
    ]
    _, _, rows = draw(request("table", "clean", [cell("LA-Net", "lanet", dataset, None, ids)]), tmp_path)
    assert rows[0]["published"] == published
    assert bool(rows[0]["difference"]) == difference


def test_a_number_of_another_scale_has_no_difference_to_the_published_one(tmp_path):
    ids = one_cell(tmp_path, [0.84, 0.845, 0.838])
    _, texts, rows = draw(request("table", "1", [cell("Baseline", "baseline", "rafdb", "0.1", ids)]), tmp_path)
    assert rows[0]["published"] == "80.93" and rows[0]["difference"] == ""
    assert "difference |" not in texts["md"] and "measured minus published" not in texts["md"]


def test_no_difference_is_formed_between_class_sets(tmp_path):
    ids = [
        write_record(tmp_path, method="eac", dataset="affectnet", noise="none", rate=None, scale="paper")
    ]  # printed for 7 classes only
    _, texts, rows = draw(request("table", "clean", [cell("EAC", "eac", "affectnet", None, ids)]), tmp_path)
    assert rows[0]["difference"] == ""
    assert "65.32 (7 classes)" in texts["md"]


def test_one_s_own_method_and_data_set_have_no_published_column(tmp_path):
    ids = one_cell(tmp_path, [0.8, 0.8, 0.8], method="mine", dataset="faces")
    _, texts, rows = draw(request("table", "1", [cell("Mine", "mine", "faces", "0.1", ids)]), tmp_path)
    assert "| Method | faces |" in texts["md"]
    assert rows[0]["published"] == ""


def test_the_matched_table_names_rows_by_their_label(tmp_path):
    ids = one_cell(tmp_path, [0.8], asked=1, method="lanet", overrides={"lanet.sampler": "uniform"})
    what = request("table", "matched", [cell("LA-Net", "lanet", "rafdb", "0.1", ids, label="LA-Net (uniform sampler)")])
    _, texts, rows = draw(what, tmp_path)
    assert "| LA-Net (uniform sampler) |" in texts["md"]
    assert rows[0]["published"] == ""


def test_names_of_others_are_escaped_everywhere(tmp_path):
    bad = "<script>alert(1)</script> | & 100%"
    full = write_record(tmp_path, dataset="mine", title=bad, method="mine", resolved={"weights": {"text": bad}})
    cells = [
        cell(bad, "mine", "mine", "0.1", [full]),
        cell("RUL", "rul", "mine", "0.1", ["3" * 20], failures={"3" * 20: bad}),
    ]
    _, texts, _ = draw(request("table", "1", cells), tmp_path)
    assert "<script>" not in texts["html"]
    assert "&lt;script&gt;" in texts["html"]
    assert "<script>" not in texts["md"]
    header = next(line for line in texts["md"].splitlines() if line.startswith("| Method"))
    assert header.replace("\\|", "").count("|") == 3
    assert "100\\%" in texts["tex"]
    assert "| &" not in texts["tex"]


def test_a_table_is_drawn_without_what_takes_long_to_import(tmp_path):
    cells = []
    for dataset in ("rafdb", "ferplus", "affectnet"):
        cells += table1(tmp_path, dataset, seeds=1).cells
    what = request("table", "1", cells)
    program = (
        "import sys, pickle, reports\n"
        "from pathlib import Path\n"
        f"what = pickle.load(open({str(tmp_path / 'what')!r}, 'rb'))\n"
        f"reports.Report(Path({str(tmp_path)!r}), Path({str(tmp_path / 'out')!r})).draw(what)\n"
        "print(*[name for name in ('torch', 'matplotlib', 'benchmark', 'scipy.stats') if name in sys.modules])"
    )
    (tmp_path / "what").write_bytes(pickle.dumps(what))
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_what_was_changed_in_one_row_by_hand_is_named_with_it(tmp_path):
    plain = one_cell(tmp_path, [0.8, 0.81, 0.82])
    changed = one_cell(tmp_path, [0.9, 0.91, 0.92], method="lanet", overrides={"lanet.confidence": "0.5"})
    cells = [cell("Baseline", "baseline", "rafdb", "0.1", plain), cell("LA-Net", "lanet", "rafdb", "0.1", changed)]
    _, texts, rows = draw(request("table", "1", cells), tmp_path)
    assert "Changed by hand in LA-Net: lanet.confidence=0.5." in texts["md"].replace("\\_", "_")
    assert [row["changed"] for row in rows] == ["", "lanet.confidence=0.5"]
    own = [cells[0], replace(cells[1], label="confidence=0.5", overrides={"lanet.confidence": "0.5"})]
    assert "Changed by hand" not in draw(request("table", "1", own), tmp_path)[1]["md"]


def test_start_weights_of_some_rows_only_are_named_with_them(tmp_path):
    cells = []
    for method, weights in (("baseline", "random weights"), ("scn", "random weights"), ("eac", "faces.pth")):
        ids = one_cell(tmp_path, [0.8, 0.81, 0.82], method=method, resolved={"weights": {"text": weights}})
        cells.append(cell(method.upper(), method, "rafdb", "0.1", ids))
    _, texts, _ = draw(request("table", "1", cells), tmp_path)
    assert "start: random weights (BASELINE, SCN); faces.pth (EAC)." in texts["md"]


def test_a_title_does_not_name_a_noise_that_is_not_shown(tmp_path):
    ids = one_cell(tmp_path, [0.8, 0.81, 0.82], noise="symmetric")
    asked = cell("Baseline", "baseline", "rafdb", "0.1", ids, noise="symmetric")
    _, texts, _ = draw(request("table", "1", [asked]), tmp_path)
    assert "under asymmetric noise (shown here: symmetric noise)" in texts["md"].splitlines()[0]


def test_published_class_sets_are_marked_where_nothing_was_measured(tmp_path):
    _, texts, rows = draw(request("table", "clean", [], columns=("affectnet",), methods=("eac", "lanet")), tmp_path)
    assert "65.32 (7 classes)" in texts["md"] and "64.24 (8 classes)" in texts["md"]
    assert [row["published_classes"] for row in rows] == ["7", "8"]


def test_eac_s_seven_classes_of_ferplus_have_no_difference_to_eight(tmp_path):
    ids = one_cell(tmp_path, [0.8, 0.81, 0.82], method="eac", dataset="ferplus", noise="symmetric", scale="paper")
    asked = cell("EAC", "eac", "ferplus", "0.1", ids, noise="symmetric")
    _, texts, rows = draw(request("table", "symmetric", [asked]), tmp_path)
    assert "87.03 (7 classes)" in texts["md"] and rows[0]["difference"] == ""


@pytest.mark.parametrize("value, text", [(-0.04, "0.0"), (-0.0, "0.0"), (0.0, "0.0"), (-1.24, "−1.2"), (3.0, "+3.0")])
def test_what_rounds_to_nothing_has_no_minus(value, text):
    assert format_signed(value) == text


def test_a_run_that_fell_far_below_its_row_is_named(tmp_path):
    what = table1(tmp_path, seeds=5, rates=("0.1",))
    ids = [
        write_record(tmp_path, method="scn", seed=s, accuracy=0.8 - 0.2 * (s == 3), overrides={"scn.x": "1"})
        for s in range(5)
    ]
    _, texts, _ = draw(with_runs(what, ids, method="scn"), tmp_path)
    assert (
        "SCN, rafdb, asymmetric 0.1: seed 3 ended at 60.0, 20.0 points below the row's median; it counts."
        in texts["md"]
    )
    assert texts["md"].count("below the row's median") == 1
