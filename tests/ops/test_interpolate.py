"""interpolate: values by hand and by loops, size and scale_factor, gradients, errors."""

from __future__ import annotations

import numpy as np
import pytest
import reference
from helpers import assert_linear, assert_same, normal
from twins import GPUS, assert_twin, to_gpu

from minidepth import Tensor
from minidepth.ops import interpolate
from minidepth.ops.cpu import double_size, repeat_2x2
from minidepth.ops.interpolate import bilinear_taps, forward, grad_x, nearest_taps

MODES = [("nearest", None), ("bilinear", None), ("bilinear", False), ("bilinear", True)]
SIZES = [  # (H, W), (R, S)
    ((3, 4), (6, 8)),
    ((4, 5), (4, 5)),
    ((5, 7), (8, 3)),
    ((7, 6), (2, 13)),
    ((1, 1), (3, 2)),
    ((6, 5), (1, 1)),
    ((2, 9), (10, 4)),
    ((1, 3), (2, 6)),
    ((4, 1), (8, 2)),
    ((2, 3), (4, 6)),
]
SCALES = [
    ((3, 4), 2),
    ((3, 4), (3, 1)),
    ((5, 7), 1.5),
    ((5, 7), (0.5, 2.3)),
    ((9, 8), 0.7),
    ((4, 4), (1.9, 1.1)),
    ((7, 3), (1.1, 1.2)),
]


def test_by_hand() -> None:
    x = Tensor(np.array([[[[0.0, 8.0]]]]), requires_grad=True)
    y = interpolate(x, scale_factor=(1, 2), mode="bilinear")
    assert y.numpy().tolist() == [[[[0, 2, 6, 8]]]]  # shares 1, 3/4, 1/4, 0 of the left pixel
    y.backward(np.array([[[[1.0, 4.0, 8.0, 16.0]]]]))
    assert x.grad.tolist() == [[[[1 + 3 + 2, 1 + 6 + 16]]]]
    assert interpolate(x, size=(1, 3), mode="bilinear", align_corners=True).numpy().tolist() == [[[[0, 4, 8]]]]
    assert interpolate(x, size=(2, 3)).numpy().tolist() == [[[[0, 0, 8], [0, 0, 8]]]]


@pytest.mark.parametrize("mode, align_corners", MODES)
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_size_oracle_and_gradient(sizes, mode, align_corners) -> None:
    x = normal(2, 3, *sizes[0])
    y = interpolate(Tensor(x), size=sizes[1], mode=mode, align_corners=align_corners)
    assert_same(y, reference.interpolate(x, sizes[1], mode, bool(align_corners)))
    assert_linear(lambda x: interpolate(x, size=sizes[1], mode=mode, align_corners=align_corners), x)


@pytest.mark.parametrize("mode, align_corners", MODES)
@pytest.mark.parametrize("setting", SCALES, ids=str)
def test_scale_factor_oracle_and_gradient(setting, mode, align_corners) -> None:
    (height, width), factor = setting
    scale = factor if isinstance(factor, tuple) else (factor, factor)
    size = (int(height * scale[0]), int(width * scale[1]))
    x = normal(2, 3, height, width)
    y = interpolate(Tensor(x), scale_factor=factor, mode=mode, align_corners=align_corners)
    assert_same(y, reference.interpolate(x, size, mode, bool(align_corners), scale))
    assert_linear(lambda x: interpolate(x, scale_factor=factor, mode=mode, align_corners=align_corners), x)


def test_a_picture_larger_than_a_tile() -> None:
    x = normal(1, 2, 180, 200)
    y = interpolate(Tensor(x), scale_factor=2, mode="bilinear").data
    inside = 0.75 * x[..., 1:-1, :] + 0.25 * x[..., :-2, :]  # the upper of the two rows that replace a row
    expected = 0.75 * inside[..., 1:-1] + 0.25 * inside[..., 2:]  # the right of two columns
    assert_same(y[..., 2:-2:2, 3:-1:2], expected)
    assert_linear(lambda x: interpolate(x, scale_factor=2, mode="bilinear"), x)


@pytest.mark.parametrize(
    "options, quick",
    [
        ({"scale_factor": 2}, True),
        ({"scale_factor": (2.0, 2)}, True),
        ({"size": (12, 14)}, True),
        ({"size": (12, 15)}, False),
        ({"scale_factor": (2.1, 2)}, False),  # 12 x 14 as well, but not by the same weights
    ],
    ids=str,
)
@pytest.mark.parametrize("mode, way", [("bilinear", double_size), ("nearest", repeat_2x2)])
def test_exactly_twice_the_size_takes_the_quick_way(mode, way, options, quick, monkeypatch) -> None:
    taken = quick_ways(monkeypatch)
    x = Tensor(normal(2, 3, 6, 7), requires_grad=True)
    y = interpolate(x, mode=mode, **options)
    y.backward(normal(*y.shape))
    assert taken == ([(way, "forward"), (way, "grad_x")] if quick else [])


