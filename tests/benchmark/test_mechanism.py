"""Curves that show a method's idea at work: counted beside training, with clean labels that no method sees."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmark.check import rehearsal
from benchmark.plan import recipes
from benchmark.plan.catalogue import method_info
from benchmark.scale import DEMO
from benchmark.train import loop
from methods.base import Batch, Curve, Run
from methods.baseline import Baseline
from methods.eac import EAC
from methods.rul import RUL

RELABELLED = (Curve("relabelled_so_far", "So far (%)", (0, 0.01), "nothing"), Curve("relabelled_right", "Right (%)"))


class Corrects(Baseline):
    """Moves the labels of its first rows on by one class."""

    name, title, mechanism = "corrects", "Corrects", RELABELLED

    def after_epoch(self, epoch: int) -> dict[str, Tensor]:
        self.labels[: 5 * epoch] = (self.given[: 5 * epoch] + 1) % 8
        return {}

    def begin(self, labels: Tensor, run: Run) -> None:
        super().begin(labels, run)
        self.register_buffer("given", labels.clone())


class Remembers(Baseline):
    """Estimates every label as the class after it, and looks at no image for that."""

    name, title = "remembers", "Remembers"
    mechanism = (Curve("estimate_keeps_clean", "Clean label first (%)"),)
    needs_images = False

    def opinion_needs_images(self) -> bool:
        return self.needs_images

    def opinion(self, batch: Batch) -> tuple[Tensor, Tensor]:
        assert not self.training and batch.images.numel() == 0
        return F.one_hot((batch.labels + 1) % 8, 8).float(), torch.zeros(len(batch.labels))


def train_with_wrong_labels(cls: type[Baseline]) -> dict[str, list[float]]:
    """The history of two epochs on 37 images of which the first ten are labelled one class too low."""
    made = rehearsal.prepare_rehearsal(cls)
    made.clean = made.clean.clone()
    made.clean[:10] = (made.clean[:10] + 1) % 8
    return rehearsal.train_to_last_epoch(made).state.history


def test_what_was_relabelled_and_became_right_is_counted_against_the_clean_labels() -> None:
    history = train_with_wrong_labels(Corrects)
    assert history["relabelled_so_far"] == pytest.approx([5 / 37, 10 / 37])
    assert history["relabelled_right"] == pytest.approx([5 / 37, 10 / 37])
    made = rehearsal.train_to_last_epoch(rehearsal.prepare_rehearsal(Corrects))  # here every given label is right
    assert made.state.history["relabelled_right"] == [0, 0]
    assert made.state.history["relabelled_so_far"] == pytest.approx([5 / 37, 10 / 37])


def test_the_estimate_is_compared_only_where_it_needs_no_images() -> None:
    assert train_with_wrong_labels(Remembers)["estimate_keeps_clean"] == pytest.approx([10 / 37] * 2)

    class Looks(Remembers):
        needs_images = True

    assert "estimate_keeps_clean" not in train_with_wrong_labels(Looks)


def test_what_is_not_declared_is_not_counted() -> None:
    class Silent(Corrects):
        mechanism = ()

    assert not {"relabelled_so_far", "relabelled_right"} & set(train_with_wrong_labels(Silent))


def test_counting_changes_no_bit_of_the_training() -> None:
    class Silent(Corrects):
        mechanism = ()

    one, two = (rehearsal.train_to_last_epoch(rehearsal.prepare_rehearsal(cls)) for cls in (Corrects, Silent))
    assert rehearsal.name_differences(one.method, two.method) == ""


def test_the_record_will_hold_the_declared_curves_as_plain_data() -> None:
    resolved, overrides = recipes.resolve_recipe(
        {"corrects": method_info(Corrects)}, "corrects", {}, DEMO, "comparison", "faces", 100
    )
    assert overrides == {} and resolved["mechanism"] == [
        {"name": "relabelled_so_far", "title": "So far (%)", "idle": (0, 0.01), "idle_text": "nothing"},
        {"name": "relabelled_right", "title": "Right (%)", "idle": None, "idle_text": ""},
    ]


@pytest.mark.parametrize("idle, text", [((0, 0.1), ""), (None, "nothing"), ((1, 0), "nothing"), ((0,), "nothing")])
def test_a_crooked_curve_is_refused_where_it_is_declared(idle: tuple | None, text: str) -> None:
    with pytest.raises(ValueError, match="mechanism kept"):
        Curve("kept", "Kept (%)", idle, text)


def test_attention_is_nearer_to_the_own_mirror_image_where_that_is_asked_for() -> None:
    method = rehearsal.prepare_rehearsal(EAC).method
    same = torch.rand(6, method.backbone.width, 3, 3)
    method.train().inconsistency(same, same.flip(-1))
    assert float(method.after_epoch(1)["attention_distance"]) == pytest.approx(0, abs=1e-9)
    method.inconsistency(same, same.roll(-1, 0).flip(-1))  # of the next image: others are then nearer
    assert float(method.after_epoch(2)["attention_distance"]) > 100
    made = rehearsal.prepare_rehearsal(EAC)
    made.method.settings = EAC.Parameters(lam=0)
    loop.train_epoch(made, 1)
    assert "attention_distance" not in made.state.history


def test_the_spread_of_uncertainties_is_their_deviation_over_their_mean() -> None:
    method = rehearsal.prepare_rehearsal(RUL).method
    method.watch(torch.tensor([[1.0], [3.0]]))
    method.watch(torch.tensor([[2.0], [2.0]]))
    assert float(method.after_epoch(1)["uncertainty_spread"]) == pytest.approx((0.5 + 0) / 2)
    method.watch(torch.tensor([[2.0], [2.0]]))  # an epoch forgets the last one
    assert float(method.after_epoch(2)["uncertainty_spread"]) == 0
