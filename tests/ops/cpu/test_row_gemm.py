"""The tiled kernel against plain loops that share no code with it, and against the plain kernels on larger pictures."""

import numpy as np
import pytest
import reference

from minidepth.ops.conv2d import plain_forward, plain_grad_weight, plain_grad_x
from minidepth.ops.cpu import row_gemm, threads

# N, C, O, H, W, I, J, padding
SHAPES = [
    (1, 1, 1, 1, 1, 1, 1, (0, 0)),
    (2, 3, 4, 7, 9, 3, 3, (1, 1)),
    (2, 3, 4, 7, 9, 3, 3, (0, 2)),
    (1, 2, 3, 5, 6, 2, 4, (1, 3)),
    (3, 4, 2, 6, 5, 1, 1, (0, 0)),
    (1, 2, 2, 3, 3, 5, 5, (4, 3)),
    (1, 5, 1, 4, 1, 3, 3, (1, 1)),
]
LARGE = [(2, 3, 8, 67, 41, 3, 3, (1, 1)), (1, 40, 24, 70, 90, 3, 3, (1, 1)), (3, 16, 16, 33, 20, 3, 5, (0, 2))]


def arrays(shape, dtype=np.float64):
    n, c, o, h, w, i, j, padding = shape
    rng = np.random.default_rng(n * 100 + c * 10 + o)
    x, weight = rng.standard_normal((n, c, h, w)), rng.standard_normal((o, c, i, j))
    grad = rng.standard_normal((n, o, h + 2 * padding[0] - i + 1, w + 2 * padding[1] - j + 1))
    return [a.astype(dtype) for a in (x, weight, rng.standard_normal(o), grad)]


def settings(shape):
    return {"stride": (1, 1), "padding": shape[-1], "dilation": (1, 1), "groups": 1}


@pytest.mark.parametrize("shape", SHAPES)
def test_forward_agrees_with_plain_loops(shape):
    x, weight, bias, _ = arrays(shape)
    expected = reference.conv2d(x, weight, bias, **settings(shape))
    np.testing.assert_allclose(row_gemm.forward(x, weight, bias, shape[-1]), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("shape", SHAPES + LARGE)
def test_all_three_agree_with_the_plain_kernels(shape):
    x, weight, bias, grad = arrays(shape)
    padding, rest = shape[-1], tuple(settings(shape).values())
    pairs = [
        (row_gemm.forward(x, weight, bias, padding), plain_forward(x, weight, bias, *rest)),
        (row_gemm.grad_x(grad, weight, padding), plain_grad_x(grad, weight, x.shape, *rest)),
        (row_gemm.grad_weight(grad, x, weight.shape, padding), plain_grad_weight(grad, x, weight.shape, *rest)),
    ]
    for ours, plain in pairs:
        np.testing.assert_allclose(ours, plain, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("shape", LARGE)
def test_float32_is_as_exact_as_a_sum_of_so_many_terms_can_be(shape):
    x, weight, bias, grad = arrays(shape)
    x32, weight32, bias32, grad32 = arrays(shape, np.float32)
    padding = shape[-1]
    terms = {"forward": weight[0].size, "grad_x": weight[:, 0].size, "grad_weight": grad[:, 0].size}
    pairs = {
        "forward": (row_gemm.forward(x32, weight32, bias32, padding), row_gemm.forward(x, weight, bias, padding)),
        "grad_x": (row_gemm.grad_x(grad32, weight32, padding), row_gemm.grad_x(grad, weight, padding)),
        "grad_weight": (
            row_gemm.grad_weight(grad32, x32, weight.shape, padding),
            row_gemm.grad_weight(grad, x, weight.shape, padding),
        ),
    }
    for name, (single, exact) in pairs.items():
        assert single.dtype == np.float32
        bound = 2 * np.finfo(np.float32).eps * np.sqrt(terms[name]) * np.abs(exact).max()
        assert np.abs(single - exact).max() < bound, name


def test_a_view_and_a_copy_give_the_same_bits():
    x, weight, _, grad = arrays(LARGE[0], np.float32)
    turned = np.ascontiguousarray(x.transpose(0, 1, 3, 2)).transpose(0, 1, 3, 2)
    np.testing.assert_array_equal(
        row_gemm.forward(turned, weight, None, (1, 1)), row_gemm.forward(x, weight, None, (1, 1))
    )


@pytest.mark.parametrize("number", [1, 2, 3])
def test_the_number_of_threads_does_not_change_a_bit(monkeypatch, number):
    x, weight, bias, grad = arrays(LARGE[1], np.float32)

    def everything():
        return (
            row_gemm.forward(x, weight, bias, (1, 1)),
            row_gemm.grad_x(grad, weight, (1, 1)),
            row_gemm.grad_weight(grad, x, weight.shape, (1, 1)),
        )

    expected = everything()
    monkeypatch.setattr(threads, "thread_count", lambda: number)
    for ours, theirs in zip(everything(), expected):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    ("changed", "fits"),
    [({}, True), ({"stride": (2, 1)}, False), ({"dilation": (1, 2)}, False), ({"groups": 2}, False)],
)
def test_what_it_takes(changed, fits):
    options = {"stride": (1, 1), "padding": (1, 1), "dilation": (1, 1), "groups": 1, **changed}
    assert row_gemm.fits((4, 4, 3, 3), **options) is fits
    assert not row_gemm.fits((4, 4, 3, 3), **{**options, "padding": (3, 0)})