def test_aligned_corners_have_no_quick_way(monkeypatch) -> None:
    taken = quick_ways(monkeypatch)
    interpolate(Tensor(normal(2, 3, 6, 7)), scale_factor=2, mode="bilinear", align_corners=True)
    assert taken == []


def quick_ways(monkeypatch) -> list:
    """(module, function) of every quick way that is taken from now on."""
    taken: list = []

    def watch(module, name) -> None:
        real = getattr(module, name)
        monkeypatch.setattr(module, name, lambda array: taken.append((module, name)) or real(array))

    for module in (double_size, repeat_2x2):
        watch(module, "forward")
        watch(module, "grad_x")
    return taken


def test_a_nan_stays_where_it_is() -> None:
    x = np.zeros((1, 1, 3, 4))
    x[0, 0, 1, 1] = np.nan
    bad = np.isnan(interpolate(Tensor(x), scale_factor=2).data[0, 0])
    assert bad[2:4, 2:4].all() and bad.sum() == 4


CUDA = [*((*sizes, None) for sizes in SIZES), *((size, None, factor) for size, factor in SCALES)]


@pytest.mark.parametrize("gpu", GPUS)
@pytest.mark.parametrize("make, align_corners", [(nearest_taps, False), (bilinear_taps, False), (bilinear_taps, True)])
@pytest.mark.parametrize("setting", [*CUDA, ((9, 11), (23, 20), None)], ids=str)
def test_cuda(setting, make, align_corners, gpu) -> None:
    inputs, size, factor = setting
    planes = (2, 3) if size == (8, 3) else (1, 1)  # more than a thread has, and fewer
    factors = factor if isinstance(factor, tuple) else (factor, factor)
    size = size or tuple(int(n * scale) for n, scale in zip(inputs, factors))
    rows, columns = (make(*axis, align_corners) for axis in zip(inputs, size, factors))
    y = assert_twin(gpu, forward, normal(*planes, *inputs), rows, columns, None, terms=4)
    assert_twin(gpu, grad_x, normal(*y.shape), rows, columns, None, terms=size[0] * size[1])


@pytest.mark.parametrize("gpu", GPUS)
@pytest.mark.parametrize("make, way", [(nearest_taps, repeat_2x2), (bilinear_taps, double_size)])
@pytest.mark.parametrize("shape", [(2, 3, 2, 2), (1, 2, 3, 5), (2, 3, 9, 13)], ids=str)
def test_cuda_twice_the_size(shape, make, way, gpu) -> None:
    rows, columns = (make(n, 2 * n, None, False) for n in shape[2:])
    y = assert_twin(gpu, forward, normal(*shape), rows, columns, way, terms=4)
    assert_twin(gpu, grad_x, normal(*y.shape), rows, columns, way, terms=16)
    grad = normal(1 + y.size)
    at_an_odd_place = to_gpu(gpu, grad)[1:].reshape(y.shape)  # where no two numbers can be read at once
    result = grad_x(at_an_odd_place, rows, columns, way).get()
    assert_same(result, grad_x(grad[1:].reshape(y.shape), rows, columns, way))


@pytest.mark.parametrize(
    "shape, options, text",
    [
        ((3, 4, 4), {"size": 2}, r"interpolate: x must be \(N, C, H, W\) with at least one pixel, but has shape"),
        ((1, 1, 0, 4), {"size": 2}, r"interpolate: x must be \(N, C, H, W\) with at least one pixel"),
        ((1, 1, 4, 4), {}, r"interpolate: give either size or scale_factor"),
        ((1, 1, 4, 4), {"size": 2, "scale_factor": 2}, r"interpolate: give either size or scale_factor"),
        ((1, 1, 4, 4), {"size": (2, 0)}, r"interpolate: the output would be empty, \(2, 0\)"),
        ((1, 1, 4, 4), {"scale_factor": 0.1}, r"interpolate: the output would be empty, \(0, 0\)"),
        ((1, 1, 4, 4), {"size": 2, "mode": "cubic"}, r"interpolate: mode 'cubic' is unknown; use nearest or bilinear"),
        ((1, 1, 4, 4), {"size": 2, "align_corners": False}, r"interpolate: align_corners is for mode 'bilinear' only"),
    ],
)
def test_bad_input(shape, options, text) -> None:
    with pytest.raises(ValueError, match=text):
        interpolate(Tensor(np.zeros(shape)), **options)
