"""One face as numbers: who it is, how it is turned and lit, and where its 68 points are.

Coordinates of a face as in `action_units`; points of the image are (x, y) fractions of its width and height.
"""

from dataclasses import dataclass

import numpy as np

from benchmark.datasets.drawing.action_units import MOVES, NAMES, RESTING, SIDE

SKULL = np.array([[0, 0.2], [1.3, 1.8]])  # middle and radii of the ellipsoid that the face lies on
NOSE = np.array([0.08, 0.17, 0.26, 0.34, 0.1, 0.16, 0.18, 0.16, 0.1])  # height of points 27 to 35 over the face
ON_SIDE = np.stack([(1 - SIDE) / 2, (1 + SIDE) / 2])  # [2, 68] share of the left and right amount that moves a point
ROW = {name: row for row, name in enumerate(NAMES)}


@dataclass(frozen=True)
class Face:
    """All that decides one picture but its grain.

    units: [units, 2]. resting: [68, 2] (outwards, down) of this person. rotation: [2, 3] from the head to the image.
    Colours are RGB, 0..255. light: [2] brightness across and down the image.
    """

    units: np.ndarray
    resting: np.ndarray
    rotation: np.ndarray
    centre: np.ndarray
    skin: np.ndarray
    hair: np.ndarray
    lips: np.ndarray
    iris: np.ndarray
    cloth: np.ndarray
    background: np.ndarray
    forehead: float
    brow: float
    fringe: float
    parting: float
    length: float
    age: float
    beard: float
    glasses: bool
    gaze: np.ndarray
    light: np.ndarray
    contrast: float
    blur: float
    grain: float

    def unit(self, *names: str) -> np.ndarray:
        """[2] summed amount of some units on the left and on the right."""
        return sum(self.units[ROW[name]] for name in names)

    def place(self, points: np.ndarray, height: np.ndarray | float = 0.0) -> np.ndarray:
        """[n, 2] fractions of the image for points [n, 2] on the face; `height` is theirs over its surface."""
        from_middle = (points - SKULL[0]) / SKULL[1]
        surface_height = 0.95 * np.sqrt(np.maximum(1 - (from_middle * from_middle).sum(1), 0.02)) + height - 0.55
        return self.centre + points @ self.rotation[:, :2].T + surface_height[:, None] * self.rotation[:, 2]


def sample_face(units: np.ndarray, rng: np.random.Generator) -> Face:
    """A random person in a random pose who moves the given units, [units, 2]."""
    unit_strength = np.clip(1 + 0.3 * rng.standard_normal((len(NAMES), 1)), 0.2, 1.6)
    units = units * unit_strength * (1 + 0.05 * rng.standard_normal(units.shape))
    skin_tone = rng.uniform()
    hair_grey = rng.uniform()
    skin = (1 - skin_tone) * np.array([238, 200, 172]) + skin_tone * np.array([118, 78, 56]) + rng.normal(0, 7, 3)
    dark_hair = np.array([40, 28, 22])
    bright_hairs = np.array([[150, 105, 60], [176, 150, 105], [120, 60, 35], [160, 158, 156]])
    hair = dark_hair + hair_grey**2 * (bright_hairs[rng.integers(4)] - dark_hair) * (1.2 - skin_tone)
    lip_tint = np.array([0.86, 0.62, 0.62]) + rng.normal(0, 0.06, 3)
    return Face(
        units=units,
        resting=sample_person(rng),
        rotation=sample_pose(rng),
        centre=np.array([0.5, 0.41]) + rng.normal(0, 0.022, 2),
        skin=skin,
        hair=hair,
        lips=skin * lip_tint,
        iris=np.array([[70, 45, 30], [45, 30, 22], [70, 90, 110], [70, 85, 60]])[rng.integers(4)],
        cloth=rng.uniform(30, 200) + rng.uniform(-30, 30, 3),
        background=np.clip(rng.uniform(30, 220) + rng.normal(0, 25, (3, 3, 1)) + rng.normal(0, 14, (3, 3, 3)), 0, 255),
        forehead=rng.uniform(0.9, 1.05),
        brow=rng.uniform(0.045, 0.1),
        fringe=rng.uniform(-0.05, 0.4),
        parting=rng.uniform(-0.7, 0.7),
        length=rng.uniform(0.2, 1.5),
        age=max(0.0, rng.normal(0.25, 0.3)),
        beard=rng.uniform(0.2, 0.6) if rng.random() < 0.15 else 0.0,
        glasses=bool(rng.random() < 0.1),
        gaze=rng.normal(0, [0.03, 0.012]),
        light=rng.normal(0, [0.22, 0.12]),
        contrast=rng.uniform(0.4, 1.15),
        blur=rng.uniform(0, 0.8),
        grain=rng.uniform(2, 12),
    )


