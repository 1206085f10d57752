"""RUL against the published program's numbers: mixture, heads, and a whole training step."""

import numpy as np
import pytest
import torch
from golden_files import load, recipe_images, recipe_weights, subsample
from torch import nn

from methods.base import Batch, Run
from methods.rul import (
    RUL,
    any_partner,
    drop_entries,
    image_uncertainty,
    mix_features,
    mixed_losses,
    partner_of_another_class,
)
from methods.support.backbones import BACKBONES

RUN = Run(classes=7, images=12, epochs=60, steps_per_epoch=1, batch_size=12, image_size=48, noisy=True, seed=0)
PARTS = {"mu.0": "normalise", "log_var.0": "normalise", "fc": "classifier"}
PARTS |= {
    f"{a}.{i}": f"{b}.{m}"
    for a, b in (("mu", "mu"), ("log_var", "log_variance"))
    for i, m in ((3, "linear"), (4, "norm"))
}
CHILDREN = {"0": "conv1", "1": "bn1", "4": "layer1", "5": "layer2", "6": "layer3", "7": "layer4"}
FLOAT64, FLOAT32 = torch.float64, torch.float32


def ours(key):
    """Our name of a published entry: 'mu.3.weight' -> 'mu.linear.weight', 'features.4.0.x' -> 'backbone.layer1.0.x'."""
    if key.startswith("features."):
        _, child, rest = key.split(".", 2)
        return f"backbone.{CHILDREN[child]}.{rest}"
    part, leaf = key.rsplit(".", 1)
    return f"{PARTS[part]}.{leaf}" if part in PARTS else key


class Maps(nn.Module):
    """Stands for a backbone: images are layer4's maps already."""

    width, map_side = 512, 7

    def maps(self, images):
        return images


def method_with(golden, backbone, dtype):
    method = RUL(RUL.Parameters(dropout=0.0))
    method.build(backbone, 7)
    weights = recipe_weights(golden["param_keys"], golden["param_shapes"], golden["param_seeds"], dtype)
    weights = {ours(key): value for key, value in weights.items() if not key.startswith("backbone.fc.")}
    method.to(dtype).load_state_dict(weights)
    return method


def close(value, golden, relative, dtype, atol=0.0):
    """float64: relative to each entry; float32: relative to the largest one."""
    value = np.asarray(value.detach()) if torch.is_tensor(value) else value
    if dtype == FLOAT32:
        np.testing.assert_allclose(value, golden, rtol=0, atol=relative * np.abs(golden).max() + atol)
    else:
        np.testing.assert_allclose(value, golden, rtol=relative, atol=atol)


@pytest.mark.parametrize("dtype, rtol", [(FLOAT64, 1e-9), (FLOAT32, 1e-4)])
def test_mixture_equals_the_published_one(dtype, rtol):
    golden = load("rul_mix_01")
    mu, log_var, weight, bias = (
        torch.from_numpy(golden[name]).to(dtype).requires_grad_() for name in ("mu", "log_var", "fc_weight", "fc_bias")
    )
    labels, partner = torch.from_numpy(golden["labels"]), torch.from_numpy(golden["permutation"])
    mixed, own = mix_features(mu, image_uncertainty(log_var), partner)
    logits = nn.functional.linear(mixed, weight, bias)
    loss = sum(mixed_losses(logits, labels, partner).values())
    loss.backward()
    assert np.array_equal(labels[partner], golden["labels_b"])
    outputs = {"mixed": mixed, "weight_own": own, "weight_other": 1 - own, "logits": logits, "loss": loss}
    leaves = {"grad_mu": mu, "grad_log_var": log_var, "grad_fc_weight": weight, "grad_fc_bias": bias}
    for name, value in (outputs | {name: leaf.grad for name, leaf in leaves.items()}).items():
        close(value, golden[name], rtol, dtype, atol=1e-15 if dtype == FLOAT64 else 0)


