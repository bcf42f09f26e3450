"""Every way to convolve against plain loops, against the plain kernels, and against itself in float64."""

from __future__ import annotations

import math
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np
import pytest
import reference

from minidepth.ops.conv2d import forward as conv2d_forward
from minidepth.ops.conv2d import output_size, plain_forward, plain_grad_weight, plain_grad_x
from minidepth.ops.cpu import (
    depthwise,
    patch_gemm,
    paths,
    pointwise,
    row_gemm,
    row_winograd,
    spread_gemm,
    threads,
    tile_gemm,
    winograd,
)

PATHS = [depthwise, row_gemm, pointwise, patch_gemm, tile_gemm, row_winograd, spread_gemm, winograd]
ROUNDING = {row_winograd: 2, winograd: 5}
"""How much more than a plain sum the transforms round; 1 where there are none."""
BACKWARD = " of backward"
"""How a gradient is called that came from a module's `backward`, together with the other one."""

SMALL_TILES = {  # so that small pictures are cut too
    depthwise: {"BUFFER_BYTES": 500, "ROWS": 3},
    row_winograd: {"BUFFER_BYTES": 1},
    winograd: {"STRIP_BYTES": 1, "FEWEST_TILES": 2, "CHUNK_BYTES": 1, "BLOCK_BYTES": 1},
    pointwise: {"TILE_ELEMENTS": 50, "LEAST_PIXELS": 8, "TILE_PRODUCT": 20},
    patch_gemm: {"TILE_ELEMENTS": 50, "LEAST_PIXELS": 8},
    row_gemm: {"BUFFER_BYTES": 1, "MOST_ROWS": 4},
    spread_gemm: {"BUFFER_BYTES": 2000, "LEAST_PIXELS": 8, "WEIGHT_PIXELS": 12},
    tile_gemm: {
        "BUFFER_BYTES": 2000,
        "LEAST_PIXELS": 8,
        "WEIGHT_PIXELS": 12,
        "WEIGHT_BUFFER_BYTES": 2000,
        "FLIPPED_ROWS": 2,
    },
}


def name_of(value: Any) -> str:
    """The id of a test: a module's name, or a layer's shapes."""
    return "-".join(map(str, value)) if isinstance(value, tuple) else value.__name__.rpartition(".")[2]


class Layer(NamedTuple):
    """A convolution: x (N, C, H, W), weight (O, C/groups, I, J), and how it walks over x."""

    x_shape: tuple[int, int, int, int]
    weight_shape: tuple[int, int, int, int]
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1

    def arrays(self, dtype: Any = np.float64, seed: int = 0) -> list[np.ndarray]:
        """x, weight, bias, dL/dy."""
        rng = np.random.default_rng(seed)
        size = output_size("test", self.x_shape, self.weight_shape, self.stride, self.padding, self.dilation)
        shapes = (
            self.x_shape,
            self.weight_shape,
            self.weight_shape[:1],
            (self.x_shape[0], self.weight_shape[0], *size),
        )
        return [rng.standard_normal(shape).astype(dtype) for shape in shapes]

    def outcomes(self, path: Any, x, weight, bias, grad) -> dict[str, np.ndarray]:
        """What a module makes of these arrays."""
        results = {
            "forward": path.forward(x, weight, bias, *self[2:]),
            "grad_x": path.grad_x(grad, weight, x.shape, *self[2:]),
            "grad_weight": path.grad_weight(grad, x, weight.shape, *self[2:]),
        }
        if hasattr(path, "backward"):
            both = path.backward(grad, x, weight, *self[2:])
            results |= {"grad_x" + BACKWARD: both[0], "grad_weight" + BACKWARD: both[1]}
        return results


class plain:  # noqa: N801 (it stands for a module)
    """The plain kernels in the form of a path."""

    forward, grad_x, grad_weight = map(staticmethod, (plain_forward, plain_grad_x, plain_grad_weight))


