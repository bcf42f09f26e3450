"""The CUDA kernels of convolution, each rung of the ladder: sizes of all kinds, tiles half full, tensor cores."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest
from helpers import normal
from twins import GPUS, ROUNDING, assert_twin, to_gpu, watched

from minidepth.ops.conv_sizes import output_size
from minidepth.ops.gpu import depthwise, direct, implicit_gemm, implicit_gemm_tensor, paths, pointwise
from minidepth.ops.im2col import col2im, im2col

conv2d = importlib.import_module("minidepth.ops.conv2d")
with_im2col = SimpleNamespace(
    forward=lambda *args: conv2d.plain_forward(*args),
    grad_x=lambda *args: conv2d.plain_grad_x(*args[:7]),
    grad_weight=conv2d.plain_grad_weight,
)
"""The second rung: the plain kernels as they are, with im2col and col2im on the GPU."""


class Layer(NamedTuple):
    x_shape: tuple[int, ...]
    weight_shape: tuple[int, ...]
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1

    def arrays(self) -> tuple[np.ndarray, ...]:
        """x, weight, bias and dL/dy."""
        size = output_size("test", self.x_shape, self.weight_shape, self.stride, self.padding, self.dilation)
        outputs = self.weight_shape[0]
        grad = normal(self.x_shape[0], outputs, *size, seed=3)
        return normal(*self.x_shape), normal(*self.weight_shape, seed=1), normal(outputs, seed=2), grad


SMALL = [
    Layer((1, 1, 3, 3), (1, 1, 3, 3)),
    Layer((2, 3, 7, 6), (4, 3, 3, 3), padding=(1, 1)),
    Layer((2, 2, 9, 8), (3, 2, 3, 3), (2, 2), (1, 1)),
    Layer((1, 2, 9, 11), (3, 2, 3, 2), (2, 3), (2, 1)),
    Layer((1, 2, 9, 8), (2, 2, 3, 3), (1, 1), (2, 2), (2, 2)),
    Layer((1, 2, 10, 9), (2, 2, 2, 3), (3, 1), (0, 3), (3, 2)),
    Layer((1, 2, 11, 9), (2, 2, 3, 2), (2, 4), (1, 2), (2, 3)),  # taps that only some pixels meet
    Layer((2, 4, 6, 5), (6, 2, 3, 3), (1, 1), (1, 1), (1, 1), 2),
    Layer((1, 2, 4, 9), (2, 2, 1, 7), (1, 1), (0, 3)),
    Layer((1, 2, 5, 7), (3, 2, 1, 1), (2, 3), (1, 0)),  # pixels that no tap meets
    Layer((1, 2, 3, 3), (2, 2, 3, 3), (1, 1), (5, 5)),
]
LARGE = [  # more than one tile of pixels, of channels, of columns of the weight, more than one part of the pixels; none
    Layer((2, 17, 18, 17), (5, 17, 3, 3), padding=(1, 1)),
    Layer((1, 3, 9, 31), (70, 3, 2, 2)),
    Layer((1, 70, 3, 5), (35, 70, 1, 2), (1, 2), (0, 1)),
    Layer((1, 6, 41, 33), (68, 3, 2, 2), (2, 1), (1, 0), (1, 1), 2),
    Layer((0, 2, 5, 5), (3, 2, 3, 3)),
]
DEPTHWISE = [
    Layer((2, 3, 9, 7), (3, 1, 3, 3), (1, 1), (1, 1), groups=3),
    Layer((1, 5, 10, 11), (5, 1, 3, 3), (2, 2), (1, 1), groups=5),
    Layer((2, 2, 11, 9), (2, 1, 2, 5), (3, 2), (1, 4), (2, 1), groups=2),
    Layer((3, 2, 33, 35), (2, 1, 5, 5), (1, 1), (2, 2), groups=2),  # two parts of the pixels, three chunks of taps
]
POINTWISE = [Layer((2, 3, 5, 4), (6, 3, 1, 1)), Layer((0, 2, 3, 3), (4, 2, 1, 1))]


def on_gpu(name: str, way: Any) -> Callable[..., Any]:
    """The kernel `name` as `assert_twin` takes it: NumPy's for NumPy arrays, and that of `way` for others."""
    numpy_kernel, function = getattr(conv2d, name), getattr(way, name)
    return lambda first, *rest: (numpy_kernel if isinstance(first, np.ndarray) else function)(first, *rest)


