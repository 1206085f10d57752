"""Where the 68 points of a face lie at rest, and how the action units of an expression move them.

Units: Ekman and Friesen, Facial Action Coding System, 1978. Points: iBUG order, left = left in the image.
Coordinates of a face: the origin lies between the eyes, y points down, the cheekbones are at x = -1 and 1.
"""

import numpy as np

from benchmark.datasets.points import MIRRORED_68

# fmt: off
# (outwards, down) of the points in the left half of the image and on the middle line.
HALF = {
    0: (1.0, -0.05), 1: (0.99, 0.18), 2: (0.96, 0.4), 3: (0.91, 0.62), 4: (0.82, 0.84), 5: (0.67, 1.03),
    6: (0.47, 1.18), 7: (0.24, 1.28), 8: (0, 1.31),
    17: (0.82, -0.22), 18: (0.69, -0.32), 19: (0.53, -0.35), 20: (0.36, -0.33), 21: (0.19, -0.28),
    27: (0, -0.05), 28: (0, 0.12), 29: (0, 0.29), 30: (0, 0.45), 31: (0.2, 0.57), 32: (0.1, 0.6), 33: (0, 0.62),
    36: (0.64, 0.02), 37: (0.52, -0.08), 38: (0.37, -0.08), 39: (0.25, 0.04), 40: (0.37, 0.09), 41: (0.52, 0.09),
    48: (0.37, 0.88), 49: (0.23, 0.81), 50: (0.09, 0.77), 51: (0, 0.79),
    57: (0, 1.0), 58: (0.12, 0.985), 59: (0.25, 0.945),
    60: (0.33, 0.88), 61: (0.13, 0.87), 62: (0, 0.875), 66: (0, 0.88), 67: (0.13, 0.88),
}
# What a unit moves at amount 1: {point: (outwards, down)}.
UNITS: dict[str, dict[int, tuple[float, float]]] = {
    "inner brow raiser": {21: (-0.01, -0.19), 20: (0, -0.13), 19: (0, -0.05), 38: (0, -0.01)},
    "outer brow raiser": {17: (0, -0.14), 18: (0, -0.18), 19: (0, -0.16), 20: (0, -0.05)},
    "brow lowerer": {21: (-0.09, 0.15), 20: (-0.06, 0.13), 19: (-0.03, 0.09), 18: (0, 0.04), 38: (0, 0.02)},
    "upper lid raiser": {37: (0, -0.07), 38: (0, -0.07), 41: (0, 0.01), 40: (0, 0.01)},
    "cheek raiser": {41: (0, -0.06), 40: (0, -0.06), 36: (-0.02, 0.01), 37: (0, 0.015), 2: (0.02, 0)},
    "lid tightener": {41: (0, -0.035), 40: (0, -0.035), 37: (0, 0.045), 38: (0, 0.045)},
    "nose wrinkler": {
        21: (-0.03, 0.1), 20: (-0.02, 0.09), 19: (0, 0.05), 38: (0, 0.03), 40: (0, -0.05), 41: (0, -0.04),
        30: (0, -0.05), 31: (0.05, -0.08), 32: (0.01, -0.06), 33: (0, -0.06), 50: (0, -0.04), 51: (0, -0.04),
    },
    "upper lip raiser": {
        49: (0.03, -0.1), 50: (0.02, -0.15), 51: (0, -0.12), 61: (0.02, -0.12), 62: (0, -0.11),
        31: (0.03, -0.03),
    },
    "lip corner puller": {
        48: (0.17, -0.17), 60: (0.16, -0.15), 49: (0.13, -0.11), 50: (0.05, -0.04), 51: (0, -0.02),
        61: (0.09, -0.08), 62: (0, -0.04), 66: (0, -0.02), 67: (0.1, -0.04), 31: (0.03, 0), 59: (0.14, -0.06),
        58: (0.08, -0.01), 57: (0, -0.01), 3: (0.02, 0), 4: (0.03, 0),
    },
    "dimpler": {48: (0.08, -0.08), 60: (0.08, -0.08), 49: (0.05, -0.05), 59: (0.05, -0.06)},
    "lip corner depressor": {48: (0.03, 0.14), 60: (0.02, 0.12), 49: (0.01, 0.05), 59: (0.03, 0.07), 61: (0, 0.02)},
    "chin raiser": {
        8: (0, -0.05), 7: (0, -0.04), 57: (0, -0.07), 58: (0, -0.06), 59: (0, -0.03), 66: (0, -0.06),
        67: (0, -0.05), 62: (0, -0.06), 61: (0, -0.05), 51: (0, -0.05), 50: (0, -0.05),
    },
    "lip stretcher": {
        48: (0.15, 0.05), 60: (0.15, 0.05), 49: (0.09, 0.02), 59: (0.1, 0.02), 61: (0.04, 0), 67: (0.04, 0),
    },
    "lip tightener": {
        48: (-0.05, 0), 60: (-0.03, 0), 49: (-0.02, 0.04), 50: (0, 0.06), 51: (0, 0.05), 57: (0, -0.07),
        58: (0, -0.06), 59: (-0.02, -0.04),
    },
    "lip funneler": {
        48: (-0.07, 0), 60: (-0.05, 0), 49: (0.05, -0.04), 50: (0.03, -0.05), 51: (0, -0.03), 61: (0.08, -0.03),
        59: (0.05, 0.05), 58: (0.04, 0.06), 57: (0, 0.05), 67: (0.08, 0.05), 62: (0, -0.02), 66: (0, 0.04),
    },
    "lip pucker": {48: (-0.12, 0), 60: (-0.12, 0), 49: (-0.05, 0), 59: (-0.06, 0), 61: (0.01, 0), 67: (0.02, 0)},
    "lips part": {
        66: (0, 0.09), 67: (0.02, 0.085), 57: (0, 0.08), 58: (0, 0.08), 59: (0, 0.05), 61: (0, -0.02),
        62: (0, -0.02),
    },
    "jaw drop": {
        66: (0, 0.27), 67: (0.03, 0.25), 57: (0, 0.26), 58: (0, 0.25), 59: (0.01, 0.21), 48: (-0.03, 0.09),
        60: (-0.03, 0.1), 8: (0, 0.2), 7: (0, 0.2), 6: (-0.01, 0.18), 5: (-0.02, 0.13), 4: (-0.02, 0.07),
        3: (-0.01, 0.03),
    },
}
# The forms of an expression: {unit: amount}, or (left, right) for a unit that is stronger on one side.
EXPRESSIONS: dict[str, tuple[dict[str, float | tuple[float, float]], ...]] = {
    "anger": (
        {"brow lowerer": 1.15, "lid tightener": 0.5, "upper lid raiser": 0.4, "lip tightener": 1, "chin raiser": 0.4},
        {"brow lowerer": 1.15, "lid tightener": 0.4, "upper lid raiser": 0.5, "lip funneler": 1, "lips part": 0.9}
        | {"upper lip raiser": 0.35, "jaw drop": 0.25},
    ),
    "disgust": (
        {"nose wrinkler": 1.1, "upper lip raiser": 1, "brow lowerer": 0.35, "lid tightener": 0.7, "cheek raiser": 0.4}
        | {"chin raiser": 0.4, "lip corner depressor": 0.5},
        {"nose wrinkler": 1.1, "upper lip raiser": 1.1, "brow lowerer": 0.35, "lid tightener": 0.7, "cheek raiser": 0.4}
        | {"lips part": 0.5, "lip corner depressor": 0.3},
    ),
    "fear": (
        {"inner brow raiser": 1.1, "outer brow raiser": 0.35, "brow lowerer": 0.5, "upper lid raiser": 1.1}
        | {"lip stretcher": 1.1, "lips part": 0.9, "jaw drop": 0.35},
    ),
    "happiness": (
        {"cheek raiser": 0.9, "lip corner puller": 1},
        {"cheek raiser": 1, "lip corner puller": 1.15, "lips part": 1.1, "jaw drop": 0.35},
    ),
    "sadness": (
        {"inner brow raiser": 1, "brow lowerer": 0.4, "lid tightener": 0.35, "lip corner depressor": 1.1}
        | {"chin raiser": 0.7},
    ),
    "surprise": (
        {"inner brow raiser": 1.1, "outer brow raiser": 1.15, "upper lid raiser": 1, "jaw drop": 1.35}
        | {"lip pucker": 0.5},
    ),
    "contempt": (
        {"lip corner puller": (1.0, 0.0), "dimpler": (1.2, 0.2), "lid tightener": 0.45}
        | {"outer brow raiser": (0.35, 0.0)},
        {"lip corner puller": (0.0, 1.0), "dimpler": (0.2, 1.2), "lid tightener": 0.45}
        | {"outer brow raiser": (0.0, 0.35)},
    ),
    "neutral": ({},),
}
NAMES = list(UNITS)


def both_halves(half_points: dict[int, tuple[float, float]]) -> np.ndarray:
    """[68, 2] of (outwards, down) from the left half."""
    points = np.zeros((68, 2))
    for point, position in half_points.items():
        points[point] = points[MIRRORED_68[point]] = position
    return points
RESTING = both_halves(HALF)
MOVES = np.stack([both_halves(moved) for moved in UNITS.values()])
# -1 on the left of the image, 1 on the right, 0 on the middle line.
SIDE = np.where(RESTING[:, 0] == 0, 0, np.where([p in HALF for p in range(68)], -1, 1))
# {expression: [forms, units, 2]} amounts on the left and on the right.
FORMS = {
    expression: np.array([[np.broadcast_to(form.get(unit, 0.0), 2) for unit in NAMES] for form in forms])
    for expression, forms in EXPRESSIONS.items()
}


def choose_form(expression: str, rng: np.random.Generator) -> np.ndarray:
    """[units, 2] amounts of one form of an expression, left and right."""
    forms = FORMS[expression]
    return forms[rng.integers(len(forms))]
