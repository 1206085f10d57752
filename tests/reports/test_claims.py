"""Claims: every verdict is reached by the records that should reach it, and by no others."""

from dataclasses import replace

import numpy as np
import pytest
from records import cell, request, table1, with_cells, with_runs, write_record
from test_divergence import table2
from test_figures import sweep

from reports.asked import Options
from reports.cells import read_cells
from reports.metrics import chosen_epochs
from reports.statements import claims
from reports.statements.claims import claims_markdown, judge_claims, summarise_verdict, verdict_heading
from results.records import Records


def judge(what, folder, word, **options):
    whats = what if isinstance(what, list) else [what]
    records = Records(folder)
    shown = [(what, read_cells(what, records, "last")) for what in whats]
    found = [v for v in judge_claims(shown, records, Options(**options)) if word in v.claim.text]
    assert len(found) == 1
    return found[0]


def test_nothing_measured():
    found = judge_claims([], Records("nowhere"), Options())
    assert {verdict.verdict for verdict in found} == {"not measured"}
    assert len(found) == 12
    assert all(summarise_verdict(verdict) == "no runs that could tell" for verdict in found)


def test_first_everywhere_holds_with_five_seeds_and_clear_gains(tmp_path):
    verdict = judge(table1(tmp_path, seeds=5, step=0.04), tmp_path, "first at every rate")
    assert verdict.verdict == "holds"
    assert len(verdict.comparisons) == 12  # four others at three rates
    assert "above in 12 of 12 comparisons, below in 0" in summarise_verdict(verdict)
    gains = {c.text: c.found.mean for c in verdict.comparisons}
    assert gains["asymmetric noise, 10 %: over EAC"] == pytest.approx(4.0)
    assert verdict_heading(verdict) == (
        "holds at demo scale, last epoch",
        "LA-Net is first at every rate on RAF-DB (Table 1)",
    )


def test_each_data_set_has_its_own_verdict(tmp_path):
    what = table1(tmp_path, seeds=5, step=0.04)
    for method, accuracy in (("lanet", 0.2), ("baseline", 0.9)):
        ids = [write_record(tmp_path, method=method, dataset="faces", seed=s, accuracy=accuracy) for s in range(5)]
        what = with_cells(what, cell(method, method, "faces", "0.1", ids))
    records = Records(tmp_path)
    shown = [(what, read_cells(what, records, "last"))]
    found = [v for v in judge_claims(shown, records, Options()) if v.claim.text == "LA-Net is first at every rate"]
    assert [(v.verdict, v.dataset.endswith("(not a data set of the paper)")) for v in found] == [
        ("holds", False),
        ("does not hold", True),
    ]
    assert len(found[0].comparisons) == 12 and len(found[1].comparisons) == 1


def test_each_method_is_held_against_the_baseline(tmp_path):
    what = table1(tmp_path, seeds=5, step=0.04)
    verdict = judge(what, tmp_path, "RUL is above the baseline")
    assert verdict.verdict == "holds" and len(verdict.comparisons) == 3
    ids = [
        write_record(tmp_path, method="rul", rate="0.2", seed=s, accuracy=0.3, overrides={"rul.x": "1"})
        for s in range(5)
    ]
    what = with_runs(what, ids, method="rul", rate="0.2")
    assert judge(what, tmp_path, "RUL is above the baseline").verdict == "does not hold"
    assert judge(what, tmp_path, "SCN is above the baseline").verdict == "holds"


def test_one_image_of_two_hundred_is_no_proof(tmp_path):
    assert judge(table1(tmp_path, seeds=5, step=0.005), tmp_path, "first at every rate").verdict == "not shown"


def test_three_seeds_are_too_few_whatever_they_show(tmp_path):
    verdict = judge(table1(tmp_path, seeds=3), tmp_path, "first at every rate")
    assert verdict.verdict == "too few seeds"
    assert "n = 3" in summarise_verdict(verdict)
    assert "[" in summarise_verdict(verdict)


def test_one_lost_cell_and_it_does_not_hold(tmp_path):
    what = table1(tmp_path, seeds=5)
    ids = [
        write_record(tmp_path, method="rul", rate="0.2", seed=s, accuracy=0.9, overrides={"rul.x": "1"})
        for s in range(5)
    ]
    what = with_runs(what, ids, method="rul", rate="0.2")
    assert judge(what, tmp_path, "first at every rate").verdict == "does not hold"


