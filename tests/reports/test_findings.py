"""Findings: their numbers are those of the records, and their words follow the intervals."""

import re
from collections import Counter
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from records import cell, request, table1, write_record
from scipy import stats

from reports.asked import Asked, AskedCell, Options, ReportError
from reports.captions import list_words
from reports.cells import read_cells
from reports.paired import CROSS_FITTED, Hits, compare_cells, cross_fit, rank_cells
from reports.statements.claims import judge_claims
from reports.statements.evidence import Comparison, Evidence, by_seed, need_alike, read_evidence
from reports.statements.findings import (
    Question,
    compare_with_baseline,
    comparisons_markdown,
    describe_comparison,
    findings_markdown,
    is_published,
    make_comparisons,
    write_answer,
)
from reports.statistics import Interval, crossed_interval, paired_t
from reports.table import format_signed
from results.published import METHODS
from results.records import Records

REFERENCE = Path(__file__).resolve().parents[2] / "results" / "reference"
RNG = np.random.default_rng(3)
LATER_QUESTION = "Do methods of later papers, with their authors' settings, beat the baseline at 30 % asymmetric noise?"
LOSSES_QUESTION = "Does LA-Net beat its own recipe without its losses?"


def test_students_interval_and_p_are_those_of_scipy() -> None:
    one, two = RNG.normal(1, 1, 5), RNG.normal(0, 1, 5)
    found, known = paired_t(one - two), stats.ttest_rel(one, two)
    low, high = known.confidence_interval(0.95)
    assert (found.mean, found.low, found.high) == pytest.approx((np.mean(one - two), low, high))
    assert found.p == pytest.approx(known.pvalue)


@pytest.mark.parametrize("value, p", [(0.0, 1.0), (2.0, 0.0)])
def test_seeds_that_all_agree_have_an_interval_of_one_point(value: float, p: float) -> None:
    found = paired_t(np.full(5, value))
    assert (found.low, found.high, found.p) == (value, value, p)


ASKED = Question("Which?", lambda evidence: (), "--table 1", "up", "down")
TITLES = {"one": "One", "two": "Two"}


def compared(dataset: str, text: str, mean: float = 0.0, p: float = 1.0, n: int = 5) -> dict[str, object]:
    found = Interval(mean, mean - 1, mean + 1, p) if n else None
    return describe_comparison(ASKED, Comparison(dataset, text, found, n), TITLES)


def test_the_words_follow_the_verdicts() -> None:
    rows = [
        compared("one", "A", 3, 0.001),
        compared("one", "B", -4, 0.049),
        compared("one", "C", 9, 0.05),
        compared("two", "A", 2, 0.01),
        compared("two", "B", 1, 0.2),
        compared("two", "C", n=0),
        compared("two", "D", 9, 0.001, n=4),
    ]
    frame = pd.DataFrame(rows)
    assert write_answer(frame) == (
        "Up: A on One and Two. Down: B on One. Not told apart: C on One; B on Two. Too few seeds: D on Two. Not measured: C on "
        "Two. Largest difference: B on One, −4.0 points [−5.0, −3.0]."
    )
    text = comparisons_markdown(frame, "records")
    assert "| One | A | **+3.0** | +2.0 to +4.0 | 0.001 | 5 | up |" in text
    assert "| One | C | +9.0 | +8.0 to +10.0 | 0.050 | 5 | not told apart |" in text
    assert (
        "| Two | C | – |  |  |  | not measured |" in text
        and "    python run_all.py --table 1 --draw --results records" in text
    )
    assert list_words(["A"]) == "A" and list_words("ABC") == "A, B and C"


def test_where_nothing_is_told_apart_the_largest_of_whole_comparisons_is_shown() -> None:
    frame = pd.DataFrame(
        [compared("one", "A", 1, 0.5), compared("one", "B", 2, 0.4), compared("one", "C", 9, 0.4, n=2)]
    )
    assert "Largest difference: B on One, +2.0 points" in write_answer(frame)


