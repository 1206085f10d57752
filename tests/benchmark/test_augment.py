"""Batched augmentation against the published programs, Pillow and torchvision."""

import math
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import transforms
from torchvision.transforms import functional

from benchmark import plugins
from benchmark.train import augment as module
from benchmark.train import resize as resampling
from benchmark.train.augment import (
    add_pixel_noise,
    augment_images,
    blank_boxes,
    crop_box,
    crop_boxes,
    erase_boxes,
    jitter_colours,
    jitter_draws,
    mirror_images,
    move_landmarks,
    plain_images,
)
from benchmark.train.resize import resample_boxes, resize_images, resized_crop
from methods.support.recipe import IMAGENET_MEAN, IMAGENET_STD, Augment

GOLDEN = Path(__file__).parents[1] / "golden"
SCN = Augment(flip=0.25, pixel_noise=0.25, exclusive=True, erase=0.5)
LANET = Augment(flip=0.5, crop=(0.75, 1.0), jitter=0.4, erase=0.2, erase_area=(0.02, 0.2), resize="bicubic")


def golden(name):
    return np.load(GOLDEN / f"{name}_01.npz", allow_pickle=False)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def random_images(count, side, channels=3, seed=0):
    return torch.randint(0, 256, (count, side, side, channels), dtype=torch.uint8, generator=generator(seed))