LARGE = {  # several tiles of the usual size
    depthwise: [
        Layer((2, 40, 61, 80), (40, 1, 3, 3), groups=40),
        Layer((2, 40, 60, 81), (40, 1, 5, 3), (2, 3), (2, 0), groups=40),
        Layer((3, 70, 14, 15), (70, 1, 5, 5), padding=(2, 2), groups=70),
        Layer((1, 24, 50, 90), (24, 1, 3, 3), padding=(2, 3), dilation=(2, 3), groups=24),
        Layer((1, 6, 130, 500), (6, 1, 5, 5), padding=(2, 2), groups=6),  # a channel in several tiles
    ],
    row_winograd: [Layer((2, 33, 70, 90), (24, 33, 3, 3)), Layer((1, 16, 33, 20), (16, 16, 3, 5), padding=(0, 2))],
    winograd: [Layer((2, 33, 70, 90), (24, 33, 3, 3)), Layer((3, 60, 21, 15), (70, 60, 3, 3))],
    pointwise: [
        Layer((2, 16, 120, 161), (1, 16, 1, 1), padding=(0, 0)),
        Layer((5, 300, 11, 12), (70, 300, 1, 1), padding=(0, 0)),
        Layer((1, 400, 14, 15), (333, 400, 1, 1), padding=(0, 0)),  # output channels in two parts
    ],
    patch_gemm: [
        Layer((2, 16, 121, 160), (32, 16, 2, 2), (2, 2), (0, 0)),
        Layer((5, 64, 12, 23), (128, 64, 3, 2), (3, 2), (0, 0)),
    ],
    row_gemm: [
        Layer((2, 3, 67, 41), (8, 3, 3, 3)),
        Layer((1, 40, 70, 90), (24, 40, 3, 3)),
        Layer((3, 16, 33, 20), (16, 16, 3, 5), padding=(0, 2)),
    ],
    spread_gemm: [
        Layer((2, 130, 61, 80), (4, 130, 5, 5), padding=(2, 2)),
        Layer((3, 200, 31, 40), (1, 200, 3, 3)),
        Layer((1, 90, 70, 90), (12, 90, 3, 2), padding=(2, 0), dilation=(2, 3)),
    ],
    tile_gemm: [
        Layer((1, 40, 70, 90), (24, 40, 3, 3)),
        Layer((5, 70, 15, 20), (33, 70, 3, 3)),
        Layer((3, 16, 65, 44), (16, 16, 3, 3), stride=(2, 2)),
        Layer((2, 24, 31, 40), (8, 24, 3, 3), padding=(2, 2), dilation=(2, 2)),
        Layer((2, 64, 31, 40), (64, 8, 3, 3), stride=(2, 1), groups=8),
        Layer((2, 24, 61, 80), (24, 1, 3, 3), groups=24),
        Layer((3, 40, 45, 32), (80, 1, 5, 3), (2, 3), (2, 0), groups=40),
    ],
}
ALL_LARGE = [(path, layer) for path in PATHS for layer in LARGE[path]]


def random_layer(path: Any, rng: np.random.Generator) -> Layer:
    """A small layer that `path` can compute; odd sizes, one pixel, one channel and one picture are likely."""

    def pair(low: int, high: int) -> tuple[int, int]:
        return int(rng.integers(low, high + 1)), int(rng.integers(low, high + 1))

    def one_of(*choices: Any) -> Any:
        return choices[rng.integers(len(choices))]

    while True:
        kernel = one_of((1, 1), (2, 2), (3, 3), pair(1, 4))
        stride, padding = one_of((1, 1), (1, 1), kernel, pair(1, 3)), one_of((0, 0), (1, 1), pair(0, 4))
        dilation, groups = one_of((1, 1), (1, 1), pair(1, 3)), one_of(1, 1, 1, 2, 3, 7)
        per_group, out_per_group = one_of((1, one_of(1, 2)), pair(1, 5))
        weight_shape = (groups * out_per_group, per_group, *kernel)
        if path not in paths.able(weight_shape, stride, padding, dilation, groups):
            continue
        least = [max(1, d * (k - 1) + 1 - 2 * p) for d, k, p in zip(dilation, kernel, padding)]
        size = [n + int(rng.integers(0, 9)) * one_of(0, 1) for n in least]
        pictures = int(rng.integers(1, 4))
        return Layer((pictures, groups * per_group, *size), weight_shape, stride, padding, dilation, groups)


@pytest.fixture(params=PATHS, ids=name_of)
def path(request):
    return request.param


@pytest.fixture
def small_tiles(path, monkeypatch):
    for name, value in SMALL_TILES[path].items():
        monkeypatch.setattr(path, name, value)