def test_what_was_not_measured_is_named_with_what_would_draw_it(tmp_path: Path) -> None:
    table1(tmp_path, seeds=5, rates=("0.3",), step=0.05)
    frame = make_comparisons(read_evidence(Records(tmp_path)))
    text = findings_markdown(frame, "there.md")
    first, *_ = text.splitlines()
    assert first.startswith(
        "1. **Do the methods beat the baseline at 30 % asymmetric noise?** Better: scn, rul, eac and lanet"
    )
    assert first.endswith("[All comparisons](there.md#1)")
    measured, _, lacking = text.partition("Not measured on these records:")
    assert "- Do the methods beat the baseline with clean labels? (`--table clean`)" in lacking
    assert f"- {LATER_QUESTION} (`--table later`)" in lacking
    assert "clean" not in measured and "nan" not in text
    assert re.findall(r"^(\d+)\.", text, re.M) == list("1234")
    unmeasured = frame[frame["difference"].isna()]
    assert set(unmeasured["verdict"]) == {"not measured"} and len(unmeasured)
    assert "nan" not in comparisons_markdown(frame, "records")


def write_rows(folder: Path, levels: dict[str, float], **changes: object) -> None:
    for method, level in levels.items():
        for number in range(5):
            write_record(folder, method=method, seed=number, rate="0.3", accuracy=level, **changes)


def test_other_training_images_and_random_start_weights_are_compared_apart(tmp_path: Path) -> None:
    write_rows(tmp_path, {"baseline": 0.6, "scn": 0.8}, weights="landmarks:1")
    write_rows(tmp_path, {"baseline": 0.7, "scn": 0.6, "eac": 0.6}, weights="random")  # more than of the usual ones
    write_rows(tmp_path, {"baseline": 0.7, "scn": 0.9}, weights="landmarks:2", subset=7)
    frame = make_comparisons(read_evidence(Records(tmp_path)))
    told = frame[frame["compared"].str.startswith("scn") & (frame["side"] != 0)].set_index(["question", "compared"])
    gains = told["difference"].round()
    assert gains["Do the methods beat the baseline at 30 % asymmetric noise?", "scn"] == 20
    (from_random,) = gains[[question for question in gains.index.levels[0] if "random start" in question]]
    assert from_random == -10
    assert gains.xs("scn (training images 7)", level="compared").tolist() == [20]
    with pytest.raises(ReportError, match="weights landmarks:3, others of rafdb have landmarks:1"):
        write_rows(tmp_path, {"baseline": 0.5}, weights="landmarks:3")
        read_evidence(Records(tmp_path))


def test_where_all_runs_began_at_random_the_findings_are_of_these(tmp_path: Path) -> None:
    write_rows(tmp_path, {"baseline": 0.6, "scn": 0.8}, weights="random")
    write_rows(tmp_path, {"baseline": 0.6}, weights="random", subset=7)
    evidence = read_evidence(Records(tmp_path))
    assert {cell.method for cell in evidence.cells} == {"baseline", "scn"}
    assert list(evidence.variations) == ["training images 7, random start weights"]


@pytest.fixture(scope="module")
def measured() -> Evidence:
    return read_evidence(Records(REFERENCE), "demo")


def test_a_difference_of_accuracies_is_that_of_the_records(measured: Evidence) -> None:
    first, second = (measured.cell("faces", method, "asymmetric", "0.3") for method in ("scn", "baseline"))
    assert first is not None and second is not None
    seeds = sorted(first.values.keys() & second.values.keys())
    one = measured.compare("faces", "SCN", first, second)
    assert one.found is not None and one.n == len(seeds) >= 5
    means = [np.mean([cell.values[number] for number in seeds]) for cell in (first, second)]
    assert one.found.mean == pytest.approx(means[0] - means[1])
    assert measured.compare("faces", "SCN", first, None).verdict == "not measured"
    other = measured.cell("ferplus", "baseline", "asymmetric", "0.3")
    assert measured.compare("faces", "SCN", first, other).found is None  # other test images


