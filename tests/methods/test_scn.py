"""SCN against the published program's numbers, and what the program does not say."""

import copy

import pytest
import torch
import torch.nn.functional as F
from golden_files import load
from torch import nn

from methods.base import Batch, Run
from methods.scn import SCN, low_importance, rank_regularisation, relabel_by_margin, top_count
from methods.support.backbones import BACKBONES

CASES = ["scn_head_01", "scn_head_03", "scn_head_05", "scn_head_07"]
RUN = Run(classes=7, images=10, epochs=70, steps_per_epoch=1, batch_size=10, image_size=48, noisy=True, seed=0)


class Features(nn.Module):
    """Stands for a backbone: images are features already."""

    def __init__(self, width):
        super().__init__()
        self.width = width

    def forward(self, images):
        return images


def head(golden, dtype=torch.float64, **parameters):
    """The method with a golden file's weights and labels."""
    given = {name: float(golden[name]) for name in ("beta", "margin_1", "margin_2")}
    given |= {"relabel_epoch": int(golden["relabel_epoch"])} | parameters
    method = SCN(SCN.Parameters(**given))
    method.build(Features(golden["features"].shape[1]), len(golden["fc_bias"]))
    state = {"classifier": "fc", "attention": "alpha"}
    for ours, theirs in state.items():
        for part in ("weight", "bias"):
            getattr(getattr(method, ours), part).data = torch.from_numpy(golden[f"{theirs}_{part}"]).to(dtype)
    method.begin(torch.from_numpy(golden["dataset_labels_before"]), RUN)
    return method


def step(method, golden, dtype=torch.float64):
    """Loss, gradients and relabelling of the golden batch; returns losses, logits and the features leaf."""
    features = torch.from_numpy(golden["features"]).to(dtype).requires_grad_()
    index, labels = torch.from_numpy(golden["indexes"]), torch.from_numpy(golden["targets"])
    batch = Batch(images=features, labels=labels, index=index, epoch=int(golden["epoch"]))
    losses, logits = method.loss(batch)
    sum(losses.values()).backward()
    method.after_step(batch)
    return losses, logits, features


@pytest.mark.parametrize("dtype, rtol", [(torch.float64, 1e-9), (torch.float32, 1e-4)])
@pytest.mark.parametrize("name", CASES)
def test_equals_the_published_step(name, dtype, rtol):
    golden = load(name)
    method = head(golden, dtype)
    losses, logits, features = step(method, golden, dtype)
    atol = 1e-15 if dtype == torch.float64 else 1e-6

    def same(ours, theirs):
        theirs = torch.from_numpy(golden[theirs]).to(dtype)
        torch.testing.assert_close(ours.detach(), theirs, rtol=rtol, atol=atol)

    assert top_count(len(features), float(golden["beta"])) == int(golden["tops"])
    same(method.weigh(features)[0][:, None], "attention")
    same(logits, "outputs")
    same(losses["ce"], "ce")
    same(losses["rank"], "rr_loss")
    same(sum(losses.values()), "total")
    same(features.grad, "grad_features")
    for ours, theirs in ((method.classifier, "fc"), (method.attention, "alpha")):
        same(ours.weight.grad, f"grad_{theirs}_weight")
        same(ours.bias.grad, f"grad_{theirs}_bias")
    assert torch.equal(method.labels, torch.from_numpy(golden["dataset_labels_after"]))
    changed = int((golden["dataset_labels_after"] != golden["dataset_labels_before"]).sum())
    share = method.after_epoch(int(golden["epoch"]))["relabelled"]
    assert float(share) == pytest.approx(changed / len(method.labels))
    assert float(method.after_epoch(1)["relabelled"]) == 0  # counted anew


def test_the_golden_cases_relabel_none_one_and_many():
    changes = {
        name: int((load(name)["dataset_labels_after"] != load(name)["dataset_labels_before"]).sum()) for name in CASES
    }
    assert max(changes.values()) > 5 and min(changes.values()) <= 1


@pytest.mark.parametrize("images, top", [(64, 44), (47, 32), (90, 62), (170, 118), (180, 125), (1, 0)])
def test_group_sizes_are_truncated_in_floating_point(images, top):
    assert top_count(images, 0.7) == top


@pytest.mark.parametrize("images, beta", [(1, 0.7), (5, 0.0), (5, 1.0)])
def test_an_empty_group_has_no_rank_loss(images, beta):
    importance = torch.rand(images, requires_grad=True)
    loss = rank_regularisation(importance, beta, 0.15)
    loss.backward()
    assert loss == 0 and (importance.grad == 0).all()


