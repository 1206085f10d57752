"""EAC against the published program's numbers: flip, attention maps, and a whole training step; and the baseline."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from golden_files import load, recipe_images, recipe_weights, subsample
from torch import nn

from methods.base import Batch
from methods.baseline import Baseline
from methods.eac import EAC, attention_maps, flip_distance
from methods.support.backbones import BACKBONES

FLOAT64, FLOAT32 = torch.float64, torch.float32
CHILDREN = {"0": "conv1", "1": "bn1", "4": "layer1", "5": "layer2", "6": "layer3", "7": "layer4"}


def ours(key):
    """Our name of a published entry: 'features.4.0.x' -> 'backbone.layer1.0.x', 'fc.x' -> 'classifier.x'."""
    first, rest = key.split(".", 1)
    if first == "features":
        child, rest = rest.split(".", 1)
        return f"backbone.{CHILDREN[child]}.{rest}"
    return f"classifier.{rest}" if first in ("fc", "classifier") else f"backbone.{key}"


class Maps(nn.Module):
    """Stands for a backbone: images are layer4's maps already."""

    width = 2048

    def maps(self, images):
        return images


def close(value, golden, relative, largest=False, atol=0.0):
    """Each entry to `relative`, or to `relative` of the largest one."""
    value = value.detach().numpy() if torch.is_tensor(value) else value
    rtol, atol = (0.0, relative * np.abs(golden).max()) if largest else (relative, atol)
    np.testing.assert_allclose(value, golden, rtol=rtol, atol=atol)


@pytest.mark.parametrize("name", ["eac_flip_01", "eac_flip_03"])
def test_consistency_equals_the_resampled_flip(name):
    golden = load(name)
    first, second = (torch.from_numpy(golden[key]).double().requires_grad_() for key in ("map1", "map2"))
    loss = flip_distance(first, second).mean()
    loss.backward()
    close(loss, golden["loss"], 1e-9)
    close(first.grad, golden["grad_map1"], 1e-9, atol=1e-15)
    close(second.grad, golden["grad_map2"], 1e-9, atol=1e-15)
    single = flip_distance(torch.from_numpy(golden["map1"]), torch.from_numpy(golden["map2"])).mean()
    close(single, golden["loss_float32"], 1e-5)


@pytest.mark.parametrize("dtype, tolerance", [(FLOAT64, 1e-8), (FLOAT32, 1e-3)])
def test_attention_maps_and_gradients_equal_the_published_ones(dtype, tolerance):
    golden, largest = load("eac_cam_01"), dtype == FLOAT32
    method = EAC(EAC.Parameters(lam=float(golden["lam"])))
    method.build(Maps(), 7)
    method.to(dtype).load_state_dict(
        {f"classifier.{part}": torch.from_numpy(golden[f"fc_{part}"]).to(dtype) for part in ("weight", "bias")}
    )
    views = []
    for seed, checksum in zip(golden["feature_seeds"], golden["feature_checksums"]):
        drawn = np.maximum(np.random.RandomState(seed).standard_normal(golden["feature_shape"]), 0).astype(np.float32)
        exact = drawn.astype(np.float64)
        np.testing.assert_allclose([exact.sum(), (exact**2).sum()], checksum)
        views.append(torch.from_numpy(drawn).to(dtype).requires_grad_())
    weight = method.classifier.weight
    for number, view in enumerate(views, 1):
        close(method.logits(view), golden[f"logits{number}"], tolerance, largest)
        close(attention_maps(view, weight), golden[f"cam{number}"], tolerance, largest, atol=1e-13)

    batch = Batch(views[0], torch.from_numpy(golden["labels"]), torch.arange(2), second=views[1])
    losses, logits = method.loss(batch)
    close(logits, golden["logits1"], tolerance, largest)
    close(losses["ce"], golden["ce"], tolerance)
    close(losses["consistency"], golden["lam"] * golden["flip_loss"], tolerance)
    close(sum(losses.values()), golden["total"], tolerance)

    (losses["consistency"] / method.settings.lam).backward(retain_graph=True)
    assert weight.grad is None and method.classifier.bias.grad is None
    assert not golden["flip_loss_has_fc_grad"].any()
    for number, view in enumerate(views, 1):
        theirs = golden[f"flip_grad_features{number}_channel_step256"]
        close(view.grad[:, ::256], theirs, tolerance, largest, atol=1e-14)
        view.grad = None
    sum(losses.values()).backward()
    for number, view in enumerate(views, 1):
        theirs = golden[f"total_grad_features{number}_channel_step256"]
        close(view.grad[:, ::256], theirs, tolerance, largest, atol=1e-14)
    close(weight.grad[:, ::8], golden["total_grad_fc_weight"], tolerance, largest, atol=1e-14)
    close(method.classifier.bias.grad, golden["total_grad_fc_bias"], tolerance, largest, atol=1e-14)