@pytest.mark.parametrize("dtype, tolerance, atol", [(FLOAT64, 1e-7, 1e-11), (FLOAT32, 1e-3, 0.0)])
def test_heads_equal_the_published_ones(dtype, tolerance, atol):
    golden = load("rul_head_01")
    method = method_with(golden, Maps(), dtype)
    maps = []
    for seed, checksum in zip(golden["feature_seeds"], golden["feature_checksums"]):
        drawn = np.maximum(np.random.RandomState(seed).standard_normal(golden["feature_shape"]), 0).astype(np.float32)
        exact = drawn.astype(np.float64)
        np.testing.assert_allclose([exact.sum(), (exact**2).sum()], checksum)
        maps.append(torch.from_numpy(drawn).to(dtype))
    labels, partner = torch.from_numpy(golden["labels"]), torch.from_numpy(golden["permutation"])

    features = maps[0].requires_grad_()
    mixed, _, own = method.mixture(features, partner)
    logits = method.classifier(mixed)
    loss = sum(mixed_losses(logits, labels, partner).values())
    loss.backward()
    for name, value in {"mixed": mixed, "weight_own": own, "logits": logits, "loss": loss}.items():
        close(value, golden[name], tolerance, dtype, atol)
    close(features.grad[:, ::64], golden["grad_features_channel_step64"], tolerance, dtype, atol)
    parameters, state = dict(method.named_parameters()), method.state_dict()
    compared = 0
    for name in golden:
        kind, _, key = name.partition(".")
        if kind == "grad" and key in ("mu.3.bias", "log_var.3.bias"):
            atol_zero = 1e-12 if dtype == FLOAT64 else 1e-6
            np.testing.assert_allclose(subsample(parameters[ours(key)].grad), golden[name], rtol=0, atol=atol_zero)
        elif kind == "grad":
            close(subsample(parameters[ours(key)].grad), golden[name], tolerance, dtype, atol)
        elif kind == "after":
            close(state[ours(key)], golden[name], tolerance, dtype, atol)
        compared += kind in ("grad", "after")
    assert compared == 18

    method.eval()
    mu = method.mu(method.normalise(maps[1]))
    close(mu, golden["eval_mu_second_features"], tolerance, dtype, atol)
    close(method.logits(maps[1]), golden["eval_logits_second_features"], tolerance, dtype, atol)


@pytest.mark.parametrize("dtype", [FLOAT64, FLOAT32])
def test_whole_step_equals_the_published_one(dtype, monkeypatch):
    golden = load("rul_step_01")
    exact = dtype == FLOAT64
    values, gradients, atol = (1e-6, 1e-6, 1e-9) if exact else (1e-4, 5e-3, 0.0)
    method = method_with(golden, BACKBONES["resnet18"](3), dtype)
    images = recipe_images(golden["image_blocks"], golden["mean"], golden["std"], dtype)
    labels, partner = torch.from_numpy(golden["labels"]), torch.from_numpy(golden["permutation"])
    monkeypatch.setattr("methods.rul.any_partner", lambda labels, generator: partner)
    seen = {}
    method.classifier.register_forward_hook(lambda module, given, out: seen.update(mixed=given[0], logits=out))

    recipe = RUL.recipe.optimiser
    heads = [parameter for module in method.heads() for parameter in module.parameters()]
    rest = [parameter for _, parameter in method.named_parameters() if all(parameter is not head for head in heads)]
    groups = [{"params": rest, "lr": recipe.lr}, {"params": heads, "lr": recipe.head_lr}]
    optimiser = torch.optim.Adam(groups, weight_decay=recipe.weight_decay)
    losses, _ = method.loss(Batch(images, labels, torch.arange(len(labels))))
    loss = sum(losses.values())
    loss.backward()
    close(loss, golden["loss"], values, dtype)
    for name, value in seen.items():
        close(value, golden[name], values if exact else 1e-3, dtype, atol)
    parameters = dict(method.named_parameters())
    norms = np.array([float(parameters[ours(str(key))].grad.norm()) for key in golden["grad_norm_keys"]])
    assert len(norms) == len(parameters)
    close(norms, golden["grad_norms"], gradients, dtype, atol)
    for name in [name for name in golden if name.startswith("grad.")]:
        close(subsample(parameters[ours(name[5:])].grad), golden[name], gradients, dtype, atol)

    optimiser.step()
    if exact:  # in float32 Adam's first step is the sign of a gradient that may be rounding
        for name in [name for name in golden if name.startswith("after_step.")]:
            close(subsample(parameters[ours(name[11:])]), golden[name], values, dtype, atol)
        with torch.no_grad():
            logits = method.eval().logits(images)
        np.testing.assert_allclose(logits, golden["eval_logits_after_step"], rtol=1e-4, atol=1e-9)


def small(seed=0, **parameters):
    torch.manual_seed(seed)
    backbone = BACKBONES["resnet10_w16"](1)
    backbone.map_side = 3
    method = RUL(RUL.Parameters(**parameters))
    method.build(backbone, 7)
    method.begin(torch.arange(12) % 7, RUN)
    images = torch.randn(12, 1, 48, 48, generator=torch.Generator().manual_seed(1))
    return method, Batch(images, method.labels.clone(), torch.arange(12), 1, torch.Generator().manual_seed(2))


def test_a_step_draws_only_from_the_batchs_generator():
    totals = []
    for disturbance in (1, 2):
        method, batch = small()
        torch.manual_seed(disturbance)
        state = torch.get_rng_state()
        totals.append(sum(method.loss(batch)[0].values()))
        assert torch.equal(torch.get_rng_state(), state)
    assert totals[0] == totals[1]
    other, batch = small()
    batch.generator.manual_seed(3)
    assert sum(other.loss(batch)[0].values()) != totals[0]