def test_runs_that_stand_on_different_things_are_not_mixed(measured: Evidence) -> None:
    record = measured.cells[0].records[0]
    ground: dict[str, dict[str, str]] = {}
    need_alike(record, ground)
    need_alike(record, ground)
    for changed in ({"precision": "fp32"}, {"data": record["spec"]["data"] | {"fingerprint": "0" * 64}}):
        with pytest.raises(ReportError, match="findings are of one kind of run"):
            need_alike(record | {"spec": record["spec"] | changed}, ground)


def test_each_side_has_its_own_rule(measured: Evidence) -> None:
    cell = measured.cell("faces", "baseline", "asymmetric", "0.3")
    found = measured.compare_rules("faces", "Baseline", cell, ("best", "last")).found
    gain = by_seed(cell, lambda record: 100 * (record["metrics"]["best"] - record["metrics"]["last"]))
    assert found is not None and found.mean == pytest.approx(np.mean(list(gain.values())))
    fair = measured.compare_rules("faces", "Baseline", cell, (CROSS_FITTED, "last")).found
    assert fair is not None and 0 < fair.mean < found.mean


def test_rare_classes_count_as_much_as_common_ones(measured: Evidence) -> None:
    asked = compare_with_baseline(("eac",), "asymmetric", "0.3", measured, "balanced")
    one = next(one for one in asked if one.dataset == "faces")
    of = [measured.cell("faces", method, "asymmetric", "0.3") for method in ("eac", "baseline")]
    means = [np.mean([100 * r["metrics"]["balanced_accuracy"] for r in cell.records]) for cell in of if cell]
    assert one.text == "EAC" and one.found is not None and one.found.mean == pytest.approx(means[0] - means[1])


LATER = {"nla": 0.74, "dnfer": 0.80, "clex": 0.69}


def later_rows(folder: Path, seeds: int = 5) -> list[AskedCell]:
    """Cells of three later methods beside those of Table 1 at 10 %."""
    return [
        cell(m, m, "rafdb", "0.1", [write_record(folder, method=m, seed=s, accuracy=level) for s in range(seeds)])
        for m, level in LATER.items()
    ]


def p_of(asked: Asked, folder: Path, first: str, second: str) -> float:
    """The p of a pair of rows of a table."""
    records = Records(folder)
    cells = {c.method: c for c in read_cells(asked, records, "last")}
    found = compare_cells(cells[first], cells[second], Hits(records, "last"))
    assert found is not None
    return found[0].p


def test_a_comparison_has_one_p_whatever_else_a_table_shows(tmp_path: Path) -> None:
    """In Table 1 with its five rows or two, in the table of later methods, in findings and claims; ranks follow it."""
    paper = table1(tmp_path, seeds=5, rates=("0.1",)).cells
    more = later_rows(tmp_path)
    tables = [request("table", "1", paper), request("table", "later", [*paper, *more])]
    tables += [request("table", "1", [*paper, more[0]]), request("table", "1", [paper[0], paper[3]])]
    known = {p_of(asked, tmp_path, "eac", "baseline") for asked in tables}
    evidence = read_evidence(Records(tmp_path))
    (finding,) = compare_with_baseline(("eac",), "asymmetric", "0.1", evidence)
    records = Records(tmp_path)
    shown = [(tables[0], read_cells(tables[0], records, "last"))]
    (claim,) = [v for v in judge_claims(shown, records, Options()) if v.claim.text.startswith("EAC is above")]
    assert known == {finding.p} == {claim.comparisons[0].p} and 0 < finding.p < 1

    few, many = request("table", "later", [more[0], more[2]]), tables[1]
    assert p_of(few, tmp_path, "nla", "clex") == p_of(many, tmp_path, "nla", "clex")
    raw = crossed_interval(differences(tmp_path, more[0], more[2])).p
    assert p_of(many, tmp_path, "nla", "clex") == pytest.approx(45 * raw)
    raw = crossed_interval(differences(tmp_path, paper[3], paper[0])).p
    assert finding.p == pytest.approx(10 * raw)
    changed = request("table", "1", [paper[0], replace(paper[3], label="lambda=2")])
    assert p_of(changed, tmp_path, "eac", "baseline") == pytest.approx(21 * raw)  # no longer the paper's method
    raw = crossed_interval(differences(tmp_path, more[0], paper[0])).p  # one of the paper's and another
    assert p_of(many, tmp_path, "nla", "baseline") == p_of(many, tmp_path, "baseline", "nla") == pytest.approx(45 * raw)