def assert_agrees(gpu: str, way: Any, layer: Layer) -> None:
    """Forward and both gradients of `way` are those of NumPy."""
    x, weight, bias, grad = layer.arrays()
    settings = layer[2:]
    terms = math.prod(layer.weight_shape[1:])
    assert_twin(gpu, on_gpu("forward", way), x, weight, bias, *settings, terms=terms)
    to_x = terms * layer.weight_shape[0] // layer.x_shape[1]
    assert_twin(gpu, on_gpu("grad_x", way), grad, weight, layer.x_shape, *settings, terms=to_x)
    to_weight = max(1, grad[:, 0].size)
    assert_twin(gpu, on_gpu("grad_weight", way), grad, x, layer.weight_shape, *settings, terms=to_weight)


@pytest.mark.parametrize("gpu", GPUS)
@pytest.mark.parametrize("layer", SMALL, ids=str)
@pytest.mark.parametrize("way", [direct, with_im2col, implicit_gemm], ids=["direct", "im2col", "implicit_gemm"])
def test_small(way, layer, gpu) -> None:
    assert_agrees(gpu, way, layer)


@pytest.mark.parametrize("gpu", GPUS)
@pytest.mark.parametrize("layer", LARGE, ids=str)
def test_large(layer, gpu) -> None:
    assert_agrees(gpu, implicit_gemm, layer)


@pytest.mark.parametrize("gpu", GPUS)
@pytest.mark.parametrize("layer", DEPTHWISE, ids=str)
def test_depthwise(layer, gpu) -> None:
    assert_agrees(gpu, depthwise, layer)


@pytest.mark.parametrize("gpu", GPUS)
@pytest.mark.parametrize("layer", POINTWISE, ids=str)
def test_pointwise(layer, gpu) -> None:
    assert_agrees(gpu, pointwise, layer)


TENSOR_CORES = [
    *SMALL,
    *POINTWISE,
    Layer((1, 9, 5, 6), (10, 9, 2, 3), (1, 1), (1, 1)),
    Layer((1, 35, 4, 3), (34, 35, 2, 1), (2, 1), (1, 0)),  # slices of channels, more than a narrow tile on both sides
    Layer((1, 3, 18, 20), (5, 3, 3, 3), padding=(1, 1)),  # more than one tile of pixels, and more than one part
    Layer((1, 3, 5, 8), (2, 3, 3, 3), padding=(1, 1)),  # pairs of columns, from an odd place on; eight at once to write
    Layer((1, 3, 9, 18), (2, 3, 3, 2), (2, 2), (1, 0)),  # pairs and every second place
    Layer((1, 2, 15, 14), (2, 2, 3, 3), (1, 1), (8, 8), (8, 8)),  # regions for a row of taps
    Layer((1, 2, 16, 13), (2, 2, 3, 3), (1, 1), (18, 18), (18, 18)),  # and for one tap
    Layer((1, 1, 13, 15), (2, 1, 7, 7), (2, 2), (3, 3)),
    Layer((1, 25, 16, 15), (2, 25, 1, 2), (1, 1), (0, 9), (1, 17)),  # more pieces than threads could bring for two taps
]
"""Of the last four the regions are too large for all taps at once."""


def rounded_to_tf32(array: np.ndarray) -> np.ndarray:
    """float64 numbers, to 10 bits of mantissa after the first."""
    mantissa, exponent = np.frexp(array.astype(np.float32))
    return np.ldexp(np.trunc(mantissa * 2048 + np.copysign(0.5, mantissa)) / 2048, exponent).astype(np.float64)


def rounded_to_half(array: np.ndarray) -> np.ndarray:
    return array.astype(np.float16).astype(np.float64)


