"""Survey, gradients before the step, and a second network, as the engine gives them to a method."""

from dataclasses import asdict, replace

import pytest
import torch
from torch import Tensor, nn

from benchmark.check import hooks, rehearsal
from benchmark.check.contract import Wrong
from benchmark.check.methods import check_resumed
from benchmark.plan.start_weights import further_weights
from benchmark.terminal import Usage
from benchmark.train import assembly, loop
from benchmark.train.evaluation import plain_batch
from methods.base import Batch, Run, Steps
from methods.baseline import Baseline
from methods.support.backbones import BACKBONES, Backbone
from results.job import Job, json_digest


class Looking(Baseline):
    """Keeps what its survey shows, and trains on it."""

    name, title, survey = "looking", "Looking", "augmented"

    def begin(self, labels: Tensor, run: Run) -> None:
        super().begin(labels, run)
        self.register_buffer("seen", torch.zeros(run.images))
        self.events: list[str] = []

    def survey_batch(self, batch: Batch) -> None:
        assert not self.training and not torch.is_grad_enabled() and batch.second is None
        assert torch.equal(batch.labels, self.labels[batch.index])
        self.seen[batch.index] += self.logits(batch.images).softmax(1).amax(1)
        self.shown = batch.images
        self.events.append("survey")

    def after_step(self, batch: Batch) -> None:
        self.events.append("step")

    def after_epoch(self, epoch: int) -> dict[str, Tensor]:
        assert self.training
        self.events.append("end")
        return {"sure": self.seen.mean()}


def test_the_survey_comes_between_steps_and_end_and_has_its_part_of_the_clock() -> None:
    made = rehearsal.train_to_last_epoch(rehearsal.prepare_rehearsal(Looking))
    assert made.method.events == ["step"] * 3 + ["survey", "end"] + ["step"] * 3 + ["survey", "end"]
    assert (made.method.seen > 2 / 8).all() and (made.method.seen < 2).all()
    assert made.clock.parts["survey"] > 0 and len(made.state.history["sure"]) == 2


def test_a_survey_changes_no_bit_of_the_training_beside_it() -> None:
    class Blind(Looking):
        survey = None

    one = rehearsal.train_to_last_epoch(rehearsal.prepare_rehearsal(Looking))
    two = rehearsal.train_to_last_epoch(rehearsal.prepare_rehearsal(Blind))
    assert rehearsal.name_differences(one.method, two.method) == "seen" and "survey" not in two.clock.parts


def test_a_plain_survey_sees_images_as_they_are_and_an_augmented_one_does_not() -> None:
    class Plainly(Looking):
        survey = "plain"

    altered = rehearsal.train_to_last_epoch(rehearsal.prepare_rehearsal(Looking))
    plainly = rehearsal.train_to_last_epoch(rehearsal.prepare_rehearsal(Plainly))
    as_it_is = plain_batch(plainly, plainly.data.images)
    assert torch.equal(plainly.method.shown, as_it_is) and not torch.equal(altered.method.shown, as_it_is)


def test_a_method_can_leave_epochs_without_a_survey() -> None:
    class Once(Looking):
        def survey_after(self, epoch: int) -> str | None:
            return "plain" if epoch == 2 else None

    assert rehearsal.train_to_last_epoch(rehearsal.prepare_rehearsal(Once)).method.events.count("survey") == 1


def test_a_surveyed_run_goes_on_with_the_same_bits() -> None:
    check_resumed(Looking)


def test_gradients_can_be_changed_before_the_step() -> None:
    class Still(Baseline):
        name = "still"

        def after_backward(self, batch: Batch) -> None:
            for p in self.parameters():
                p.grad.zero_()

    made = rehearsal.prepare_rehearsal(Still)
    made.optimiser = torch.optim.SGD([{"params": list(made.method.parameters()), "lr": 1.0, "base": 1.0}])
    before = [p.clone() for p in made.method.parameters()]
    loop.train_epoch(made, 1)
    assert all(torch.equal(p, old) for p, old in zip(made.method.parameters(), before))


