"""Copies that spoil a measurement are known when a data set is decoded: on its card, before training, in the caption."""

import io
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmark.cache.copies import find_copies, shrink_image
from benchmark.cache.data_card import format_page, make_data_card
from benchmark.cache.leaks import find_leaks
from benchmark.cache.lookup import open_data
from benchmark.commands.run_all import main
from benchmark.datasets.folder import ImageFolder
from benchmark.datasets.rafdb import RAFDB


def faces(count: int, seed: int = 0, side: int = 100) -> np.ndarray:
    """Smooth random pictures [n, side, side, 3] uint8."""
    rough = np.random.default_rng(seed).integers(0, 256, (count, 5, 5, 3), np.uint8)
    return np.stack([np.asarray(Image.fromarray(r).resize((side, side), Image.Resampling.BICUBIC)) for r in rough])


def recoded(image: np.ndarray) -> np.ndarray:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=80)
    return np.asarray(Image.open(buffer))


def found(train: np.ndarray, test: np.ndarray, labels: list[int], tested: int = 0):
    small = tuple(np.stack([shrink_image(i) for i in part]) for part in (train, test))
    return find_leaks((train, test), (np.array(labels), np.full(len(test), tested)), small)


def test_exact_mirrored_and_recoded_copies_are_told_apart_from_others() -> None:
    train, others = faces(40), faces(40, 1)
    test = np.stack([train[3], train[5][:, ::-1], recoded(train[7]), recoded(train[9][:, ::-1]), *others])
    leaks = found(train, test, [0] * 40)
    assert leaks.exact == (0,) and leaks.near == (1, 2, 3) and leaks.torn == ()


def drawn(count: int, seed: int) -> np.ndarray:
    """Pictures with plain backgrounds, whose outlines flip with every encoding."""
    random = np.random.default_rng(seed)
    images = np.full((count, 100, 100, 3), 150, np.uint8)
    for image in images:
        for _ in range(6):
            y, x = random.integers(10, 70, 2)
            image[y : y + random.integers(8, 25), x : x + random.integers(8, 25)] = random.integers(0, 256, 3)
    return images


def test_copies_that_were_encoded_or_resized_are_found_on_plain_backgrounds() -> None:
    train, others = drawn(60, 0), drawn(60, 1)
    small = [np.asarray(Image.fromarray(image).resize((48, 48)).resize((100, 100))) for image in train[:20]]
    assert found(train, np.stack([*map(recoded, train[:20]), *small, *others]), [0] * 60).near == tuple(range(40))


def test_copies_with_another_label_are_counted_across_the_splits_and_when_encoded_again() -> None:
    pictures = faces(20)
    assert found(pictures, pictures[:3], [0, 1, *[0] * 18]).crossed == (1,)
    train = np.stack([*pictures, *map(recoded, pictures[:4])])
    leaks = found(train, faces(2, 1), [*[0] * 20, 0, 1, 1, 0])
    assert leaks.torn == () and leaks.nearly_torn == (1, 2, 21, 22)


def test_pictures_that_share_most_of_their_outlines_take_seconds() -> None:
    small = np.full((3_000, 16, 18), 150, np.uint8)
    small[:, 4:12, 6:12] = np.random.default_rng(0).integers(0, 256, (3_000, 8, 6))
    images = np.broadcast_to(np.zeros((1, 8, 8, 1), np.uint8), (3_000, 8, 8, 1))
    start = time.process_time()
    find_leaks(*((part[:2_000], part[2_000:]) for part in (images, np.zeros(3_000, int), small)))
    assert time.process_time() - start < 10


def test_one_picture_under_two_labels() -> None:
    pictures = faces(6)
    train = np.stack([*pictures, pictures[1], pictures[2]])
    assert found(train, faces(2, 1), [0, 1, 0, 1, 0, 1, 0, 0]).torn == (1, 6)  # the copies of 2 agree


def test_plain_pictures_are_no_copies_of_each_other() -> None:
    grey = np.stack([np.full((100, 100, 3), n, np.uint8) for n in range(60)])
    leaks = found(grey[:40], grey[40:], [0] * 40)
    assert leaks.exact == leaks.near == ()