def assert_rounded(
    gpu: str, way: Any, layer: Layer, factors: str, weights_too: bool = True, modes: tuple[bool, ...] = (True,)
) -> None:
    """`way` computes what NumPy does in float64 with rounded factors: half, or TF32 in float32.

    Products of such factors are exact in float32, in which they are added up; what comes out in half is rounded once.
    """
    dtype, rounded = {"half": (np.float16, rounded_to_half), "tf32": (np.float32, rounded_to_tf32)}[factors]
    x, weight, bias, grad = layer.arrays()
    bias = bias.astype(np.float32).astype(np.float64)
    if not weights_too:
        weight = weight.astype(np.float32).astype(np.float64)
    settings = layer[2:]
    for name, arguments, terms in [
        ("forward", (x, weight, bias, *settings), math.prod(layer.weight_shape[1:])),
        ("grad_x", (grad, weight, layer.x_shape, *settings), grad[:1].size),
        ("grad_weight", (grad, x, layer.weight_shape, *settings), max(1, grad[:, 0].size)),
    ]:
        whole = (bias,) if weights_too else (bias, weight)
        exact = [
            rounded(arg) if isinstance(arg, np.ndarray) and all(arg is not one for one in whole) else arg
            for arg in arguments
        ]
        on_device = [
            to_gpu(gpu, arg.astype(np.float32 if arg is weight or arg is bias else dtype))
            if isinstance(arg, np.ndarray)
            else arg
            for arg in arguments
        ]
        expected = getattr(conv2d, name)(*exact)
        tolerance = ROUNDING * 2.0**-23 * terms**0.5 * np.abs(expected).max(initial=0)
        for mode in modes:
            with watched(gpu, dtype) if mode else nullcontext():
                actual = getattr(way, name)(*on_device).get()
            assert actual.dtype == (np.float32 if name == "grad_weight" else dtype)
            once = 2.0**-11 if actual.dtype == np.float16 else 0
            np.testing.assert_allclose(actual.astype(np.float64), expected, rtol=once, atol=tolerance)


@pytest.mark.parametrize("gpu", GPUS)
@pytest.mark.parametrize("layer", TENSOR_CORES, ids=str)
@pytest.mark.parametrize("factors", ["half", "tf32"])
def test_tensor_cores(factors, layer, gpu) -> None:
    assert_rounded(gpu, implicit_gemm_tensor, layer, factors)


@pytest.mark.parametrize("gpu", GPUS)
@pytest.mark.parametrize(
    "layer",
    [
        Layer((1, 2, 3, 8), (10, 2, 2, 2), padding=(1, 1)),
        Layer((1, 3, 3, 9), (33, 3, 2, 1)),
        Layer((1, 3, 3, 9), (65, 3, 2, 1)),
    ],
    ids=str,
)
def test_every_tile_on_tensor_cores(layer, gpu, monkeypatch) -> None:
    """Narrow ones, those of 32 and of 64 channels, of which there are several; watched, and as they are."""
    monkeypatch.setattr(implicit_gemm_tensor, "ENOUGH_BLOCKS", 1)
    assert_rounded(gpu, implicit_gemm_tensor, layer, "half")
    assert_rounded(gpu, implicit_gemm_tensor, layer, "tf32", modes=(True, False))


@pytest.mark.parametrize("gpu", GPUS)
@pytest.mark.parametrize(
    "way, layer",
    [(direct, layer) for layer in SMALL[1:8]] + [(depthwise, layer) for layer in DEPTHWISE],
    ids=lambda value: str(value) if isinstance(value, Layer) else value.__name__,
)
def test_in_half(way, layer, gpu) -> None:
    """Those that do not need tensor cores take weights as they are."""
    assert_rounded(gpu, way, layer, "half", weights_too=False)


@pytest.mark.parametrize("gpu", GPUS)
@pytest.mark.parametrize("layer", [SMALL[1], DEPTHWISE[0], POINTWISE[0]], ids=str)
def test_kernels_of_the_op(layer, gpu) -> None:
    """Every registered kernel, on the way that the rule picks; limits, and what a transposed convolution asks for."""
    x, weight, bias, grad = layer.arrays()
    weight = rounded_to_half(weight)  # some kernels for half do that
    settings, terms = layer[2:], math.prod(layer.weight_shape) * 4
    for limits in (None, (0.0, 0.7), (-math.inf, 0.5)):
        assert_twin(gpu, conv2d.forward, x, weight, bias, *settings, limits, terms=terms, single=(1, 2))
    assert_twin(gpu, conv2d.forward, x, weight, None, *settings, terms=terms, single=(1,))
    assert_twin(gpu, lambda *args: conv2d.forward_and_keep(*args)[0], x, weight, bias, *settings, terms=terms)
    of_x = normal(layer.x_shape[1], seed=4)
    assert_twin(gpu, conv2d.grad_x, grad, weight, layer.x_shape, *settings, of_x, terms=terms, single=(1, 7))
    terms += grad[:, 0].size
    assert_twin(gpu, conv2d.backward, grad, x, None, weight, layer.x_shape, *settings, terms=terms, single=(3,))


