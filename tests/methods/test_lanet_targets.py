"""LA-Net's heat maps and weight maps: the published numbers, a literal loop, and what the options change."""

import numpy as np
import pytest
import torch
from golden_files import load
from hypothesis import given, settings
from hypothesis import strategies as st

from methods.lanet.targets import (
    Brush,
    brush_for,
    gaussian_profiles,
    heat_maps,
    landmark_targets,
    map_points,
    weight_maps,
)
from performance import literal


def test_published_heat_maps_and_weights():
    golden = load("lanet_target_01")
    profile = gaussian_profiles(torch.from_numpy(golden["points_xy"]).float(), 56, Brush())
    np.testing.assert_allclose(heat_maps(profile), golden["heatmap"], atol=1e-6)
    np.testing.assert_array_equal(weight_maps(profile), golden["weight_map"])


def test_published_points_from_image_landmarks():
    golden = load("lanet_points_01")
    landmarks = torch.from_numpy(golden["landmarks_float"])
    np.testing.assert_array_equal(map_points(landmarks, 4), golden["points"])
    heat, weight = landmark_targets(landmarks[None], 224, 56, brush_for(56))
    np.testing.assert_allclose(heat[0], golden["heatmap"], atol=1e-6)
    np.testing.assert_array_equal(weight[0], golden["weight_map"])


@settings(max_examples=40, deadline=None)
@given(st.sampled_from([8, 14, 56]), st.data())
def test_batched_maps_equal_the_loop_over_landmarks(side, data):
    whole = st.integers(-9, side + 9)
    points = np.array(data.draw(st.lists(st.tuples(whole, whole), min_size=6, max_size=6))).reshape(2, 3, 2)
    profile = gaussian_profiles(torch.from_numpy(points).float(), side, Brush())
    heat, weight = literal.landmark_targets(points, side)
    np.testing.assert_allclose(heat_maps(profile), heat, atol=1e-6)
    np.testing.assert_array_equal(weight_maps(profile), weight)


def test_exact_heat_maps_are_centred_and_symmetric():
    profile = gaussian_profiles(map_points(torch.tensor([[8.0, 101.0]]), 4, exact=True), 56, Brush(), exact=True)
    maps = heat_maps(profile)[0]
    mass = maps.sum()
    along = torch.arange(56.0)
    assert (maps.sum(1) @ along / mass).item() == pytest.approx(25.25, abs=0.02)
    assert maps.sum(0).argmax() == 2
    shifted = gaussian_profiles(map_points(torch.tensor([[8.0, 101.0]]), 4), 56, Brush())
    assert shifted[0, 0].argmax() == 3, "the published brush is one pixel off near the border"


@pytest.mark.parametrize("side, expected", [(56, Brush()), (112, Brush(3.0, 10, 8, 2)), (12, Brush(0.75, 2, 2, 0))])
def test_the_brush_keeps_its_share_of_the_map(side, expected):
    assert brush_for(side) == expected