def test_the_check_sees_an_engine_that_calls_too_late(monkeypatch: pytest.MonkeyPatch) -> None:
    made = rehearsal.prepare_rehearsal(Baseline)
    step = made.optimiser.step
    # an engine that steps before the hook: the first backward hook finds moved weights
    monkeypatch.setattr(made.optimiser, "zero_grad", lambda **_: step())
    loop.train_epoch(rehearsal.prepare_rehearsal(Baseline), 1)
    for p in made.method.parameters():
        p.grad = torch.ones_like(p)
    with pytest.raises(Wrong, match="after the step"):
        hooks.after_backward(made)


class Two(Baseline):
    name, title, networks = "two", "Two", 2

    def build(self, backbone: Backbone, classes: int, *others: Backbone) -> None:
        super().build(backbone, classes)
        self.other = others[0]


def job(**changes: str | None) -> Job:
    return replace(rehearsal.rehearsal_job(Two, "fp32"), **changes)


def run() -> Run:
    return Run(8, 37, 2, 3, 16, 48, True, 0)


def test_each_network_has_random_weights_of_its_own_and_the_first_is_as_without_the_second() -> None:
    first, second = assembly.make_backbones(Two, "resnet10_w16", job(), run())
    after_two = torch.random.get_rng_state()
    (alone,) = assembly.make_backbones(Baseline, "resnet10_w16", job(), run())
    assert torch.equal(first.conv1.weight, alone.conv1.weight)
    assert torch.equal(after_two, torch.random.get_rng_state())  # the heads' draws follow
    assert not torch.equal(first.conv1.weight, second.conv1.weight) and second.map_side == first.map_side == 3


def test_start_weights_of_the_second_network_are_noted_and_held_against_the_job(tmp_path) -> None:
    torch.manual_seed(4)
    saved = BACKBONES["resnet10_w16"](1)
    torch.save(saved.state_dict(), tmp_path / "start.pth")
    found, noted = BACKBONES["resnet10_w16"](1), {}
    identity = further_weights(str(tmp_path / "start.pth")).identity
    assembly.load_start_weights(found, identity, str(tmp_path / "start.pth"), noted, "loaded2")
    assert torch.equal(found.conv1.weight, saved.conv1.weight) and f"sha256:{noted['loaded2']['sha256']}" == identity
    with pytest.raises(ValueError, match="was changed since"):
        assembly.load_start_weights(found, "sha256:0", str(tmp_path / "start.pth"), noted, "loaded2")
    assembly.load_start_weights(found, "random", None, noted := {}, "loaded")
    assert noted == {}


def test_further_weights_are_a_part_of_the_identity_only_where_they_differ() -> None:
    plain, other = job(), job(weights2="random")
    assert "weights2" not in plain.spec and other.spec["weights2"] == "random" and plain.id != other.id
    assert plain.id == json_digest({k: v for k, v in asdict(plain).items() if k not in ("weights2", "backbone_code")})
    assert Job(**plain.spec).id == plain.id and Job(**other.spec).id == other.id
    assert further_weights(None).identity == "" and further_weights("random").path is None
    with pytest.raises(Usage, match="--weights2 nowhere"):
        further_weights("nowhere.pth")


def test_steps_fall_when_their_epochs_are_done() -> None:
    schedule = Steps(after=(2, 3), factor=0.1)
    rates = [schedule.at(step, 5, 4) for step in (0, 9, 10, 14, 15, 19)]
    assert rates == pytest.approx([1, 1, 0.1, 0.1, 0.01, 0.01])
    with pytest.raises(ValueError, match="after"):
        Steps(after=())


def test_an_average_of_weights_can_predict() -> None:
    class Mean(Baseline):
        name = "mean_teacher"

        def build(self, backbone: Backbone, classes: int) -> None:
            super().build(backbone, classes)
            self.mean = nn.Linear(backbone.width, classes).requires_grad_(False)

        def after_step(self, batch: Batch) -> None:
            self.mean.weight.lerp_(self.classifier.weight.detach(), 0.1)

        def logits(self, images: Tensor) -> Tensor:
            return (self.classifier if self.training else self.mean)(self.backbone(images))

    check_resumed(Mean)
    made = rehearsal.train_to_last_epoch(rehearsal.prepare_rehearsal(Mean))
    images = plain_batch(made, made.data.test_images)
    with torch.no_grad():
        expected = made.method.mean(made.method.eval().backbone(images))
        assert torch.equal(made.method.logits(images), expected)
