"""Winograd's convolution against plain loops, and its backward as the exact adjoint of its forward."""

import numpy as np
import pytest
import reference

from minidepth.ops.conv2d import plain_forward, plain_grad_weight, plain_grad_x
from minidepth.ops.cpu import row_gemm, threads, winograd

SETTINGS = {"stride": (1, 1), "padding": (1, 1), "dilation": (1, 1), "groups": 1}
REST = tuple(SETTINGS.values())

# N, C, O, H, W: whole tiles, tiles that stick out to the right, at the bottom, both; pictures smaller than a tile
SHAPES = [
    (1, 2, 3, 8, 8),
    (2, 3, 2, 9, 12),
    (1, 1, 4, 12, 7),
    (2, 3, 5, 13, 18),
    (1, 2, 1, 1, 1),
    (3, 1, 1, 2, 9),
    (1, 4, 2, 17, 1),
]


def arrays(shape, dtype=np.float64):
    n, c, o, h, w = shape
    rng = np.random.default_rng(sum(shape))
    sizes = ((n, c, h, w), (o, c, 3, 3), (o,), (n, o, h, w))
    return [rng.standard_normal(size).astype(dtype) for size in sizes]


@pytest.fixture(params=["all together", "chunk by chunk"], autouse=True)
def order(request, monkeypatch):
    """Strips and blocks so small that these pictures have several of each, and several chunks or one."""
    monkeypatch.setattr(winograd, "CHUNK_BYTES", 1 << 40 if request.param == "all together" else 1)
    monkeypatch.setattr(winograd, "FEWEST_TILES", 3)
    monkeypatch.setattr(winograd, "STRIP_BYTES", 1)
    monkeypatch.setattr(winograd, "BLOCK_BYTES", 2 * 36 * 4 * 8)


