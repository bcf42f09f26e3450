"""cat: values by hand, every dimension, gradients, errors."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import assert_linear, normal
from twins import GPUS, assert_twin, to_gpu

from minidepth import Tensor
from minidepth.ops import cat
from minidepth.ops.cat import forward


def test_by_hand() -> None:
    a, b = Tensor(np.array([[1.0], [2.0]]), requires_grad=True), Tensor(np.array([[3.0, 4.0], [5.0, 6.0]]))
    y = cat([a, b, a], dim=1)
    assert y.numpy().tolist() == [[1, 3, 4, 1], [2, 5, 6, 2]]
    y.backward(np.array([[1.0, 2.0, 3.0, 40.0], [5.0, 6.0, 7.0, 80.0]]))
    assert a.grad.tolist() == [[41], [85]]
    assert b.grad is None


@pytest.mark.parametrize("dim", [0, 1, 2, 3, -1, -4])
def test_oracle_and_gradient(dim) -> None:
    shapes = [[2, 3, 4, 5] for _ in range(3)]
    for size, shape in zip((1, 4, 0), shapes):
        shape[dim] = size
    arrays = [normal(*shape, seed=seed) for seed, shape in enumerate(shapes)]
    y = cat([Tensor(array) for array in arrays], dim).data
    rows = [array.swapaxes(0, dim) for array in arrays]
    assert y.swapaxes(0, dim).tolist() == rows[0].tolist() + rows[1].tolist() + rows[2].tolist()
    assert_linear(lambda a, b: cat([a, b], dim), *arrays[:2])


@pytest.mark.parametrize("dim", [0, 1, 3])
def test_arrays_larger_than_a_block(dim) -> None:
    shapes = [[3, 4, 250, 180] for _ in range(2)]  # 2**17 numbers make a block, here 540,000 and more an array
    shapes[1][dim] += 2
    a, b = (normal(*shape, seed=seed).astype(np.float32) for seed, shape in enumerate(shapes))
    y = cat([Tensor(a), Tensor(b.astype(np.float64))], dim).data
    assert y.dtype == np.float64 and y.flags.c_contiguous
    assert (np.take(y, range(a.shape[dim]), axis=dim) == a).all()
    assert (np.take(y, range(a.shape[dim], y.shape[dim]), axis=dim) == b).all()


def test_gradients_are_views_that_no_leaf_keeps() -> None:
    seen = []

    def spy(x: Tensor) -> Tensor:
        return Tensor.from_op("spy", x.data, (x,), lambda grad: (seen.append(grad) or grad,))

    a, b = Tensor(normal(2, 1), requires_grad=True), Tensor(normal(2, 3), requires_grad=True)
    given = normal(2, 4)
    cat([spy(a), spy(b)], dim=1).backward(given)
    assert len(seen) == 2
    assert all(np.shares_memory(grad, given) for grad in seen)
    assert all(not np.shares_memory(leaf.grad, given) and leaf.grad.flags.c_contiguous for leaf in (a, b))


@pytest.mark.parametrize("gpu", GPUS)
@pytest.mark.parametrize(
    "shapes, axis",
    [
        ([(2, 3, 4, 5), (2, 1, 4, 5), (2, 0, 4, 5), (2, 40, 4, 5)], 1),
        ([(3,)], 0),
        ([(1, 3, 2), (4, 3, 2)], 0),
        ([(2, 3, 7), (2, 3, 1), (2, 3, 250)], 2),
        ([(2, 0), (2, 0)], 0),
    ],
)
def test_cuda(shapes, axis, gpu) -> None:
    first, *others = [normal(*shape, seed=seed) for seed, shape in enumerate(shapes)]
    assert_twin(gpu, forward, first, others, axis)


@pytest.mark.parametrize("gpu", GPUS)
def test_cuda_any_memory_layout_and_the_wider_dtype(gpu) -> None:
    a, b = normal(3, 2), normal(3, 2).astype(np.float32)
    y = forward(to_gpu(gpu, a).T, [to_gpu(gpu, b).T], 1)
    assert y.dtype == np.float64
    assert y.get().tolist() == np.concatenate([a.T, b.T], 1).tolist()


@pytest.mark.parametrize(
    "shapes, dim, text",
    [
        ([], 0, r"cat: the list of tensors is empty"),
        ([(2, 3), (2, 4)], 0, r"cat: shapes \(2, 3\), \(2, 4\) differ in more than dim 0; crop or pad"),
        ([(2, 3), (2, 3, 1)], 1, r"cat: shapes \(2, 3\), \(2, 3, 1\) differ"),
        ([(2, 3), (2, 3)], 2, r"cat: dim 2 is out of range for tensors of shapes \(2, 3\), \(2, 3\)"),
    ],
)
def test_bad_input(shapes, dim, text) -> None:
    with pytest.raises(ValueError, match=text):
        cat([Tensor(np.zeros(shape)) for shape in shapes], dim)
