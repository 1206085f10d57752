"""RAF-DB: the list, the pictures, both kinds of landmarks, and what is refused."""

import io
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from pictures import encode_pixels, open_pictures, random_pixels
from PIL import Image

from benchmark.cache.decoded import Data
from benchmark.datasets.base import DataError
from benchmark.datasets.rafdb import RAFDB
from benchmark.datasets.reading import rafdb

NAMES = {1: "surprise", 2: "fear", 3: "disgust", 4: "happiness", 5: "sadness", 6: "anger", 7: "neutral"}


def jpeg(seed: int, size: tuple[int, int] = (100, 100)) -> bytes:
    smooth = np.asarray(Image.fromarray(random_pixels(seed, 5)).resize(size))
    return encode_pixels(smooth, "JPEG", quality=90)


@pytest.fixture
def base(tmp_path: Path) -> Path:
    base = tmp_path / "rafdb" / "basic"
    (base / "EmoLabel").mkdir(parents=True)
    (base / "Image" / "aligned").mkdir(parents=True)
    rows = [(f"train_{n:05}", n) for n in range(1, 8)] + [(f"test_{n:04}", 8 - n) for n in range(1, 8)]
    (base / "EmoLabel" / "list_patition_label.txt").write_text("".join(f"{n}.jpg {label}\n" for n, label in rows))
    for seed, (name, _) in enumerate(rows):
        (base / "Image" / "aligned" / f"{name}_aligned.jpg").write_bytes(jpeg(seed))
    return base


def label_list(base: Path) -> Path:
    return base / "EmoLabel" / "list_patition_label.txt"


def read(path: Path):
    return RAFDB().read(path, RAFDB.Options())


def opened(path: Path, root: Path) -> Data:
    return open_pictures(path, root, RAFDB)


def test_labels_are_translated_by_name(base: Path, tmp_path: Path):
    data = opened(base, tmp_path / "root")
    assert data.classes == ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
    for number, (name, label) in enumerate(zip(data.train.names, data.train.labels), 1):
        assert name == f"train_{number:05}.jpg" and data.classes[label] == NAMES[number]
    for number, (name, label) in enumerate(zip(data.test.names, data.test.labels), 1):
        assert name == f"test_{number:04}.jpg" and data.classes[label] == NAMES[8 - number]
    assert data.train.images.shape == (7, 100, 100, 3) and data.train.votes is None and data.train.landmarks is None
    assert np.array_equal(data.train.images[2], np.asarray(Image.open(io.BytesIO(jpeg(2)))))


def test_other_places_are_the_same_data(base: Path, tmp_path: Path):
    expected = opened(base, tmp_path / "root").fingerprint
    assert opened(base.parent, tmp_path / "root1").fingerprint == expected
    label_list(base).rename(base / "EmoLabel" / "list_partition_label.txt")
    assert opened(tmp_path, tmp_path / "root2").fingerprint == expected
    aligned = base / "Image" / "aligned"
    with zipfile.ZipFile(base / "Image" / "aligned.zip", "w") as archive:
        for path in aligned.iterdir():
            archive.write(path, f"aligned/{path.name}")
    aligned.rename(tmp_path / "elsewhere")
    assert opened(base, tmp_path / "root3").fingerprint == expected
    aligned.with_suffix(".zip").unlink()
    shutil.make_archive(str(aligned), "gztar", tmp_path / "elsewhere")
    assert opened(base, tmp_path / "root4").fingerprint == expected
    whole = shutil.make_archive(str(tmp_path / "whole"), "zip", tmp_path, "rafdb")
    assert opened(Path(whole), tmp_path / "root5").fingerprint == expected


def test_order_of_the_list_does_not_matter_but_pixels_and_labels_do(base: Path, tmp_path: Path):
    first = opened(base, tmp_path / "root")
    lines = label_list(base).read_text().splitlines()
    label_list(base).write_text("\n".join(reversed(lines)))
    again = opened(base, tmp_path / "root1")
    assert again.fingerprint == first.fingerprint
    assert np.array_equal(again.train.labels, first.train.labels)
    assert np.array_equal(again.train.images, first.train.images)
    label_list(base).write_text("\n".join(lines).replace("train_00001.jpg 1", "train_00001.jpg 2"))
    assert opened(base, tmp_path / "root2").fingerprint != first.fingerprint
    label_list(base).write_text("\n".join(lines))
    (base / "Image" / "aligned" / "test_0001_aligned.jpg").write_bytes(jpeg(99))
    assert opened(base, tmp_path / "root3").fingerprint != first.fingerprint