def differences(folder: Path, first: AskedCell, second: AskedCell) -> np.ndarray:
    """[seeds, images] right answers of the first less those of the second in the last epoch, read without the reports."""
    sides = []
    for asked in (first, second):
        arrays = [np.load(folder / run[:2] / f"{run}.npz") for run in asked.ids]
        sides.append(np.array([kept["predictions"][-1] == kept["test_labels"] for kept in arrays], float))
    return sides[0] - sides[1]


def test_other_rows_with_fewer_seeds_leave_a_pair_as_it_is(tmp_path: Path) -> None:
    paper = table1(tmp_path, seeds=8, rates=("0.1",)).cells
    alone, beside = request("table", "1", paper), request("table", "later", [*paper, *later_rows(tmp_path, seeds=5)])
    raw = crossed_interval(differences(tmp_path, paper[3], paper[0])).p  # of all eight seeds
    for asked in (alone, beside):
        assert p_of(asked, tmp_path, "eac", "baseline") == pytest.approx(10 * raw)
    records = Records(tmp_path)
    ranked = []
    for asked in (alone, beside):
        cells = read_cells(asked, records, "last")
        rank_cells(cells, Hits(records, "last"))
        ranked.append({c.method: c.places for c in cells if c.places})
    assert set(ranked[0]) == set(METHODS) and set(ranked[1]) == {*METHODS, *LATER}
    for one, other in combinations(METHODS, 2):  # whose place is surely before whose, is the same in both
        assert (ranked[0][one][1] < ranked[0][other][0]) <= (ranked[1][one][0] < ranked[1][other][1])


def test_rows_with_or_that_share_fewer_than_five_seeds_have_no_ranks(tmp_path: Path) -> None:
    paper = table1(tmp_path, seeds=5, rates=("0.1",)).cells
    other = cell("nla", "nla", "rafdb", "0.1", [write_record(tmp_path, method="nla", seed=s) for s in range(3, 8)])
    four = [replace(row, ids=row.ids[:4]) for row in paper]
    records = Records(tmp_path)
    for rows, ranked in ((paper, True), ([*paper, other], False), (four, False)):
        cells = read_cells(request("table", "later", rows), records, "last")
        rank_cells(cells, Hits(records, "last"))
        assert len(cells) == len(rows) and all((c.places is not None) == ranked for c in cells)


def test_rows_are_ranked_among_those_of_their_noise(tmp_path: Path) -> None:
    levels = {"asymmetric": {"baseline": 0.6, "scn": 0.9}, "symmetric": {"baseline": 0.8, "scn": 0.7}}
    asked = []
    for noise, level in levels.items():
        for method, accuracy in level.items():
            runs = {"method": method, "noise": noise, "accuracy": accuracy}
            ids = [write_record(tmp_path, seed=seed, **runs) for seed in range(5)]
            asked.append(cell(method, method, "rafdb", "0.1", ids, noise=noise))
    records = Records(tmp_path)
    cells = read_cells(request("table", "later", asked), records, "last")
    rank_cells(cells, Hits(records, "last"))
    assert [one.places for one in cells] == [(2, 2), (1, 1), (1, 1), (2, 2)]


def test_ranks_follow_the_p_of_the_pairs(measured: Evidence) -> None:
    """Nobody is better than a row at place 1, and every other row is surely behind another."""
    for dataset in ("faces", "ferplus"):
        found = [measured.cell(dataset, method, "asymmetric", "0.3") for method in METHODS]
        cells = [one for one in found if one is not None]
        assert len(cells) == 5
        rank_cells(cells, Hits(measured.records, "last"))
        for one in cells:
            sides = [measured.compare(dataset, "", one, other).side for other in cells if other is not one]
            assert one.places == (1 + sides.count(-1), len(cells) - sides.count(1))


