"""A run that goes on from a checkpoint, or has to pass one over, ends with the same bits as one that was left alone."""

import io
import os
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from spied import JOB

from benchmark import plugins, scale
from benchmark.cache import lookup
from benchmark.plan import recipes
from benchmark.plan.catalogue import method_info
from benchmark.train import loop
from benchmark.train.checkpoint import SEAL, seal_content
from benchmark.train.loop import Place
from performance.faulty.specks import Specks
from results.job import Job
from results.store import Store

EPOCHS = 3


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Job, dict[str, Any], Place]:
    return plan_job("baseline", tmp_path_factory.mktemp("data"))


def plan_job(name: str, data_folder: Path, own: tuple[str, ...] = ()) -> tuple[Job, dict[str, Any], Place]:
    """(job, resolved, place) of a method on random specks."""
    data = lookup.open_data(Specks(), None, Specks.Options(), data_folder)
    cards = {name: method_info(plugins.find_methods(own)[name])}
    asked = {"recipe.epochs": str(EPOCHS)}
    settings, overrides = recipes.resolve_recipe(cards, name, asked, scale.DEMO, "comparison", "specks", 40)
    job = replace(JOB, method=name, data=JOB.data | {"fingerprint": data.fingerprint}, overrides=overrides)
    resolved = settings | {"data": {"title": data.title}, "weights": {"text": "random weights"}}
    return job, resolved, Place(results="", data=str(data.folder), checkpoint_seconds=0.0, methods_path=own)


def run(made: tuple, folder: Path, monkeypatch: pytest.MonkeyPatch, stop_before: int = 0) -> tuple[Any, list[int]]:
    """(record and arrays, or None if it was stopped; the epochs that were trained)."""
    job, resolved, place = made
    trained: list[int] = []
    epoch_of = loop.train_epoch

    def watched(trainer: Any, epoch: int) -> None:
        if epoch == stop_before:
            raise KeyboardInterrupt
        trained.append(epoch)
        epoch_of(trainer, epoch)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "train_epoch", watched)
        try:
            return loop.train_job(job, dict(resolved), replace(place, results=str(folder))), trained
        except KeyboardInterrupt:
            return None, trained


def same(one: Any, two: Any) -> bool:
    (record, arrays), (other, others) = one, two
    parts = all(record[part] == other[part] for part in ("metrics", "history", "noise", "spec"))
    return parts and all(np.array_equal(arrays[name], others[name]) for name in arrays)


@pytest.fixture(scope="module")
def whole(made: tuple, tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        found, trained = run(made, tmp_path_factory.mktemp("whole"), patch)
    assert trained == [1, 2, 3]
    return found


def test_an_interrupted_run_goes_on_after_its_last_epoch(made, whole, tmp_path, monkeypatch) -> None:
    assert run(made, tmp_path, monkeypatch, stop_before=3) == (None, [1, 2])
    change(Store(tmp_path).checkpoint(made[0].id), lambda state: state["seconds"].update(evaluation=1000.0))
    found, trained = run(made, tmp_path, monkeypatch)
    assert trained == [3] and same(found, whole)
    assert 1000 < found[0]["times"]["evaluation"] < found[0]["times"]["total"]  # the time before counts, too


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5000])