@pytest.mark.parametrize("dtype", [FLOAT64, FLOAT32])
def test_whole_step_equals_the_published_one(dtype):
    golden, exact = load("eac_step_01"), dtype == FLOAT64
    method = EAC(EAC.Parameters(lam=float(golden["lam"])))
    method.build(BACKBONES[EAC.as_published.backbone](3), 7)
    weights = recipe_weights(golden["param_keys"], golden["param_shapes"], golden["param_seeds"], dtype)
    method.to(dtype).load_state_dict({ours(key): value for key, value in weights.items()})
    norm = (golden["mean"], golden["std"], dtype)
    first, second = (recipe_images(golden[f"image_blocks{number}"], *norm) for number in (1, 2))
    means = []
    method.backbone.bn1.register_forward_hook(lambda module, given, out: means.append(module.running_mean.clone()))
    shapes = []
    method.backbone.maxpool.register_forward_hook(lambda module, given, out: shapes.append(out[:1].shape))

    settings = EAC.as_published.optimiser
    parameters = dict(method.named_parameters())
    optimiser = torch.optim.Adam(parameters.values(), lr=settings.lr, weight_decay=settings.weight_decay)
    losses, logits = method.loss(Batch(first, torch.from_numpy(golden["labels"]), torch.arange(3), second=second))
    sum(losses.values()).backward()
    scalars = {
        "ce": losses["ce"],
        "flip_loss": losses["consistency"] / float(golden["lam"]),
        "total": sum(losses.values()),
    }
    for name, value in scalars.items():
        close(value, golden[name], 1e-6 if exact else 1e-3)
    close(logits, golden["logits1"], 1e-6 if exact else 1e-2, not exact)
    assert shapes[0] == tuple(golden["stem_output_shape_for_one_image"])

    tolerance = 1e-6 if exact else 1e-3
    state = method.state_dict()
    close(means[0], golden["bn1_running_mean_after_view1"], tolerance, not exact, atol=1e-12)
    close(means[1], golden["bn1_running_mean_after_view2"], tolerance, not exact, atol=1e-12)
    close(state["backbone.bn1.running_var"], golden["bn1_running_var_after_view2"], tolerance, not exact)
    last = state["backbone.layer4.2.bn3.running_var"][::4]
    close(last, golden["last_bn_running_var_after_view2"], tolerance, not exact)
    norms = np.array([float(parameters[ours(str(key))].grad.norm()) for key in golden["grad_norm_keys"]])
    assert len(norms) == len(parameters)
    close(norms, golden["grad_norms"], 1e-6 if exact else 5e-3, not exact, atol=1e-9)
    if not exact:  # single entries of the gradient, and Adam's first step by its signs, are rounding
        return
    for name in [name for name in golden if name.startswith("grad.")]:
        close(subsample(parameters[ours(name[5:])].grad), golden[name], 1e-6, atol=1e-9)
    optimiser.step()
    for name in [name for name in golden if name.startswith("after_step.")]:
        close(subsample(parameters[ours(name[11:])]), golden[name], 1e-6, atol=1e-9)
    with torch.no_grad():
        close(method.eval().logits(first), golden["eval_logits_after_step"], 1e-4)