def test_lanet_is_held_against_its_recipe_without_losses_under_the_same_sampler(tmp_path: Path) -> None:
    without = {f"lanet.{part}_weight": "0" for part in ("landmark", "distribution", "contrastive")}
    for sampler, whole, bare in (({}, 0.8, 0.75), ({"lanet.sampler": "uniform"}, 0.7, 0.72)):
        for changes, accuracy in ((sampler, whole), (sampler | without, bare)):
            for seed in range(5):
                write_record(tmp_path, method="lanet", seed=seed, accuracy=accuracy, overrides=changes)
    frame = make_comparisons(read_evidence(Records(tmp_path)))
    rows = frame[frame["question"] == LOSSES_QUESTION]
    gains = dict(zip(rows["compared"], rows["difference"].round(6), strict=True))
    assert gains == {"at 10 %": 5.0, "at 10 % (lanet.sampler=uniform)": -2.0}


def test_an_epoch_is_chosen_on_one_half_and_measured_on_the_other() -> None:
    labels = np.zeros(8, int)
    correct = np.zeros((3, 8), bool)
    correct[1, ::2] = True  # epoch 2 is best on the even images, and knows none of the odd ones
    correct[2, 1::2] = True  # epoch 3 the other way round
    assert cross_fit(correct, labels).tolist() == [0] * 8
    correct[1] = True
    assert cross_fit(correct, labels).tolist() == [1] * 8
    halves = np.isin(np.arange(8), [0, 1, 4, 5])  # every second image of each of two classes
    assert cross_fit(np.stack([halves, ~halves]), np.array([0, 1] * 4)).tolist() == [0] * 8


def test_what_the_readme_says_in_words_is_what_the_findings_say(measured: Evidence) -> None:
    text = " ".join((REFERENCE.parents[1] / "README.md").read_text().split())
    assert (
        "On drawn faces, all four methods are above the baseline at 30 %, and none of them is shown to be best." in text
    )
    assert "There SCN and EAC are above the baseline at 30 %, RUL and LA-Net are not told apart." in text
    assert "SCN, RUL and LA-Net are above the baseline on drawn faces, EAC is not. On FERPlus only LA-Net is." in text
    frame = make_comparisons(measured)

    def sides(title: str) -> dict[tuple[str, str], int]:
        rows = frame[frame["question"] == title]
        return dict(zip(zip(rows["data_set"], rows["compared"], strict=True), rows["side"], strict=True))

    drawn, real = "Faces (rendered)", "FERPlus"
    others = ("SCN", "RUL", "EAC", "LA-Net")
    gain = sides("Do the methods beat the baseline at 30 % asymmetric noise?")
    assert {pair for pair, side in gain.items() if side == 1} == {(drawn, m) for m in others} | {
        (real, "SCN"),
        (real, "EAC"),
    }
    assert -1 not in gain.values()
    cells = [measured.cell("faces", method, "asymmetric", "0.3") for method in ("scn", "rul", "eac", "lanet")]
    assert all(
        measured.compare("faces", "", one, other).side == 0 for one in cells for other in cells if one is not other
    )
    rare = sides("Do they help rare classes (balanced accuracy, 30 % asymmetric noise)?")
    assert {pair for pair, side in rare.items() if side == 1} == {(drawn, m) for m in ("SCN", "RUL", "LA-Net")} | {
        (real, "LA-Net")
    }
    assert -1 not in rare.values()
    assert "SCN is not above it at any rate; for the other three no gain of the search is shown." in text
    published = [
        cell for cell in measured.cells if is_published(cell) and (cell.method, cell.noise) == ("scn", "asymmetric")
    ]
    baselines = [measured.cell(cell.dataset, "baseline", cell.noise, cell.rate) for cell in published]
    assert len(published) == 6
    assert not [1 for pair in zip(published, baselines, strict=True) if measured.compare("", "", *pair).side == 1]
    chosen = sides("Are the settings that the search chose better than the published ones?")
    assert {pair for pair, side in chosen.items() if side != 0} == {(drawn, "SCN"), (real, "SCN")}
    assert "[From random weights](docs/weights.md) only SCN on FERPlus is above the baseline at 30 %." in text
    assert "LA-Net is below it on both data sets, EAC on drawn faces." in text
    random_starts = sides("Do the methods beat the baseline from random start weights, too (30 % asymmetric noise)?")
    assert len(random_starts) == 8
    assert {pair: side for pair, side in random_starts.items() if side != 0} == {
        (real, "SCN"): 1,
        (real, "LA-Net"): -1,
        (drawn, "LA-Net"): -1,
        (drawn, "EAC"): -1,
    }
    assert (
        "SCN and RUL are above the baseline on both data sets. EAC is in three of four cases, LA-Net on drawn faces"
        in text
    )
    other_images = sides("Do the methods beat the baseline on other training images, too (30 % asymmetric noise)?")
    gains = Counter((words.split()[0], data) for (data, words), side in other_images.items() if side == 1)
    assert len(other_images) == 16 and -1 not in other_images.values()
    assert gains == {("SCN", drawn): 2, ("SCN", real): 2, ("RUL", drawn): 2, ("RUL", real): 2} | {
        ("EAC", drawn): 1,
        ("EAC", real): 2,
        ("LA-Net", drawn): 2,
    }


