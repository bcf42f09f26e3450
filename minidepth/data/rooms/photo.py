"""What a camera makes of the light in `rooms`: smooth edges, exposure, white balance, vignetting, noise."""

from __future__ import annotations

import numpy as np

Array = np.ndarray


def antialias(colour: Array, surface: Array) -> Array:
    """Colours (H, W, 3) weighted by what each pixel shows; `surface` is the fine grid.

    A pixel is seen through its 3x3 points of the fine grid, weights 1 2 1 both ways. A point on the pixel's own surface
    has the pixel's colour; one on the part (box, sphere, shell) that the neighbour on its side shows has that
    neighbour's.
    """
    height, width = colour.shape[:2]
    centre = surface[1::2, 1::2]
    mixed = np.zeros(centre.shape, bool)
    offsets = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j]
    for i, j in offsets:
        mixed |= surface[1 + i : 2 * height + i : 2, 1 + j : 2 * width + j : 2] != centre
    rows, columns = np.nonzero(mixed)
    own = colour[rows, columns]
    total = 4 * own
    for i, j in offsets:
        seen = surface[2 * rows + 1 + i, 2 * columns + 1 + j]
        other_row, other_column = np.clip(rows + i, 0, height - 1), np.clip(columns + j, 0, width - 1)
        other = (seen != centre[rows, columns]) & (seen >> 3 == centre[other_row, other_column] >> 3)
        total += (4 >> (abs(i) + abs(j))) * np.where(other[:, None], colour[other_row, other_column], own)
    result = colour.copy()
    result[rows, columns] = total / 16
    return result


def photograph(rng: np.random.Generator, light: Array) -> Array:
    """Light (H, W, 3) to an 8-bit picture: exposure, white balance, a soft shoulder, vignetting, gamma, noise."""
    height, width = light.shape[:2]
    brightness = float(np.mean(light)) + 1e-6
    gain = float(np.exp(rng.normal(np.log(0.5), 0.25))) / brightness
    white_balance = np.exp(rng.normal(0, (0.05, 0.02, 0.07))).astype(np.float32)
    down, across = np.linspace(-1, 1, height, dtype=np.float32) ** 2, np.linspace(-1, 1, width, dtype=np.float32) ** 2
    vignette = 1 - float(rng.uniform(0.06, 0.2)) * 0.5 * np.add.outer(down, across)
    exposed = light * (gain * white_balance) * vignette[..., None]
    exposed = 1 - np.exp(-1.15 * exposed)
    picture = 255 * np.sqrt(exposed)  # gamma 2, close to the screen's 2.2 and much cheaper
    picture += rng.standard_normal(picture.shape, dtype=np.float32) * float(rng.uniform(1.0, 2.8))
    return np.clip(picture + 0.5, 0, 255).astype(np.uint8)
