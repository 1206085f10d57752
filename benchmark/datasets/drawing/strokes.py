"""Painting of one face over its landmarks, so that these are exact, and the photograph that is taken of it."""

from functools import lru_cache

import cv2
import numpy as np

from benchmark.datasets.drawing.model import Face, place_landmarks, shape_points

VERSION = 2  # raised when any pixel or point changes, here, in model or in action_units
EDGE = np.array([np.cos(np.linspace(0, np.pi, 13)), -np.sin(np.linspace(0, np.pi, 13))]).T  # forehead, right to left
CIRCLE = np.array([np.cos(np.linspace(0, 2 * np.pi, 13)[:-1]), np.sin(np.linspace(0, 2 * np.pi, 13)[:-1])]).T
# Folds: across the forehead and the chin, above the nose, beside the mouth, below the eye.
WAVE = np.array([[-1, 0], [-0.5, -0.75], [0, -1], [0.5, -0.75], [1, 0]])
FROWN = np.array([[0.07, -0.08], [0.055, 0.03], [0.07, 0.14]])
DIMPLE = np.array([[0.04, -0.09], [0.09, 0], [0.05, 0.1]])
POUCH = np.array([[-0.3, 0.1], [-0.21, 0.15], [-0.12, 0.17], [-0.01, 0.155], [0.08, 0.11]])
BROW = np.interp(np.linspace(0, 1, 17), [0, 0.5, 0.9, 1], [0.2, 0.8, 1, 0.7])[:, None]  # thickness along a brow
SUBPIXEL = 4  # bits of a coordinate after the point


class Canvas:
    """A picture being painted: polygons and lines given in fractions of the image, with edges finer than a pixel."""

    def __init__(self, pixels: np.ndarray) -> None:
        self.pixels = pixels
        self.scale = pixels.shape[0] << SUBPIXEL

    def grid(self, points: np.ndarray) -> np.ndarray:
        return np.rint(points * self.scale - (1 << SUBPIXEL) / 2).astype(np.int32)

    def fill(self, points: np.ndarray, colour: np.ndarray) -> None:
        cv2.fillPoly(self.pixels, [self.grid(points)], colour.tolist(), cv2.LINE_AA, SUBPIXEL)

    def line(self, points: np.ndarray, colour: np.ndarray, width: int = 1) -> None:
        cv2.polylines(self.pixels, [self.grid(points)], False, colour.tolist(), width, cv2.LINE_AA, SUBPIXEL)