def test_thirty_thousand_images_take_seconds() -> None:
    small = np.random.default_rng(0).integers(0, 256, (30_000, 16, 18), np.uint8)
    images = np.broadcast_to(np.zeros((1, 8, 8, 1), np.uint8), (30_000, 8, 8, 1))
    start = time.process_time()
    labels = np.zeros(30_000, int)
    find_leaks(*((part[:24_000], part[24_000:]) for part in (images, labels, small)))
    assert time.process_time() - start < 10


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """Seven classes; every test picture is trained on, and one training picture lies in two classes."""
    pictures = iter(faces(60, 2, 48))
    for name in ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"):
        for split, count in (("train", 5), ("test", 2)):
            for n in range(count):
                path = tmp_path / "own" / split / name / f"{n}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                image = Image.fromarray(next(pictures))
                image.save(path)
                if split == "test":
                    image.save(tmp_path / "own" / "train" / name / f"copy{n}.png")
    image.save(tmp_path / "own" / "train" / "fear" / "again.png")
    return tmp_path / "own"


def test_copies_are_said_before_training_and_in_the_caption(own: Path, tmp_path: Path, capsys) -> None:
    words = ["--table", "symmetric", "--methods", "baseline", "--seeds", "0", "--rates", "0.3", "--weights", "random"]
    words += ["--scale", "demo", "--set", "recipe.epochs=1", "--workers", "1", "--data", f"folder={own}"]
    assert main([*words, "--results", str(tmp_path / "runs"), "--out", str(tmp_path / "out")]) == 0
    told = capsys.readouterr().err
    assert told.index("14 of 14 test images are also among the training images") >= 0
    assert "2 training images have copies with different labels" in told
    caption = (tmp_path / "out" / "table_symmetric.md").read_text()
    assert "14 of 14 test images are also among the training images" in caption and "stored at 112 px" in caption


def test_the_card_counts_them(own: Path, tmp_path: Path) -> None:
    data = open_data(ImageFolder(), own, ImageFolder.Options(), tmp_path / "cache")
    assert data.info["test_images_also_in_train"] == 14 and data.info["training_images_under_two_labels"] == 2


def test_one_changed_pixel_makes_a_near_copy_and_no_exact_one(tmp_path: Path) -> None:
    """The small pictures of both are the same: only all pixels tell them apart, across the splits and within one."""
    pictures = faces(12, 3, 112)
    for row, picture in enumerate(pictures):
        save_own(tmp_path, "test" if row > 9 else "train", ("happy", "sad")[row % 2], f"{row}.png", picture)
    changed = pictures.copy()
    changed[:, 50, 50, 0] ^= 1
    for row in (0, 2):
        assert (shrink_image(changed[row]) == shrink_image(pictures[row])).all()
    save_own(tmp_path, "test", "sad", "changed.png", changed[0])
    save_own(tmp_path, "train", "sad", "changed.png", changed[2])
    data = open_data(ImageFolder(), tmp_path / "own", ImageFolder.Options(size=112), tmp_path / "cache")
    assert data.info["test_images_also_in_train"] == data.info["training_images_under_two_labels"] == 0
    assert data.info["test_images_nearly_in_train"] == 1
    assert "another label" not in data.info["facts"]["copies"]
    assert "2 training images have near copies with different labels" in data.info["facts"]["copies"]
    page = make_data_card(data)
    assert page["exact"]["test_images_also_in_train"] == page["exact"]["train"]["images"] == 0
    assert (page["near"]["train and test"], page["near"]["within train"]) == (1, 1)


def save_own(base: Path, split: str, name: str, file: str, pixels: np.ndarray) -> None:
    path = base / "own" / split / name / file
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def test_the_stored_size_is_an_option(tmp_path: Path) -> None:
    for split in ("train", "test"):
        for label in range(1, 8):
            path = tmp_path / "raf" / split / str(label) / f"{split}_{label}.png"
            path.parent.mkdir(parents=True)
            Image.fromarray(faces(1, label, 224)[0]).save(path)
    data = open_data(RAFDB(), tmp_path / "raf", RAFDB.Options(size=224), tmp_path / "cache")
    assert data.train.images.shape[1:] == (224, 224, 3) and data.info["facts"]["stored"] == "224 px"
    page = format_page(make_data_card(data))
    assert "\n- stored images: 224 x 224, RGB\n" in page
    assert "\n| all | 7 | 12,271 (-12,264) | 7 | 3,068 (-3,061) |\n" in page


def test_a_card_without_any_candidates_of_copies_is_drawn() -> None:
    images = faces(1), faces(1, 1)
    copies = find_copies(images, tuple(np.stack([shrink_image(image) for image in part]) for part in images))
    assert copies.exact == [] and copies.near.shape == (0, 3)
