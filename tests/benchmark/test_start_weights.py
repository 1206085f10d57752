"""How start weights are made from landmarks, step by step: what the network is shown, at which rates, and what is kept."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from benchmark import scale
from benchmark.cache import decoded, lookup
from benchmark.cache.resized import load_resized
from benchmark.datasets.faces import Faces
from benchmark.datasets.points import mirror_points
from benchmark.plan import start_weights
from benchmark.train import pretrain
from benchmark.train.augment import plain_images
from methods.support.backbones import BACKBONES
from methods.support.recipe import Augment, OneCycle
from results.job import stream_seed

IMAGES = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (6, 8, 8, 1), np.uint8))
TARGETS = torch.from_numpy(np.random.default_rng(1).standard_normal((12, 3)).astype(np.float32))
SEED = 77


class Recorder(nn.Module):
    """A backbone that passes four means of its images on, and keeps all that it is shown."""

    channels, width = 1, 4

    def __init__(self) -> None:
        super().__init__()
        self.scale, self.seen = nn.Parameter(torch.ones(4)), []

    def forward(self, images: Tensor) -> Tensor:
        self.seen.append(images.detach().clone())
        return nn.functional.adaptive_avg_pool2d(images, 2).flatten(1) * self.scale


def trained(**settings: Any) -> tuple[list[Tensor], nn.ModuleList, float]:
    model = nn.ModuleList([Recorder(), nn.Linear(4, 3)])
    with torch.no_grad():
        model[1].weight.fill_(0.5)
        model[1].bias.zero_()
    told = {"batch": 4, "views": 48, "epochs": 3, "rate": 0.1} | settings
    error = pretrain.train_regression(model, IMAGES, TARGETS, 8, told, SEED)
    return model[0].seen, model, error


def faces_of(batch: Tensor) -> list[int]:
    """Which of the six images, or of their mirror images (6 and on), a batch shows beside what is erased."""
    both = plain_images(torch.cat([IMAGES, IMAGES.flip(2)]), Augment(), 8, 1)
    return [int((both - image).abs().flatten(1).median(1).values.argmin()) for image in batch]


def test_every_image_and_its_mirror_image_is_shown_once_an_epoch_in_an_order_of_the_epoch() -> None:
    seen, _, _ = trained()
    assert [len(batch) for batch in seen] == [4] * 9
    orders = [[f for batch in seen[3 * e : 3 * e + 3] for f in faces_of(batch)] for e in range(3)]
    draws = [torch.Generator().manual_seed(stream_seed(SEED, epoch)) for epoch in range(3)]
    assert orders == [torch.randperm(12, generator=draw).tolist() for draw in draws]
    again, _, _ = trained()
    assert all(torch.equal(one, two) for one, two in zip(seen, again, strict=True))


def test_a_quarter_of_the_images_has_an_erased_box() -> None:
    seen, _, _ = trained(views=10_000, epochs=40)
    shown = plain_images(torch.cat([IMAGES, IMAGES.flip(2)]), Augment(), 8, 1)
    changed = [not torch.equal(image, shown[face]) for b in seen for image, face in zip(b, faces_of(b))]
    assert len(changed) == 480 and 0.15 < np.mean(changed) < 0.35


@pytest.mark.parametrize(
    ("settings", "epochs", "size"),
    [
        ({"views": 25}, 2, 4),
        ({"views": 1}, 1, 4),
        ({"views": 1000, "epochs": 2}, 2, 4),
        ({"batch": 100}, 3, 12),
        ({"batch": 5}, 3, 5),
    ],
)
def test_views_bound_the_epochs_and_images_the_batch(settings: dict, epochs: int, size: int) -> None:
    seen, _, _ = trained(**settings)
    assert [len(batch) for batch in seen] == [size] * (12 // size * epochs)


def test_steps_are_adam_s_under_one_cycle_and_the_last_epoch_s_error_is_told(capsys: pytest.CaptureFixture) -> None:
    seen, model, error = trained()
    said = capsys.readouterr().out.splitlines()
    follower, head = Recorder(), nn.Linear(4, 3)
    with torch.no_grad():
        head.weight.fill_(0.5)
        head.bias.zero_()
    optimiser, errors = torch.optim.Adam([*follower.parameters(), *head.parameters()]), []
    for step, batch in enumerate(seen):
        loss = ((head(follower(batch)) - TARGETS[faces_of(batch)]) ** 2).mean()
        optimiser.param_groups[0]["lr"] = 0.1 * OneCycle().at(step, 3, 3)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        errors.append(loss.item())
    torch.testing.assert_close(model[0].scale, follower.scale)
    torch.testing.assert_close(model[1].weight, head.weight)
    assert error == pytest.approx(np.mean(errors[6:]), rel=1e-5)
    assert said == [
        f"pretraining on landmarks: epoch {n + 1}/3, unexplained shape variance {np.mean(errors[3 * n : 3 * n + 3]):.3f}"
        for n in range(3)
    ]


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> decoded.Data:
    return lookup.open_data(Faces(), None, Faces.Options(train=100, test=100), tmp_path_factory.mktemp("data"))


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_network_is_seeded_by_data_and_name_and_kept_with_what_it_was_made_from(
    faces: decoded.Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, precision: str
) -> None:
    settings = scale.DEMO.pretraining | {"images": 40}
    monkeypatch.setitem(scale.SCALES, "demo", replace(scale.DEMO, pretraining=settings))
    given: list[Any] = []

    def regress(*arguments: Any) -> float:
        given.extend(arguments)
        assert torch.are_deterministic_algorithms_enabled()
        return 0.25

    monkeypatch.setattr(pretrain, "train_regression", regress)
    path = tmp_path / "deep" / "made.pt"
    pretrain.pretrain_backbone(str(faces.folder), str(path), "resnet10_w16", "demo", "cpu", precision)
    model, images, targets, side, told, seed = given
    size = scale.SCALES["demo"]
    rows = pretrain.training_rows(faces, size)
    points = np.asarray(faces.train.landmarks)[rows]
    assert len(rows) == 40 and (side, told) == (48, settings)
    assert np.array_equal(images.numpy(), load_resized(faces, "train", rows, size))
    assert np.array_equal(targets.numpy(), pretrain.shape_targets(np.concatenate([points, mirror_points(points)])))
    assert seed == stream_seed("pretraining", faces.fingerprint, "resnet10_w16")
    torch.manual_seed(seed)
    network = BACKBONES["resnet10_w16"](1)
    kept = torch.load(path, weights_only=True)
    assert set(kept) == {"state_dict", "made_from"} and set(kept["state_dict"]) == set(network.state_dict())
    assert all(torch.equal(value, kept["state_dict"][name]) for name, value in network.state_dict().items())
    assert kept["made_from"] == {**settings, "images": 40, "unexplained": 0.25, "fingerprint": faces.fingerprint}
    assert model[0].precision == {"fp32": None, "bf16": torch.bfloat16}[precision]
    assert (model[1].in_features, model[1].out_features) == (network.width, targets.shape[1])
    next(model[0].parameters()).data.add_(1)
    pretrain.pretrain_backbone(str(faces.folder), str(path), "resnet10_w16", "demo", "cpu", precision)
    assert len(given) == 6  # what is there is not made again


def test_a_file_of_weights_is_hashed_once_and_again_when_it_is_another(tmp_path: Path, monkeypatch) -> None:
    path, read_paths = tmp_path / "start.pt", []
    monkeypatch.setattr(start_weights, "digest_file", lambda name: read_paths.append(name) or path.read_text())
    for text in ("one", "two"):
        path.write_text(text)
        os.utime(path, ns=(0, 0))
        for _ in range(2):
            assert start_weights.weights_of_file("--weights", str(path)).identity == f"sha256:{text}"
    assert read_paths == [path, path]
