"""The usual 68 facial points (iBUG / 300-W order, counted from 0) and LA-Net's 19 (AFLW-19 order)."""

import numpy as np

# fmt: off
FROM_68 = (  # 'left' is left in the image
    (17,), (19,), (21,),  # left brow: outer, centre, inner
    (22,), (24,), (26,),  # right brow: inner, centre, outer
    (36,), (36, 37, 38, 39, 40, 41), (39,),  # left eye: outer, centre, inner
    (42,), (42, 43, 44, 45, 46, 47), (45,),  # right eye: inner, centre, outer
    (31,), (30,), (35,),  # nose: left, tip, right
    (48,), (51, 57, 62, 66), (54,),  # mouth: left, centre, right
    (8,),  # chin
)
# The point that a mirror image has in place of each point, by the number of points.
MIRRORED_68 = np.array([
    *range(16, -1, -1), *range(26, 16, -1), 27, 28, 29, 30, 35, 34, 33, 32, 31,
    45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40,
    54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65,
])
# fmt: on
MIRRORED_19 = np.array([[set(g) for g in FROM_68].index({MIRRORED_68[p] for p in group}) for group in FROM_68])
MIRRORED = {68: MIRRORED_68, 19: MIRRORED_19}


def mirror_points(points: np.ndarray) -> np.ndarray:
    """The landmarks [..., 68 or 19, 2] of the mirror image, (x, y) as fractions of the image."""
    mirrored_points = points[..., MIRRORED[points.shape[-2]], :].copy()
    mirrored_points[..., 0] = 1 - mirrored_points[..., 0]
    return mirrored_points


def reduce_to_19_points(points: np.ndarray) -> np.ndarray:
    """[..., 68, 2] as [..., 19, 2] of the same floating type; a NaN point stays NaN."""
    if points.shape[-2:] != (68, 2):
        raise ValueError(f"landmarks: shape {points.shape}, expected [..., 68, 2]")
    return np.stack([points[..., list(group), :].mean(-2) for group in FROM_68], -2)


INSIDE = 0.25  # at least this share of a face's points lie in the image
SMALLEST = 0.02  # standard deviation of a face's x or y as a fraction of the image
REPEATED = 0.25  # at most this share of the points are one and the same


def blank_placeholders(points: np.ndarray) -> np.ndarray:
    """Landmarks [n, P, 2] as fractions of the image, NaN in the rows that are no face.

    Detectors and lists write -1, 0 or one constant where they found none: such rows are all equal, have one point many
    times, lie on a line, or lie outside of the image.
    """
    if not len(points):
        return points
    with np.errstate(invalid="ignore"):
        all_finite = np.isfinite(points).all((1, 2))
        mostly_inside = ((points >= 0) & (points <= 1)).all(2).mean(1) >= INSIDE
        wide_enough = points.std(1).min(1) >= SMALLEST
        sorted_points = np.sort(points[..., 0] + 1j * points[..., 1], 1)
    point_places = np.arange(sorted_points.shape[1])
    is_new = np.diff(sorted_points, axis=1, prepend=np.nan) != 0
    run_starts = np.maximum.accumulate(np.where(is_new, point_places, 0), 1)
    few_repeats = (point_places - run_starts + 1).max(1) <= max(1, REPEATED * sorted_points.shape[1])
    is_face = all_finite & mostly_inside & wide_enough & few_repeats
    return np.where(is_face[:, None, None], points, np.nan).astype(points.dtype)