def test_people_and_margins_are_compared_by_the_runs_that_the_questions_name(measured: Evidence) -> None:
    frame = make_comparisons(measured)
    people = frame[frame["question"] == "Are LA-Net's label distributions nearer to people's votes?"]
    assert Counter(people["data_set"]) == {"Faces (rendered)": 4, "FERPlus": 4}
    margins = frame[frame["question"].str.startswith("Does the margin averaged over epochs find wrong labels better")]
    assert len(margins) == 10 and margins["difference"].notna().all()
    metrics = [record["metrics"] for record in measured.cell("faces", "scn", "asymmetric", "0.3").records]
    gain = np.mean([found["margin_auroc"] - found["wrong_label_auroc"] for found in metrics])
    shown = margins.set_index(["data_set", "compared"]).loc[("Faces (rendered)", "SCN"), "difference"]
    assert shown == pytest.approx(gain)


def test_what_the_readme_says_of_losses_and_later_methods_is_that_of_the_records(measured: Evidence) -> None:
    text = " ".join((REFERENCE.parents[1] / "README.md").read_text().split())
    frame = make_comparisons(measured).dropna(subset="difference")
    drawn, real = "Faces (rendered)", "FERPlus"
    losses = frame[frame["question"] == LOSSES_QUESTION].set_index(["data_set", "compared"])
    own, uniform = "at 30 %", "at 30 % (lanet.sampler=uniform)"
    assert losses["side"].to_dict() == {(drawn, own): 1, (drawn, uniform): 1, (real, own): 0, (real, uniform): 1}
    gains = [losses.loc[place, "difference"] for place in ((drawn, own), (real, uniform))]
    said = re.search(
        r"losses together are worth ([\d.]+) points on drawn faces at 30 %\. On FERPlus .* worth ([\d.]+) with", text
    )
    assert said is not None and [f"{gain:.1f}" for gain in gains] == list(said.groups())
    assert "with a uniform sampler, and no gain is shown with [its own]" in text
    later = frame[frame["question"] == LATER_QUESTION]
    gains_by_name = {
        name.partition(" (")[0]: set(rows[rows["side"] == 1]["data_set"]) for name, rows in later.groupby("compared")
    }
    assert len(later) == 10 and -1 not in set(later["side"])
    gains_on_both = {name: {drawn, real} for name in ("NLA", "DNFER", "CLEX")}
    assert gains_by_name == gains_on_both | {"ReSup": {real}, "OTP-NS": {real}}
    assert (
        "NLA, DNFER and CLEX are above the baseline at 30 % on both data sets. ReSup and OTP-NS are [on FERPlus]"
        in text
    )


