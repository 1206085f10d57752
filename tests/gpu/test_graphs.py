"""CUDA graphs of the training step on a fake CUDA device: the same bits as without, or no graph and a line that says so."""

import io
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch

from benchmark import plugins
from benchmark.check.contract import Wrong
from benchmark.check.methods import on_a_card
from benchmark.check.pretended import Card
from benchmark.commands import arguments
from benchmark.commands.options import parser
from benchmark.train import graph, loop, trainer
from benchmark.train.checkpoint import SEAL
from methods import baseline
from methods.base import Method
from methods.scn import SCN
from tests.gpu.allowed import beyond
from tests.gpu.runs import OPTIONS, run

OTHER_SECOND_EPOCH = {  # methods whose second epoch has another step than the first
    "scn": {"scn.relabel_epoch": "2", "scn.margin_2": "0"},
    "rul": {"rul.relabel": "scn", "rul.relabel_epoch": "2", "rul.margin_2": "0"},
    "disc": {"disc.warm_up": "1"},
    "dividemix": {"dividemix.warm_up": "1", "dividemix.unlabelled_weight": "1"},
    "dnfer": {"dnfer.warm_up": "1"},
    "forward": {"forward.estimate_epoch": "1"},
    "co_teaching": {"co_teaching.forget_epochs": "1"},
    "jocor": {"jocor.forget_epochs": "1"},
    "resup": {},
    "nla": {},
    "otp_ns": {},
}


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch) -> None:
    # So that two epochs of two whole steps have three replays.
    monkeypatch.setattr(loop, "StepRunner", partial(graph.StepRunner, eager=1))


def state(folder: Path) -> dict[str, Any]:
    """The tensors of the checkpoint after the first epoch."""
    (path,) = (folder / "checkpoints").glob("*.pt")
    found = torch.load(io.BytesIO(path.read_bytes()[SEAL:]), weights_only=True)
    steps = {f"{key} {name}": value for key, of in found["optimiser"]["state"].items() for name, value in of.items()}
    return found["method"] | steps | {"margin": found["margin"]}


def same(one: tuple, two: tuple) -> bool:
    """Whether two runs have the same history and arrays."""
    (_, record, arrays), (_, other, others) = one, two
    return record["history"] == other["history"] and all(np.array_equal(arrays[key], others[key]) for key in arrays)


def both(name: str, folder: Path, options: dict[str, str] | None = None, **more: Any) -> tuple[tuple, tuple]:
    """A job with graphs and the same without."""
    made = [run(name, folder / str(on), options, graphs=on, **more) for on in (True, False)]
    return made[0], made[1]


FAST = ("baseline", "scn", "lanet", "dividemix", "otp_ns")  # one of each kind of step; the others are long tests


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if name in FAST else pytest.mark.slow) for name in sorted(plugins.find_methods())],
)
def test_replayed_steps_have_the_bits_of_steps(name: str, tmp_path: Path, capsys) -> None:
    options = OTHER_SECOND_EPOCH.get(name, OPTIONS.get(name, {}))
    with_graphs, without = both(name, tmp_path, options)
    seen, record, _ = with_graphs
    captures, whole = (2, 2) if name in OTHER_SECOND_EPOCH else (1, 3)
    assert capsys.readouterr().err == ""
    assert seen.replays == captures * graph.TRIED + whole
    assert same(with_graphs, without)
    assert record["provenance"]["graphs"] and not without[1]["provenance"]["graphs"]
    assert "replay" in record["times"] and "replay" not in without[1]["times"]
    assert seen.in_steps() == [] and beyond(seen.waits, epochs=2) == {}
    states = state(tmp_path / "True"), state(tmp_path / "False")
    assert states[0].keys() == states[1].keys()
    assert [key for key in states[0] if not torch.equal(states[0][key], states[1][key])] == []


