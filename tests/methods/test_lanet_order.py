"""LA-Net's sampler: the published counts and rows, exactly."""

import numpy as np
import pytest
import torch
from golden_files import load
from hypothesis import given, settings
from hypothesis import strategies as st

from methods.base import Run
from methods.lanet.method import LANet
from methods.lanet.order import progressive_counts, progressive_order, side_by_side
from methods.support.backbones import BACKBONES


def test_published_counts_of_all_epochs():
    golden = load("lanet_sampler_counts_01")
    for epoch, expected in enumerate(golden["class_counts_all_epochs"]):
        np.testing.assert_array_equal(progressive_counts(golden["counts"], epoch, int(golden["max_epoch"])), expected)


def test_published_rows():
    golden = load("lanet_sampler_01")
    rows = [np.flatnonzero(golden["labels"] == c) for c in range(7)]
    for epoch in golden["epochs"]:
        order = progressive_order(rows, int(epoch), int(golden["max_epoch"]), seed=int(epoch))
        np.testing.assert_array_equal(order, golden[f"indices_e{epoch}"])


def test_published_rows_of_two_processes():
    golden = load("lanet_sampler_01")
    order = side_by_side(torch.from_numpy(golden["indices_e79"]), batch_size=8, processes=2)
    assert sorted(order) == sorted(golden["indices_e79"])
    batches = order[:320].view(-1, 8)
    np.testing.assert_array_equal(batches[:, :4].flatten(), golden["indices_r0_e79"][:160])
    np.testing.assert_array_equal(batches[:, 4:].flatten(), golden["indices_r1_e79"][:160])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 30), min_size=2, max_size=8).filter(any), st.integers(0, 11))
def test_an_epoch_has_as_many_rows_as_there_are_images(sizes, epoch):
    labels = np.repeat(np.arange(len(sizes)), sizes)
    order = progressive_order([np.flatnonzero(labels == c) for c in range(len(sizes))], epoch, 12, seed=epoch)
    assert len(order) == len(labels)
    assert (order >= 0).all() and (order < len(labels)).all()


@pytest.mark.parametrize("epoch, spread", [(0, 20), (79, 5)])
def test_classes_become_even(epoch, spread):
    sizes = np.array([20, 40, 60])
    counts = progressive_counts(sizes, epoch, 80)
    assert counts.sum() == 120
    assert np.ptp(counts) == pytest.approx(40 if epoch == 0 else 0, abs=spread)


@pytest.mark.parametrize("seeded", ["epoch", "job"])
def test_the_method_asks_for_the_epoch_that_is_trained(seeded):
    golden = load("lanet_sampler_01")
    labels, epochs = torch.from_numpy(golden["labels"]), int(golden["max_epoch"])
    method = LANet(LANet.Parameters(sampler_seed=seeded))
    method.build(BACKBONES["resnet10_w16"](1), 7)
    method.begin(labels.long(), Run(7, 320, epochs, 10, 32, 32, True, 0))
    for epoch in golden["epochs"]:
        order = method.order(int(epoch) + 1, torch.Generator().manual_seed(int(epoch)))  # the engine counts from 1
        by_class = [np.bincount(labels[rows], minlength=7) for rows in (order, golden[f"indices_e{epoch}"])]
        np.testing.assert_array_equal(*by_class)
        if seeded == "epoch":
            np.testing.assert_array_equal(order, golden[f"indices_e{epoch}"])
        else:
            again = [method.order(int(epoch) + 1, torch.Generator().manual_seed(seed)) for seed in (int(epoch), 77)]
            assert torch.equal(order, again[0]) and not torch.equal(order, again[1])
