"""LA-Net's 19 facial points (AFLW-19 order) from the usual 68 (iBUG / 300-W order, counted from 0)."""

import numpy as np

FROM_68 = (
    (17,),  # left brow: outer, centre, inner ('left' is left in the image)
    (19,),
    (21,),
    (22,),  # right brow: inner, centre, outer
    (24,),
    (26,),
    (36,),  # left eye: outer, centre, inner
    (36, 37, 38, 39, 40, 41),
    (39,),
    (42,),  # right eye: inner, centre, outer
    (42, 43, 44, 45, 46, 47),
    (45,),
    (31,),  # nose: left, tip, right
    (30,),
    (35,),
    (48,),  # mouth: left, centre, right
    (51, 57, 62, 66),
    (54,),
    (8,),  # chin
)


def nineteen(points: np.ndarray) -> np.ndarray:
    """[..., 68, 2] as [..., 19, 2] of the same floating type; a NaN point stays NaN."""
    if points.shape[-2:] != (68, 2):
        raise ValueError(f"landmarks: shape {points.shape}, expected [..., 68, 2]")
    return np.stack([points[..., list(group), :].mean(-2) for group in FROM_68], -2)
