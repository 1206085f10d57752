"""Where only drawing is asked for, the rows of a table stand on the same seeds."""

from types import SimpleNamespace

import pytest

from benchmark.plan import matrix
from benchmark.plan.experiments import Row
from benchmark.plan.matrix import PlannedCell


@pytest.fixture(autouse=True)
def by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matrix, "has_record", lambda run, request: run.there)


def row(*there: int) -> PlannedCell:
    """A cell that may have 32 seeds, of which these were measured."""
    made = PlannedCell(Row("baseline"), "Baseline", "faces", "asymmetric", "0.1")
    made.runs = [SimpleNamespace(job=SimpleNamespace(seed=seed), there=seed in there) for seed in range(32)]
    return made


def seeds(*column: PlannedCell) -> list[list[int]]:
    matrix.on_common_seeds(list(column), SimpleNamespace(scale=SimpleNamespace(seeds=3)))
    return [[run.job.seed for run in made.runs] for made in column]


def test_a_row_of_ten_seeds_beside_one_of_five_shows_five() -> None:
    assert seeds(row(*range(10)), row(*range(5))) == [[0, 1, 2, 3, 4]] * 2


def test_seeds_need_not_follow_each_other() -> None:
    assert seeds(row(0, 1, 2, 7, 9), row(0, 1, 2, 5, 7)) == [[0, 1, 2, 7]] * 2


def test_a_row_of_which_nothing_was_measured_takes_none_from_the_others() -> None:
    assert seeds(row(*range(5)), row()) == [[0, 1, 2, 3, 4]] * 2


def test_the_first_seeds_are_asked_for_whatever_is_there() -> None:
    assert seeds(row(0), row()) == [[0, 1, 2]] * 2 and seeds(row(), row()) == [[0, 1, 2]] * 2
