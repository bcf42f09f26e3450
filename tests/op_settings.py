"""Random settings of every operation, for the comparisons with PyTorch and for the devices.

``DRAW[op](rng)`` gives the input arrays (float64, without ties) and the options, which are plain JSON, so that a golden
file can hold them. `call` computes the operation with minidepth.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

Array = np.ndarray
Setting = tuple[list[Array], dict[str, Any]]
Draw = Callable[[np.random.Generator], Setting]


def _size(rng: np.random.Generator, low: int, high: int) -> int:
    return int(rng.integers(low, high + 1))


def _pair(rng: np.random.Generator, low: int, high: int) -> list[int]:
    return [_size(rng, low, high), _size(rng, low, high)]


def _maybe(rng: np.random.Generator) -> bool:
    return bool(rng.random() < 0.5)


def _shape(rng: np.random.Generator, ndim: int | None = None) -> tuple[int, ...]:
    return tuple(_size(rng, 1, 4) for _ in range(_size(rng, 1, 4) if ndim is None else ndim))


def _distinct(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    n = int(np.prod(shape))
    return ((rng.permutation(n) - n / 2 + 0.25) * (4 / n)).reshape(shape)


def _conv2d(rng: np.random.Generator) -> Setting:
    groups, kernel = _size(rng, 1, 3), _pair(rng, 1, 4)
    channels, outputs = groups * _size(rng, 1, 3), groups * _size(rng, 1, 2)
    dilation, padding, stride = _pair(rng, 1, 2), _pair(rng, 0, 2), _pair(rng, 1, 3)
    if _maybe(rng):  # what the fast kernel takes
        stride, dilation, groups = [1, 1], [1, 1], 1
    span = [d * (k - 1) + 1 - 2 * p for d, k, p in zip(dilation, kernel, padding)]
    x = rng.standard_normal((_size(rng, 1, 2), channels, *(max(1, s) + _size(rng, 0, 5) for s in span)))
    weight = rng.standard_normal((outputs, channels // groups, *kernel))
    bias = [rng.standard_normal(outputs)] if _maybe(rng) else []
    return [x, weight, *bias], {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}


def _conv_transpose2d(rng: np.random.Generator) -> Setting:
    groups, kernel, stride, dilation = _size(rng, 1, 2), _pair(rng, 1, 4), _pair(rng, 1, 3), _pair(rng, 1, 2)
    channels, outputs = groups * _size(rng, 1, 2), _size(rng, 1, 3)
    x = rng.standard_normal((_size(rng, 1, 2), channels, *_pair(rng, 2, 5)))
    padding = [_size(rng, 0, min(1, d * (k - 1))) for d, k in zip(dilation, kernel)]
    options = {
        "stride": stride,
        "padding": padding,
        "output_padding": [_size(rng, 0, s - 1) for s in stride],
        "groups": groups,
        "dilation": dilation,
    }
    bias = [rng.standard_normal(groups * outputs)] if _maybe(rng) else []
    return [x, rng.standard_normal((channels, outputs, *kernel)), *bias], options


def _pool(rng: np.random.Generator) -> tuple[tuple[int, ...], dict[str, Any]]:
    kernel = _pair(rng, 1, 4)
    shape = (_size(rng, 1, 2), _size(rng, 1, 3), *(k + _size(rng, 0, 6) for k in kernel))
    padding = [_size(rng, 0, k // 2) for k in kernel]
    return shape, {"kernel_size": kernel, "stride": _pair(rng, 1, 3), "padding": padding, "ceil_mode": _maybe(rng)}


def _max_pool2d(rng: np.random.Generator) -> Setting:
    shape, options = _pool(rng)
    dilation = _pair(rng, 1, 2)
    shape = (*shape[:2], *(n + (d - 1) * (k - 1) for n, d, k in zip(shape[2:], dilation, options["kernel_size"])))
    return [_distinct(rng, shape)], {**options, "dilation": dilation}


def _avg_pool2d(rng: np.random.Generator) -> Setting:
    shape, options = _pool(rng)
    return [rng.standard_normal(shape)], {**options, "count_include_pad": _maybe(rng)}


def _adaptive_avg_pool2d(rng: np.random.Generator) -> Setting:
    return [rng.standard_normal((_size(rng, 1, 2), _size(rng, 1, 3), *_pair(rng, 1, 9)))], {
        "output_size": _pair(rng, 1, 11) if _maybe(rng) else [1, 1]
    }


def _pixel_shuffle(rng: np.random.Generator) -> Setting:
    factor = _size(rng, 1, 3)
    channels = factor**2 * _size(rng, 1, 3)
    return [rng.standard_normal((_size(rng, 1, 2), channels, *_pair(rng, 1, 4)))], {"upscale_factor": factor}


def _unpool_zeros(rng: np.random.Generator) -> Setting:
    return [rng.standard_normal((_size(rng, 1, 2), _size(rng, 1, 3), *_pair(rng, 1, 4)))], {"stride": _pair(rng, 1, 3)}


def _batch_norm(rng: np.random.Generator) -> Setting:
    channels = _size(rng, 1, 4)
    x = 2 + 3 * rng.standard_normal((_size(rng, 2, 3), channels, *_pair(rng, 2, 5)))
    affine = [rng.standard_normal(channels), rng.standard_normal(channels)] if _maybe(rng) else []
    options = {
        "running_mean": rng.standard_normal(channels).tolist(),
        "running_var": rng.uniform(0.5, 2, channels).tolist(),
        "training": _maybe(rng),
        "momentum": float(rng.uniform(0, 1)),
        "eps": float(rng.choice([1e-5, 1e-3])),
    }
    return [x, *affine], options


def _batch_norm_leaky_relu(rng: np.random.Generator) -> Setting:
    inputs, options = _batch_norm(rng)
    return inputs, {**options, "negative_slope": float(rng.choice([0, 0.01, 0.2]))}


def _batch_norm_relu6(rng: np.random.Generator) -> Setting:
    (x, *affine), options = _batch_norm(rng)
    return [3 * x, *(3 * each for each in affine)], options


def _interpolate(rng: np.random.Generator) -> Setting:
    x = rng.standard_normal((_size(rng, 1, 2), _size(rng, 1, 2), *_pair(rng, 1, 9)))
    mode = "bilinear" if _maybe(rng) else "nearest"
    options: dict[str, Any] = {"mode": mode}
    if _maybe(rng):
        options["size"] = _pair(rng, 1, 14)
    else:
        options["scale_factor"] = [float(max(s, 1 / n)) for s, n in zip(rng.uniform(0.4, 3, 2), x.shape[2:])]
        if _maybe(rng):
            options["scale_factor"] = [2.0, 2.0]
    if mode == "bilinear":
        options["align_corners"] = [None, False, True][_size(rng, 0, 2)]
    return [x], options


def _pad(rng: np.random.Generator) -> Setting:
    mode = ["constant", "replicate", "reflect"][_size(rng, 0, 2)]
    x = rng.standard_normal((_size(rng, 1, 2), _size(rng, 1, 2), *_pair(rng, 3, 5)))
    pad = [_size(rng, 0, 2) for _ in range(4)]
    return [x], {"pad": pad, "mode": mode, "value": float(rng.standard_normal()) if mode == "constant" else 0.0}


def _sobel(rng: np.random.Generator) -> Setting:
    padding = ["zeros", "replicate", "valid"][_size(rng, 0, 2)]
    return [rng.standard_normal((_size(rng, 1, 2), _size(rng, 1, 2), *_pair(rng, 3, 6)))], {"padding": padding}


def _cat(rng: np.random.Generator) -> Setting:
    shape, dim = list(_shape(rng)), 0
    dim = _size(rng, 0, len(shape) - 1)
    parts = [[*shape[:dim], _size(rng, 1, 4), *shape[dim + 1 :]] for _ in range(_size(rng, 1, 3))]
    return [rng.standard_normal(part) for part in parts], {"dim": dim}


def _reduction(rng: np.random.Generator) -> Setting:
    shape = _shape(rng)
    dims = sorted(int(d) for d in rng.choice(len(shape), _size(rng, 1, len(shape)), replace=False))
    return [_distinct(rng, shape)], {"dim": dims, "keepdim": _maybe(rng)}


def _var(rng: np.random.Generator) -> Setting:
    shape = tuple(n + 1 for n in _shape(rng))
    return [rng.standard_normal(shape)], {"dim": _size(rng, 0, len(shape) - 1), "unbiased": _maybe(rng)}


def _elementwise(low: float, high: float, **ranges: tuple[float, float]) -> Draw:
    """Numbers between `low` and `high`, and options from their ranges."""

    def draw(rng: np.random.Generator) -> Setting:
        x = rng.uniform(low, high, _shape(rng))
        return [x], {name: float(rng.uniform(*limits)) for name, limits in ranges.items()}

    return draw


def _softmax(rng: np.random.Generator) -> Setting:
    shape = _shape(rng)
    return [3 * rng.standard_normal(shape)], {"dim": _size(rng, 0, len(shape) - 1)}


def _two(rng: np.random.Generator) -> Setting:
    """Two arrays that broadcast, all numbers different and positive."""
    shape = _shape(rng)
    shapes = [tuple(1 if rng.random() < 0.3 else n for n in shape)[_size(rng, 0, 1) :] for _ in range(2)]
    numbers = rng.permutation(np.linspace(0.5, 3, sum(int(np.prod(s)) for s in shapes)))
    first = int(np.prod(shapes[0]))
    return [numbers[:first].reshape(shapes[0]), numbers[first:].reshape(shapes[1])], {}


def _matmul(rng: np.random.Generator) -> Setting:
    batch, m, k, n = _shape(rng, 2), *(_size(rng, 1, 4) for _ in range(3))
    return [rng.standard_normal((*batch, m, k)), rng.standard_normal((*batch[_size(rng, 0, 2) :], k, n))], {}


def _linear(rng: np.random.Generator) -> Setting:
    outputs, inputs = _pair(rng, 1, 4)
    bias = [rng.standard_normal(outputs)] if _maybe(rng) else []
    return [rng.standard_normal((*_shape(rng), inputs)), rng.standard_normal((outputs, inputs)), *bias], {}


def _dropout(rng: np.random.Generator) -> Setting:
    options = {"p": float(rng.uniform(0, 0.9)), "training": bool(rng.random() < 0.8), "rng": _size(rng, 0, 1000)}
    return [rng.standard_normal(_shape(rng))], options


def _permute(rng: np.random.Generator) -> Setting:
    shape = _shape(rng)
    return [rng.standard_normal(shape)], {"dims": rng.permutation(len(shape)).tolist()}


def _transpose(rng: np.random.Generator) -> Setting:
    shape = _shape(rng)
    return [rng.standard_normal(shape)], {"dim0": _size(rng, 0, len(shape) - 1), "dim1": -1}


def _flatten(rng: np.random.Generator) -> Setting:
    shape = _shape(rng)
    return [rng.standard_normal(shape)], {"start_dim": _size(rng, 0, len(shape) - 1), "end_dim": -1}


def _reshape(rng: np.random.Generator) -> Setting:
    return [rng.standard_normal((2, 3, 4))], {"shape": [[24], [4, -1], [3, 2, 4], [2, 1, 12]][_size(rng, 0, 3)]}


def _getitem(rng: np.random.Generator) -> Setting:
    return [rng.standard_normal((4, *_shape(rng)))], {"index": rng.integers(0, 4, _size(rng, 1, 6)).tolist()}


DRAW: dict[str, Draw] = {
    "conv2d": _conv2d,
    "conv_transpose2d": _conv_transpose2d,
    "max_pool2d": _max_pool2d,
    "avg_pool2d": _avg_pool2d,
    "batch_norm": _batch_norm,
    "interpolate": _interpolate,
    "pad": _pad,
    "sobel": _sobel,
    "cat": _cat,
    "leaky_relu": _elementwise(-4, 4, negative_slope=(0, 1)),
    "relu": _elementwise(-4, 4),
    "relu6": _elementwise(-4, 10),
    "sigmoid": _elementwise(-8, 8),
    "tanh": _elementwise(-4, 4),
    "softmax": _softmax,
    "log_softmax": _softmax,
    "abs": _elementwise(-4, 4),
    "exp": _elementwise(-4, 4),
    "log": _elementwise(0.1, 4),
    "sqrt": _elementwise(0.1, 4),
    "clip": _elementwise(-4, 4, min=(-3, 0), max=(0, 3)),
    "maximum": _two,
    "minimum": _two,
    "add": _two,
    "subtract": _two,
    "multiply": _two,
    "divide": _two,
    "power": _elementwise(0.1, 3, exponent=(-2, 3)),
    "matmul": _matmul,
    "sum": _reduction,
    "mean": _reduction,
    "max": _reduction,
    "min": _reduction,
    "var": _var,
    "reshape": _reshape,
    "flatten": _flatten,
    "transpose": _transpose,
    "permute": _permute,
    "getitem": _getitem,
    "batch_norm_leaky_relu": _batch_norm_leaky_relu,
    "batch_norm_relu6": _batch_norm_relu6,
    "linear": _linear,
    "dropout": _dropout,
    "adaptive_avg_pool2d": _adaptive_avg_pool2d,
    "pixel_shuffle": _pixel_shuffle,
    "unpool_zeros": _unpool_zeros,
}

HAS_PARAMETERS = ("conv2d", "conv_transpose2d", "linear", "batch_norm", "batch_norm_leaky_relu", "batch_norm_relu6")
"""Operations whose inputs behind the first are parameters."""

OPERATORS: dict[str, Callable[..., Any]] = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "divide": operator.truediv,
    "power": lambda x, exponent: x**exponent,
    "matmul": operator.matmul,
    "getitem": lambda x, index: x[index],
}
"""Operations that are written as operators, with minidepth and with PyTorch alike."""


def call(ops: ModuleType, op: str, options: dict[str, Any], *tensors: Any) -> Any:
    """The operation by minidepth: a Tensor of the same dtype as the inputs."""
    if op in OPERATORS:
        return OPERATORS[op](*tensors, **options)
    function = getattr(ops, op)
    options = {name: tuple(value) if isinstance(value, list) else value for name, value in options.items()}
    if op == "cat":
        return function(tensors, **options)
    if op.startswith("batch_norm"):
        from minidepth.backend import xp  # here, as make_golden.py draws settings without minidepth

        data, dtype = tensors[0].data, np.promote_types(tensors[0].dtype, np.float32)
        running = [xp(data).asarray(options.pop(name), dtype=dtype) for name in ("running_mean", "running_var")]
        return function(tensors[0], *running, *tensors[1:], **options)
    return function(*tensors, **options)
