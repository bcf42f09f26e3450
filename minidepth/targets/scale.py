"""Depth as networks are taught it: in metres, or on one of the scales that published systems use.

With d the depth in metres and D the largest depth of the data set (10 m for NYU):

    metres    y = d
    unit      y = d / D       0 to 1, for networks that end in a sigmoid or tanh
    inverse   y = D / d       1 and more: near things weigh most (DenseDepth, with D = 10 m)
    log       y = ln d        the same ratio is the same difference

`decode` brings a prediction back to metres, whatever the network said: a value that means no depth at all becomes the
nearest one that does.
"""

from __future__ import annotations

import math

from minidepth.backend import Array, xp

SCALES = ("metres", "unit", "inverse", "log")


def encode(depth_m: Array, valid: Array, scale: str, max_depth_m: float) -> Array:
    """Depth in metres on the scale that the network is taught; 0 where not `valid`, as there is no depth there."""
    if scale == "metres":
        return depth_m
    if scale == "unit":
        return depth_m / depth_m.dtype.type(max_depth_m)
    lib = xp(depth_m)
    known_m = lib.where(valid, depth_m, depth_m.dtype.type(max_depth_m))  # any number that can be divided by
    values = max_depth_m / known_m if scale == "inverse" else lib.log(known_m)
    return lib.where(valid, values, 0).astype(depth_m.dtype)


def decode(values: Array, scale: str, max_depth_m: float) -> Array:
    """What a network says on `scale`, in metres."""
    if scale == "metres":
        return values
    if scale == "unit":
        return values * max_depth_m
    lib = xp(values)
    if scale == "inverse":
        return max_depth_m / lib.maximum(values, 1)  # below 1 would be farther than everything
    return lib.exp(lib.minimum(values, math.log(max_depth_m)))


def encode_number(depth_m: float, scale: str, max_depth_m: float) -> float:
    """`encode` of one depth."""
    if scale == "metres":
        return depth_m
    if scale == "unit":
        return depth_m / max_depth_m
    return max_depth_m / depth_m if scale == "inverse" else math.log(depth_m)