def test_relabelling_needs_strictly_more_than_the_margin():
    logits = torch.tensor([[0.6, 0.4], [0.75, 0.25], [0.75, 0.25]], dtype=torch.float64).log()
    labels = torch.tensor([1, 1, 0])
    assert relabel_by_margin(logits, labels, 0.3).tolist() == [1, 0, 0]
    exact = torch.zeros(1, 2)
    assert relabel_by_margin(exact, torch.tensor([1]), 0.0).tolist() == [1]


def test_the_papers_group_is_relabelled_alone():
    golden = load("scn_head_01")
    method = head(golden, relabel_group="low", relabel_epoch=1)
    _, _, features = step(method, golden)
    low = low_importance(method.weigh(features)[0], method.settings.beta)
    assert int(low.sum()) == len(low) - int(golden["tops"])
    index = torch.from_numpy(golden["indexes"])
    before, after = torch.from_numpy(golden["dataset_labels_before"]), torch.from_numpy(golden["dataset_labels_after"])
    expected = before.clone()
    expected[index[low]] = after[index[low]]
    assert (
        torch.equal(method.labels, expected) and not torch.equal(expected, after) and not torch.equal(expected, before)
    )


def test_low_group_holds_the_smallest_importances():
    assert low_importance(torch.tensor([0.9, 0.1, 0.5, 0.7, 0.2]), 0.6).tolist() == [False, True, False, False, True]


def test_gamma_weighs_as_in_the_paper():
    golden = load("scn_head_01")
    losses, _, _ = step(head(golden, gamma=0.25, margin_1=0.9), golden)
    plain, _, _ = step(head(golden, margin_1=0.9), golden)
    assert losses["rank"] == 0.25 * plain["rank"] != 0
    assert losses["ce"] == 0.75 * plain["ce"]


def test_a_new_label_holds_from_the_next_visit_and_only_from_the_first_epoch_of_relabelling():
    method = SCN(SCN.Parameters(relabel_epoch=3))
    method.build(Features(2), 2)
    method.classifier.weight.data = torch.eye(2) * 50
    method.begin(torch.tensor([0, 1]), RUN)
    images, index = torch.tensor([[0.0, 1.0]]), torch.tensor([0])
    for epoch, expected in ((2, 0), (3, 1)):
        batch = Batch(images=images, labels=method.labels[index], index=index, epoch=epoch)
        losses, logits = method.loss(batch)
        assert losses["ce"] == F.cross_entropy(logits, torch.tensor([0]))
        method.after_step(batch)
        assert method.labels[0] == expected and method.labels[1] == 1


def test_given_labels_are_not_written_to():
    given = torch.tensor([0, 1])
    method = SCN()
    method.build(Features(2), 2)
    method.begin(given, RUN)
    method.labels[0] = 1
    assert given.tolist() == [0, 1]


def test_trains_on_a_backbone_and_its_state_survives():
    torch.manual_seed(0)
    method = SCN(SCN.Parameters(relabel_epoch=1, margin_2=0.0))
    method.build(BACKBONES["resnet10_w16"](1), 7)
    method.begin(torch.arange(10) % 7, RUN)
    batch = Batch(torch.randn(10, 1, 48, 48), method.labels.clone(), torch.arange(10), epoch=1)
    losses, _ = method.loss(batch)
    copy.deepcopy(method)
    sum(losses.values()).backward()
    assert all(parameter.grad is not None for _, parameter in method.named_parameters())
    method.after_step(batch)
    assert not torch.equal(method.labels, torch.arange(10) % 7)
    again = SCN()
    again.build(BACKBONES["resnet10_w16"](1), 7)
    again.begin(torch.zeros(10, dtype=torch.int64), RUN)
    again.load_state_dict(method.state_dict())
    assert torch.equal(again.labels, method.labels) and again.changed == method.changed > 0

    method.eval()
    distribution, wrongness = method.opinion(batch)
    torch.testing.assert_close(distribution, method.logits(batch.images).softmax(1))
    torch.testing.assert_close(wrongness, 1 - method.attention(method.backbone(batch.images)).sigmoid()[:, 0])
    assert not wrongness.requires_grad


@pytest.mark.parametrize("wrong", [{"relabel_group": "high"}, {"beta": 1.5}, {"gamma": -1.0}])
def test_impossible_parameters_are_named(wrong):
    with pytest.raises(ValueError, match=f"scn.{next(iter(wrong))}"):
        SCN.Parameters(**wrong)