def test_three_steps_are_taken_before_a_capture(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(loop, "StepRunner", graph.StepRunner)
    with_graphs, without = both("baseline", tmp_path)
    assert with_graphs[0].replays == graph.TRIED + 1 and same(with_graphs, without)


@pytest.mark.parametrize("more", [{"card": 1000}, {"precision": "bf16"}])
def test_with_pixels_beside_the_gpu_and_in_bf16(more: dict[str, Any], tmp_path: Path) -> None:
    made = []
    for on in (True, False):
        named = {"card": Card(free=1000)} if "card" in more else more
        made.append(run("lanet", tmp_path / str(on), graphs=on, **named))
    assert made[0][0].replays > graph.TRIED and same(*made) and made[0][0].in_steps() == []


def test_a_run_that_was_interrupted_goes_on_with_the_same_bits(tmp_path: Path) -> None:
    whole, again = (run("lanet", tmp_path, graphs=True) for _ in range(2))
    assert whole[0].replays > again[0].replays > graph.TRIED and same(whole, again)


def test_a_method_that_does_not_say_is_captured_anew_where_it_asks_for_the_epoch(tmp_path: Path) -> None:
    with mock.patch.object(SCN, "captured_anew", Method.captured_anew):
        with_graphs, without = both("scn", tmp_path, OTHER_SECOND_EPOCH["scn"])
    assert with_graphs[0].replays == 2 * graph.TRIED + 2 and same(with_graphs, without)


def test_a_method_that_says_it_wrongly_has_other_bits_here_too(tmp_path: Path) -> None:
    with mock.patch.object(SCN, "captured_anew", lambda *_: 0):
        assert not same(*both("scn", tmp_path, OTHER_SECOND_EPOCH["scn"]))


@pytest.mark.parametrize("part", ["backbone", "classifier"])
def test_what_is_frozen_after_an_epoch_is_not_moved_by_an_older_graph(part: str, tmp_path: Path) -> None:
    def after_epoch(self, epoch: int) -> dict[str, Any]:
        getattr(self, part).requires_grad_(False)
        return {}

    with mock.patch.object(baseline.Baseline, "after_epoch", after_epoch):
        with_graphs, without = both("baseline", tmp_path)
    assert with_graphs[0].replays == 2 * graph.TRIED + 2 and same(with_graphs, without)
    learned = both("baseline", tmp_path / "learning")
    assert not same(with_graphs, learned[0])


def test_the_check_of_a_method_sees_it() -> None:
    class Later(baseline.Baseline):
        name, title = "later", "Later"

        def loss(self, batch):
            losses, logits = super().loss(batch)
            return {"ce": losses["ce"] * batch.epoch}, logits

    class Wrongly(Later):
        def captured_anew(self, epoch: int) -> int:
            return 0

    on_a_card(Later)
    with pytest.raises(Wrong, match="captured_anew"):
        on_a_card(Wrongly)


def test_a_method_that_says_none_and_an_option_turn_graphs_off(tmp_path: Path, capsys) -> None:
    with mock.patch.object(baseline.Baseline, "captured_anew", lambda *_: None, create=True):
        seen, record, _ = run("baseline", tmp_path, graphs=True)
    assert seen.replays == 0 and not record["provenance"]["graphs"] and capsys.readouterr().err == ""
    typed = parser().parse_args(["--table", "1", "--no-graphs", "--devices", "cpu"])
    assert not arguments.read_request(typed).graphs


def test_with_fast_nothing_is_compared(tmp_path: Path) -> None:
    seen, record, _ = run("baseline", tmp_path, fast=True, graphs=True)
    assert seen.replays == 3 and record["provenance"]["graphs"] and not record["provenance"]["deterministic"]


def host_branch(self, batch):
    losses, logits = REAL_LOSS(self, batch)
    return ({"ce": losses["ce"] * 2} if losses["ce"] > 100 else losses), logits


def host_number(self, batch):
    losses, logits = REAL_LOSS(self, batch)
    return {"ce": losses["ce"] * torch.rand(())}, logits


def new_buffer(self, batch):
    self.labels = self.labels.clone()


REAL_LOSS, REAL_BATCH, REAL_OPTIMISER = baseline.Baseline.loss, loop.make_batch, trainer.make_optimiser
KEPT: list[torch.Tensor] = []


def fresh_index(made, index, *rest, kind, **more):
    """A captured step that reads the rows of the step before it, not the graph's buffer."""
    if kind is graph.Watched:
        index = KEPT[-1]
    KEPT.append(index)
    return REAL_BATCH(made, index, *rest, kind=kind, **more)


def rates_of_the_host(method, recipe, device):
    return REAL_OPTIMISER(method, recipe, torch.device("cpu"))


PLANTED = {
    "a branch on a value": (baseline.Baseline, "loss", host_branch, "not permitted"),
    "a random number of the host": (baseline.Baseline, "loss", host_number, "other bits"),
    "a buffer that is made anew": (baseline.Baseline, "after_step", new_buffer, "in place"),
    "rows in another place": (loop, "make_batch", fresh_index, "other bits"),
    "a rate that Python holds": (trainer, "make_optimiser", rates_of_the_host, "other bits"),
}


@pytest.mark.parametrize("fault", PLANTED)
def test_what_cannot_be_captured_is_seen_and_the_run_goes_on_without(fault: str, tmp_path: Path, capsys) -> None:
    owner, name, planted, words = PLANTED[fault]
    with mock.patch.object(owner, name, planted):
        with_graphs, without = both("baseline", tmp_path)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and lines[0].startswith("baseline: its steps are taken without a CUDA graph: ")
    assert words in lines[0]
    assert same(with_graphs, without) and not with_graphs[1]["provenance"]["graphs"]
