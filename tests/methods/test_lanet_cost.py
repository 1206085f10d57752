"""What LA-Net's fast forms save, as numbers that do not depend on the machine: memory at the peak."""

import pytest

from performance.methods import contrastive_contest, label_distribution, peak_memory, relative_error, wing_contest


@pytest.mark.parametrize(
    "contest, accuracy, share",
    [
        (lambda: contrastive_contest(images=32, size=2048), 1e-5, 0.1),
        (lambda: label_distribution(images=64), 1e-10, 0.2),
        (lambda: wing_contest(images=1), 1e-5, 1.1),
    ],
    ids=["contrastive", "label distribution", "adaptive wing"],
)
def test_the_same_numbers_in_less_memory(contest, accuracy, share):
    contest = contest()
    assert relative_error(contest.fast(), contest.slow()) <= accuracy
    assert peak_memory(contest.fast) <= share * peak_memory(contest.slow)
