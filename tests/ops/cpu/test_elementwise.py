"""Large arrays in blocks: NumPy's own results, every number once, memory that is used again."""

import numpy as np
import pytest

from minidepth.ops.cpu import pool, threads
from minidepth.ops.cpu.elementwise import BLOCK_ELEMENTS, elementwise, run_blocks

LARGE = (3, 5, 130, 140)  # 273,000 numbers: more than two blocks


@pytest.fixture(autouse=True)
def two_threads(monkeypatch):
    """Also on a machine with one core."""
    monkeypatch.setattr(threads, "get_num_threads", lambda: 2)


def normal(shape, dtype=np.float32):
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(dtype)


@pytest.mark.parametrize("shape", [(), (1,), (2, 3), (0, 4), LARGE, (2 * BLOCK_ELEMENTS + 1,), (BLOCK_ELEMENTS, 3)])
def test_gives_what_numpy_gives(shape):
    a, b = normal(shape), normal((7, *shape))[3]
    result = elementwise(np.subtract, a, b)
    assert result.dtype == np.float32 and result.flags.c_contiguous
    np.testing.assert_array_equal(result, a - b)


@pytest.mark.parametrize("shape", [(), (140,), (130, 1), (5, 1, 140), (3, 1, 1, 1), (1, 5, 130, 140)])
def test_broadcasts(shape):
    a, b = normal(LARGE), normal(shape)
    np.testing.assert_array_equal(elementwise(np.subtract, a, b), a - b)
    np.testing.assert_array_equal(elementwise(np.subtract, b, a), b - a)


def test_numbers_and_other_dtypes():
    a, mask = normal(LARGE), normal(LARGE) > 0
    assert elementwise(np.multiply, a, 0.5).dtype == np.float32
    np.testing.assert_array_equal(elementwise(np.multiply, a, 0.5), a * np.float32(0.5))
    np.testing.assert_array_equal(elementwise(np.multiply, a, mask), np.where(mask, a, 0))
    assert elementwise(np.add, a, a.astype(np.float64)).dtype == np.float64


def test_any_layout_and_a_given_result():
    a, b, whole = normal(LARGE[::-1]).transpose(), normal((3, 9, 130, 140))[:, 2:7], np.zeros((3, 9, 130, 140))
    np.testing.assert_array_equal(elementwise(np.add, a, b), a + b)
    assert elementwise(np.add, a, b).flags.c_contiguous
    elementwise(np.add, a, b, out=whole[:, 1:6])
    np.testing.assert_array_equal(whole[:, 1:6], a + b)
    assert not whole[:, 0].any() and not whole[:, 6:].any()


def test_memory_comes_from_the_pool(monkeypatch):
    monkeypatch.setattr(pool, "_pool", pool.Pool())
    a = normal(LARGE)
    for _ in range(2):  # the second result takes the place of the first
        result = elementwise(np.add, a, a)
        assert pool._pool.held_bytes == result.nbytes
        del result


@pytest.mark.parametrize("shape", [(1,), (11,), (3, 4), (2, 3, 5), (2, 3, 4, 5), (4, 0, 3)])
@pytest.mark.parametrize("size", [0, 1, 5, 20, 24, 1000])
def test_blocks_cover_every_number_once_and_are_not_too_large(shape, size):
    hits, sizes = np.zeros(shape, int), []

    def task(block):
        hits[block] += 1
        sizes.append(hits[block].size)

    run_blocks(task, shape, size)
    assert (hits == 1).all()
    assert max(sizes, default=0) <= max(1, size)
    assert size < 1000 or len(sizes) <= 1