@lru_cache
def spline_weights(points: int, steps: int) -> np.ndarray:
    """[(points - 1) * steps + 1, points] weights of a Catmull-Rom curve through all points, ends repeated."""
    weights = np.zeros(((points - 1) * steps + 1, points))
    for row in range(len(weights)):
        first_point = min(row // steps, points - 2)
        t = row / steps - first_point
        basis_weights = np.array([-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, t**3 - t**2])
        for offset, weight in zip((-1, 0, 1, 2), basis_weights / 2):
            weights[row, np.clip(first_point + offset, 0, points - 1)] += weight
    return weights


def smooth_curve(points: np.ndarray, steps: int = 4) -> np.ndarray:
    """A smooth open curve through `points`."""
    return spline_weights(len(points), steps) @ points


def draw_face(face: Face, grain: np.random.Generator, size: int) -> np.ndarray:
    """uint8 [size, size, 3] RGB; `grain` draws the noise of the sensor."""
    face_points = shape_points(face)
    points = place_landmarks(face, face_points)
    canvas = Canvas(cv2.resize(face.background.astype(np.uint8), (2 * size, 2 * size), interpolation=cv2.INTER_CUBIC))
    paint_head(canvas, face, points)
    paint_folds(canvas, face, face_points)
    paint_nose(canvas, face, points)
    for side, eye in enumerate((points[36:42], points[42:48])):
        paint_eye(canvas, face, eye, side)
    for brow in (points[17:22], points[26:21:-1]):
        paint_brow(canvas, face, brow)
    paint_mouth(canvas, face, points)
    paint_hair(canvas, face)
    if face.glasses:
        paint_glasses(canvas, face)
    return take_photograph(canvas.pixels, face, face_points, grain, size)


def head_outline(face: Face, points: np.ndarray) -> np.ndarray:
    face_width = abs(face.resting[0, 0])
    forehead = face.place(EDGE[1:-1] * [face_width, face.forehead] - [0, 0.05])
    return np.concatenate([smooth_curve(points[:17], 2), forehead])


def paint_head(canvas: Canvas, face: Face, points: np.ndarray) -> None:
    """Hair behind the head, shoulders, neck, ears, skin and beard."""
    hair_edge = EDGE * [1.17, face.forehead + 0.2] - [0, 0.05]
    hair_ends = [[-1.12, face.length], [-0.8, face.length + 0.1], [0.8, face.length + 0.1], [1.12, face.length]]
    canvas.fill(face.place(np.concatenate([hair_edge, hair_ends]), -0.5), face.hair * 0.8)
    chin = points[8]
    canvas.fill(chin + np.array([[-0.62, 0.3], [-0.2, 0.1], [0.2, 0.1], [0.62, 0.3]]), face.cloth)
    canvas.fill(chin + np.array([[-0.17, -0.2], [0.17, -0.2], [0.19, 0.11], [0, 0.2], [-0.19, 0.11]]), face.skin * 0.72)
    for side in (-1, 1):
        canvas.fill(face.place(CIRCLE * [0.13, 0.24] + [side * 1.03, 0.12], -0.3), face.skin * 0.85)
    canvas.fill(head_outline(face, points), face.skin)
    if face.beard:
        colour = (1 - face.beard) * face.skin + face.beard * face.hair
        canvas.fill(np.concatenate([smooth_curve(points[2:15], 2), smooth_curve(points[[54, 35, 33, 31, 48]])]), colour)


def paint_folds(canvas: Canvas, face: Face, face_points: np.ndarray) -> None:
    """Lines on the skin that the units deepen."""
    deep_folds = [(line, depth) for line, depth in list_folds(face, face_points) if depth > 0.15]
    if deep_folds:
        line_ends = np.cumsum([len(line) for line, _ in deep_folds])[:-1]
        placed_lines = np.split(face.place(np.concatenate([line for line, _ in deep_folds])), line_ends)
        for line, (_, depth) in zip(placed_lines, deep_folds):
            canvas.line(line, face.skin * (1 - 0.35 * min(depth, 1.2)), 2 if depth > 0.6 else 1)


def list_folds(face: Face, face_points: np.ndarray) -> list[tuple[np.ndarray, float]]:
    """(line [n, 2] on the face, depth) of every fold."""
    inner_raised = face.unit("inner brow raiser").mean()
    outer_raised = face.unit("outer brow raiser").mean()
    brow_lowered = face.unit("brow lowerer").mean()
    nose_wrinkled = face.unit("nose wrinkler").mean()
    smile_depth = face.unit("lip corner puller", "dimpler", "nose wrinkler")
    smile_depth = smile_depth + face.unit("upper lip raiser", "lip stretcher") / 2
    corner_depressed = face.unit("lip corner depressor")
    cheek_raised = face.unit("cheek raiser")
    dimple_depth = face.unit("dimpler")
    half_width = 0.55 if outer_raised > inner_raised / 2 else 0.3
    folds = [
        (WAVE * [half_width, 0.03] - [0, height], (inner_raised + outer_raised) / 2 + face.age - 0.2)
        for height in (0.55, 0.69)
    ]
    folds.append((WAVE * [0.16, 0.04] + [0, face_points[57, 1] + 0.12], face.unit("chin raiser").mean()))
    brow_middle = face_points[[21, 22]].mean(0)
    for side, (nose, mouth, eye) in enumerate(((31, 48, 36), (35, 54, 45))):
        outwards = np.array([2 * side - 1, 1])
        smile_line = [
            face_points[nose] + outwards * [0.05, -0.04],
            (face_points[nose] + face_points[mouth]) / 2 + outwards * [0.13, 0.1],
            face_points[mouth] + outwards * [0.13, 0.02],
        ]
        folds += [
            (outwards * FROWN + brow_middle, brow_lowered + nose_wrinkled / 2),
            (outwards * [[0.04, 0.02], [0.13, 0.1]], nose_wrinkled),
            (outwards * [[0.05, 0.1], [0.15, 0.19]], nose_wrinkled),
            (smooth_curve(np.array(smile_line)), smile_depth[side] * 0.8 + face.age / 2),
            (outwards * DIMPLE + face_points[mouth], dimple_depth[side]),
            (outwards * [[0.02, 0.04], [0.07, 0.2]] + face_points[mouth], corner_depressed[side] + face.age * 0.3),
            (outwards * POUCH + face_points[eye], cheek_raised[side] + face.age * 0.3),
            (outwards * [[0.05, 0.02], [0.17, -0.02]] + face_points[eye], cheek_raised[side] + face.age * 0.3),
            (outwards * [[0.05, 0.02], [0.17, 0.07]] + face_points[eye], cheek_raised[side] + face.age * 0.3),
        ]
    return folds


def paint_nose(canvas: Canvas, face: Face, points: np.ndarray) -> None:
    shadow_skin = face.skin * 0.7
    bright_skin = np.minimum(face.skin * 1.12 + 8, 255)
    far_wing = 31 if face.rotation[0, 2] > 0 else 35
    nose_top = points[27] * 0.5 + points[39 if far_wing == 31 else 42] * 0.5
    canvas.line(smooth_curve(np.stack([nose_top, points[29], points[far_wing]])), face.skin * 0.84, 2)
    canvas.line(points[28:31], bright_skin, 2)
    canvas.line(smooth_curve(points[31:36]), shadow_skin, 2)
    nose_rise = points[29] - points[33]
    for wing, tip in ((31, 32), (35, 34)):
        wing_edge = points[wing] + (points[wing] - points[33]) * 0.15
        canvas.line(smooth_curve(np.stack([points[wing] + nose_rise * 0.28, wing_edge, points[wing]])), shadow_skin)
        canvas.line(np.stack([points[tip] * 0.75 + points[wing] * 0.25, points[tip]]), face.skin * 0.35, 3)


def paint_eye(canvas: Canvas, face: Face, eye: np.ndarray, side: int) -> None:
    """White, iris cut by the lids, lid line, lashes and crease; eye: [6, 2] in iBUG order."""
    left_corner = eye[0]
    right_corner = eye[3]
    upper_lid = smooth_curve(eye[:4])
    lower_lid = smooth_curve(eye[[0, 5, 4, 3]])
    eye_white = np.array([228.0, 224, 220]) * (0.75 + 0.1 * face.skin[0] / 255)
    canvas.fill(np.concatenate([upper_lid, lower_lid[::-1]]), eye_white)
    across = right_corner - left_corner
    down = np.array([left_corner[1] - right_corner[1], right_corner[0] - left_corner[0]])
    eye_middle = (left_corner + right_corner) / 2 + across * face.gaze[0] * 4 + down * (face.gaze[1] * 4 - 0.02)
    for radius, colour in ((0.25, face.iris), (0.12, np.full(3, 12.0))):
        disc_points = eye_middle + (CIRCLE * radius) @ np.stack([across, down])
        disc_top = np.interp(disc_points[:, 0], upper_lid[:, 0], upper_lid[:, 1])
        disc_bottom = np.interp(disc_points[:, 0], lower_lid[:, 0], lower_lid[:, 1])
        disc_points[:, 1] = np.clip(disc_points[:, 1], disc_top, np.maximum(disc_bottom, disc_top))
        canvas.fill(disc_points, colour)
    canvas.line(lower_lid, face.skin * 0.62, 1)
    canvas.line(upper_lid, face.skin * 0.22, 2)
    lid_lift = face.unit("upper lid raiser")[side] - face.unit("brow lowerer", "nose wrinkler")[side] * 0.5
    canvas.line(upper_lid - down * (0.16 + 0.04 * lid_lift), face.skin * 0.7, 1)


def paint_brow(canvas: Canvas, face: Face, brow: np.ndarray) -> None:
    """A band around the five points, thin at the outer end; brow: [5, 2] from the outer to the inner end."""
    brow_line = smooth_curve(brow)
    along = (brow[4] - brow[0]) / np.linalg.norm(brow[4] - brow[0])
    half_band = face.brow / 2 * np.linalg.norm(face.rotation[0]) * BROW * np.array([-along[1], along[0]])
    brow_band = np.concatenate([brow_line + half_band, (brow_line - half_band)[::-1]])
    canvas.fill(brow_band, face.hair * 0.75 + face.skin * 0.12)


def paint_mouth(canvas: Canvas, face: Face, points: np.ndarray) -> None:
    """Lips between the outer and the inner ring, with teeth where the mouth is open."""
    outer_lips = np.concatenate([smooth_curve(points[48:55]), smooth_curve(points[[54, 55, 56, 57, 58, 59, 48]])])
    upper_line = smooth_curve(points[60:65])
    lower_line = smooth_curve(points[[60, 67, 66, 65, 64]])
    canvas.fill(outer_lips, face.lips)
    canvas.fill(np.concatenate([smooth_curve(points[48:55]), smooth_curve(points[60:65])[::-1]]), face.lips * 0.85)
    opening = np.linalg.norm(points[66] - points[62]) / np.linalg.norm(face.rotation[0])
    if opening > 0.03:
        canvas.fill(np.concatenate([upper_line, lower_line[::-1]]), np.array([62.0, 22, 24]))
        teeth_height = min(0.8, 0.1 / opening)
        upper_teeth = np.concatenate([upper_line, (upper_line + (lower_line - upper_line) * teeth_height)[::-1]])
        canvas.fill(upper_teeth, np.array([222.0, 216, 204]))
        bared_teeth = max(face.unit("lip stretcher", "lip funneler").mean(), 0)
        if bared_teeth > 0.3:
            teeth_edge = lower_line + (upper_line - lower_line) * teeth_height * 0.6
            canvas.fill(np.concatenate([lower_line, teeth_edge[::-1]]), np.array([205.0, 198, 188]))
    canvas.line(upper_line, face.lips * 0.45, 1 if opening > 0.03 else 2)
    canvas.line(np.stack([points[48], points[60]]), face.lips * 0.5, 2)
    canvas.line(np.stack([points[54], points[64]]), face.lips * 0.5, 2)


def paint_hair(canvas: Canvas, face: Face) -> None:
    """Hair over the forehead, parted somewhere."""
    hair_width = abs(face.resting[0, 0]) + 0.04
    hair_top = EDGE[1:-1] * [hair_width, face.forehead + 0.1] - [0, 0.05]
    hair_side = hair_width * 0.95
    parting_point = [face.parting, -0.6 - face.fringe]
    hair_bottom = np.array([[-hair_side, -0.3], [-0.6, -0.62], parting_point, [0.6, -0.62], [hair_side, -0.3]])
    hair_bottom[[1, 3], 1] -= face.fringe * 0.4
    canvas.fill(face.place(np.concatenate([hair_top, smooth_curve(hair_bottom)])), face.hair)


def paint_glasses(canvas: Canvas, face: Face) -> None:
    for side in (-1, 1):
        rim = np.concatenate([CIRCLE, CIRCLE[:1]]) * [0.27, 0.2] + [side * 0.45, 0.03]
        canvas.line(face.place(rim, 0.1), np.full(3, 30.0), 2)
        canvas.line(face.place(np.array([[side * 0.72, -0.02], [side * 1.0, 0.0]]), 0.05), np.full(3, 30.0), 2)
    canvas.line(face.place(np.array([[-0.18, 0.0], [0.18, 0.0]]), 0.15), np.full(3, 30.0), 2)


def make_shading(face: Face, face_points: np.ndarray, size: int) -> np.ndarray:
    """float32 [size, size, 1] brightness: the hollows and bulges of the face, and the direction of the light."""
    raised_cheeks = np.clip(face.unit("cheek raiser", "lip corner puller") / 2, 0, 1)
    # (radius across, down, centre across, down, brightness): the face, eye sockets, cheeks, the hollow below the lip.
    spots = [(0.86, 1.12, 0, 0.22, 140), (0.2, 0.05, 0, face_points[57, 1] + 0.09, 118)]
    for sign, cheek in zip((-1, 1), raised_cheeks):
        spots += [(0.27, 0.16, sign * 0.44, -0.1, 122), (0.2, 0.15, sign * 0.56, 0.46 - 0.12 * cheek, 142 + 14 * cheek)]
    spots = np.array(spots)
    spot_points = CIRCLE * spots[:, None, :2] + spots[:, None, 2:4]
    spot_rings = face.place(spot_points.reshape(-1, 2)).reshape(spot_points.shape)
    relief = Canvas(np.full((size, size), 128, np.uint8))
    for ring, brightness in zip(spot_rings, spots[:, 4:]):
        relief.fill(ring, brightness)
    soft_relief = cv2.GaussianBlur(relief.pixels, (0, 0), size / 32).astype(np.float32) / 134
    light_ramp = np.linspace(-1, 1, size, dtype=np.float32)
    light_slope = 1 + np.float32(face.light[0]) * light_ramp[None] + np.float32(face.light[1]) * light_ramp[:, None]
    return (soft_relief * light_slope)[..., None]


def take_photograph(
    pixels: np.ndarray, face: Face, face_points: np.ndarray, grain: np.random.Generator, size: int
) -> np.ndarray:
    """Half the side, with light, contrast, blur and the grain of the sensor."""
    image = cv2.resize(pixels, (size, size), interpolation=cv2.INTER_AREA).astype(np.float32)
    image = 128 + (image * make_shading(face, face_points, size) - 128) * np.float32(face.contrast)
    if face.blur > 0.3:
        image = cv2.GaussianBlur(image, (0, 0), face.blur)
    image += grain.standard_normal((size, size, 1), np.float32) * np.float32(face.grain)
    return np.clip(image, 0, 255).round().astype(np.uint8)
