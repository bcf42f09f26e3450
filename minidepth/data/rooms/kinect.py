"""What a Kinect makes of exact depth: holes and noise.

The Kinect throws a pattern of infrared dots from a projector 7.5 cm beside its camera and finds depth from their shift
(disparity d = f b / z, f in pixels, b = 0.075 m). From that come its faults:
  shadow     what the projector does not see, left of near things, has no depth
  grazing    a surface seen edge-on sends few dots back; so does a dark or glossy one
  range      nothing below 0.5 m or beyond 10 m
  noise      shifts are measured to about 1/8 pixel of 640: depth errors grow with the square of depth,
             sigma = 1.4e-3 z^2 (Khoshelham and Elberink, Sensors 2012), and so do the steps between depth values
"""

from __future__ import annotations

import math

import numpy as np

from minidepth.data.rooms.noise import noise
from minidepth.data.rooms.parts import NYU_FOCAL, NYU_SIZE

BASELINE_M = 0.075
RANGE_M = (0.5, 10.0)
SIGMA_PER_M2 = 1.4e-3


def kinect_depth(
    rng: np.random.Generator, depth_m: np.ndarray, facing: np.ndarray, reflection: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Measured depth (metres, 0 at holes) and where it is valid.

    depth_m (H, W): exact. facing (H, W): cosine between the normal and the ray back to the camera.
    reflection (H, W): how well the surface sends the dots back, near 0 for dark or glossy ones, from 1 for matt ones.
    """
    height, width = depth_m.shape
    lit = ~projector_shadow(depth_m, NYU_FOCAL[0] * width / NYU_SIZE[1])
    # Weak returns fail in blotches, not pixel by pixel: compare with a smooth random field.
    rows, columns = np.indices((height, width), np.float32) * np.float32(NYU_SIZE[1] / width / 12)
    shift = float(rng.uniform(0, 200))
    field = noise(columns + shift, rows, np.full_like(rows, 0.5))
    strength = np.clip(facing / 0.3, 0, 1) * np.clip(reflection, 0, 1)
    returned = strength > 0.16 + 0.1 * field
    # Two parts of equal power: one for each pixel, one that neighbours share, as the matching of dots goes by windows.
    shared = noise(columns * 2, rows * 2 + shift, np.full_like(rows, 0.5))
    error = (rng.standard_normal(depth_m.shape, np.float32) + shared) * np.float32(math.sqrt(0.5))
    measured = depth_m + error * np.float32(SIGMA_PER_M2) * depth_m**2
    steps = 8 * NYU_FOCAL[0] * BASELINE_M  # 1/8 pixel of disparity
    measured = (steps / np.round(steps / measured)).astype(np.float32)
    valid = lit & returned & (measured >= RANGE_M[0]) & (measured <= RANGE_M[1])
    return np.where(valid, measured, np.float32(0)), valid


def projector_shadow(depth_m: np.ndarray, focal: float) -> np.ndarray:
    """Pixels that the projector, BASELINE_M to the right of the camera, does not see: bool (H, W).

    The projector sees the pixel of column x in its own column x - f b / z. Where something further right in the row
    lands at the same column or left of it, that thing stands in the way.
    """
    columns = np.arange(depth_m.shape[1], dtype=np.float32) - np.float32(focal * BASELINE_M) / depth_m
    nearest = np.minimum.accumulate(columns[:, ::-1], axis=1)[:, ::-1]
    return columns > nearest + 0.25  # smooth surfaces keep their order; a quarter pixel forgives rounding