def test_what_is_missing_from_the_published_list_is_named(base: Path):
    (warning,) = read(base).warnings
    assert "train 7 (-12,264)" in warning and "test 7 (-3,061)" in warning and "12,271 / 3,068" in warning
    assert "train_00008.jpg" in warning and "and 15,320 more" in warning


def test_published_tensors_are_rows_in_list_order(base: Path, tmp_path: Path):
    lines = label_list(base).read_text().splitlines()
    label_list(base).write_text("\n".join(reversed(lines)))  # rows of the tensor follow the list, not the names
    points = torch.rand(7, 19, 2) * 224
    torch.save(points, base / "RAF_train_landmarks.pt")
    torch.save(torch.rand(7, 19, 2) * 224, base / "EmoLabel" / "landmark_test.pth")
    data = opened(base, tmp_path / "root")
    assert np.allclose(data.train.landmarks, points.numpy()[::-1] / 224, atol=1e-6)
    assert data.test.landmarks.shape == (7, 19, 2) and data.landmark_fingerprint
    assert "usable for 7 of 7" in data.info["facts"]["landmarks"]


@pytest.fixture
def passed_on(tmp_path: Path) -> Path:
    """Folders 1 to 7 whose order is not that of the pictures' numbers, and a tensor of more rows than pictures."""
    base = tmp_path / "passed on"
    for split, width in (("train", 5), ("test", 4)):
        for n in range(1, 15):
            path = base / split / str((3 * n) % 7 + 1) / f"{split}_{n:0{width}}_aligned.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(jpeg(n + 100 * (split == "test")))
    torch.save(torch.rand(20, 19, 2, generator=torch.Generator().manual_seed(0)) * 224, base / "train_landmarks.pt")
    return base


def test_published_tensors_are_found_by_the_pictures_numbers_where_no_list_says_their_order(
    passed_on: Path, tmp_path: Path
):
    data = opened(passed_on, tmp_path / "root")
    rows = [int(name[6:11]) - 1 for name in data.train.names]
    assert rows == list(range(14)) and "usable for 14 of 14" in data.info["facts"]["landmarks"]
    assert np.allclose(data.train.landmarks, torch.load(passed_on / "train_landmarks.pt").numpy()[rows] / 224)
    picture = next((passed_on / "train" / "4").iterdir())
    picture.rename(picture.with_name("mine.jpg"))
    with pytest.raises(DataError, match=r"train_landmarks.pt: its 20 rows follow .* which train/4/mine.jpg cannot"):
        read(passed_on)


def test_a_picture_that_lies_there_twice_is_not_guessed(base: Path):
    (base / "Image" / "aligned" / "old").mkdir()
    (base / "Image" / "aligned" / "old" / "train_00001_aligned.jpg").write_bytes(jpeg(50))
    with pytest.raises(DataError, match=r"old/train_00001_aligned.jpg and train_00001_aligned.jpg have one name"):
        read(base)


def test_pictures_saved_as_png_and_a_list_with_commas_in_utf_16_are_read(base: Path, tmp_path: Path):
    for path in list((base / "Image" / "aligned").iterdir()):
        Image.open(path).save(path.with_suffix(".png"))
        path.unlink()
    label_list(base).write_text(label_list(base).read_text().replace(" ", ","), "utf-16")
    data = opened(base, tmp_path / "root")
    assert np.array_equal(data.train.images[2], np.asarray(Image.open(io.BytesIO(jpeg(2)))))


def test_labels_from_nought_are_said(passed_on: Path, tmp_path: Path):
    (passed_on / "train_landmarks.pt").unlink()
    for split in ("train", "test"):
        for label in range(1, 8):
            (passed_on / split / str(label)).rename(passed_on / split / str(label - 1))
    (line,) = [w for w in opened(passed_on, tmp_path / "root").info["warnings"] if "read as" in w]
    assert "labels 0 to 6 are read as surprise, fear, disgust, happiness, sadness, anger, neutral" in line


def test_published_counts_at_other_classes_are_refused(passed_on: Path, monkeypatch: pytest.MonkeyPatch):
    """Folders numbered by the alphabet hold as many pictures as published, but under other names."""
    (passed_on / "train_landmarks.pt").unlink()
    next((passed_on / "train" / "2").iterdir()).unlink()
    have = (2, 1, 2, 2, 2, 2, 2)
    monkeypatch.setattr(rafdb, "COUNTS", {"train": have})
    rafdb.read_passed_on(rafdb.locate_rafdb(passed_on), [])
    monkeypatch.setattr(rafdb, "COUNTS", {"train": have[::-1]})
    with pytest.raises(
        DataError, match=r"at other classes: fear 1 \(2\), anger 2 \(1\); the labels are in another order"
    ):
        rafdb.read_passed_on(rafdb.locate_rafdb(passed_on), [])


