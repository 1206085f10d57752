"""Start weights from landmarks: a backbone that learns, the same bits again, mirror images that are mirror images."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmark import plugins, scale
from benchmark.cache import decoded, lookup
from benchmark.datasets.faces import Faces
from benchmark.datasets.points import MIRRORED, mirror_points, reduce_to_19_points
from benchmark.train import pretrain
from benchmark.train.pretrain import shape_targets
from methods.support.backbones import ResNet10
from methods.support.weights import load_backbone


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> decoded.Data:
    return lookup.open_data(Faces(), None, Faces.Options(train=300, test=100), tmp_path_factory.mktemp("data"))


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    quick = scale.DEMO.pretraining | {"views": 4800, "epochs": 8, "rate": 4e-3}
    monkeypatch.setitem(scale.SCALES, "demo", replace(scale.DEMO, pretraining=quick))


def test_shapes_are_learned_with_the_same_bits_each_time(faces, short, tmp_path: Path, capsys) -> None:
    for name in ("one.pt", "two.pt"):
        pretrain.pretrain_backbone(str(faces.folder), str(tmp_path / name), "resnet10_w16", "demo", "cpu", "fp32")
    one, two = (torch.load(tmp_path / name, weights_only=True) for name in ("one.pt", "two.pt"))
    assert all(torch.equal(one["state_dict"][key], two["state_dict"][key]) for key in one["state_dict"])
    assert one["made_from"]["images"] == 300 and one["made_from"]["unexplained"] < 0.9
    assert load_backbone(ResNet10(1), tmp_path / "one.pt").left_random == []
    assert capsys.readouterr().out.count("unexplained shape variance") == 2 * 8


def test_a_vision_transformer_learns_landmarks_too(faces, short, tmp_path: Path) -> None:
    pytest.importorskip("timm")
    settings = scale.SCALES["demo"].pretraining | {"views": 600, "epochs": 1}
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(scale.SCALES, "demo", replace(scale.DEMO, pretraining=settings))
        name = "timm/vit_tiny_patch16_224"
        pretrain.pretrain_backbone(str(faces.folder), str(tmp_path / "vit.pt"), name, "demo", "cpu", "fp32")
    loaded = load_backbone(plugins.make_backbone(name, 1, 48), tmp_path / "vit.pt")
    assert loaded.filled > 100 and loaded.left_random == []


def test_weights_that_are_there_are_not_made_again(faces, tmp_path: Path) -> None:
    (tmp_path / "made.pt").write_bytes(b"made before")
    pretrain.pretrain_backbone(str(faces.folder), str(tmp_path / "made.pt"), "resnet10_w16", "demo", "cpu", "fp32")
    assert (tmp_path / "made.pt").read_bytes() == b"made before"


def test_the_demos_own_images_are_left_out_where_others_are_enough(faces) -> None:
    demo = replace(scale.DEMO, train_images=100)
    own = demo.train_rows(np.asarray(faces.train.labels), len(faces.classes))
    assert np.array_equal(pretrain.training_rows(faces, demo), np.arange(300))  # 200 others are few
    rows = pretrain.training_rows(faces, replace(demo, pretraining=demo.pretraining | {"held_out": 200}))
    assert len(rows) == 200 and not set(rows.tolist()) & set(own.tolist())
    few = replace(scale.PAPER, pretraining=scale.PAPER.pretraining | {"images": 50})
    assert len(pretrain.training_rows(faces, few)) == 50


@pytest.mark.parametrize("points", [68, 19])
def test_a_mirror_images_landmarks(faces, points: int) -> None:
    found = np.asarray(faces.train.landmarks)
    found = found if points == 68 else reduce_to_19_points(found)
    turned = mirror_points(found)
    assert np.array_equal(MIRRORED[points][MIRRORED[points]], np.arange(points))
    np.testing.assert_allclose(mirror_points(turned), found, atol=1e-6)
    left = np.flatnonzero(MIRRORED[points] != np.arange(points))
    before, after = (x[:, left, 0].mean(0) < 0.5 for x in (found, turned))
    assert np.array_equal(before, after)  # left in the image stays left in the image


def test_shape_targets_are_white_and_blind_to_position_size_and_rotation() -> None:
    draw = np.random.default_rng(0)
    shapes = draw.normal(size=(68, 2)) + 0.05 * draw.normal(size=(400, 68, 2))
    targets = shape_targets(shapes)
    assert targets.shape == (400, 24)
    assert np.allclose(targets.T @ targets / 400, np.eye(24), atol=1e-4)
    turn = draw.uniform(-0.5, 0.5, 400)
    rotation = np.stack([np.stack([np.cos(turn), -np.sin(turn)], -1), np.stack([np.sin(turn), np.cos(turn)], -1)], -2)
    moved = draw.uniform(0.5, 2, (400, 1, 1)) * (shapes @ rotation) + draw.normal(size=(400, 1, 2))
    again = shape_targets(moved)
    likeness = np.abs(np.linalg.svd(targets.T @ again / 400, compute_uv=False))
    assert likeness.min() > 0.9  # the same subspace, up to the mean shape that they are turned to
