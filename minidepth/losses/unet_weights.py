"""The pixel weights of the first U-Net: rare classes count more, and so do the gaps between objects that nearly touch.

    w = n / (K n_c) + 10 exp(-(d1 + d2)^2 / (2 sigma^2))        sigma = 5 pixels

n_c of the n valid pixels have this pixel's class, K classes are there; so the first term has the mean 1, and every
class the same sum. (The paper only says that it balances the classes.) d1 and d2 are the distances to the nearest and
the second-nearest object; the second term is for the pixels outside all objects and is 0 where there is only one.

Distances are Euclidean and exact up to 6 sigma, beyond which the term is below 2e-7 and taken as 0. For one object:
first along the columns, the distance g to its nearest pixel up or down, by two running maxima; then over the columns
beside it, the least g^2 + (difference of columns)^2 (as in Felzenszwalb and Huttenlocher, Distance Transforms of
Sampled Functions, 2012, but trying all columns within reach). Each object is looked at only up to that reach, so the
cost is some 60 passes over its surroundings: about 1 ms for an object 20 pixels wide. That is for arrays on the CPU; on
a GPU ``cross_entropy:unet`` makes the same weights where the labels are, in another way: unet_weights.cu.

Source: Ronneberger, Fischer and Brox, U-Net: Convolutional Networks for Biomedical Image Segmentation (2015).
"""

from __future__ import annotations

import math

import numpy as np

from minidepth.backend import Array

REACH = 6
"""In sigma: how far objects are looked for."""


def unet_weights(
    labels: Array, valid: Array, objects: Array | None = None, border: float = 10.0, sigma: float = 5.0
) -> Array:
    """The weights of a batch, float32 (N, 1, H, W); 0 where not valid.

    Args:
        labels: whole numbers (N, 1, H, W), the class of each pixel; 0 is what is between the objects.
        valid: bool (N, 1, H, W).
        objects: whole numbers (N, 1, H, W): 0 outside, and another number for each object of a picture. None takes the
            connected parts of all that is not of class 0; objects that touch must be given.
        border: the factor of the second term.
        sigma: in pixels.
    """
    weights = np.where(valid, class_weights(labels, valid), 0)
    for n in range(len(labels)):
        numbers = connected_objects((labels[n, 0] > 0) & valid[n, 0]) if objects is None else objects[n, 0]
        weights[n, 0] += border_weights(np.where(valid[n, 0], numbers, 0), border, sigma) * valid[n, 0]
    return weights.astype(np.float32)


def class_weights(labels: Array, valid: Array) -> Array:
    """n / (K n_c) at each pixel, in the shape of `labels`; what it is where not valid means nothing."""
    known = np.where(valid, labels, 0)
    counts = np.bincount(known[valid].ravel(), minlength=int(known.max(initial=0)) + 1)
    present = max(int(np.count_nonzero(counts)), 1)
    return (counts.sum() / (present * np.maximum(counts, 1)))[known]


def border_weights(objects: Array, border: float = 10.0, sigma: float = 5.0) -> Array:
    """border * exp(-(d1 + d2)^2 / (2 sigma^2)) outside the objects of one picture, (H, W) -> float64 (H, W)."""
    nearest, second = np.full(objects.shape, np.inf), np.full(objects.shape, np.inf)
    for number in np.unique(objects[objects != 0]):
        reach = math.ceil(REACH * sigma)
        around, distance = distance_to(objects == number, reach)
        second[around] = np.minimum(second[around], np.maximum(nearest[around], distance))
        nearest[around] = np.minimum(nearest[around], distance)
    return np.where(objects == 0, border * np.exp(-((nearest + second) ** 2) / (2 * sigma**2)), 0)


def distance_to(inside: Array, reach: int) -> tuple[tuple[slice, slice], Array]:
    """Euclidean distances to the True pixels of (H, W), which are not none, and the window in which they lie.

    The window is `reach` wider than the object on all sides. Distances up to `reach` are exact, larger ones are inf.
    """
    rows, columns = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
    top, left = max(0, rows[0] - reach), max(0, columns[0] - reach)
    window = slice(top, rows[-1] + reach + 1), slice(left, columns[-1] + reach + 1)
    inside = inside[window]
    row = np.arange(len(inside))[:, None]
    far = inside.size  # larger than any distance
    above = np.maximum.accumulate(np.where(inside, row, -far), axis=0)
    below = np.minimum.accumulate(np.where(inside, row, 2 * far)[::-1], axis=0)[::-1]
    up_or_down = np.minimum(row - above, below - row).astype(np.float64) ** 2
    squared = up_or_down.copy()
    for step in range(1, min(reach, inside.shape[1] - 1) + 1):
        np.minimum(squared[:, step:], up_or_down[:, :-step] + step**2, out=squared[:, step:])
        np.minimum(squared[:, :-step], up_or_down[:, step:] + step**2, out=squared[:, :-step])
    return window, np.where(squared <= reach**2, np.sqrt(squared), np.inf)


def connected_objects(inside: Array) -> Array:
    """Numbers the parts of bool (H, W) that hang together by their sides: int (H, W), 0 outside, then from 1 on.

    Each pixel starts as its own root. Again and again, of two neighbours with different roots the larger root is hung
    below the smaller one, and all pixels take the root of their root, until no neighbours differ.
    """
    place = np.arange(inside.size).reshape(inside.shape)
    beside, below = inside[:, 1:] & inside[:, :-1], inside[1:] & inside[:-1]
    one = np.concatenate([place[:, 1:][beside], place[1:][below]])
    other = np.concatenate([place[:, :-1][beside], place[:-1][below]])
    root = place.ravel().copy()
    while (apart := root[one] != root[other]).any():
        a, b = root[one[apart]], root[other[apart]]
        np.minimum.at(root, np.maximum(a, b), np.minimum(a, b))
        while (root != root[root]).any():
            root = root[root]
    numbers = np.zeros(inside.shape, np.intp)
    numbers[inside] = np.unique(root[inside.ravel()], return_inverse=True)[1] + 1
    return numbers