def flip_a_weight(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


def change(path: Path, edit: Any) -> None:
    state = torch.load(io.BytesIO(path.read_bytes()[SEAL:]), weights_only=True)
    edit(state)
    keep(path, state)


def keep(path: Path, state: Any) -> None:
    content = io.BytesIO()
    torch.save(state, content)
    path.write_bytes(seal_content(content.getvalue()))


STAGES = {  # what a method may do about what is trained, after its first epoch; each changes the bits of the last one
    "freezes its backbone": "        self.backbone.requires_grad_(False)\n",
    "lets a frozen head learn": "        self.classifier.requires_grad_(True)\n",
    "sets the mode of a part": "        self.backbone.train()\n",
    "gives a layer up": "        self.further = torch.nn.Identity()\n",
    "gives a parameter up": "        self.further.weight = torch.nn.Parameter(2 * self.further.weight.data, False)\n",
    "starts a layer anew": "        self.classifier.reset_parameters()\n",
}
STAGED = """
import torch
from methods.baseline import Baseline

class Staged(Baseline):
    name, title = "staged", "Staged"

    def build(self, backbone, classes):
        super().build(backbone, classes)
        self.further = torch.nn.Linear(classes, classes)
        self.classifier.requires_grad_({learns})
        self.backbone.eval()

    def train(self, mode=True):  # the backbone's mode is its own
        self.training = self.classifier.training = mode
        return self

    def logits(self, images):
        return self.further(super().logits(images))

    def after_epoch(self, epoch):
        if epoch == 1:
            self.change()
        return {{}}

    def change(self):
        pass
{stage}
"""


@pytest.mark.parametrize("stage", STAGES)
def test_what_is_trained_is_part_of_a_checkpoint(stage: str, tmp_path, monkeypatch) -> None:
    file = tmp_path / "mine" / "staged.py"
    file.parent.mkdir()
    file.write_text(STAGED.format(learns=stage != "lets a frozen head learn", stage=STAGES[stage]))
    job = plan_job("staged", tmp_path / "data", (str(file.parent),))
    whole, _ = run(job, tmp_path / "whole", monkeypatch)
    for last in (2, 3):
        assert run(job, tmp_path / str(last), monkeypatch, stop_before=last)[0] is None
        found, trained = run(job, tmp_path / str(last), monkeypatch)
        first = 1 if stage.endswith("up") else last  # build makes it again, so the run starts again
        assert trained == list(range(first, EPOCHS + 1)) and same(found, whole), f"interrupted before epoch {last}"
    monkeypatch.setattr(plugins.find_method("staged", (file.parent,)), "change", lambda self: None)
    assert not same(run(job, tmp_path / "without", monkeypatch)[0], whole)


def test_a_new_layer_that_would_never_learn_ends_the_run(tmp_path, monkeypatch) -> None:
    file = tmp_path / "staged.py"
    file.write_text(STAGED.format(learns=True, stage="        self.further = torch.nn.Linear(8, 8)\n"))
    job = plan_job("staged", tmp_path / "data", (str(tmp_path),))
    with pytest.raises(ValueError, match=r"staged: further\.weight, further\.bias would never learn"):
        run(job, tmp_path / "runs", monkeypatch)


class Harm:
    def __reduce__(self) -> tuple:
        return os.mkdir, (os.environ["HARM"],)


DAMAGES = {
    "truncated": truncate,
    "empty": lambda path: path.write_bytes(b""),
    "one byte flipped": flip_a_weight,
    "another job's": lambda path: change(path, lambda state: state.update(id="ab" * 10)),
    "by an older method": lambda path: change(path, lambda state: state.update(code="0")),
    "by another torch": lambda path: change(path, lambda state: state.update(torch="1.0")),
    "on another device": lambda path: change(path, lambda state: state.update(on="cuda")),
    "of an older form": lambda path: change(path, lambda state: state.pop("code")),
    "a weight missing": lambda path: change(path, lambda state: state["method"].popitem()),
    "an optimiser of another form": lambda path: change(path, lambda state: state["optimiser"]["param_groups"].pop()),
    "a pickle that runs code": lambda path: path.write_bytes(seal_content(pickle.dumps(Harm(), 2))),
    "a torch file that runs code": lambda path: keep(path, {"id": Harm()}),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_checkpoint_that_cannot_be_gone_on_from_is_passed_over(made, whole, tmp_path, monkeypatch, damage) -> None:
    monkeypatch.setenv("HARM", str(tmp_path / "harmed"))
    run(made, tmp_path, monkeypatch, stop_before=3)
    DAMAGES[damage](Store(tmp_path).checkpoint(made[0].id))
    found, trained = run(made, tmp_path, monkeypatch)
    assert trained == [1, 2, 3] and same(found, whole)
    assert not (tmp_path / "harmed").exists()


def test_a_run_with_exact_arithmetic_does_not_go_on_from_one_without(made, whole, tmp_path, monkeypatch) -> None:
    job, resolved, place = made
    run((job, resolved, replace(place, fast=True)), tmp_path, monkeypatch, stop_before=2)
    found, trained = run(made, tmp_path, monkeypatch)
    assert trained == [1, 2, 3] and same(found, whole)


def test_a_checkpoint_that_cannot_be_written_costs_nothing(made, whole, tmp_path, monkeypatch, capsys) -> None:
    from benchmark.train import checkpoint

    def full(path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "write_bytes", full)
    found, _ = run(made, tmp_path, monkeypatch)
    assert same(found, whole) and "No space left" in capsys.readouterr().out