@pytest.mark.parametrize("seed", range(12))
def test_forward_agrees_with_plain_loops(path, small_tiles, seed):
    layer = random_layer(path, np.random.default_rng(seed))
    x, weight, bias, _ = layer.arrays(seed=seed)
    expected = reference.conv2d(x, weight, bias, *layer[2:])
    np.testing.assert_allclose(path.forward(x, weight, bias, *layer[2:]), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("seed", range(12))
def test_gradients_are_the_adjoints_of_the_plain_loops(path, small_tiles, seed):
    """The convolution is linear in x and in the weight: <conv(a, w), g> = <a, grad_x> = <w, grad_weight>, exactly."""
    layer = random_layer(path, np.random.default_rng(seed))
    x, weight, _, grad = layer.arrays(seed=seed)
    product = np.vdot(reference.conv2d(x, weight, None, *layer[2:]), grad)
    ours = layer.outcomes(path, x, weight, None, grad)
    room = 1e-12 * (1 + np.linalg.norm(x) * np.linalg.norm(weight) * np.linalg.norm(grad))
    assert np.vdot(ours["grad_x"], x) == pytest.approx(product, rel=0, abs=room)
    assert np.vdot(ours["grad_weight"], weight) == pytest.approx(product, rel=0, abs=room)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_all_three_agree_with_the_plain_kernels_on_many_random_layers(path, small_tiles, dtype):
    rng = np.random.default_rng(7)
    for seed in range(100):
        layer = random_layer(path, rng)
        arrays = layer.arrays(dtype, seed)
        ours, theirs = (layer.outcomes(way, *arrays) for way in (path, plain))
        for name, values in ours.items():
            expected = theirs[name.removesuffix(BACKWARD)]
            room = ROUNDING.get(path, 1) * (1e-5 if dtype == np.float32 else 1e-12) * (1 + np.abs(expected).max())
            assert values.dtype == dtype
            np.testing.assert_allclose(values, expected, rtol=0, atol=room, err_msg=f"{name} of {layer}")


@pytest.mark.parametrize("seed", range(12))
def test_grad_x_adds_the_bias_of_a_transposed_convolution(path, small_tiles, seed):
    layer = random_layer(path, np.random.default_rng(seed))
    x, weight, _, grad = layer.arrays(seed=seed)
    bias = np.random.default_rng(seed).standard_normal(x.shape[1])
    without = path.grad_x(grad, weight, x.shape, *layer[2:])
    result = path.grad_x(grad, weight, x.shape, *layer[2:], bias)
    np.testing.assert_allclose(result, without + bias[:, None, None], rtol=0, atol=1e-12 * (1 + np.abs(without).max()))


@pytest.mark.parametrize("path", paths.LIMITING, ids=name_of)
@pytest.mark.parametrize("limits", [(0.0, 0.7), (-0.2, math.inf)])
def test_limits_cut_what_comes_out(path, limits):
    for layer in LARGE[path]:
        x, weight, bias, _ = layer.arrays(np.float32)
        expected = np.minimum(np.maximum(path.forward(x, weight, bias, *layer[2:]), limits[0]), limits[1])
        np.testing.assert_array_equal(path.forward(x, weight, bias, *layer[2:], limits), expected)


@pytest.mark.parametrize("layer", [layers[0] for layers in LARGE.values()], ids=name_of)
def test_limits_are_those_of_a_way_that_does_not_know_them_too(layer, monkeypatch):
    for path in paths.able(layer.weight_shape, *layer[2:]):
        monkeypatch.setattr(import_module("minidepth.ops.conv2d"), "choose", lambda *shapes, path=path: path)
        x, weight, bias, _ = layer.arrays()
        expected = np.clip(plain_forward(x, weight, bias, *layer[2:]), 0, 0.7)
        np.testing.assert_allclose(conv2d_forward(x, weight, bias, *layer[2:], (0, 0.7)), expected, atol=1e-10)


@pytest.mark.parametrize(("path", "layer"), ALL_LARGE, ids=name_of)
def test_large_layers_agree_with_the_plain_kernels(path, layer):
    arrays = layer.arrays()
    ours, theirs = (layer.outcomes(way, *arrays) for way in (path, plain))
    for name, values in ours.items():
        expected = theirs[name.removesuffix(BACKWARD)]
        room = ROUNDING.get(path, 1) * 1e-12 * np.abs(expected).max()
        np.testing.assert_allclose(values, expected, rtol=0, atol=room, err_msg=name)


@pytest.mark.parametrize(("path", "layer"), ALL_LARGE, ids=name_of)
def test_float32_is_as_exact_as_a_sum_of_so_many_terms_can_be(path, layer):
    """Against float64, as the docstrings say: `terms` roundings of half an eps add up like a random walk."""
    exact, single = (layer.outcomes(path, *layer.arrays(dtype)) for dtype in (np.float64, np.float32))
    taps = math.prod(layer.weight_shape[1:])
    grad_pixels = exact["forward"][:, 0].size
    terms = {"forward": taps, "grad_x": taps * layer.weight_shape[0] // layer.x_shape[1], "grad_weight": grad_pixels}
    for name, expected in exact.items():
        bound = np.finfo(np.float32).eps * math.sqrt(terms[name.removesuffix(BACKWARD)]) * np.abs(expected).max()
        assert np.abs(single[name] - expected).max() < ROUNDING.get(path, 1) * bound, name


@pytest.mark.parametrize(("path", "layer"), ALL_LARGE, ids=name_of)
def test_the_number_of_threads_does_not_change_a_bit(path, layer, monkeypatch):
    arrays = layer.arrays(np.float32)
    results = []
    for number in (1, 2, 3):
        monkeypatch.setattr(threads, "get_num_threads", lambda number=number: number)
        results.append(layer.outcomes(path, *arrays))
    for name in results[0]:
        assert all(result[name].tobytes() == results[0][name].tobytes() for result in results), name


@pytest.mark.parametrize(("path", "layer"), ALL_LARGE, ids=name_of)
def test_views_and_copies_give_the_same_bits(path, layer):
    """Some channels of a larger array, as `cat` hands them back; turned pictures; every second number of a weight."""
    x, weight, bias, grad = layer.arrays(np.float32)
    of_more = np.concatenate([grad, grad[:, :1]], axis=1)[:, :-1]
    turned = np.ascontiguousarray(x.swapaxes(2, 3)).swapaxes(2, 3)
    spread = np.repeat(weight, 2, axis=3)[..., ::2]
    copies, views = (layer.outcomes(path, *a) for a in ((x, weight, bias, grad), (turned, spread, bias, of_more)))
    for name, expected in copies.items():
        assert views[name].flags.c_contiguous and views[name].tobytes() == expected.tobytes(), name


@pytest.mark.parametrize("columns", [1, 7, 13, 30, 60])
def test_row_gemm_cuts_rows_that_have_no_divisor_as_well(columns, monkeypatch):
    """A width that can be cut into parts wide enough, one that cannot, and primes: all are computed, in finite time."""
    monkeypatch.setattr(row_gemm, "UNPACKED", 800)
    monkeypatch.setattr(row_gemm, "FEWEST_COLUMNS", 6)
    layer = Layer((2, 3, 5, columns), (4, 3, 3, 3))
    ours, theirs = (layer.outcomes(way, *layer.arrays()) for way in (row_gemm, plain))
    for name, values in ours.items():
        np.testing.assert_allclose(values, theirs[name.removesuffix(BACKWARD)], rtol=0, atol=1e-12, err_msg=name)


def test_the_parts_of_a_large_weight_gradient_stay_small(monkeypatch):
    asked = []
    monkeypatch.setattr(tile_gemm.pool, "empty", lambda shape, dtype: asked.append(shape) or np.empty(shape, dtype))
    monkeypatch.setattr(tile_gemm, "WEIGHT_PIXELS", 8)
    monkeypatch.setattr(tile_gemm, "PARTS_BYTES", 4 * 5 * 3 * 9 * 8)  # four times the weight
    layer = Layer((3, 3, 8, 8), (5, 3, 3, 3))
    x, _, _, grad = layer.arrays()
    tile_gemm.grad_weight(grad, x, layer.weight_shape, *layer[2:])
    assert 2 <= asked[0][0] <= 6


@pytest.mark.parametrize("seed", range(50))
def test_the_rule_picks_a_path_that_can(seed):
    layer = random_layer(PATHS[seed % len(PATHS)], np.random.default_rng(seed))
    assert paths.choose(*layer) in paths.able(*layer[1:])


@pytest.mark.parametrize(
    ("x_shape", "weight_shape", "expected"),
    [
        ((1, 2048, 114, 152), (16, 2048, 5, 5), spread_gemm),  # few outputs of many inputs
        ((1, 128, 32, 40), (32, 128, 3, 3), spread_gemm),
        ((8, 128, 4, 5), (32, 128, 3, 3), tile_gemm),  # im2col of so few pixels costs nothing
        ((1, 12, 64, 80), (3, 12, 3, 3), row_gemm),
        ((1, 128, 16, 16), (128, 128, 3, 3), tile_gemm),  # short rows
        ((1, 16, 16, 16), (16, 16, 3, 3), row_gemm),
        ((1, 128, 32, 40), (128, 128, 3, 3), winograd),
    ],
    ids=str,
)
def test_what_the_rule_picks(x_shape, weight_shape, expected):
    size = weight_shape[2] // 2
    assert paths.choose(x_shape, weight_shape, (1, 1), (size, size), (1, 1), 1) is expected


@pytest.mark.parametrize(
    ("changed", "fits"),
    [({}, True), ({"stride": (2, 1)}, False), ({"dilation": (1, 2)}, False), ({"groups": 2}, False),
     ({"padding": (3, 0)}, False)],
)  # fmt: skip
def test_what_row_gemm_can_do(changed, fits):
    options = {"stride": (1, 1), "padding": (1, 1), "dilation": (1, 1), "groups": 1, **changed}
    assert (row_gemm in paths.able((4, 4, 3, 3), **options)) is fits
