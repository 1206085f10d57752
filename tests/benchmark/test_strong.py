"""The strong view's operations against Pillow's, and the shift of both views."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance, ImageOps

from benchmark.train import resize, shift, strong
from benchmark.train.augment import augment_images
from benchmark.train.shift import shift_draws, shift_images
from benchmark.train.strong import GREY, TABLE, apply_operations, paint_square, strong_view
from methods.support.recipe import Augment, Strong

SIDE = 40


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def photographs(count: int = 3, channels: int = 3) -> torch.Tensor:
    """Uint8 images of limited contrast, with smooth and rough parts."""
    rough = torch.rand((count, SIDE, SIDE, channels), generator=generator(1)) * 30
    slope = torch.linspace(30, 180, SIDE)[None, :, None, None] * torch.linspace(0.7, 1, channels)
    return (rough + slope).to(torch.uint8)


def one(images: torch.Tensor, name: str, strength: float = 1.0, negative: bool = False) -> torch.Tensor:
    chosen = torch.full((len(images),), TABLE.index(name))
    return apply_operations(images, chosen, strength, torch.full((len(images),), negative))


PILLOW = {
    "identity": (lambda image: image, 0),
    "solarise": (lambda image: ImageOps.solarize(image, 256), 0),
    "autocontrast": (ImageOps.autocontrast, 1),
    "equalise": (ImageOps.equalize, 0),
    "posterise": (lambda image: ImageOps.posterize(image, 4), 0),
    "colour": (lambda image: ImageEnhance.Color(image).enhance(1.9), 2),
    "contrast": (lambda image: ImageEnhance.Contrast(image).enhance(1.9), 1),
    "brightness": (lambda image: ImageEnhance.Brightness(image).enhance(1.9), 1),
    "sharpness": (lambda image: ImageEnhance.Sharpness(image).enhance(1.9), 1),
}


@pytest.mark.parametrize("name", PILLOW)
def test_grey_levels_change_as_pillow_changes_them(name: str) -> None:
    images, (reference, tolerance) = photographs(), PILLOW[name]
    found = one(images, name)
    for image, ours in zip(images, found):
        theirs = np.array(reference(Image.fromarray(image.numpy())))
        assert np.abs(ours.numpy().astype(int) - theirs).max() <= tolerance
    assert (name in ("identity", "solarise")) == torch.equal(found, images)


@pytest.mark.parametrize("name", TABLE)
def test_every_operation_takes_grey_images_and_images_of_one_value(name: str) -> None:
    for images in (photographs(channels=1), torch.full((2, SIDE, SIDE, 3), 77, dtype=torch.uint8)):
        found = one(images, name)
        assert found.dtype == torch.uint8 and found.shape == images.shape


def test_an_image_of_one_value_is_neither_stretched_nor_spread() -> None:
    flat = torch.full((1, SIDE, SIDE, 1), 77, dtype=torch.uint8)
    assert all(torch.equal(one(flat, name), flat) for name in ("autocontrast", "equalise"))


@pytest.mark.parametrize("lightest", [1, 2, 70, 71])
def test_grey_levels_are_spread_as_pillow_does_where_their_number_just_reaches_a_step(lightest: int) -> None:
    levels = np.sort(np.random.default_rng(lightest).integers(0, 200, SIDE * SIDE))
    levels[-lightest:] = 200  # 1,530 darker pixels are six steps of 255, with 71 of the lightest it is one less
    image = levels.astype(np.uint8).reshape(1, SIDE, SIDE, 1)
    theirs = np.array(ImageOps.equalize(Image.fromarray(image[0, :, :, 0])))
    assert np.array_equal(one(torch.from_numpy(image), "equalise")[0, :, :, 0].numpy(), theirs)


@pytest.mark.parametrize("negative", [False, True])
def test_a_translation_moves_by_whole_pixels_and_fills_with_grey(negative: bool) -> None:
    images, step = photographs(), round(SIDE * 10 / 224)
    found = one(images, "translate x", negative=negative)
    kept, gone = (found[:, :, step:], found[:, :, :step]) if negative else (found[:, :, :-step], found[:, :, -step:])
    source = images[:, :, :-step] if negative else images[:, :, step:]
    assert torch.equal(kept, source) and (gone == GREY).all()
    down = one(images, "translate y", negative=negative)
    assert torch.equal(down, one(images.transpose(1, 2), "translate x", negative=negative).transpose(1, 2))


def test_a_rotation_and_a_shear_are_those_of_pillow() -> None:
    images = photographs()
    tangent, middle = 0.3, SIDE / 2
    for name, theirs in {
        "rotate": lambda image: image.rotate(-30, fillcolor=(GREY,) * 3),
        "shear x": lambda image: image.transform(
            image.size, Image.Transform.AFFINE, (1, tangent, -tangent * middle, 0, 1, 0), fillcolor=(GREY,) * 3
        ),
        "shear y": lambda image: image.transform(
            image.size, Image.Transform.AFFINE, (1, 0, 0, tangent, 1, -tangent * middle), fillcolor=(GREY,) * 3
        ),
    }.items():
        for image, ours in zip(images, one(images, name, negative=name == "rotate")):
            reference = [np.array(theirs(Image.fromarray(image.numpy())))]
            if name == "rotate":
                reference += [np.array(Image.fromarray(image.numpy()).rotate(30, fillcolor=(GREY,) * 3))]
            same = max((ours.numpy() == other).all(-1).mean() for other in reference)
            assert same > 0.95, (name, same)


def test_a_weaker_level_changes_less() -> None:
    images = photographs()

    def change(name: str, strength: float) -> float:
        return float((one(images, name, strength).float() - images.float()).abs().mean())

    for name in ("posterise", "colour", "contrast", "brightness", "sharpness", "rotate", "shear x", "translate y"):
        assert change(name, 0) == 0 and change(name, 0.5) < change(name, 1), name


def test_the_square_is_cut_at_the_border_and_grey() -> None:
    images = torch.zeros((2, SIDE, SIDE, 1), dtype=torch.uint8)
    found = paint_square(images, torch.tensor([[20.0, 0.0], [20.0, 39.0]]), 6)
    assert (found == GREY).sum((1, 2, 3)).tolist() == [36, 3 * 4]
    assert found[0, 17, 17] == GREY and found[0, 23, 23] == 0


def test_half_of_the_operations_are_applied_and_each_of_the_table() -> None:
    seen = []
    images = photographs(1).expand(2000, -1, -1, -1)
    operate_of = strong.apply_operations
    strong.apply_operations = lambda pixels, chosen, *rest: seen.append(chosen) or pixels
    try:
        strong_view(images, Strong(operations=1, cutout=0), generator())
    finally:
        strong.apply_operations = operate_of
    counts = torch.bincount(seen[0], minlength=len(TABLE)) / 2000
    assert abs(counts[0] - (0.5 + 0.5 / 14)) < 0.04 and all(abs(counts[1:] - 0.5 / 14) < 0.02)


def test_the_same_on_a_device_that_must_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    images = photographs(32)
    one_way = strong_view(images, Strong(), generator(3))
    monkeypatch.setattr(resize, "on_host", lambda tensor: False)
    assert torch.equal(strong_view(images, Strong(), generator(3)), one_way)
    assert not torch.equal(one_way, images)


def test_the_second_view_is_altered_further_and_the_first_one_is_as_without() -> None:
    images = photographs(16)
    weak = Augment(flip=0.5, second_view="fresh")
    first = augment_images(images, weak, SIDE, generator(5))
    hard = augment_images(images, Augment(flip=0.5, second_view="strong"), SIDE, generator(5))
    assert torch.equal(first.images, hard.images) and not torch.equal(first.second, hard.second)
    none = Augment(flip=0.5, second_view="strong", strong=Strong(operations=0, cutout=0))
    assert torch.equal(augment_images(images, none, SIDE, generator(5)).second, first.second)


def test_a_shift_moves_crops_pads_and_reflects() -> None:
    images, by = photographs(2), torch.tensor([[3, -2], [-5, 0]])
    padded = np.pad(images.numpy(), ((0, 0), (5, 5), (5, 5), (0, 0)))
    mirrored = np.pad(images.numpy(), ((0, 0), (5, 5), (5, 5), (0, 0)), mode="reflect")
    for fill, source in (("zero", padded), ("reflect", mirrored)):
        for i, (across, down) in enumerate(by.tolist()):
            expected = source[i, 5 + down : 5 + down + SIDE, 5 + across : 5 + across + SIDE]
            assert np.array_equal(shift_images(images, by, fill)[i].numpy(), expected)


def test_a_shift_is_uniform_and_as_frequent_as_asked() -> None:
    draws = shift_draws(9000, Augment(shift=0.1, shift_probability=0.4), SIDE, generator())
    assert draws.min() == -4 and draws.max() == 4
    still = float((draws == 0).all(1).float().mean())
    assert abs(still - (0.6 + 0.4 / 81)) < 0.02
    counts = torch.bincount(shift_draws(9000, Augment(shift=0.1), SIDE, generator())[:, 0] + 4, minlength=9)
    assert (abs(counts / 9000 - 1 / 9) < 0.015).all()


def test_landmarks_and_the_mirrored_view_move_with_the_image(monkeypatch: pytest.MonkeyPatch) -> None:
    images = torch.zeros((1, SIDE, SIDE, 3), dtype=torch.uint8)
    images[0, 20, 12] = 255
    recipe = Augment(shift=0.1, second_view="independent")
    seen = augment_images(images, recipe, SIDE, generator(2), torch.tensor([[[12.5 / SIDE, 20.5 / SIDE]]]))
    row, column = divmod(int(seen.images[0, 0].argmax()), SIDE)
    assert (row, column) != (20, 12)
    assert torch.allclose(seen.landmarks[0, 0], torch.tensor([column + 0.5, row + 0.5]))
    assert torch.equal(seen.second, seen.images.flip(3))
    monkeypatch.setattr(shift, "shift_draws", None)  # not asked where there is no shift
    augment_images(images, Augment(), SIDE, generator())


@pytest.mark.parametrize("fill", ["zero", "reflect"])
def test_the_mirrored_view_of_a_shifted_picture_is_its_mirror_image_also_where_it_was_filled(fill: str) -> None:
    images = photographs(16)
    recipe = Augment(shift=0.2, shift_fill=fill, flip=0.5, second_view="independent")
    seen = augment_images(images, recipe, SIDE, generator(2))
    assert (seen.moved != 0).any(1).sum() > 10
    assert torch.equal(seen.second, seen.images.flip(3))
    turned = augment_images(images, recipe, SIDE, generator(3))
    assert not torch.equal(turned.images, seen.images)


@pytest.mark.parametrize("wrong", [{"shift": 0.6}, {"shift_fill": "grey"}, {"shift_probability": 2}])
def test_a_shift_that_cannot_be_is_refused(wrong: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Augment(**wrong)
    with pytest.raises(ValueError, match="level"):
        Strong(level=11)
