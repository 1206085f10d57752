"""Landmarks that are no face: counted as unusable whatever door they come through, and never the end of another run."""

from pathlib import Path

import numpy as np
import pytest
import torch

from benchmark.datasets.points import blank_placeholders
from benchmark.datasets.reading import affectnet, landmark_files

FACE = np.random.default_rng(0).uniform(0.2, 0.8, (68, 2))


def no_faces(count: int) -> dict[str, np.ndarray]:
    face = FACE[:count]
    line, partly = face.copy(), face.copy()
    line[:, 1], partly[: count // 2] = 0.5, -1
    frozen = np.full((count, 2), np.nan)
    return {
        "minus one": np.full((count, 2), -1.0),
        "nought": np.zeros((count, 2)),
        "one constant": np.full((count, 2), 0.37),
        "a corner of pixels": np.full((count, 2), -1 / 224),
        "outside": face + 1.5,
        "far outside": face + 40,
        "a number that no point has": np.full((count, 2), 9999.0),
        "a line": line,
        "half of them -1": partly,
        "tiny": 0.5 + (face - 0.5) / 100,
        "not a number": frozen,
    }


@pytest.mark.parametrize("count", [68, 19])
@pytest.mark.parametrize("kind", no_faces(19))
def test_points_that_are_no_face_are_unusable_and_faces_beside_them_stay(count: int, kind: str) -> None:
    face = FACE[:count]
    both = blank_placeholders(np.stack([face, no_faces(count)[kind], face - 0.25]))
    assert np.isnan(both[1]).all() and (both[0] == face).all()
    assert (both[2] == face - 0.25).all()  # a chin or brow may lie outside


def test_repeated_points_of_coarse_detections_are_a_face() -> None:
    coarse = np.round(FACE * 24) / 24
    assert len({tuple(p) for p in coarse}) < 68 and np.isfinite(blank_placeholders(coarse[None])).all()


@pytest.mark.parametrize("kind", no_faces(19))
def test_no_door_lets_them_in(tmp_path: Path, kind: str) -> None:
    bad = no_faces(19)[kind]
    names = ["a", "b", "c"]
    np.savez(tmp_path / "points.npz", names=np.array(names), xy=np.stack([FACE[:19], bad, FACE[:19]]))
    found = landmark_files.read_npz("own", tmp_path / "points.npz", names)
    assert np.isfinite(found).all((1, 2)).tolist() == [True, False, True]
    torch.save(torch.tensor(np.stack([FACE[:19], bad, FACE[:19]])).float() * 224, tmp_path / "points.pt")
    found = landmark_files.read_tensor("own", tmp_path / "points.pt", 3)
    assert np.isfinite(found).all((1, 2)).tolist() == [True, False, True]


def test_placeholders_for_most_images_stop_nothing(tmp_path: Path) -> None:
    names = [f"train\\{n}" for n in range(5)]
    points = np.stack([FACE[:19], *[np.full((19, 2), 9999.0)] * 4])
    np.savez(tmp_path / "points.npz", names=np.array(names), xy=points)
    found = landmark_files.read_npz("own", tmp_path / "points.npz", [f"train/{n}" for n in range(5)])
    assert np.isfinite(found).all((1, 2)).tolist() == [True] + [False] * 4
    torch.save(torch.tensor(points).float(), tmp_path / "points.pt")
    assert np.isnan(landmark_files.read_tensor("own", tmp_path / "points.pt", 5)[1:]).all()


@pytest.mark.parametrize("text", ["-1", "nan", "0", ";".join(["-2"] * 136), "NULL", ""])
def test_a_cell_that_repeats_one_thing_is_no_face(text: str) -> None:
    assert np.isnan(affectnet.parse_points(text, (0, 0, 9, 9), "x")).all()


@pytest.mark.parametrize("value", [np.array(-1), np.zeros(0), np.full(136, -1.0), np.full((2, 68), np.nan)])
def test_a_file_that_repeats_one_number_is_no_face(tmp_path: Path, value: np.ndarray) -> None:
    (tmp_path / "annotations").mkdir()
    np.save(tmp_path / "annotations" / "7_lnd.npy", value)
    assert np.isnan(affectnet.read_points(tmp_path, "7", tmp_path / "7.jpg")).all()


def test_coverage_counts_what_is_used() -> None:
    assert "usable for 1 of 2" in landmark_files.describe_coverage(np.stack([FACE, np.full((68, 2), -1.0)]), "x")
