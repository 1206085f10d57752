"""Images as a scale trains on them: converted once for all jobs, in blocks, the same as a part converted alone."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmark.cache import decoded, lookup, resized
from benchmark.datasets.faces import Faces
from benchmark.scale import DEMO, PAPER, SMALL


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> decoded.Data:
    return lookup.open_data(Faces(), None, Faces.Options(train=100, test=100), tmp_path_factory.mktemp("data"))


def test_a_whole_split_is_converted_once_and_mapped(faces: decoded.Data, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resized, "BLOCK", 7)  # the last block is short
    every = np.arange(100)
    found = resized.load_resized(faces, "train", every, SMALL)
    path = faces.folder / f"fitted-64-{found.shape[-1]}" / "train.npy"
    made = path.stat().st_mtime_ns
    assert found.shape == (100, 64, 64, faces.train.images.shape[-1]) and isinstance(found, np.memmap)
    found[0] = 0  # a job's own pages; the file stays
    again = resized.load_resized(faces, "train", every, SMALL)
    assert path.stat().st_mtime_ns == made and again[0].any()
    part = resized.load_resized(faces, "train", every[5:40], SMALL)
    assert np.array_equal(part, again[5:40])
    assert [file.name for file in path.parent.iterdir()] == ["train.npy"]


def test_sides_channels_and_stored_images_are_those_of_the_scale(faces: decoded.Data) -> None:
    rows = np.array([3, 1])
    assert resized.load_resized(faces, "train", rows, DEMO).shape == (2, 48, 48, 1)
    assert np.array_equal(resized.load_resized(faces, "train", rows, PAPER), faces.train.images[rows])
    same = replace(SMALL, side=faces.train.images.shape[1])
    assert np.array_equal(resized.load_resized(faces, "train", rows, same), faces.train.images[rows])


def test_scales_of_other_sides_and_channels_on_one_data_set_do_not_share_what_was_resized(faces: decoded.Data) -> None:
    every = np.arange(100)
    shapes = [(SMALL, 64, 3), (replace(SMALL, side=32), 32, 3), (DEMO, 48, 1), (replace(DEMO, channels=3), 48, 3)]
    for scale, side, channels in shapes * 2:  # the second time from what the first one left
        assert resized.load_resized(faces, "train", every, scale).shape == (100, side, side, channels)


def test_colours_become_grey_by_their_weights() -> None:
    images = np.zeros((3, 48, 48, 3), np.uint8)
    for plane in range(3):
        images[plane, ..., plane] = 200
    found = np.empty((3, 48, 48, 1), np.uint8)
    resized.resize_rows(images, np.arange(3), DEMO, found)
    assert found[:, 0, 0, 0].tolist() == [60, 117, 23]


def test_a_conversion_that_fails_leaves_nothing(
    faces: decoded.Data, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(resized, "resize_rows", full)
    with pytest.raises(OSError):
        resized.write_resized(np.zeros((2, 8, 8, 1), np.uint8), SMALL, tmp_path / "fitted" / "train.npy")
    assert list((tmp_path / "fitted").iterdir()) == []


def test_in_a_folder_that_may_not_be_written_the_images_are_the_same(
    faces: decoded.Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    every, scale = np.arange(100), replace(DEMO, side=40)
    with monkeypatch.context() as patch:
        patch.setattr(resized, "write_resized", refuse)
        alone = resized.load_resized(faces, "train", every, scale)
    assert alone.shape == (100, 40, 40, 1) and np.array_equal(alone, resized.load_resized(faces, "train", every, scale))