class Harm:
    def __reduce__(self):
        return (print, ("ran code",))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (torch.zeros(6, 19, 2), r"found \[6, 19, 2\], expected a float tensor \[7, 19, 2\]"),
        (torch.arange(266.0).reshape(7, 19, 2) % 3 * 2500, "points up to 5000, expected pixels from 0 to 224"),
        ({"a": 1}, "found dict"),
        (Harm(), "not a plain tensor file"),
    ],
)
def test_bad_tensors_are_refused(base: Path, capsys: pytest.CaptureFixture, content: object, message: str):
    torch.save(content, base / "landmark_train.pt")
    with pytest.raises(DataError, match=rf"rafdb: landmark_train.pt: {message}") as error:
        read(base)
    assert "\n" not in str(error.value) and "ran code" not in capsys.readouterr().out


def test_landmarks_by_name(base: Path):
    names = np.array(["train_00003.jpg", "test_0002.jpg"])
    np.savez(
        base / "landmarks.npz",
        names=names,
        xy=np.random.default_rng(0).uniform(30, 70, (2, 19, 2)),
        frame=100,
        confidence=np.array([0.9, 0]),
    )
    source = read(base)
    assert np.isfinite(source.train.landmarks).all((1, 2)).tolist() == [False, False, True] + [False] * 4
    assert abs(source.train.landmarks[2] - 0.5).max() <= 0.2 and np.isnan(source.test.landmarks).all()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("train_00002.jpg 2", "train_00002.jpg 8", "line 2: label '8', expected a whole number from 1 to 7"),
        ("train_00002.jpg 2", "train_00002.jpg 0", "line 2: label '0'"),
        ("train_00002.jpg 2", "train_00002.jpg x", "line 2: label 'x'"),
        ("train_00002.jpg 2", "train_00002.jpg", "line 2: .*expected a name and a label"),
        ("train_00002.jpg 2", "train_00001.jpg 2", r"line 2: train_00001.jpg was listed before \(line 1\)"),
        ("train_00002.jpg 2", "valid_00002.jpg 2", "line 2: valid_00002.jpg: expected a name that starts with"),
        ("train_00002.jpg 2", "train_/../../x.jpg 2", "line 2: .*leads outside"),
        ("train_00002.jpg 2", "train_\x07.jpg 2", "line 2: .*control character"),
    ],
)
def test_bad_list_is_refused(base: Path, old: str, new: str, message: str):
    text = label_list(base).read_text()
    assert old in text
    label_list(base).write_text(text.replace(old, new))
    with pytest.raises(DataError, match=rf"rafdb: list_patition_label.txt, {message}") as error:
        read(base)
    assert "\n" not in str(error.value)


def test_a_list_in_another_encoding_is_refused_with_the_fix(base: Path):
    label_list(base).write_bytes(b"train_\xfc.jpg 2\n")
    with pytest.raises(DataError, match=r"list_patition_label.txt: cannot be read as text .*; save it as UTF-8$"):
        read(base)


def test_missing_pieces_are_named(base: Path, tmp_path: Path):
    with pytest.raises(DataError, match=r"nowhere: there is no such folder"):
        read(tmp_path / "nowhere")
    with pytest.raises(DataError, match=rf"inside the data; give the folder above: {base}$"):
        read(base / "EmoLabel")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"empty: no EmoLabel/list_patition_label.txt here"):
        read(tmp_path / "empty")
    for number in range(1, 8):
        (base / "Image" / "aligned" / f"train_{number:05}_aligned.jpg").unlink()
    with pytest.raises(DataError, match=r"7 listed images are not there: train_00001_aligned.jpg, .* and 2 more"):
        read(base)
    (base / "Image" / "aligned").rename(base / "Image" / "other")
    with pytest.raises(DataError, match=r"no folder aligned/"):
        read(base)


def test_truncated_pictures_are_listed(base: Path, tmp_path: Path):
    for number in range(1, 8):
        path = base / "Image" / "aligned" / f"train_{number:05}_aligned.jpg"
        path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(
        DataError, match=r"rafdb: 7 images cannot be used: aligned/train_00001_aligned.jpg.* and 2 more"
    ):
        opened(base, tmp_path / "root")


def test_pictures_of_another_size_are_stored_at_100_pixels(base: Path, tmp_path: Path):
    (base / "Image" / "aligned" / "train_00001_aligned.jpg").write_bytes(jpeg(0, (224, 224)))
    stored = opened(base, tmp_path / "root").train.images[0].astype(int)
    expected = np.asarray(Image.open(io.BytesIO(jpeg(0))), int)
    assert stored.shape == (100, 100, 3) and np.abs(stored - expected).mean() < 6