@pytest.mark.parametrize("gpu", GPUS)
@pytest.mark.parametrize("limits", [None, (0.0, 0.7)])
def test_direct_cuts_too(limits, gpu) -> None:
    x, weight, bias, _ = SMALL[7].arrays()
    assert_twin(gpu, on_gpu("forward", direct), x, weight, None, *SMALL[7][2:], limits, terms=weight.size)
    way = SimpleNamespace(grad_x=direct.grad_x)
    grad, of_x = SMALL[7].arrays()[3], normal(SMALL[7].x_shape[1])
    assert_twin(gpu, on_gpu("grad_x", way), grad, weight, x.shape, *SMALL[7][2:], of_x, terms=weight.size)


@pytest.mark.parametrize("gpu", GPUS)
@pytest.mark.parametrize("shape", [(2, 3, 5, 7), (1, 2, 150, 230), (3, 1, 1, 1), (0, 2, 3, 4)], ids=str)
def test_gradient_of_the_bias(shape, gpu) -> None:
    assert_twin(gpu, conv2d.grad_bias, normal(*shape), terms=max(1, math.prod(shape)))


@pytest.mark.parametrize("gpu", GPUS)
def test_not_a_number_is_not_cut(gpu) -> None:
    x, weight, _, _ = SMALL[1].arrays()
    for way in (direct, implicit_gemm):
        y = way.forward(to_gpu(gpu, np.full_like(x, np.nan)), to_gpu(gpu, weight), None, *SMALL[1][2:], (0.0, 1.0))
        assert np.isnan(y.get()).all()


@pytest.mark.parametrize("gpu", GPUS)
@pytest.mark.parametrize("layer", SMALL[:6], ids=str)
def test_im2col(layer, gpu) -> None:
    x, weight, _, _ = layer.arrays()
    patches = assert_twin(gpu, im2col, x, weight.shape, *layer[2:])
    assert_twin(gpu, col2im, patches, x.shape, weight.shape, *layer[2:5], terms=math.prod(weight.shape[2:]))


def test_the_rule(monkeypatch) -> None:
    def chosen(layer: Layer, dtype: Any = np.float32) -> Any:
        x = np.zeros(layer.x_shape, dtype)
        return paths.choose(x, layer.weight_shape, layer.stride, layer.padding, layer.groups)

    few, one_by_one = Layer((1, 3, 9, 9), (8, 3, 3, 3)), Layer((1, 8, 9, 9), (1, 8, 1, 1))
    some = [Layer((1, 8, 9, 9), (2, 8, 3, 3)), one_by_one]
    for dtype in (np.float32, np.float64):
        assert all(chosen(layer, dtype) is implicit_gemm for layer in SMALL + LARGE)
        assert all(chosen(layer, dtype) is depthwise for layer in DEPTHWISE)
        assert all(chosen(layer, dtype) is pointwise for layer in [*POINTWISE, one_by_one])
    assert chosen(Layer((1, 1, 3, 3), (1, 1, 3, 3))) is implicit_gemm  # one channel, by itself or not
    assert chosen(Layer((1, 2, 3, 3), (4, 1, 3, 3), groups=2)) is implicit_gemm  # two outputs of each channel
    for with_tf32 in (False, True):
        monkeypatch.setattr(implicit_gemm, "tf32", with_tf32)
        assert all(chosen(layer) is depthwise for layer in DEPTHWISE)
        assert chosen(few) is implicit_gemm
        assert chosen(some[0]) is (implicit_gemm_tensor if with_tf32 else implicit_gemm)
        assert chosen(one_by_one) is (implicit_gemm_tensor if with_tf32 else pointwise)
        assert all(chosen(layer, np.float64) is implicit_gemm for layer in some[:1])
        assert all(chosen(layer, np.float16) is depthwise for layer in DEPTHWISE)
        assert all(chosen(layer, np.float16) is implicit_gemm_tensor for layer in [few, *some, *SMALL, *POINTWISE])