def sample_person(rng: np.random.Generator) -> np.ndarray:
    """[68, 2] (outwards, down) of one person's face at rest."""
    points = RESTING.copy()
    jaw = points[:17]
    brows = points[17:27]
    nose = points[27:36]
    eyes = points[36:48]
    mouth = points[48:]
    jaw[:, 0] *= rng.normal(1, 0.05) * (1 - rng.normal(0, 0.05) * np.clip(jaw[:, 1], 0, 1))
    jaw[:, 1] += rng.normal(0, 0.05) * np.clip(jaw[:, 1], 0, 1)
    eye_distance = rng.normal(0, 0.025)
    eyes[:, 0] += eye_distance
    brows[:, 0] += eye_distance + rng.normal(0, 0.015)
    eyes[:, 1] *= rng.normal(1, 0.14)
    eyes[:, 1] += rng.normal(0, 0.06) * (eyes[:, 0] - 0.45)
    brows[:, 1] += rng.normal(0, 0.035) + rng.normal(0, 0.09) * (brows[:, 0] - 0.5)
    nose[:, 0] *= rng.normal(1, 0.12)
    nose[:, 1] *= rng.normal(1, 0.05)
    lip_offsets = mouth[:, 1] - 0.88
    mouth[:, 1] = 0.88 + lip_offsets * rng.normal(1, 0.15) + rng.normal(0, 0.03)
    mouth[:, 1] += rng.normal(0, 0.08) * (mouth[:, 0] - 0.15)
    mouth[:, 0] *= rng.normal(1, 0.09)
    return points


def sample_pose(rng: np.random.Generator) -> np.ndarray:
    """[2, 3] rotation by yaw, pitch and roll, with the size of the head, as fractions of the image."""
    yaw, pitch, roll = np.clip(rng.normal(0, [0.2, 0.12, 0.1]), -0.5, 0.5)
    yaw_turn = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    pitch_turn = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]])
    roll_turn = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
    return 0.355 * rng.normal(1, 0.05) * (roll_turn @ pitch_turn @ yaw_turn)[:2]


def shape_points(face: Face) -> np.ndarray:
    """[68, 2] (x, y) on the face after its units have moved the points."""
    points = face.resting + np.einsum("up,upk->pk", face.units @ ON_SIDE, MOVES)
    heights = points[:, 1]
    keep_order(heights, [37, 38, 43, 44], [41, 40, 47, 46], 0.03)  # lids, as good as shut
    keep_order(heights, [50, 51, 52], [61, 62, 63], 0.03)  # a lip has a thickness
    keep_order(heights, [67, 66, 65], [58, 57, 56], 0.05)
    keep_order(heights, [61, 62, 63], [67, 66, 65], 0.0)  # lips, shut
    heights[[7, 8, 9]] = np.maximum(heights[[7, 8, 9]], heights[57] + 0.15)  # the chin is below the lips
    points[:, 0] = SIDE * np.maximum(points[:, 0], 0.04)  # brows do not meet
    return points


def keep_order(heights: np.ndarray, upper_points: list[int], lower_points: list[int], least_gap: float) -> None:
    """Move points apart, in place, where `upper_points` are not at least `least_gap` above `lower_points`."""
    missing_gap = np.maximum(heights[upper_points] + least_gap - heights[lower_points], 0) / 2
    heights[upper_points] -= missing_gap
    heights[lower_points] += missing_gap


def place_landmarks(face: Face, points: np.ndarray | None = None) -> np.ndarray:
    """[68, 2] (x, y) as fractions of the image; points: `shape(face)` where it is known."""
    point_heights = np.zeros(68)
    point_heights[27:36] = NOSE
    return face.place(shape_points(face) if points is None else points, point_heights)