def small(cls=EAC, channels=1, **parameters):
    torch.manual_seed(0)
    method = cls(cls.Parameters(**parameters))
    method.build(BACKBONES["resnet10_w16"](channels), 7)
    images, labels = torch.randn(6, channels, 48, 48), torch.arange(6)
    return method, Batch(images, labels, torch.arange(6), second=images.flip(-1))


@pytest.mark.parametrize(
    "view2, noisy, expected",
    [
        ("auto", True, "independent"),
        ("auto", False, "shared"),
        ("shared", True, "shared"),
        ("independent", False, "independent"),
    ],
)
def test_second_view_follows_the_noise_or_the_choice(view2, noisy, expected):
    recipe = EAC.adapt(EAC.recipe, EAC.Parameters(view2=view2), noisy)
    assert recipe == replace(EAC.recipe, augment=replace(EAC.recipe.augment, second_view=expected))


def test_without_weight_there_is_no_second_view():
    assert EAC.adapt(EAC.recipe, EAC.Parameters(lam=0.0), True).augment.second_view is None
    method, batch = small(lam=0.0)
    batch.second = None
    losses, _ = method.loss(batch)
    assert list(losses) == ["ce"]


def test_the_first_view_passes_first_and_each_updates_the_statistics():
    method, batch = small()
    seen = []
    method.backbone.conv1.register_forward_hook(lambda module, given, out: seen.append(given[0]))
    method.loss(batch)
    assert len(seen) == 2 and seen[0] is batch.images and seen[1] is batch.second
    assert method.backbone.bn1.num_batches_tracked == 2


def test_vggface2_input_is_blue_first_grey_levels_minus_their_mean():
    augment = EAC.adapt(EAC.recipe, EAC.Parameters(input_norm="vggface2"), True).augment
    method, _ = small(channels=3, input_norm="vggface2")
    seen = []
    method.backbone.conv1.register_forward_hook(lambda module, given, out: seen.append(given[0]))
    red = torch.zeros(1, 3, 48, 48)
    red[:, 0] = 1
    mean, std = (torch.tensor(x)[:, None, None] for x in (augment.mean, augment.std))
    method.logits((red - mean) / std)
    expected = torch.tensor([-91.4953, -103.8827, 255 - 131.0912])
    torch.testing.assert_close(seen[0][0, :, 5, 5], expected, rtol=1e-5, atol=1e-3)


def test_opinion_is_the_flip_distance_of_each_image():
    method, batch = small()
    method.eval()
    distribution, wrongness = method.opinion(batch)
    torch.testing.assert_close(distribution, method.logits(batch.images).softmax(1))
    maps = [attention_maps(method.features(x), method.classifier.weight) for x in (batch.images, batch.images.flip(-1))]
    torch.testing.assert_close(wrongness, ((maps[0] - maps[1].flip(-1)) ** 2).mean((1, 2, 3)))
    assert wrongness.shape == (6,) and (wrongness > 0).all() and not wrongness.requires_grad
    features = torch.randn(1, 2048, 7, 7)
    method.build(Maps(), 7)
    symmetric = method.opinion(replace(batch, images=features + features.flip(-1)))[1]
    torch.testing.assert_close(symmetric, torch.zeros(1), rtol=0, atol=1e-10)  # sums of products round by their place


@pytest.mark.parametrize("wrong", [{"view2": "both"}, {"input_norm": "none"}])
def test_impossible_parameters_are_named(wrong):
    with pytest.raises(ValueError, match=f"eac.{next(iter(wrong))}"):
        EAC.Parameters(**wrong)


def test_baseline_is_cross_entropy_on_pooled_features():
    method, batch = small(Baseline)
    losses, logits = method.loss(batch)
    expected = F.linear(method.backbone(batch.images), method.classifier.weight, method.classifier.bias)
    torch.testing.assert_close(logits, expected)
    assert list(losses) == ["ce"]
    torch.testing.assert_close(losses["ce"], -logits.log_softmax(1)[torch.arange(6), batch.labels].mean())
    method.eval()
    distribution, wrongness = method.opinion(batch)
    torch.testing.assert_close(wrongness, 1 - distribution[torch.arange(6), batch.labels])
    assert [id(p) for m in method.heads() for p in m.parameters()] == [id(p) for p in method.classifier.parameters()]
