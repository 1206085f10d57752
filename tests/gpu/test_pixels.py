"""Pixels on a fake CUDA device: shared with the cache, ahead of the step where they do not fit, not touched in vain."""

import threading
from collections import Counter
from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch

from benchmark.cache import lookup
from benchmark.check.pretended import Card
from benchmark.check.pretended_notes import TRAINING
from benchmark.datasets.faces import Faces
from benchmark.scale import PAPER, SCALES
from benchmark.train import device, evaluation, pretrain
from benchmark.train.device import exact_arithmetic, in_turn, iterate_batches, place_pixels, prefetch_pixels
from methods.lanet.method import LANet
from tests.gpu.runs import run

CUDA, CPU = torch.device("cuda"), torch.device("cpu")
SMALL = replace(PAPER, pretraining=PAPER.pretraining | {"images": 40, "batch": 16, "views": 160, "epochs": 2}, side=48)


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory):
    return lookup.open_data(Faces(), None, Faces.Options(train=100, test=100), tmp_path_factory.mktemp("data"))


def test_a_jobs_pixels_are_those_of_the_cache_and_no_copy(faces) -> None:
    images = faces.train.images
    assert isinstance(images, np.memmap)
    assert place_pixels(images, CPU).data_ptr() == images.ctypes.data
    assert Card(free=1000).free < images.nbytes
    with Card(free=1000).there():
        assert place_pixels(images, CUDA).data_ptr() == images.ctypes.data


def test_fresh_tensors_are_not_filled_in_a_step(tmp_path: Path) -> None:
    seen, _, _ = run("baseline", tmp_path)
    steps = 2 * 3
    assert sum(found["fill_"] for part, found in seen.operations.items() if part in TRAINING) <= 2 * steps
    torch.utils.deterministic.fill_uninitialized_memory = True
    exact_arithmetic()
    assert not torch.utils.deterministic.fill_uninitialized_memory
    assert torch.are_deterministic_algorithms_enabled()


@pytest.mark.parametrize("name", ["eac", "resup"])  # two views; a survey
def test_pixels_that_do_not_fit_come_without_waiting_and_give_the_same_bits(name: str, tmp_path: Path) -> None:
    seen, record, arrays = run(name, tmp_path / "small", card=Card(free=1000))
    assert seen.in_steps() == [] and not [w for w in seen.waits if "uint8" in w.what]
    _, other, others = run(name, tmp_path / "large")
    assert record["history"] == other["history"]
    assert all(np.array_equal(arrays[key], others[key]) for key in arrays)


def test_rows_come_in_their_order_whatever_lies_where() -> None:
    images = torch.arange(10 * 4 * 4 * 3).view(10, 4, 4, 3).to(torch.uint8)
    order = torch.tensor([3, 1, 4, 1, 5, 9, 2, 6])
    with Card().there():
        found = list(iterate_batches(images, order, 3, CUDA))
        whole = torch.cat(list(in_turn(images, 4, CUDA)))
        assert [index.tolist() for index, _ in found] == [[3, 1, 4], [1, 5, 9], [2, 6]]
        assert all(pixels.is_cuda and torch.equal(pixels.cpu(), images[index.cpu()]) for index, pixels in found)
        assert torch.equal(whole.cpu(), images)
    assert [pixels for _, pixels in iterate_batches(images, order, 3, CPU)] == [None] * 3
    assert next(in_turn(images, 4, CPU)).data_ptr() == images.data_ptr()


def test_a_buffer_is_filled_only_after_its_last_copy_has_left_it() -> None:
    busy: list = []
    buffers: list[int] = []
    real = torch.index_select

    class Event:
        def __init__(self) -> None:
            self.copying = False
            busy.append(self)

        def record(self) -> None:
            self.copying = True

        def synchronize(self) -> None:
            self.copying = False

    def select(images, dim, rows, out):
        if out.data_ptr() not in buffers:
            buffers.append(out.data_ptr())
        assert not busy[buffers.index(out.data_ptr())].copying
        return real(images, dim, rows, out=out)

    images, parts = torch.arange(48).view(12, 2, 2, 1).to(torch.uint8), torch.arange(12).split(2)
    with (
        Card().there(),
        mock.patch.object(torch.cuda, "Event", Event),
        mock.patch.object(torch, "index_select", select),
    ):
        found = [part.clone() for part in prefetch_pixels(images, parts, CUDA)]
        assert torch.equal(torch.cat(found).cpu(), images)
    assert len(buffers) == 2 == len(busy)


def test_a_step_that_fails_ends_the_thread_that_gathers() -> None:
    images = torch.zeros(12, 2, 2, 1, dtype=torch.uint8)
    with Card().there(), mock.patch.object(device, "ThreadPoolExecutor", wraps=device.ThreadPoolExecutor) as made:
        coming = prefetch_pixels(images, torch.arange(12).split(2), CUDA)
        next(coming)
        coming.close()
        pool = made.mock_calls[0]
    assert pool.args == (1,) and not [thread for thread in threading.enumerate() if "ThreadPool" in thread.name]


def test_images_that_an_opinion_does_not_look_at_are_not_made(tmp_path: Path) -> None:
    made: list[int] = []
    real = evaluation.plain_batch

    def noting(trainer, images):
        made.append(len(images))
        return real(trainer, images)

    with mock.patch.object(evaluation, "plain_batch", noting):
        _, _, arrays = run("lanet", tmp_path / "without")
        without = list(made)
        with mock.patch.object(LANet, "opinion_needs_images", lambda _: True):
            _, _, others = run("lanet", tmp_path / "with")
    assert without == [6, 5, 6, 5] and made[len(without) :] == [6, 5, 6, 5, 44]
    assert np.array_equal(arrays["distribution"], others["distribution"])


@pytest.mark.parametrize("free", [80 * 2**30, 1000])
def test_start_weights_are_made_on_a_gpu_without_waiting_in_a_step(faces, free: int, tmp_path: Path, capsys) -> None:
    card = Card(free)
    torch.backends.cudnn.allow_tf32 = True
    with mock.patch.dict(SCALES, {"small": SMALL}), card.there():
        pretrain.pretrain_backbone(str(faces.folder), str(tmp_path / "on.pt"), "resnet10_w16", "small", "cuda", "fp32")
    assert not torch.backends.cudnn.allow_tf32
    waits = Counter(wait.what.partition(" from")[0] for wait in card.seen.waits)
    epochs = 2
    assert sum(n for what, n in waits.items() if "uint8" in what) == (free > 1000)
    assert waits["(80,) torch.int64"] == 2 * epochs  # the order, and the same as rows
    assert [w.what for w in card.seen.waits if w.kind != "upload"] == ["_local_scalar_dense"] * epochs
    assert waits["torch.tensor"] == 2  # constants of the augmentation
    with mock.patch.dict(SCALES, {"small": SMALL}):
        pretrain.pretrain_backbone(str(faces.folder), str(tmp_path / "off.pt"), "resnet10_w16", "small", "cpu", "fp32")
    one, two = (torch.load(tmp_path / name, weights_only=True) for name in ("on.pt", "off.pt"))
    assert one["made_from"]["unexplained"] == pytest.approx(two["made_from"]["unexplained"], rel=0.2)
    assert capsys.readouterr().out.count("unexplained") == 2 * 2