def test_dropout_keeps_the_expected_value_and_the_heads_have_masks_of_their_own():
    ones, generator = torch.ones(200, 200), torch.Generator().manual_seed(0)
    first, second = drop_entries(ones, 0.4, generator), drop_entries(ones, 0.4, generator)
    assert first.unique().tolist() == [0, pytest.approx(1 / 0.6)]
    assert float(first.mean()) == pytest.approx(1, abs=0.02)
    assert float(((first > 0) & (second > 0)).float().mean()) == pytest.approx(0.36, abs=0.01)
    assert drop_entries(ones, 0.0, generator) is ones


def test_partners():
    labels, generator = torch.tensor([0, 0, 0, 1, 1, 2]), torch.Generator().manual_seed(0)
    draws = torch.stack([partner_of_another_class(labels, generator) for _ in range(300)])
    assert (labels[draws] != labels).all()
    assert set(draws[:, 0].tolist()) == {3, 4, 5} and set(draws[:, 5].tolist()) == {0, 1, 2, 3, 4}
    assert partner_of_another_class(torch.zeros(4, dtype=torch.int64), generator).tolist() == [0, 1, 2, 3]
    assert sorted(any_partner(labels, generator).tolist()) == list(range(6))
    method, batch = small(pairs="different_class")
    assert all(torch.isfinite(loss) for loss in method.loss(batch)[0].values())


def test_clamp_bounds_the_uncertainty():
    log_variance = torch.tensor([[3.0, -3.0]])
    torch.testing.assert_close(
        image_uncertainty(log_variance, 1.0), torch.tensor([[np.e + 1 / np.e]], dtype=torch.float32)
    )


def test_relabelling_is_off_by_default_and_follows_the_unmixed_prediction():
    method, batch = small()
    method.loss(batch)
    method.after_step(batch)
    assert torch.equal(method.labels, torch.arange(12) % 7) and "relabelled" not in method.after_epoch(1)

    method, batch = small(relabel="scn", relabel_epoch=2, margin_2=0.0)
    _, logits = method.loss(batch)
    method.after_step(batch)
    assert torch.equal(method.labels, batch.labels)
    batch.epoch = 2
    _, logits = method.loss(batch)
    method.after_step(batch)
    assert torch.equal(method.labels, logits.argmax(1)) and not torch.equal(method.labels, batch.labels)
    share = (method.labels != batch.labels).float().mean()
    torch.testing.assert_close(method.after_epoch(2)["relabelled"], share)


def test_a_batch_of_one_image_is_survived():
    method, batch = small()
    one = Batch(batch.images[:1], batch.labels[:1], batch.index[:1])
    losses, _ = method.loss(one)
    sum(losses.values()).backward()
    assert all(torch.isfinite(loss) for loss in losses.values())


def test_every_part_learns_and_wrongness_is_the_mean_variance():
    method, batch = small()
    sum(method.loss(batch)[0].values()).backward()
    silent = [name for name, p in method.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert silent == []
    method.eval()
    distribution, wrongness = method.opinion(batch)
    torch.testing.assert_close(distribution, method.logits(batch.images).softmax(1))
    maps = method.normalise(method.backbone.maps(batch.images))
    torch.testing.assert_close(wrongness, method.log_variance(maps).exp().mean(1))
    assert not wrongness.requires_grad


@pytest.mark.parametrize("wrong", [{"pairs": "same"}, {"relabel": "yes"}, {"dropout": 1.0}])
def test_impossible_parameters_are_named(wrong):
    with pytest.raises(ValueError, match=f"rul.{next(iter(wrong))}"):
        RUL.Parameters(**wrong)


def test_each_head_sees_a_dropout_of_its_own():
    method = RUL(RUL.Parameters(dropout=0.4))
    method.build(Maps(), 7)
    seen = []
    for head in (method.mu, method.log_variance):
        head.register_forward_pre_hook(lambda head, maps: seen.append(maps[0]))
    maps = torch.rand(4, 512, 7, 7, generator=torch.Generator().manual_seed(0)) + 1
    method.train().mixture(maps, torch.arange(4), torch.Generator().manual_seed(1))
    kept = [part != 0 for part in seen]
    for part in kept:
        assert float(part.float().mean()) == pytest.approx(0.6, abs=0.01)
    assert float((kept[0] & kept[1]).float().mean()) == pytest.approx(0.36, abs=0.01)
    both = kept[0] & kept[1]
    torch.testing.assert_close(seen[0][both], seen[1][both])
    deviation = maps.std((0, 2, 3), correction=0, keepdim=True)
    normal = (maps - maps.mean((0, 2, 3), keepdim=True)) / deviation
    torch.testing.assert_close(seen[0][both] * 0.6, normal[both], atol=1e-3, rtol=1e-3)
