"""Findings: their numbers are those of the records, and their words follow the intervals."""

import re
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from reports.asked import ReportError
from reports.paired import CROSS_FITTED, Hits, cross_fit, rank
from reports.statements.findings import BALANCED, findings, rare_classes
from reports.statements.measured import Difference, Measured, by_seed, paired
from reports.statements.wording import Words, compose, markdown
from reports.statistics import Interval, paired_t
from results.published import METHODS
from results.records import Records

REFERENCE = Path(__file__).resolve().parents[2] / "results" / "reference"
RNG = np.random.default_rng(3)


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


def difference(mean: float, text: str, p: float) -> Difference:
    return Difference("here", text, Interval(mean, mean - 1, mean + 1, p), 5)


def test_the_words_follow_the_intervals_and_holm() -> None:
    rows = [
        difference(3, "A", 0.001),
        difference(-3, "B", 0.001),
        difference(3, "C", 0.2),
        difference(0.5, "D", 0.001),
    ]
    made = compose("Title", "About.", rows, "--table 1", Words("up", "down", "level"))
    assert made is not None and made.sentence == "About. On here up: A; down: B; level: C, D."
    assert "| here | A | **+3.0** | +2.0 to +4.0 | 0.004 | 5 |" in markdown([made], "records")
    assert "| here | C | +3.0 |" in markdown([made], "records")


def test_nothing_is_said_of_what_was_not_measured() -> None:
    assert compose("Title", "About.", [None, None], "--table 1") is None
    assert paired("here", "A", {0: 1.0, 1: 2.0, 2: 1.0, 3: 0.0}, {0: 0.0, 1: 0.0, 2: 0.0, 3: 0.0}) is None


@pytest.fixture(scope="module")
def measured() -> Measured:
    return Measured(Records(REFERENCE), "demo")


def test_a_difference_of_accuracies_is_that_of_the_records(measured: Measured) -> None:
    first, second = (measured.cell("faces", method, "asymmetric", "0.3") for method in ("scn", "baseline"))
    assert first is not None and second is not None
    seeds = sorted(first.values.keys() & second.values.keys())
    found = measured.accuracy("SCN", first, second)
    assert found is not None and found.n == len(seeds) >= 5
    means = [np.mean([cell.values[number] for number in seeds]) for cell in (first, second)]
    assert found.found.mean == pytest.approx(means[0] - means[1])
    assert measured.accuracy("SCN", first, None) is None
    other = measured.cell("ferplus", "baseline", "asymmetric", "0.3")
    assert other is not None and measured.accuracy("SCN", first, other) is None


def test_runs_that_stand_on_different_things_are_not_mixed(measured: Measured) -> None:
    spec = next(iter(measured.cells.values())).records[0]["spec"]
    for changed in ({"precision": "fp32"}, {"data": spec["data"] | {"fingerprint": "0" * 64}}):
        with pytest.raises(ReportError, match="findings are of one kind of run"):
            measured.stand_alike("0" * 20, spec | changed)


def test_each_side_has_its_own_rule(measured: Measured) -> None:
    cell = measured.cell("faces", "baseline", "asymmetric", "0.3")
    found = measured.accuracy("Baseline", cell, cell, ("best", "last"))
    gain = by_seed(cell, lambda record: 100 * (record["metrics"]["best"] - record["metrics"]["last"]))
    assert found is not None and found.found.mean == pytest.approx(np.mean(list(gain.values())))
    fair = measured.accuracy("Baseline", cell, cell, (CROSS_FITTED, "last"))
    assert fair is not None and 4.5 < fair.found.mean < found.found.mean < 6


def test_rare_classes_count_as_much_as_common_ones(measured: Measured) -> None:
    found = rare_classes(measured, "asymmetric", "0.3")
    assert found is not None
    line = next(
        line for line in found.lines if line.difference.dataset.startswith("Faces") and line.difference.text == "EAC"
    )
    of = [measured.cell("faces", method, "asymmetric", "0.3") for method in ("eac", "baseline")]
    means = [np.mean([100 * r["metrics"]["balanced_accuracy"] for r in cell.records]) for cell in of if cell]
    assert line.difference.found.mean == pytest.approx(means[0] - means[1]) and line.sign == -1


def test_a_finding_and_the_ranks_read_one_p(measured: Measured) -> None:
    """What the findings call above the baseline is what stands before it in the table's ranks."""
    for dataset in ("faces", "ferplus"):
        cells = [measured.cell(dataset, method, "asymmetric", "0.3") for method in METHODS]
        rank(cells, measured.hits.setdefault("last", Hits(measured.records, "last")))
        base, *others = cells
        for cell in others:
            found = measured.accuracy(cell.title, cell, base)
            ahead = cell.places[1] < base.places[0]
            assert found is not None and found.found.adjusted is not None
            assert not ahead or (found.found.adjusted < 0.05 and found.found.mean > 0)


def test_an_epoch_is_chosen_on_one_half_and_measured_on_the_other() -> None:
    labels = np.zeros(8, int)
    correct = np.zeros((3, 8), bool)
    correct[1, ::2] = True  # epoch 2 is best on the even images, and knows none of the odd ones
    correct[2, 1::2] = True  # epoch 3 the other way round
    assert cross_fit(correct, labels).tolist() == [0] * 8
    correct[1] = True
    assert cross_fit(correct, labels).tolist() == [0, 1] * 4 or cross_fit(correct, labels).mean() == 1


def test_what_the_readme_says_in_words_is_what_the_findings_say(measured: Measured) -> None:
    text = " ".join((REFERENCE.parents[1] / "README.md").read_text().split())
    assert "all four at 30 %, and none without noise" in text
    assert "EAC is below the baseline on both data sets at 30 %. LA-Net is below it on drawn faces" in text
    signs = {
        one.title: {(ln.difference.dataset, ln.difference.text): ln.sign for ln in one.lines}
        for one in findings(measured)
    }
    assert set(signs["The methods: asymmetric noise, 30 %"].values()) == {1}
    assert 1 not in signs["The methods: no added noise"].values()
    rare = signs["Rare classes: asymmetric noise, 30 %"]
    below = [("Faces (rendered)", "EAC"), ("FERPlus", "EAC"), ("Faces (rendered)", "LA-Net")]
    assert all(rare[pair] == -1 for pair in below) and rare["FERPlus", "LA-Net"] == 0
    (said,) = re.findall(r"LA-Net gains ([\d.]+) points at 20 % and ([\d.]+) points at 30 %", text)
    for rate, number in zip(("0.2", "0.3"), said, strict=True):
        own = measured.cell("faces", "lanet", "asymmetric", rate, BALANCED)
        gain = measured.accuracy("", own, measured.cell("faces", "baseline", "asymmetric", rate), balanced=True)
        assert gain is not None and gain.found.low > 0 and f"{gain.found.mean:.1f}" == number


def test_what_the_readme_says_of_the_best_epoch_is_that_of_the_records(measured: Measured) -> None:
    text = " ".join((REFERENCE.parents[1] / "README.md").read_text().split())
    (said,) = re.findall(r"worth ([-\d.]+) points to the baseline on drawn faces and ([-\d.]+) to SCN", text)
    cells = [measured.cell("faces", method, "asymmetric", "0.3") for method in ("baseline", "scn")]
    gains = [measured.accuracy("", cell, cell, (CROSS_FITTED, "last")) for cell in cells]
    assert [f"{gain.found.mean:.1f}" for gain in gains if gain] == list(said)
