"""`python -m performance.launches`: what a step hands to a card, counted on a pretended one."""

import json
from pathlib import Path
from unittest import mock

import pytest
import torch

from methods.baseline import Baseline
from performance import launches

TINY = ["--methods", "baseline", "--batch", "50", "--backbone", "resnet10_w16"]


@pytest.fixture(autouse=True)
def settings():
    before, filled = torch.are_deterministic_algorithms_enabled(), torch.utils.deterministic.fill_uninitialized_memory
    yield
    torch.use_deterministic_algorithms(before)
    torch.utils.deterministic.fill_uninitialized_memory = filled


def test_one_operation_more_is_counted_and_set_against_before(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    before = launches.main([*TINY, "--json", str(tmp_path / "before.json")])["baseline"]
    assert json.loads((tmp_path / "before.json").read_text())["baseline"] == before
    assert before["all"] == sum(before[part] for part in launches.TRAINING) > before["that compute"] > 0
    assert before["fills"] == before["without"] < before["with determinism's"]
    real = Baseline.loss

    def loss(self, batch):
        losses, logits = real(self, batch)
        return losses, logits.clone()[:]

    capsys.readouterr()
    with mock.patch.object(Baseline, "loss", loss):
        after = launches.main([*TINY, "--against", str(tmp_path / "before.json")])["baseline"]
    assert after["forward"] - before["forward"] == 2 and after["backward"] == before["backward"]
    assert after["that compute"] - before["that compute"] == 1
    row = capsys.readouterr().out.splitlines()[-1]
    assert f"{before['forward']:.0f} to {after['forward']:.0f}" in row and f"| {before['backward']:.0f} |" in row


def test_what_only_looks_at_its_input_is_no_launch() -> None:
    assert [launches.looks_only(name) for name in ("view", "slice", "add", "clone", "_foreach_lerp_")] == [
        True,
        True,
        False,
        False,
        False,
    ]
