"""LA-Net's losses and label-distribution estimation: the published numbers, and the literal forms for random inputs."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from golden_files import load
from hypothesis import given, settings
from hypothesis import strategies as st

from methods.lanet.losses import adaptive_wing, contrastive_loss, distribution_loss, landmark_loss
from methods.lanet.parts import (
    PairScore,
    aggregate_predictions,
    double_maps,
    enqueue_rows,
    find_neighbours,
    label_distribution,
    pseudo_labels,
    update_bank,
)
from performance import literal


def tensors(golden, *names, dtype=torch.float64):
    return [torch.from_numpy(np.array(golden[name])).to(dtype) for name in names]


def random_unit(*shape, dim, seed=0):
    numbers = torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return F.normalize(numbers, dim=dim)


def test_adaptive_wing_as_published():
    golden = load("lanet_awing_01")
    prediction, target, weight = tensors(golden, "pred", "target", "weight_map")
    prediction.requires_grad_()
    np.testing.assert_allclose(adaptive_wing(prediction, target).detach(), golden["loss_matrix"], rtol=1e-9)
    loss = landmark_loss(prediction, target, weight)
    loss.backward()
    np.testing.assert_allclose(loss.detach(), golden["weighted_mean"], rtol=1e-9)
    np.testing.assert_allclose(prediction.grad, golden["grad_pred"], rtol=1e-9, atol=1e-15)
    single = adaptive_wing(prediction.detach().float(), target.float())
    np.testing.assert_allclose(single, golden["loss_matrix_float32"], rtol=2e-5, atol=1e-5)


def test_images_without_landmarks_neither_count_nor_poison():
    prediction = torch.randn(3, 2, 4, 4, dtype=torch.float64, requires_grad=True)
    target, weight = torch.rand(3, 2, 4, 4, dtype=torch.float64), torch.ones(3, 2, 4, 4, dtype=torch.float64)
    usable = torch.tensor([True, False, True])
    loss = landmark_loss(prediction, target, weight, usable)
    torch.testing.assert_close(loss, landmark_loss(prediction[usable], target[usable], weight[usable]))
    loss.backward()
    assert prediction.grad[1].abs().max() == 0 and prediction.grad.isfinite().all()
    assert landmark_loss(prediction, target, weight, torch.zeros(3, dtype=torch.bool)) == 0


def test_sum_of_the_losses_as_published():
    golden = load("lanet_total_01")
    names = ("logits", "targets", "lm_preds", "heatmap", "weight_map", "targets_with_zeros")
    logits, targets, prediction, heat, weight, zeros = tensors(golden, *names)
    for leaf in (logits, targets, prediction):
        leaf.requires_grad_()
    kl, lm = distribution_loss(targets, logits), landmark_loss(prediction, heat, weight)
    np.testing.assert_allclose(kl.detach(), golden["kl"], rtol=1e-9)
    np.testing.assert_allclose(lm.detach(), golden["lm"], rtol=1e-9)
    landmark_weight, distribution_weight, contrastive_weight = golden["lam_lm_kl_cl"]
    total = F.cross_entropy(logits, torch.from_numpy(golden["labels"])) + landmark_weight * lm
    total = total + distribution_weight * kl + contrastive_weight * float(golden["cl_loss"])
    total.backward()
    np.testing.assert_allclose(total.detach(), golden["total"], rtol=1e-9)
    for leaf, name in ((logits, "logits"), (targets, "targets"), (prediction, "lm_preds")):
        np.testing.assert_allclose(leaf.grad, golden[f"grad_{name}"], rtol=1e-9, atol=1e-15)
    zeros.requires_grad_()
    with_zeros = distribution_loss(zeros, logits.detach())
    with_zeros.backward()
    np.testing.assert_allclose(with_zeros.detach(), golden["kl_with_zeros"], rtol=1e-9)
    assert zeros.grad.isfinite().all()


@pytest.mark.parametrize("name", ["lanet_contrast_01", "lanet_contrast_03"])
def test_contrastive_loss_as_published(name):
    golden = load(name)
    query, key, queue, labels, queue_labels = tensors(golden, "q", "k", "bank", "label", "target_bank")
    query.requires_grad_()
    loss = contrastive_loss(query, key, queue, labels, queue_labels, float(golden["temperature"]))
    loss.backward()
    np.testing.assert_allclose(loss.detach(), golden["loss"], rtol=1e-9)
    np.testing.assert_allclose(query.grad, golden["grad_q"], rtol=1e-9, atol=1e-12)
    single = contrastive_loss(*(x.detach().float() for x in (query, key, queue, labels, queue_labels)), 0.1)
    np.testing.assert_allclose(single, golden["loss_float32"], rtol=1e-5)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 6), st.integers(1, 9), st.integers(0, 10**6), st.data())
def test_contrastive_loss_equals_the_literal_form(images, size, seed, data):
    some = st.sampled_from([0.0, 1.0, -3.0])
    labels = torch.tensor(data.draw(st.lists(some, min_size=images, max_size=images)), dtype=torch.float64)
    queue_labels = torch.tensor(data.draw(st.lists(some | st.just(-1e10), min_size=size, max_size=size)))
    query = random_unit(images, 5, dim=1, seed=seed).requires_grad_()
    key, queue = random_unit(images, 5, dim=1, seed=seed + 1), random_unit(5, size, dim=0, seed=seed + 2)
    arguments = (key, queue, labels, queue_labels.double(), 0.1)
    fast, slow = contrastive_loss(query, *arguments), literal.contrastive_loss(query, *arguments)
    torch.testing.assert_close(fast, slow, rtol=1e-9, atol=1e-12)
    gradients = [torch.autograd.grad(loss, query)[0] for loss in (fast, slow)]
    assert gradients[0].isfinite().all()
    torch.testing.assert_close(*gradients, rtol=1e-7, atol=1e-9)


def test_a_row_without_negatives_has_no_loss_and_no_gradient():
    query = random_unit(2, 4, dim=1).requires_grad_()
    labels = torch.zeros(2, dtype=torch.float64)
    loss = contrastive_loss(query, query.detach(), random_unit(4, 3, dim=0), labels, torch.zeros(3).double(), 0.1)
    loss.backward()
    assert loss == 0 and query.grad.abs().max() == 0


def test_negatives_of_the_batch_make_the_loss_larger_only_between_classes():
    query, key, queue = random_unit(4, 6, dim=1), random_unit(4, 6, dim=1, seed=1), random_unit(6, 8, dim=0, seed=2)
    none = torch.full((8,), -1e10, dtype=torch.float64)
    for labels, larger in ((torch.arange(4.0).double(), True), (torch.zeros(4).double(), False)):
        plain = contrastive_loss(query, key, queue, labels, none, 0.1)
        more = contrastive_loss(query, key, queue, labels, none, 0.1, inbatch_negatives=True)
        assert (more > plain) if larger else torch.isclose(more, plain)


def score_net(golden, space, width):
    net = PairScore(width).double()
    places = {"split": "fc_in", "join": "fc_out.0", "hidden": "fc_out.2", "score": "fc_out.4"}
    state = {
        f"{ours}.{kind}": torch.from_numpy(golden[f"param.{space}.{theirs}.{kind}"]).double()
        for ours, theirs in places.items()
        for kind in ("weight", "bias")
    }
    net.load_state_dict(state)
    return net, {f"{space}.{theirs}": getattr(net, ours) for ours, theirs in places.items()}


@pytest.mark.parametrize("name", ["lanet_lde_01", "lanet_lde_03"])
def test_label_distribution_estimation_as_published(name):
    golden = load(name)
    k, momentum = int(golden["K"]), float(golden["momentum"])
    bank = F.one_hot(torch.from_numpy(golden["labels"]), int(golden["num_classes"])).double()
    np.testing.assert_array_equal(bank, golden["bank_init"])
    for step in range(sum(key.endswith("_kl") for key in golden)):
        u, v, logits = (
            x.requires_grad_()
            for x in tensors(golden, f"s{step}_fer_features", f"s{step}_lm_features", f"s{step}_logits")
        )
        index = torch.from_numpy(golden[f"s{step}_idx"])
        soft, aggregated, modules = logits.softmax(1), [], {}
        for space, features in (("fer", u), ("lm", v)):
            net, named = score_net(golden, f"{space}_score", features.shape[1])
            modules |= named
            near = find_neighbours(features, k, torch.eye(len(index), dtype=torch.bool))
            mask = torch.zeros(len(index), len(index)).scatter_(1, near, 1)
            np.testing.assert_array_equal(mask, golden[f"s{step}_{space}_neighbors"])
            scores = net(features, near)
            published = torch.from_numpy(golden[f"s{step}_{space}_pair_score"]).gather(1, near)
            torch.testing.assert_close(scores.detach(), published, rtol=1e-9, atol=0)
            aggregated.append(aggregate_predictions(scores, near, soft))
        targets = label_distribution(bank[index], *aggregated, momentum)
        update_bank(bank, index, targets)
        kl = distribution_loss(targets, logits)
        kl.backward()
        np.testing.assert_allclose(targets.detach(), golden[f"s{step}_targets"], rtol=1e-9)
        np.testing.assert_allclose(bank, golden[f"s{step}_bank_after"], rtol=1e-9)
        np.testing.assert_allclose(kl.detach(), golden[f"s{step}_kl"], rtol=1e-9)
        for leaf, field in ((u, "fer_features"), (v, "lm_features"), (logits, "logits")):
            np.testing.assert_allclose(leaf.grad, golden[f"s{step}_grad_{field}"], rtol=1e-7, atol=1e-13)
        for place, module in modules.items():
            for kind in ("weight", "bias"):
                gradient = getattr(module, kind).grad
                np.testing.assert_allclose(gradient, golden[f"s{step}_grad.{place}.{kind}"], rtol=1e-7, atol=1e-13)


@settings(max_examples=20, deadline=None)
@given(st.integers(4, 9), st.integers(0, 10**6))
def test_estimated_targets_are_distributions_and_equal_the_literal_form(images, seed):
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(images, 8, generator=generator, dtype=torch.float64)
    soft = torch.randn(images, 7, generator=generator, dtype=torch.float64).softmax(1)
    net = PairScore(8).double()
    near = find_neighbours(features, 3, torch.eye(images, dtype=torch.bool))
    assert not (near == torch.arange(images)[:, None]).any()
    fast = aggregate_predictions(net(features, near), near, soft)
    torch.testing.assert_close(fast, literal.weigh_predictions(net, features, soft, 3), rtol=1e-10, atol=1e-14)
    targets = label_distribution(soft, fast, fast, 0.9)
    assert (targets >= 0).all()
    torch.testing.assert_close(targets.sum(1), torch.ones(images, dtype=torch.float64))


def test_the_last_of_repeated_images_is_remembered():
    bank, targets = torch.zeros(5, 2), torch.arange(8.0).view(4, 2)
    update_bank(bank, torch.tensor([3, 1, 3, 0]), targets)
    assert bank.tolist() == [[6, 7], [2, 3], [0, 0], [4, 5], [0, 0]]


def test_ambiguous_images_get_a_label_of_their_own():
    targets = torch.tensor([[0.9, 0.1], [0.4, 0.6], [0.3, 0.7], [0.5, 0.5]], dtype=torch.float64)
    index = torch.tensor([4, 9, 2, 0])
    assert pseudo_labels(targets, index, 0.7).tolist() == [0, -9, 1, 0], "strictly below; image 0 becomes class 0"
    assert pseudo_labels(targets, index, 0.7, offset=1).tolist() == [0, -10, 1, -1]


def test_queue_as_published():
    golden = load("lanet_queue_01")
    queues = tensors(golden, "fer_bank_init", "lm_bank_init", "target_bank_init", dtype=torch.float32)
    pointer, batch = torch.tensor(0), int(golden["batch"])
    for step in range(int(golden["steps"])):
        rows = tensors(golden, *(f"s{step}_{name}" for name in ("fer_keys", "lm_keys", "pseudo")), dtype=torch.float32)
        for queue, new in zip(queues, rows):
            enqueue_rows(queue, new, pointer)
        pointer.add_(batch).remainder_(queues[2].numel())
        np.testing.assert_array_equal(queues[2], golden[f"s{step}_target_bank"])
        assert pointer == golden["ptr_after"][step]
    np.testing.assert_array_equal(queues[0], golden["fer_bank_final"])
    np.testing.assert_array_equal(queues[1], golden["lm_bank_final"])


@pytest.mark.parametrize("side", [1, 2, 7])
def test_enlargement_is_the_bilinear_one_and_keeps_the_mean(side):
    maps = torch.randn(2, 3, side, side, dtype=torch.float64)
    larger = double_maps(maps)
    torch.testing.assert_close(larger, F.interpolate(maps, scale_factor=2, mode="bilinear", align_corners=False))
    torch.testing.assert_close(larger.mean((2, 3)), maps.mean((2, 3)))
