"""product.cu: every version, sizes beside the tiles, matrices lying either way, and the reads that its header says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers import normal
from twins import GPUS, ROUNDING, assert_twin, to_gpu, watched

from minidepth import Tensor
from minidepth.ops.product import ENOUGH_BLOCKS, LEAST_PART, choose, product, product_cuda
from minidepth.testing import checking, emulated

SIDE = {"product_naive": 16, "product_shared": 16, "product_registers": 64, "product_registers_8x8": 128}
READS = dict(zip(SIDE, [2, 1 / 8, 1 / 32, 1 / 64]))
SHARED_READS = dict(zip(SIDE, [0, 2, 1 / 2, 1 / 4]))
"""For one multiply-add, as the header has it."""


def by(version: str, parts: int = 1) -> Any:
    """`product`, which on a GPU takes that version."""

    def kernel(a, b, transpose_a=False, transpose_b=False, bias=None):
        if isinstance(a, np.ndarray):
            return product(a, b, transpose_a, transpose_b, bias)
        return product_cuda(a, b, transpose_a, transpose_b, bias, version, parts)

    return kernel


def settings(side: int) -> list[tuple[int, int, int, bool, bool]]:
    """m, n, k, transpose_a, transpose_b: each lies either way, in rows of whole fours and not, over the edge."""
    return [
        (1, 1, 1, False, False),
        (3, 5, 7, True, True),
        (side + 1, 8, 20, False, False),
        (4, side + 4, 20, True, True),
        (side + 1, 6, 18, True, False),
        (5, side + 2, 33, False, True),
        (side + 4, side + 8, 8, True, False),
    ]


@pytest.mark.parametrize("gpu", GPUS)
@pytest.mark.parametrize("version", SIDE)
def test_every_version(version, gpu) -> None:
    for number, (m, n, k, transpose_a, transpose_b) in enumerate(settings(SIDE[version])):
        a, b = normal(*((k, m) if transpose_a else (m, k))), normal(*((n, k) if transpose_b else (k, n)), seed=1)
        bias = None if number % 2 else normal(n, seed=2)
        assert_twin(gpu, by(version), a, b, transpose_a, transpose_b, bias, terms=k)


@pytest.mark.parametrize("gpu", GPUS)
@pytest.mark.parametrize("version", ["product_registers", "product_registers_8x8"])
def test_a_sum_in_parts(version, gpu) -> None:
    for parts, k, bias in [(2, 40, normal(6, seed=2)), (3, 97, None), (5, 33, None), (4, 0, None)]:
        assert_twin(gpu, by(version, parts), normal(2, k, 5), normal(2, k, 6), True, False, bias, terms=k)


@pytest.mark.parametrize("gpu", GPUS)
@pytest.mark.parametrize("version", SIDE)
@pytest.mark.parametrize(
    "a_shape, b_shape",
    [
        ((2, 3, 4), (2, 4, 5)),
        ((2, 1, 3, 4), (5, 4, 2)),
        ((3, 4), (3, 4, 2)),
        ((2, 3, 4), (4, 2)),
        ((3, 4), (1, 1, 4, 2)),
        ((1, 3, 4), (2, 1, 4, 5)),
        ((0, 4), (4, 5)),
        ((2, 0), (0, 3)),
        ((0, 2, 3), (0, 3, 4)),
        ((2, 3), (3, 0)),
    ],
    ids=str,
)
def test_batches_and_empty_arrays(a_shape, b_shape, version, gpu) -> None:
    assert_twin(gpu, by(version), normal(*a_shape), normal(*b_shape, seed=1), terms=4)
    turned = np.ascontiguousarray(normal(*a_shape).swapaxes(-1, -2))
    assert_twin(gpu, by(version), turned, normal(*b_shape), True, False, terms=4)


@pytest.mark.parametrize("version", SIDE)
def test_the_reads_of_the_header(version) -> None:
    m, n, k = 128, 256, 16  # whole tiles of every version
    launch = counted(version, m, n, k)
    assert launch.reads["a"] + launch.reads["b"] == m * n * k * READS[version]
    assert launch.shared_reads == m * n * k * SHARED_READS[version]
    m, n, k = 70, 131, 9
    launch, side = counted(version, m, n, k), 1 if version == "product_naive" else SIDE[version]
    assert launch.reads["a"] == m * k * -(-n // side)
    assert launch.reads["b"] == n * k * -(-m // side)
    assert launch.writes == {"a": 0, "b": 0, "bias": 0, "y": m * n}


def counted(version: str, m: int, n: int, k: int) -> Any:
    with checking() as launches:
        product_cuda(*(emulated(np.ones(shape, np.float32)) for shape in ((m, k), (k, n))), version=version)
    return launches[0]


def test_a_view_that_begins_anywhere() -> None:
    x = emulated(normal(65).astype(np.float32))
    with checking():  # which refuses to read four numbers where they are not aligned
        y = product(x[1:].reshape(8, 8), x[:64].reshape(8, 8))
    host = x.get()
    np.testing.assert_allclose(y.get(), host[1:].reshape(8, 8) @ host[:64].reshape(8, 8), rtol=1e-5, atol=1e-5)


def test_choose() -> None:
    assert choose(1, 2048, 2048, 4096) == ("product_registers_8x8", 1)
    assert choose(1, 1024, 1024, 4096) == ("product_registers", 1)
    assert choose(1, 64, 64, 10**6) == ("product_registers", 2 * ENOUGH_BLOCKS)
    assert choose(1, 64, 128, 3 * LEAST_PART) == ("product_registers", 3)
    assert choose(1, 64, 64, LEAST_PART) == ("product_registers", 1)
    assert choose(ENOUGH_BLOCKS, 1, 1, 10**6) == ("product_registers_8x8", 1)
    assert choose(0, 1, 0, 0) == ("product_registers", 1)


def test_long_sums_are_cut_by_themselves() -> None:
    k = 2 * LEAST_PART
    with checking() as launches:
        y = product(emulated(np.ones((2, k), np.float32)), emulated(np.ones((k, 3), np.float32)))
    assert (y.get() == k).all()
    assert [launch.kernel for launch in launches] == ["product_registers", "product_add_parts"]


@pytest.mark.parametrize(
    "a_shape, b_shape",
    [((2, 3), (3, 4)), ((3,), (3,)), ((3,), (3, 4)), ((2, 3), (3,)), ((5, 1, 2, 3), (4, 3, 2))],
    ids=str,
)
def test_matmul_and_its_gradients(a_shape, b_shape) -> None:
    results = []
    for move in (np.asarray, emulated):
        a, b = Tensor(move(normal(*a_shape)), requires_grad=True), Tensor(move(normal(*b_shape)), requires_grad=True)
        y = a @ b
        y.backward(move(normal(*y.shape, seed=2)))
        results.append([y.numpy(), *(x.grad if move is np.asarray else x.grad.get() for x in (a, b))])
    for cpu, gpu in zip(*results):
        np.testing.assert_allclose(gpu, cpu, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("gpu", GPUS)
@pytest.mark.parametrize("single", [False, True])
def test_half(single, gpu) -> None:
    """Factors in half, sums in float32: each matrix either way, in whole rows of 16 bytes and not, over the edge."""
    sizes = [
        *settings(128),
        (129, 72, 40, False, False),
        (40, 136, 24, True, False),
        (8, 5, 2 * LEAST_PART, False, True),
    ]
    for number, (m, n, k, transpose_a, transpose_b) in enumerate([*sizes, (3, 4, 0, False, False)]):
        a, b = normal(*((k, m) if transpose_a else (m, k))), normal(*((n, k) if transpose_b else (k, n)), seed=1)
        a, b, bias = (array.astype(np.float16) for array in (a, b, normal(n, seed=2)))
        expected = product(*(array.astype(float) for array in (a, b)), transpose_a, transpose_b)
        on_gpu = [to_gpu(gpu, array) for array in (a, b.astype(np.float32) if number % 2 else b)]
        bias_there = None if number % 2 else to_gpu(gpu, bias.astype(np.float32))
        with watched(gpu, np.float16):
            y = product(*on_gpu, transpose_a, transpose_b, bias_there, single=single).get()
        expected = expected if bias_there is None else expected + bias
        assert y.dtype == (np.float32 if single else np.float16)
        atol = ROUNDING * 2.0**-23 * max(1, k) ** 0.5 * np.abs(expected).max(initial=1)
        np.testing.assert_allclose(y.astype(float), expected, rtol=0 if single else 2.0**-11, atol=atol)


@pytest.mark.parametrize("gpu", GPUS)
def test_batches_in_half(gpu) -> None:
    for a_shape, b_shape in [
        ((2, 3, 4), (2, 4, 5)),
        ((2, 1, 3, 4), (5, 4, 2)),
        ((3, 4), (3, 4, 2)),
        ((2, 3, 4), (4, 2)),
    ]:
        a, b = (normal(*shape, seed=len(shape)).astype(np.float16) for shape in (a_shape, b_shape))
        y = product(to_gpu(gpu, a), to_gpu(gpu, b)).get()
        np.testing.assert_allclose(y.astype(float), a.astype(float) @ b.astype(float), rtol=2.0**-11, atol=1e-5)
