"""Findings: their numbers are those of the records, and their words follow the intervals."""

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from reports.asked import ReportError
from reports.statements.findings import findings, rare_classes
from reports.statements.measured import Difference, Measured, by_seed, paired
from reports.statements.wording import Words, compose, markdown
from reports.statistics import SMALLEST_P, Interval, paired_bootstrap, paired_t
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
    found = measured.accuracy("Baseline", cell, cell, "best last")
    gain = by_seed(cell, lambda record: 100 * (record["metrics"]["best"] - record["metrics"]["last"]))
    assert found is not None and found.found.mean == pytest.approx(np.mean(list(gain.values())))
    assert paired_bootstrap(np.zeros((5, 10))).mean == 0


def test_rare_classes_count_as_much_as_common_ones(measured: Measured) -> None:
    found = rare_classes(measured, "asymmetric", "0.3")
    assert found is not None
    line = next(
        line for line in found.lines if line.difference.dataset.startswith("Faces") and line.difference.text == "EAC"
    )
    of = [measured.cell("faces", method, "asymmetric", "0.3") for method in ("eac", "baseline")]
    means = [np.mean([100 * r["metrics"]["balanced_accuracy"] for r in cell.records]) for cell in of if cell]
    assert line.difference.found.mean == pytest.approx(means[0] - means[1]) and line.sign == -1


def test_a_p_at_the_smallest_that_the_bootstrap_gives_is_a_bound() -> None:
    made = compose("Title", "About.", [difference(3, "A", SMALLEST_P), difference(3, "B", 0.01)], "--table 1")
    assert made is not None and "≤ 0.000" not in markdown([made], "records")
    rows = [difference(3, str(number), SMALLEST_P) for number in range(8)]
    assert "≤ 0.002" in markdown([compose("Title", "About.", rows, "--table 1")], "records")


def test_what_the_readme_says_in_words_is_what_the_findings_say(measured: Measured) -> None:
    text = " ".join((REFERENCE.parents[1] / "README.md").read_text().split())
    assert "all four at 30 %, without noise none" in text
    assert "by balanced accuracy both are below the baseline, on both data sets" in text
    signs = {
        one.title: {(ln.difference.dataset, ln.difference.text): ln.sign for ln in one.lines}
        for one in findings(measured)
    }
    assert set(signs["The methods: asymmetric noise, 30 %"].values()) == {1}
    assert 1 not in signs["The methods: no added noise"].values()
    for title in ("Rare classes: asymmetric noise, 30 %", "Rare classes: no added noise"):
        assert {sign for (_, method), sign in signs[title].items() if method in ("EAC", "LA-Net")} == {-1}