def test_the_average_gain_is_over_the_rates_of_one_data_set(tmp_path, monkeypatch):
    what = table1(tmp_path, seeds=5)
    verdict = judge(what, tmp_path, "over EAC on RAF-DB")
    assert verdict.verdict == "not measured"  # the printed gain is of the paper's scale, these runs are of the demo's
    assert (
        verdict_heading(verdict)[0] == "not measured at paper scale" and "at demo scale" in verdict_heading(verdict)[1]
    )
    assert verdict.comparisons[0].found.mean == pytest.approx(1.0)
    assert verdict.comparisons[0].text == "mean over 10 %, 20 %, 30 %"
    assert "1.24" in verdict.claim.source
    monkeypatch.setattr(claims, "scale_text", lambda cells: "paper scale")
    assert judge(what, tmp_path, "over EAC on RAF-DB").verdict == "holds"
    assert judge(what, tmp_path, "over EAC on FERPlus").verdict == "not measured"


def test_a_gap_at_one_rate_leaves_the_average_unmeasured(tmp_path):
    what = table1(tmp_path, seeds=2)
    what = with_runs(what, ["0" * 20], method="eac", rate="0.3")
    assert judge(what, tmp_path, "over EAC on RAF-DB").verdict == "not measured"


def test_runs_on_other_test_images_are_not_compared(tmp_path):
    what = table1(tmp_path, seeds=1, rates=("0.1",))
    moved = write_record(
        tmp_path,
        method="eac",
        seed=0,
        overrides={"eac.x": "1"},
        arrays={"test_rows": np.arange(200, dtype=np.int32) + 1},
    )
    what = with_runs(what, [moved], method="eac")
    texts = [c.text for c in judge(what, tmp_path, "first at every rate").comparisons]
    assert len(texts) == 3
    assert not any("EAC" in text for text in texts)


def test_the_published_value_of_a_grid(tmp_path):
    grid = {"temperature": (0.05, 0.1, 0.2)}  # accuracy rises with the value in these records
    verdict = judge(sweep(tmp_path, "tau", grid, ("0.2",), seeds=5), tmp_path, "temperature")
    assert verdict.verdict == "does not hold"
    assert {c.text: round(c.found.mean) for c in verdict.comparisons} == {
        "asymmetric noise, 20 %: over 0.05": 1,
        "asymmetric noise, 20 %: over 0.2": -1,
    }


def test_label_distributions_against_one_hot_and_the_control(tmp_path):
    what, _, _ = table2(tmp_path, seeds=5)
    assert judge(what, tmp_path, "closer to people than one-hot").verdict == "holds"
    assert judge(what, tmp_path, "closer than the baseline's softmax").verdict == "holds"
    flat = next(c.ids for c in what.cells if c.method == "baseline")
    what = with_runs(what, flat, method="lanet")  # the baseline's flat distributions in LA-Net's place
    assert judge(what, tmp_path, "closer than the baseline's softmax").verdict == "not shown"


def test_the_rule_chooses_the_epochs_that_are_compared():
    record = {"metrics": {"best_epoch": 3}, "history": {"noisy_validation": [0.1, 0.4, 0.2, 0.3]}}
    rows = np.arange(8)
    assert rows[chosen_epochs(record, "last", None)].tolist() == [7]
    assert rows[chosen_epochs(record, "last5", None)].tolist() == [3, 4, 5, 6, 7]
    assert rows[chosen_epochs(record, "best", None)].tolist() == [2]
    assert rows[chosen_epochs(record, "noisy_val", None)].tolist() == [1]


def test_paired_by_seed_not_by_place(tmp_path):
    """The seeds of the two cells overlap in one only; that one is compared."""
    ours = [write_record(tmp_path, method="lanet", seed=s, accuracy=0.9) for s in (0, 1)]
    eac = [write_record(tmp_path, method="eac", seed=s, accuracy=0.5 + 0.2 * (s == 1)) for s in (1, 2)]
    what = request(
        "table", "1", [cell("LA-Net", "lanet", "rafdb", "0.1", ours), cell("EAC", "eac", "rafdb", "0.1", eac)]
    )
    verdict = judge(what, tmp_path, "first at every rate")
    assert "11 more not measured" in summarise_verdict(verdict)
    assert verdict.comparisons[0].n == 1
    assert verdict.comparisons[0].found.mean == pytest.approx(20)


