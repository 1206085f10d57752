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
        self.pixels, self.scale = pixels, pixels.shape[0] << SUBPIXEL

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
        first = min(row // steps, points - 2)
        t = row / steps - first
        basis = np.array([-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, t**3 - t**2]) / 2
        for offset, weight in zip((-1, 0, 1, 2), basis):
            weights[row, np.clip(first + offset, 0, points - 1)] += weight
    return weights


def smooth_curve(points: np.ndarray, steps: int = 4) -> np.ndarray:
    """A smooth open curve through `points`."""
    return spline_weights(len(points), steps) @ points


def draw_face(face: Face, grain: np.random.Generator, size: int) -> np.ndarray:
    """uint8 [size, size, 3] RGB; `grain` draws the noise of the sensor."""
    on_face = shape_points(face)
    points = place_landmarks(face, on_face)
    canvas = Canvas(cv2.resize(face.background.astype(np.uint8), (2 * size, 2 * size), interpolation=cv2.INTER_CUBIC))
    paint_head(canvas, face, points)
    paint_folds(canvas, face, on_face)
    paint_nose(canvas, face, points)
    for side, eye in enumerate((points[36:42], points[42:48])):
        paint_eye(canvas, face, eye, side)
    for brow in (points[17:22], points[26:21:-1]):
        paint_brow(canvas, face, brow)
    paint_mouth(canvas, face, points)
    paint_hair(canvas, face)
    if face.glasses:
        paint_glasses(canvas, face)
    return take_photograph(canvas.pixels, face, on_face, grain, size)


def head_outline(face: Face, points: np.ndarray) -> np.ndarray:
    width = abs(face.resting[0, 0])
    forehead = face.place(EDGE[1:-1] * [width, face.forehead] - [0, 0.05])
    return np.concatenate([smooth_curve(points[:17], 2), forehead])


def paint_head(canvas: Canvas, face: Face, points: np.ndarray) -> None:
    """Hair behind the head, shoulders, neck, ears, skin and beard."""
    back = EDGE * [1.17, face.forehead + 0.2] - [0, 0.05]
    ends = [[-1.12, face.length], [-0.8, face.length + 0.1], [0.8, face.length + 0.1], [1.12, face.length]]
    canvas.fill(face.place(np.concatenate([back, ends]), -0.5), face.hair * 0.8)
    chin = points[8]
    canvas.fill(chin + np.array([[-0.62, 0.3], [-0.2, 0.1], [0.2, 0.1], [0.62, 0.3]]), face.cloth)
    canvas.fill(chin + np.array([[-0.17, -0.2], [0.17, -0.2], [0.19, 0.11], [0, 0.2], [-0.19, 0.11]]), face.skin * 0.72)
    for side in (-1, 1):
        canvas.fill(face.place(CIRCLE * [0.13, 0.24] + [side * 1.03, 0.12], -0.3), face.skin * 0.85)
    canvas.fill(head_outline(face, points), face.skin)
    if face.beard:
        colour = (1 - face.beard) * face.skin + face.beard * face.hair
        canvas.fill(np.concatenate([smooth_curve(points[2:15], 2), smooth_curve(points[[54, 35, 33, 31, 48]])]), colour)


def paint_folds(canvas: Canvas, face: Face, at: np.ndarray) -> None:
    """Lines on the skin that the units deepen; at: the points on the face."""
    deep = [(line, depth) for line, depth in list_folds(face, at) if depth > 0.15]
    if deep:
        ends = np.cumsum([len(line) for line, _ in deep])[:-1]
        placed = np.split(face.place(np.concatenate([line for line, _ in deep])), ends)
        for line, (_, depth) in zip(placed, deep):
            canvas.line(line, face.skin * (1 - 0.35 * min(depth, 1.2)), 2 if depth > 0.6 else 1)


def list_folds(face: Face, at: np.ndarray) -> list[tuple[np.ndarray, float]]:
    """(line [n, 2] on the face, depth) of every fold."""
    worry, raised = face.unit("inner brow raiser").mean(), face.unit("outer brow raiser").mean()
    frown, wrinkled = face.unit("brow lowerer").mean(), face.unit("nose wrinkler").mean()
    smile = (
        face.unit("lip corner puller", "dimpler", "nose wrinkler") + face.unit("upper lip raiser", "lip stretcher") / 2
    )
    down, cheek = face.unit("lip corner depressor"), face.unit("cheek raiser")
    dimple = face.unit("dimpler")
    half = 0.55 if raised > worry / 2 else 0.3
    found = [(WAVE * [half, 0.03] - [0, height], (worry + raised) / 2 + face.age - 0.2) for height in (0.55, 0.69)]
    found.append((WAVE * [0.16, 0.04] + [0, at[57, 1] + 0.12], face.unit("chin raiser").mean()))
    between = at[[21, 22]].mean(0)
    for side, (nose, mouth, eye) in enumerate(((31, 48, 36), (35, 54, 45))):
        out = np.array([2 * side - 1, 1])
        bow = [
            at[nose] + out * [0.05, -0.04],
            (at[nose] + at[mouth]) / 2 + out * [0.13, 0.1],
            at[mouth] + out * [0.13, 0.02],
        ]
        found += [
            (out * FROWN + between, frown + wrinkled / 2),
            (out * [[0.04, 0.02], [0.13, 0.1]], wrinkled),
            (out * [[0.05, 0.1], [0.15, 0.19]], wrinkled),
            (smooth_curve(np.array(bow)), smile[side] * 0.8 + face.age / 2),
            (out * DIMPLE + at[mouth], dimple[side]),
            (out * [[0.02, 0.04], [0.07, 0.2]] + at[mouth], down[side] + face.age * 0.3),
            (out * POUCH + at[eye], cheek[side] + face.age * 0.3),
            (out * [[0.05, 0.02], [0.17, -0.02]] + at[eye], cheek[side] + face.age * 0.3),
            (out * [[0.05, 0.02], [0.17, 0.07]] + at[eye], cheek[side] + face.age * 0.3),
        ]
    return found


def paint_nose(canvas: Canvas, face: Face, points: np.ndarray) -> None:
    shadow, bright = face.skin * 0.7, np.minimum(face.skin * 1.12 + 8, 255)
    far = 31 if face.rotation[0, 2] > 0 else 35
    canvas.line(
        smooth_curve(np.stack([points[27] * 0.5 + points[39 if far == 31 else 42] * 0.5, points[29], points[far]])),
        face.skin * 0.84,
        2,
    )
    canvas.line(points[28:31], bright, 2)
    canvas.line(smooth_curve(points[31:36]), shadow, 2)
    for wing, tip in ((31, 32), (35, 34)):
        rise = points[29] - points[33]
        canvas.line(
            smooth_curve(
                np.stack([points[wing] + rise * 0.28, points[wing] + (points[wing] - points[33]) * 0.15, points[wing]])
            ),
            shadow,
            1,
        )
        canvas.line(np.stack([points[tip] * 0.75 + points[wing] * 0.25, points[tip]]), face.skin * 0.35, 3)


def paint_eye(canvas: Canvas, face: Face, eye: np.ndarray, side: int) -> None:
    """White, iris cut by the lids, lid line, lashes and crease; eye: [6, 2] in iBUG order."""
    left, right = eye[0], eye[3]
    upper, lower = smooth_curve(eye[:4]), smooth_curve(eye[[0, 5, 4, 3]])
    canvas.fill(np.concatenate([upper, lower[::-1]]), np.array([228.0, 224, 220]) * (0.75 + 0.1 * face.skin[0] / 255))
    across, down = right - left, np.array([left[1] - right[1], right[0] - left[0]])
    middle = (left + right) / 2 + across * face.gaze[0] * 4 + down * (face.gaze[1] * 4 - 0.02)
    for radius, colour in ((0.25, face.iris), (0.12, np.full(3, 12.0))):
        disc = middle + (CIRCLE * radius) @ np.stack([across, down])
        top = np.interp(disc[:, 0], upper[:, 0], upper[:, 1])
        bottom = np.interp(disc[:, 0], lower[:, 0], lower[:, 1])
        disc[:, 1] = np.clip(disc[:, 1], top, np.maximum(bottom, top))
        canvas.fill(disc, colour)
    canvas.line(lower, face.skin * 0.62, 1)
    canvas.line(upper, face.skin * 0.22, 2)
    lifted = face.unit("upper lid raiser")[side] - face.unit("brow lowerer", "nose wrinkler")[side] * 0.5
    canvas.line(upper - down * (0.16 + 0.04 * lifted), face.skin * 0.7, 1)


def paint_brow(canvas: Canvas, face: Face, brow: np.ndarray) -> None:
    """A band around the five points, thin at the outer end; brow: [5, 2] from the outer to the inner end."""
    middle = smooth_curve(brow)
    along = (brow[4] - brow[0]) / np.linalg.norm(brow[4] - brow[0])
    half = face.brow / 2 * np.linalg.norm(face.rotation[0]) * BROW * np.array([-along[1], along[0]])
    canvas.fill(np.concatenate([middle + half, (middle - half)[::-1]]), face.hair * 0.75 + face.skin * 0.12)


def paint_mouth(canvas: Canvas, face: Face, points: np.ndarray) -> None:
    """Lips between the outer and the inner ring, with teeth where the mouth is open."""
    outer = np.concatenate([smooth_curve(points[48:55]), smooth_curve(points[[54, 55, 56, 57, 58, 59, 48]])])
    upper, lower = smooth_curve(points[60:65]), smooth_curve(points[[60, 67, 66, 65, 64]])
    canvas.fill(outer, face.lips)
    canvas.fill(np.concatenate([smooth_curve(points[48:55]), smooth_curve(points[60:65])[::-1]]), face.lips * 0.85)
    opening = np.linalg.norm(points[66] - points[62]) / np.linalg.norm(face.rotation[0])
    if opening > 0.03:
        canvas.fill(np.concatenate([upper, lower[::-1]]), np.array([62.0, 22, 24]))
        height = min(0.8, 0.1 / opening)
        canvas.fill(np.concatenate([upper, (upper + (lower - upper) * height)[::-1]]), np.array([222.0, 216, 204]))
        bared = max(face.unit("lip stretcher", "lip funneler").mean(), 0)
        if bared > 0.3:
            canvas.fill(
                np.concatenate([lower, (lower + (upper - lower) * height * 0.6)[::-1]]), np.array([205.0, 198, 188])
            )
    canvas.line(upper, face.lips * 0.45, 1 if opening > 0.03 else 2)
    canvas.line(np.stack([points[48], points[60]]), face.lips * 0.5, 2)
    canvas.line(np.stack([points[54], points[64]]), face.lips * 0.5, 2)


def paint_hair(canvas: Canvas, face: Face) -> None:
    """Hair over the forehead, parted somewhere."""
    width = abs(face.resting[0, 0]) + 0.04
    top = EDGE[1:-1] * [width, face.forehead + 0.1] - [0, 0.05]
    bottom = np.array(
        [[-width * 0.95, -0.3], [-0.6, -0.62], [face.parting, -0.6 - face.fringe], [0.6, -0.62], [width * 0.95, -0.3]]
    )
    bottom[[1, 3], 1] -= face.fringe * 0.4
    canvas.fill(face.place(np.concatenate([top, smooth_curve(bottom)])), face.hair)


def paint_glasses(canvas: Canvas, face: Face) -> None:
    for side in (-1, 1):
        rim = np.concatenate([CIRCLE, CIRCLE[:1]]) * [0.27, 0.2] + [side * 0.45, 0.03]
        canvas.line(face.place(rim, 0.1), np.full(3, 30.0), 2)
        canvas.line(face.place(np.array([[side * 0.72, -0.02], [side * 1.0, 0.0]]), 0.05), np.full(3, 30.0), 2)
    canvas.line(face.place(np.array([[-0.18, 0.0], [0.18, 0.0]]), 0.15), np.full(3, 30.0), 2)


def make_shading(face: Face, at: np.ndarray, size: int) -> np.ndarray:
    """float32 [size, size, 1] brightness: the hollows and bulges of the face, and the direction of the light."""
    raised = np.clip(face.unit("cheek raiser", "lip corner puller") / 2, 0, 1)
    # (radius across, down, centre across, down, brightness): the face, eye sockets, cheeks, the hollow below the lip.
    spots = [(0.86, 1.12, 0, 0.22, 140), (0.2, 0.05, 0, at[57, 1] + 0.09, 118)]
    for sign, cheek in zip((-1, 1), raised):
        spots += [(0.27, 0.16, sign * 0.44, -0.1, 122), (0.2, 0.15, sign * 0.56, 0.46 - 0.12 * cheek, 142 + 14 * cheek)]
    spots = np.array(spots)
    rings = face.place((CIRCLE * spots[:, None, :2] + spots[:, None, 2:4]).reshape(-1, 2)).reshape(len(spots), -1, 2)
    relief = Canvas(np.full((size, size), 128, np.uint8))
    for ring, brightness in zip(rings, spots[:, 4:]):
        relief.fill(ring, brightness)
    soft = cv2.GaussianBlur(relief.pixels, (0, 0), size / 32).astype(np.float32) / 134
    ramp = np.linspace(-1, 1, size, dtype=np.float32)
    slope = 1 + np.float32(face.light[0]) * ramp[None] + np.float32(face.light[1]) * ramp[:, None]
    return (soft * slope)[..., None]


def take_photograph(
    pixels: np.ndarray, face: Face, at: np.ndarray, grain: np.random.Generator, size: int
) -> np.ndarray:
    """Half the side, with light, contrast, blur and the grain of the sensor."""
    image = cv2.resize(pixels, (size, size), interpolation=cv2.INTER_AREA).astype(np.float32)
    image = 128 + (image * make_shading(face, at, size) - 128) * np.float32(face.contrast)
    if face.blur > 0.3:
        image = cv2.GaussianBlur(image, (0, 0), face.blur)
    image += grain.standard_normal((size, size, 1), np.float32) * np.float32(face.grain)
    return np.clip(image, 0, 255).round().astype(np.uint8)