@pytest.mark.parametrize("m", [2, 4])
@pytest.mark.parametrize("shape", SHAPES)
def test_forward_agrees_with_plain_loops(shape, m):
    x, weight, bias, _ = arrays(shape)
    expected = reference.conv2d(x, weight, bias, **SETTINGS)
    np.testing.assert_allclose(winograd.forward(x, weight, bias, *REST, m), expected, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("m", [2, 4])
@pytest.mark.parametrize("shape", SHAPES)
def test_gradients_agree_with_the_plain_kernels(shape, m):
    x, weight, _, grad = arrays(shape)
    grad_x, grad_weight = winograd.backward(grad, x, weight, *REST, m)
    np.testing.assert_allclose(grad_x, plain_grad_x(grad, weight, x.shape, *REST), rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(grad_weight, plain_grad_weight(grad, x, weight.shape, *REST), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("shape", SHAPES)
def test_backward_from_what_forward_kept(shape, order):
    x, weight, bias, grad = arrays(shape)
    expected = winograd.backward(grad, x, weight, *REST)
    y, kept = winograd.forward_and_keep(x, weight, bias, *REST)
    assert y.tobytes() == winograd.forward(x, weight, bias, *REST).tobytes()
    if kept is None:
        assert len(winograd.Strips(shape[0], shape[1] + shape[2], *shape[3:], 8, 4).chunks) > 1
        return
    ours = winograd.backward(grad, None, weight, *REST, transformed=kept)
    for one, other in zip(ours, expected):
        assert one.tobytes() == other.tobytes()


def test_a_large_transformed_input_is_not_kept(order, monkeypatch):
    monkeypatch.setattr(winograd, "KEEP_BYTES", 0)
    x, weight, bias, _ = arrays(SHAPES[0])
    assert winograd.forward_and_keep(x, weight, bias, *REST)[1] is None


@pytest.mark.parametrize("shape", SHAPES)
def test_each_gradient_alone(shape):
    x, weight, _, grad = arrays(shape)
    expected = plain_grad_x(grad, weight, x.shape, *REST)
    np.testing.assert_allclose(winograd.grad_x(grad, weight, x.shape, *REST), expected, rtol=1e-10, atol=1e-10)
    expected = plain_grad_weight(grad, x, weight.shape, *REST)
    np.testing.assert_allclose(winograd.grad_weight(grad, x, weight.shape, *REST), expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("m", [2, 4])
def test_backward_is_the_adjoint_of_forward_for_any_matrices(m, monkeypatch):
    """Backward must undo forward's own maps, whatever they are: so put random matrices in their place.

    With the right matrices a backward that used another algorithm would pass as well. <conv(x, w), g> = <x, dx> holds
    because forward is linear in x, and <w, dw> likewise.
    """
    from minidepth.ops.cpu import winograd_transforms as transforms

    rng = np.random.default_rng(m)
    monkeypatch.setattr(transforms, "matrix", transforms.matrix.__wrapped__)
    for name in ("_B_T", "_G", "_A_T"):
        shape = np.shape(getattr(transforms, name)[m])
        monkeypatch.setitem(getattr(transforms, name), m, rng.standard_normal(shape))
    x, weight, _, grad = arrays((2, 3, 2, 9, 14))
    product = np.vdot(winograd.forward(x, weight, None, *REST, m), grad)
    grad_x, grad_weight = winograd.backward(grad, x, weight, *REST, m)
    assert np.vdot(x, grad_x) == pytest.approx(product, rel=1e-10)
    assert np.vdot(weight, grad_weight) == pytest.approx(product, rel=1e-10)


@pytest.mark.parametrize(("m", "digits_lost"), [(2, 4), (4, 40)])
def test_float32_error_is_as_stated(m, digits_lost):
    """A direct sum of n terms in float32 is off by about eps sqrt(n) of its size; m = 4 is off by ten times that."""
    shape = (2, 64, 64, 24, 40)
    exact = winograd.forward(*arrays(shape)[:3], *REST, m)
    rounded = winograd.forward(*arrays(shape, np.float32)[:3], *REST, m)
    eps, terms = np.finfo(np.float32).eps, 64 * 9
    error = np.sqrt(np.mean((rounded - exact) ** 2)) / np.sqrt(np.mean(exact**2))
    assert eps / 10 < error < digits_lost * eps
    assert np.abs(rounded - exact).max() < digits_lost * 6 * eps * np.sqrt(terms)
    exact_grads = winograd.backward(arrays(shape)[3], *arrays(shape)[:2], *REST, m)
    grads = winograd.backward(arrays(shape, np.float32)[3], *arrays(shape, np.float32)[:2], *REST, m)
    for ours, truth in zip(grads, exact_grads):
        assert np.sqrt(np.mean((ours - truth) ** 2) / np.mean(truth**2)) < digits_lost * eps


def test_the_same_bits_with_any_number_of_threads(monkeypatch):
    x, weight, bias, grad = arrays((3, 5, 6, 21, 30), np.float32)

    def all_of_it():
        return [winograd.forward(x, weight, bias, *REST), *winograd.backward(grad, x, weight, *REST)]

    several = all_of_it()
    monkeypatch.setattr(threads, "get_num_threads", lambda: 1)
    for ours, one in zip(several, all_of_it()):
        assert ours.tobytes() == one.tobytes()


def test_takes_views(order):
    x, weight, bias, grad = arrays((2, 6, 4, 10, 11))
    channels = slice(1, 6, 2)
    x_view, grad_view = x[:, channels], np.concatenate([grad, grad], axis=1)[:, 2:6]
    weight = weight[:, channels]
    expected = plain_forward(x_view.copy(), weight.copy(), bias, *REST)
    np.testing.assert_allclose(winograd.forward(x_view, weight, bias, *REST), expected, rtol=1e-10, atol=1e-10)
    ours = winograd.backward(grad_view, x_view, weight, *REST)
    theirs = winograd.backward(grad_view.copy(), x_view.copy(), weight.copy(), *REST)
    for one, other in zip(ours, theirs):
        assert one.tobytes() == other.tobytes()


def test_row_gemm_gives_both_gradients_from_one_buffer():
    for shape in SHAPES:
        x, weight, _, grad = arrays(shape)
        grad_x, grad_weight = row_gemm.backward(grad, x, weight, *REST)
        np.testing.assert_allclose(grad_x, plain_grad_x(grad, weight, x.shape, *REST), rtol=1e-10, atol=1e-10)
        np.testing.assert_allclose(grad_weight, plain_grad_weight(grad, x, weight.shape, *REST), rtol=1e-10, atol=1e-10)