def test_what_was_not_measured_keeps_a_claim_from_holding(tmp_path):
    what = table1(tmp_path, seeds=5, step=0.04)
    what = with_runs(what, ["0" * 20], method="rul")
    verdict = judge(what, tmp_path, "first at every rate")
    assert verdict.verdict == "partly measured" and len(verdict.lacking) == 3
    assert judge(what, tmp_path, "RUL is above the baseline").verdict == "not measured"
    assert judge(what, tmp_path, "SCN is above the baseline").verdict == "holds"


def test_fewer_rates_than_the_papers_are_a_part(tmp_path):
    what = table1(tmp_path, seeds=5, step=0.04, rates=("0.1",))
    assert judge(what, tmp_path, "first at every rate").verdict == "partly measured"
    assert judge(what, tmp_path, "over EAC on RAF-DB").verdict == "not measured"


def test_other_noise_and_other_methods_are_not_what_the_paper_claims_something_of(tmp_path):
    what = table1(tmp_path, seeds=5, step=0.04)
    for rate in ("0.1", "0.2", "0.3"):
        better = [write_record(tmp_path, method="mine", rate=rate, seed=s, accuracy=0.99) for s in range(5)]
        what = with_cells(what, cell("Mine", "mine", "rafdb", rate, better))
        for method, accuracy in (("lanet", 0.2), ("eac", 0.9)):
            ids = [
                write_record(tmp_path, method=method, noise="symmetric", rate=rate, seed=s, accuracy=accuracy)
                for s in range(5)
            ]
            what = with_cells(what, cell(method, method, "rafdb", rate, ids, noise="symmetric"))
    assert judge(what, tmp_path, "first at every rate").verdict == "holds"
    assert judge(what, tmp_path, "over EAC on RAF-DB").comparisons[0].found.mean == pytest.approx(4)


def test_what_was_changed_by_hand_stands_beside_the_verdict(tmp_path):
    what = table1(tmp_path, seeds=5, step=0.04)
    ids = [
        write_record(tmp_path, method="lanet", rate="0.1", seed=s, accuracy=0.9, overrides={"lanet.confidence": "0.5"})
        for s in range(5)
    ]
    what = with_runs(what, ids, method="lanet", rate="0.1")
    assert "Changed by hand in LA-Net: lanet.confidence=0.5" in summarise_verdict(
        judge(what, tmp_path, "first at every rate")
    )


def test_the_claims_as_a_table_name_what_was_not_measured(tmp_path):
    what = table1(tmp_path, seeds=5, step=0.04)
    records = Records(tmp_path)
    verdicts = judge_claims([(what, read_cells(what, records, "last"))], records, Options())
    claim = replace(verdicts[0].claim, text="nearer to people", unit="divergence")
    distance = replace(verdicts[0], claim=claim, ground="at demo scale")
    text = claims_markdown([*verdicts, distance])  # a distance has no rule; the scale is said once for both
    rows = {
        line.split("|")[1].strip(): line.split("|")[2].strip() for line in text.splitlines() if line.startswith("| ")
    }
    first = "**holds**: +4.0 points [+1.6, +6.4] (asymmetric noise, 10 %: over EAC); n = 5"
    assert rows["claim"] == "RAF-DB" and rows["LA-Net is first at every rate (Table 1)"] == first
    others = ("SCN", "RUL", "EAC", "LA-Net")
    assert {f"{title} is above the baseline at every rate (Table 1)" for title in others} < rows.keys()
    gain = rows["LA-Net gains over EAC on RAF-DB (section A: 1.24 points)"]
    assert gain.startswith("**not measured at paper scale**: +4.0 points [")
    (nothing,) = [line for line in text.splitlines() if line.startswith("Not measured: ")]
    assert "LA-Net gains over EAC on FERPlus (section A: 1.15 points)" in nothing and "temperature τ = 0.1" in nothing
    assert "Differences at demo scale, last epoch." in text


def test_nothing_measured_is_one_line():
    (line,) = claims_markdown(judge_claims([], Records("nowhere"), Options())).splitlines()
    assert line.startswith("Not measured: LA-Net is first at every rate (Table 1); ")