def test_what_the_page_on_tuning_says_of_other_seeds_is_that_of_the_records(measured: Evidence) -> None:
    page = (REFERENCE.parents[1] / "docs" / "tuning.md").read_text()
    frame = make_comparisons(measured)
    rows = frame[frame["question"] == "Are the settings that the search chose better than the published ones?"]
    for name, of_method in rows.groupby("compared"):
        gains = of_method.set_index("data_set").loc[["Faces (rendered)", "FERPlus"]]
        texts = [
            f"{format_signed(row.difference)} [{format_signed(row.low)}, {format_signed(row.high)}]"
            for row in gains.itertuples()
        ]
        line = next(line for line in page.splitlines() if line.startswith(f"| {name} | ") and "[" in line)
        assert line.replace("*", "") == f"| {name} | {' | '.join(texts)} |"


def test_what_the_page_on_tuning_says_of_the_sampler_is_that_of_the_records(measured: Evidence) -> None:
    page = " ".join((REFERENCE.parents[1] / "docs" / "tuning.md").read_text().split())
    gains = {}
    for dataset in ("faces", "ferplus"):
        own = measured.cell(dataset, "lanet", "asymmetric", "0.3")
        uniform = measured.cell(dataset, "lanet", "asymmetric", "0.3", "lanet.sampler=uniform")
        gains[dataset] = measured.compare(dataset, "", uniform, own)
    assert gains["faces"].side == 0 and gains["ferplus"].side == 1
    gain = gains["ferplus"].found
    words = f"{gain.mean:.1f} points better [{format_signed(gain.low)}, {format_signed(gain.high)}]"
    assert f"On FERPlus the uniform one is {words}; on drawn faces neither is shown to be." in page


def test_what_the_page_on_weights_says_of_random_ones_is_that_of_the_records(measured: Evidence) -> None:
    page = (REFERENCE.parents[1] / "docs" / "weights.md").read_text()
    for method, title in METHODS.items():
        starts = (measured, measured.variations["random start weights"])
        cells = [s.cell(dataset, method, "asymmetric", "0.3") for dataset in ("faces", "ferplus") for s in starts]
        means = [f"{cell.mean:.1f}" for cell in cells if cell and cell.n == 5]
        assert f"| {title} | {' | '.join(means)} |" in page
    from_random = measured.variations["random start weights"]
    published = [cell for cell in from_random.cells if is_published(cell)]
    assert len(published) == 8 and all(cell.n == 5 for cell in published)
    baselines = [from_random.cell(cell.dataset, "baseline", cell.noise, cell.rate) for cell in published]
    assert not [1 for pair in zip(published, baselines, strict=True) if from_random.compare("", "", *pair).side == 1]
    ends = {cell.method: f"{cell.mean:.1f}" for cell in published if cell.dataset == "faces"}
    said = re.search(
        r"SCN ends at ([\d.]+), RUL at ([\d.]+), EAC at ([\d.]+) and LA-Net at ([\d.]+)\.", " ".join(page.split())
    )
    assert said is not None and list(said.groups()) == [ends[method] for method in ("scn", "rul", "eac", "lanet")]


def test_what_the_readme_says_of_the_best_epoch_is_that_of_the_records(measured: Evidence) -> None:
    text = " ".join((REFERENCE.parents[1] / "README.md").read_text().split())
    (said,) = re.findall(r"worth ([-\d.]+) points to the baseline on drawn faces and ([-\d.]+) to SCN", text)
    cells = [measured.cell("faces", method, "asymmetric", "0.3") for method in ("baseline", "scn")]
    gains = [measured.compare_rules("faces", "", cell, (CROSS_FITTED, "last")).found for cell in cells]
    assert [f"{gain.mean:.1f}" for gain in gains if gain] == list(said)