def smooth_images(count, side, channels=3):
    """Images with the contrast of photographs, so that nothing is clipped."""
    return resize_images(random_images(count, 6, channels) // 2 + 64, side, "bicubic")


def pillow(image):
    return Image.fromarray(image.numpy() if image.shape[2] == 3 else image[:, :, 0].numpy())


def grey_levels(seen, recipe=SCN):
    """Undo the normalisation: [B, 3, S, S] to [B, S, S, 3] of 0 .. 255."""
    mean, std = (torch.tensor(v)[:, None, None] for v in (recipe.mean, recipe.std))
    return ((seen * std + mean) * 255).permute(0, 2, 3, 1)


# Numbers of the published programs.


def lanet_draws(seed, side):
    """Flip, area, aspect and place as the published program draws them from Python's generator."""
    draw = random.Random(seed)
    flipped = draw.random() < 0.5
    for _ in range(10):
        area, aspect = draw.uniform(0.75, 1), math.exp(draw.uniform(math.log(3 / 4), math.log(4 / 3)))
        tall, wide = round(math.sqrt(area * side**2 * aspect)), round(math.sqrt(area * side**2 / aspect))
        if 0 < tall <= side and 0 < wide <= side:
            left, top = draw.randint(0, side - wide), draw.randint(0, side - tall)
            return flipped, area, aspect, (left + 0.5) / (side - wide + 1), (top + 0.5) / (side - tall + 1)
    return flipped, 1.0, 1.0, 0.5, 0.5  # the whole image


def test_lanet_geometry():
    data = golden("lanet_geomaug")
    image = torch.from_numpy(data["image_blocks"].repeat(8, 0).repeat(8, 1))
    side = len(image)
    draws = [lanet_draws(int(seed), side) for seed in data["python_seeds"]]
    flipped = torch.tensor([d[0] for d in draws])
    boxes, fits = crop_box(*torch.tensor([d[1:] for d in draws], dtype=torch.float64).T, side)
    assert fits.all() and flipped.tolist() == data["flipped"].tolist()
    np.testing.assert_array_equal(boxes, data["crop_i_j_h_w"])
    points = torch.from_numpy(data["landmarks"]).expand(len(draws), -1, -1)
    np.testing.assert_array_equal(move_landmarks(points, side, flipped, None), data["landmarks_after_flip"])
    moved = move_landmarks(points, side, flipped, boxes)
    np.testing.assert_array_equal(moved.int(), data["landmarks_after_crop"])
    images = mirror_images(image.expand(len(draws), -1, -1, -1).clone(), flipped)[:3]
    for found in (resized_crop(images, boxes[:3], "bicubic"), resample_boxes(images, boxes[:3], side, "bicubic")):
        assert np.abs(found.int().numpy() - data["images_after_crop_first3"]).max() <= 2


def published_noise(image, seed):
    noise = np.random.RandomState(int(seed)).normal(0, math.sqrt(30), image.shape)
    return add_pixel_noise(torch.from_numpy(image)[None], torch.from_numpy(noise)[None])


def test_pixel_noise_and_mirror():
    data = golden("pixel_noise")
    np.testing.assert_array_equal(published_noise(data["image"], data["numpy_seed"])[0], data["noisy"])
    mirrored = mirror_images(torch.from_numpy(data["image"])[None], torch.tensor([True]))
    np.testing.assert_array_equal(mirrored[0], data["flipped"])


def test_scn_and_rul_flip_or_noise():
    data = golden("basic_aug_scn_rul")
    image = data["image_rgb"]
    for seed, noise_seed, kind, output in zip(
        data["python_seeds"], data["numpy_seeds"], data["kind"], data["outputs"], strict=True
    ):
        draw = random.Random(int(seed))
        choice = draw.randint(0, 1) if draw.uniform(0, 1) > 0.5 else None
        found = torch.from_numpy(image)[None]
        if choice == 1:
            found = published_noise(image, noise_seed)
        found = mirror_images(found, torch.tensor([choice == 0]))
        assert kind == {None: "none", 0: "flip", 1: "gauss"}[choice]
        np.testing.assert_array_equal(found[0], output)


def erased_square(image):
    """The golden file's stand-in for random erasing: two pixels square, drawn from torch's generator."""
    planes = image.permute(0, 3, 1, 2).clone()
    top, left = (int(torch.randint(0, planes.shape[axis] - 1, (1,))) for axis in (2, 3))
    blank_boxes(planes, torch.tensor([[left, top, 2, 2]]))
    return planes


def test_eac_views():
    data = golden("eac_views")
    raw = torch.from_numpy(data["image_rgb"])[None]
    for i, seed in enumerate(data["python_seeds"]):
        noisy = random.Random(int(seed)).uniform(0, 1) > 0.5
        first = published_noise(data["image_rgb"], data["numpy_seeds"][i]) if noisy else raw
        with torch.random.fork_rng():
            torch.manual_seed(int(data["torch_seeds"][i]))
            shared = erased_square(first)
            torch.manual_seed(int(data["torch_seeds"][i]))
            second = erased_square(mirror_images(raw, torch.tensor([True])))
            np.testing.assert_array_equal(second[0], data["noisy_view2"][i])
            np.testing.assert_array_equal(erased_square(first)[0], data["noisy_view1"][i])
        np.testing.assert_array_equal(shared[0], data["clean_view1"][i])
        np.testing.assert_array_equal(shared.flip(3)[0], data["clean_view2"][i])


# Resampling against Pillow.


@pytest.mark.parametrize("filter", ["bilinear", "bicubic"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("sides", [(20, 45), (48, 32), (30, 30)])
@pytest.mark.parametrize("host", [True, False])
def test_resize_is_pillows(filter, channels, sides, host, monkeypatch):
    monkeypatch.setattr(resampling, "on_host", lambda tensor: host)
    images = random_images(3, sides[0], channels)
    kind = getattr(Image.Resampling, filter.upper())
    expected = np.stack([np.array(pillow(i).resize((sides[1], sides[1]), kind)) for i in images]).reshape(3, -1)
    found = resize_images(images, sides[1], filter).int().reshape(3, -1)
    assert found.shape == expected.shape
    difference = np.abs(found.numpy() - expected)
    # On noise, both round after each axis: rarely in opposite directions.
    assert difference.max() <= 2 and (difference > 1).mean() < 1e-3


@pytest.mark.parametrize("filter", ["bilinear", "bicubic"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("host", [True, False])
def test_resized_crop_is_pillows(filter, channels, host, monkeypatch):
    monkeypatch.setattr(resampling, "on_host", lambda tensor: host)
    images = random_images(12, 40, channels)
    boxes = crop_boxes(12, (0.3, 1.0), 40, generator(1))
    found = resized_crop(images, boxes, filter)
    for image, (left, top, width, height), seen in zip(images, boxes.int().tolist(), found, strict=True):
        cut = pillow(image).crop((left, top, left + width, top + height))
        expected = np.array(cut.resize((40, 40), getattr(Image.Resampling, filter.upper()))).reshape(seen.shape)
        assert np.abs(seen.int().numpy() - expected).max() <= 1


def test_plain_is_torchvisions_pipeline():
    images = random_images(2, 30)
    reference = transforms.Compose(
        [transforms.Resize((50, 50)), transforms.ToTensor(), transforms.Normalize(IMAGENET_MEAN, IMAGENET_STD)]
    )
    expected = torch.stack([reference(pillow(image)) for image in images])
    torch.testing.assert_close(plain_images(images, Augment(), 50), expected, atol=1.01 / 255 / 0.224, rtol=0)
    assert plain_images(images, Augment(), 50).is_contiguous(memory_format=torch.channels_last)


# Distributions.


@pytest.mark.parametrize("method", ["scn", "rul"])
def test_images_of_scn_and_rul_are_never_mirrored_and_noisy(method):
    ramp = torch.arange(40, 200, 10, dtype=torch.uint8)[None, None, :, None].expand(3000, 16, 16, 3).contiguous()
    recipe = replace(plugins.find_methods()[method].recipe.augment, erase=0.0)
    seen = augment_images(ramp, recipe, 16, generator())
    change = grey_levels(seen.images).round() - ramp
    touched, noisy = change.flatten(1).any(1), change[:, :, 0].flatten(1).std(1) > 0
    assert not (noisy & seen.flipped).any() and (touched == (noisy | seen.flipped)).all()
    assert noisy.float().mean() == pytest.approx(0.25, abs=0.03)
    assert seen.flipped.float().mean() == pytest.approx(0.25, abs=0.03)
    # Truncation takes half a grey level off the mean of normal noise with variance 30.
    assert float(change[noisy].mean()) == pytest.approx(-0.5, abs=0.03)
    assert float(change[noisy].var()) == pytest.approx(30 + 1 / 12, rel=0.02)


def test_flip_and_noise_are_independent_unless_exclusive():
    images = torch.full((3000, 4, 4, 3), 100, dtype=torch.uint8)
    seen = augment_images(images, Augment(flip=0.5, pixel_noise=0.5), 4, generator())
    noisy = (grey_levels(seen.images).round() != 100).flatten(1).any(1)
    both = (noisy & seen.flipped).float().mean()
    assert both == pytest.approx(0.25, abs=0.03) and noisy.float().mean() == pytest.approx(0.5, abs=0.03)


def test_crop_boxes_are_distributed_as_published():
    found = crop_boxes(6000, (0.75, 1.0), 64, generator())
    expected = []
    for seed in range(6000):
        _, *values = lanet_draws(seed, 64)
        expected.append(crop_box(*torch.tensor(values, dtype=torch.float64)[:, None], 64)[0][0])
    expected = torch.stack(expected).float()
    torch.testing.assert_close(found.mean(0), expected.mean(0), atol=0.25, rtol=0)
    torch.testing.assert_close(found.std(0), expected.std(0), atol=0.25, rtol=0)
    assert (found[:, :2] + found[:, 2:] <= 64).all() and (found >= 0).all()


def test_a_crop_that_never_fits_is_the_whole_image():
    assert crop_boxes(4, (2.0, 2.0), 32, generator()).tolist() == [[0, 0, 32, 32]] * 4


@pytest.mark.parametrize("area", [(0.02, 0.25), (0.5, 0.9)])
def test_erased_boxes_are_torchvisions(area):
    boxes = erase_boxes(6000, 1.0, area, 32, generator())
    with torch.random.fork_rng():
        torch.manual_seed(0)
        blank = torch.zeros(1, 32, 32)
        drawn = [transforms.RandomErasing.get_params(blank, area, (0.3, 3.3), [0.0])[:4] for _ in range(3000)]
    expected = torch.tensor([(left, top, w, h) for top, left, h, w in drawn]).float()
    expected[expected[:, 2] == 32] = 0  # torchvision's answer when nothing fitted
    for statistic in (torch.Tensor.mean, torch.Tensor.std):
        torch.testing.assert_close(statistic(boxes, 0), statistic(expected, 0), atol=0.5, rtol=0.02)
    size, wanted = boxes[:, 2] * boxes[:, 3], expected[:, 2] * expected[:, 3]
    assert float(size.mean()) == pytest.approx(float(wanted.mean()), rel=0.04)
    assert (boxes[:, :2] + boxes[:, 2:] <= 32).all()


def test_erasing_fills_with_zero_after_normalisation():
    images = torch.full((1000, 16, 16, 3), 200, dtype=torch.uint8)
    erased = augment_images(images, Augment(erase=0.3), 16, generator()).images == 0
    assert erased.flatten(1).any(1).float().mean() == pytest.approx(0.3, abs=0.04)
    assert (erased == erased[:, :1]).all()


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_jitter_is_torchvisions(order):
    images = random_images(3, 12)
    factors = torch.tensor([[1.4, 0.6, 1.3], [0.7, 1.4, 0.6], [1.2, 1.1, 1.4]])
    changes = [functional.adjust_brightness, functional.adjust_contrast, functional.adjust_saturation]
    found = jitter_colours(images, factors, torch.tensor([order] * 3))
    for image, factor, seen in zip(images, factors.tolist(), found, strict=True):
        expected = image.permute(2, 0, 1).float() / 255
        for step in order:
            expected = changes[step](expected, factor[step])
        torch.testing.assert_close(seen.permute(2, 0, 1), expected * 255, atol=0.3, rtol=0)


def test_jitter_of_grey_images_ignores_saturation():
    images = random_images(2, 12, 1)
    kept = jitter_colours(images, torch.tensor([[1.0, 1.0, 0.2]] * 2), torch.tensor([[2, 0, 1]] * 2))
    torch.testing.assert_close(kept, images.float(), atol=1e-3, rtol=0)


def test_jitter_draws_every_order_and_the_whole_range():
    factors, order = jitter_draws(6000, 0.4, generator())
    counts = torch.unique(order, dim=0, return_counts=True)[1]
    assert len(counts) == 6 and counts.min() > 900 and counts.max() < 1100
    assert factors.min() >= 0.6 and factors.max() <= 1.4
    assert float(factors.mean()) == pytest.approx(1, abs=0.01)


def test_lanet_pipeline_has_the_moments_of_torchvisions():
    images = smooth_images(1, 40).expand(600, -1, -1, -1).contiguous()
    reference = transforms.Compose(
        [
            transforms.Resize((56, 56), transforms.InterpolationMode.BICUBIC),
            transforms.RandomHorizontalFlip(),
            transforms.RandomResizedCrop(56, (0.75, 1.0), interpolation=transforms.InterpolationMode.BICUBIC),
            transforms.ColorJitter(0.4, 0.4, 0.4),
            transforms.ToTensor(),
            transforms.Normalize(LANET.mean, LANET.std),
            transforms.RandomErasing(0.2, (0.02, 0.2)),
        ]
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        expected = torch.stack([reference(pillow(images[0])) for _ in range(600)])
    found = augment_images(images, LANET, 56, generator()).images
    assert float((found.mean(0) - expected.mean(0)).abs().mean()) < 0.06
    assert float(found.std(0).mean() / expected.std(0).mean()) == pytest.approx(1, abs=0.04)


# What holds for every batch.


@pytest.mark.parametrize("recipe", [SCN, LANET])
@pytest.mark.parametrize("stored, channels", [(1, 1), (1, 3), (3, 3)])
def test_images_of_a_batch_differ_and_a_seed_repeats_them(recipe, stored, channels):
    images = smooth_images(1, 24, stored).expand(16, -1, -1, -1).contiguous()
    before = images.clone()
    seen = augment_images(images, recipe, 32, generator(4), channels=channels).images
    assert seen.shape == (16, channels, 32, 32) and seen.dtype == torch.float32
    assert len(torch.unique(seen.flatten(1), dim=0)) > 8
    assert torch.equal(seen, augment_images(images, recipe, 32, generator(4), channels=channels).images)
    assert not torch.equal(seen, augment_images(images, recipe, 32, generator(5), channels=channels).images)
    assert torch.equal(images, before)


def test_global_generators_are_left_alone():
    states = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    augment_images(random_images(4, 16), LANET, 16, generator())
    assert torch.equal(states[0], torch.get_rng_state()) and random.getstate() == states[2]
    np.testing.assert_array_equal(states[1], np.random.get_state()[1])


def test_grey_images_are_repeated_or_normalised_with_the_mean():
    grey = random_images(2, 8, 1)
    torch.testing.assert_close(
        plain_images(grey, SCN, 8), plain_images(grey.expand(-1, -1, -1, 3).contiguous(), SCN, 8)
    )
    mean, std = sum(IMAGENET_MEAN) / 3, sum(IMAGENET_STD) / 3
    expected = (grey.permute(0, 3, 1, 2) / 255 - mean) / std
    torch.testing.assert_close(plain_images(grey, SCN, 8, channels=1), expected)


@pytest.mark.parametrize("images", [torch.zeros(2, 8, 8, 3), torch.zeros(2, 8, 9, 3, dtype=torch.uint8)])
def test_other_images_are_refused(images):
    with pytest.raises(ValueError, match="expected uint8"):
        plain_images(images, SCN, 8)


def test_rgb_images_cannot_feed_a_grey_backbone():
    with pytest.raises(ValueError, match="3 channels"):
        augment_images(random_images(2, 8), SCN, 8, generator(), channels=1)


def test_landmarks_move_with_the_pixels():
    count, stored, side = 40, 50, 100
    places = torch.randint(15, 35, (count, 2), generator=generator(2))
    images = torch.zeros(count, stored, stored, 3, dtype=torch.uint8)
    for image, (x, y) in zip(images, places.tolist(), strict=True):
        image[y - 1 : y + 2, x - 1 : x + 2] = 255
    points = ((places + 0.5) / stored)[:, None]
    recipe = Augment(flip=0.5, crop=(0.75, 1.0), resize="bicubic")
    seen = augment_images(images, recipe, side, generator(), points)
    weight = grey_levels(seen.images)[..., 0].clamp(min=0)
    pixel = torch.arange(side) + 0.5
    total = weight.sum((1, 2))
    found = torch.stack([(weight.sum(1) * pixel).sum(1), (weight.sum(2) * pixel).sum(1)], 1) / total[:, None]
    inside = ((seen.landmarks > 4) & (seen.landmarks < side - 4)).all(2)[:, 0]
    assert inside.sum() > 30 and 8 < seen.flipped.sum() < 32
    torch.testing.assert_close(seen.landmarks[inside, 0], found[inside], atol=0.4, rtol=0)


def test_landmarks_without_geometry_are_pixels_of_the_training_image():
    points = torch.tensor([[[0.5, 0.25], [float("nan"), 1.0]]])
    seen = augment_images(random_images(1, 8), Augment(), 16, generator(), points)
    torch.testing.assert_close(seen.landmarks, points * 16, equal_nan=True)


# Second views.


def test_a_shared_second_view_is_the_mirrored_first():
    recipe = Augment(pixel_noise=0.5, erase=0.5, second_view="shared")
    seen = augment_images(random_images(8, 12), recipe, 12, generator())
    assert torch.equal(seen.second, seen.images.flip(3)) and not seen.flipped.any()


def test_an_independent_second_view_mirrors_the_raw_image_and_erases_alone():
    recipe = Augment(pixel_noise=0.5, erase=0.5, second_view="independent")
    images = random_images(400, 12) // 2 + 60
    seen = augment_images(images, recipe, 12, generator())
    raw, kept = plain_images(images, recipe, 12).flip(3), seen.second != 0
    torch.testing.assert_close(seen.second[kept], raw[kept])
    first, second = ((view == 0).flatten(1).any(1) for view in (seen.images, seen.second))
    assert (first & second).float().mean() == pytest.approx(0.25, abs=0.08)
    assert second.float().mean() == pytest.approx(0.5, abs=0.1)


def test_an_independent_second_view_mirrors_what_the_first_shows_of_a_flipped_and_cropped_image():
    images = smooth_images(16, 24)
    seen = augment_images(images, Augment(flip=0.5, crop=(0.5, 0.9), second_view="independent"), 24, generator())
    assert 0 < int(seen.flipped.sum()) < 16
    torch.testing.assert_close(seen.second, seen.images.flip(3), atol=1.01 / 255 / 0.224, rtol=0)
    seen = augment_images(images, Augment(flip=0.5, second_view="independent"), 24, generator())
    assert torch.equal(seen.second, seen.images.flip(3))


def test_a_fresh_second_view_is_another_draw():
    recipe = Augment(flip=0.5, crop=(0.75, 1.0), resize="bicubic", second_view="fresh")
    seen = augment_images(smooth_images(8, 24), recipe, 24, generator())
    assert (seen.images - seen.second).flatten(1).abs().amax(1).min() > 0


# The path of a device, which reads nothing back.


def test_the_device_path_gives_the_same_images(monkeypatch):
    images, recipe = smooth_images(12, 20), Augment(flip=0.5, crop=(0.75, 1.0), jitter=0.4, erase=0.5, resize="bicubic")
    host = augment_images(images, recipe, 32, generator(), torch.rand(12, 5, 2, generator=generator()))
    for place in (module, resampling):
        monkeypatch.setattr(place, "on_host", lambda tensor: False)
    device = augment_images(images, recipe, 32, generator(), torch.rand(12, 5, 2, generator=generator()))
    assert torch.equal(host.flipped, device.flipped) and torch.equal(host.landmarks, device.landmarks)
    assert torch.equal(host.images == 0, device.images == 0)
    # Two roundings to grey levels may differ by one each, and jitter stretches them by up to 1.4 ** 3.
    torch.testing.assert_close(host.images, device.images, atol=2 * 1.4**3 / 255 / 0.224, rtol=0)
    assert float((host.images - device.images).abs().mean()) < 0.1 / 255 / 0.224


def test_pixel_noise_of_the_device_path(monkeypatch):
    monkeypatch.setattr(resampling, "on_host", lambda tensor: False)
    images = torch.full((2000, 4, 4, 3), 100, dtype=torch.uint8)
    change = grey_levels(augment_images(images, Augment(pixel_noise=0.5), 4, generator()).images).round() - 100
    noisy = change.flatten(1).any(1)
    assert noisy.float().mean() == pytest.approx(0.5, abs=0.04)
    assert float(change[noisy].var()) == pytest.approx(30 + 1 / 12, rel=0.03)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("recipe", [SCN, LANET, Augment(erase=0.5, pixel_noise=0.5, second_view="independent")])
def test_a_cuda_device_is_never_waited_for(recipe):
    images, points = random_images(8, 100).cuda(), torch.rand(8, 19, 2).cuda()
    source = torch.Generator("cuda").manual_seed(0)
    augment_images(images, recipe, 224, source, points)
    torch.cuda.set_sync_debug_mode("error")
    try:
        augment_images(images, recipe, 224, source, points)
        plain_images(images, recipe, 224)
    finally:
        torch.cuda.set_sync_debug_mode("default")
