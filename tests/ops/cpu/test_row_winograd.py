"""Row products with Winograd's F(4, 3) down the columns, against plain loops and as an adjoint."""

import numpy as np
import pytest
import reference

from minidepth.ops.conv2d import plain_forward, plain_grad_weight, plain_grad_x
from minidepth.ops.cpu import row_winograd, threads
from minidepth.ops.cpu import winograd_transforms as transforms

# N, C, O, H, W, J, padding: groups of four rows that fit and that stick out, kernels of other widths, all paddings
LAYERS = [
    (1, 2, 3, 8, 8, 3, (1, 1)),
    (2, 3, 2, 9, 12, 3, (0, 2)),
    (1, 1, 4, 1, 7, 3, (1, 1)),
    (2, 3, 5, 13, 18, 4, (2, 1)),
    (2, 1, 1, 3, 3, 1, (0, 0)),
    (1, 3, 2, 5, 1, 3, (1, 1)),
    (3, 2, 2, 16, 5, 5, (1, 4)),
]


def arrays(layer, dtype=np.float64):
    n, c, o, h, w, j, (top, left) = layer
    rng = np.random.default_rng(n + c + o + h + w)
    sizes = ((n, c, h, w), (o, c, 3, j), (o,), (n, o, h + 2 * top - 2, w + 2 * left - j + 1))
    return [rng.standard_normal(size).astype(dtype) for size in sizes]


def settings(layer):
    return (1, 1), layer[-1], (1, 1), 1


@pytest.fixture(params=[1, 1 << 20], ids=["one group", "many groups"], autouse=True)
def strip_size(request, monkeypatch):
    monkeypatch.setattr(row_winograd, "BUFFER_BYTES", request.param)


@pytest.mark.parametrize("layer", LAYERS)
def test_forward_agrees_with_plain_loops(layer):
    x, weight, bias, _ = arrays(layer)
    expected = reference.conv2d(x, weight, bias, *settings(layer))
    ours = row_winograd.forward(x, weight, bias, *settings(layer))
    np.testing.assert_allclose(ours, expected, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("layer", LAYERS)
def test_gradients_agree_with_the_plain_kernels(layer):
    x, weight, _, grad = arrays(layer)
    for_x = plain_grad_x(grad, weight, x.shape, *settings(layer))
    for_weight = plain_grad_weight(grad, x, weight.shape, *settings(layer))
    both = row_winograd.backward(grad, x, weight, *settings(layer))
    alone = (
        row_winograd.grad_x(grad, weight, x.shape, *settings(layer)),
        row_winograd.grad_weight(grad, x, weight.shape, *settings(layer)),
    )
    for grads in (both, alone):
        for ours, expected in zip(grads, (for_x, for_weight)):
            np.testing.assert_allclose(ours, expected, rtol=1e-10, atol=1e-10)


def test_the_weight_gradient_is_the_adjoint_of_dx_for_any_matrices(monkeypatch):
    """dx is linear in the weight, and dL/dweight must be the adjoint of just that map, whatever its matrices."""
    rng = np.random.default_rng(3)
    monkeypatch.setattr(transforms, "matrix", transforms.matrix.__wrapped__)
    monkeypatch.setattr(row_winograd, "matrix", transforms.matrix)
    for table in (transforms._B_T, transforms._G, transforms._A_T):
        monkeypatch.setitem(table, 4, rng.standard_normal(np.shape(table[4])))
    x, weight, _, grad = arrays(LAYERS[3])
    for_x, for_weight = row_winograd.backward(grad, x, weight, *settings(LAYERS[3]))
    assert np.vdot(weight, for_weight) == pytest.approx(np.vdot(x, for_x), rel=1e-10)


def test_float32_error_is_as_stated():
    layer = (2, 48, 48, 24, 40, 3, (1, 1))
    exact_arrays, rounded_arrays = arrays(layer), arrays(layer, np.float32)

    def results(x, weight, bias, grad):
        y = row_winograd.forward(x, weight, bias, *settings(layer))
        return [y, *row_winograd.backward(grad, x, weight, *settings(layer))]

    for rounded, exact in zip(results(*rounded_arrays), results(*exact_arrays)):
        error = np.sqrt(np.mean((rounded - exact) ** 2) / np.mean(exact**2))
        assert 1e-8 < error < 1e-6


def test_the_same_bits_with_any_number_of_threads():
    layer = (3, 5, 6, 21, 30, 3, (1, 1))
    x, weight, bias, grad = arrays(layer, np.float32)

    def all_of_it():
        y = row_winograd.forward(x, weight, bias, *settings(layer))
        return [y, *row_winograd.backward(grad, x, weight, *settings(layer))]

    several = all_of_it()
    number = threads.get_num_threads()
    for n in (1, 3):
        threads.set_num_threads(n)
        try:
            results = all_of_it()
        finally:
            threads.set_num_threads(number)
        for ours, other in zip(several, results):
            assert ours.tobytes() == other.tobytes()


def test_takes_views():
    layer = LAYERS[0]
    x, weight, bias, grad = arrays(layer)
    x_view = np.concatenate([x, x, x], axis=1)[:, 1 : 1 + x.shape[1]]
    grad_view = np.concatenate([grad, grad], axis=1)[:, : grad.shape[1]]
    ours = row_winograd.forward(x_view, weight, bias, *settings(layer))
    np.testing.assert_allclose(ours, plain_forward(x_view.copy(), weight, bias, *settings(layer)), atol=1e-10)
    for view, whole in zip(
        row_winograd.backward(grad_view, x_view, weight, *settings(layer)),
        row_winograd.backward(grad, x_view.copy(), weight, *settings(layer)),
    ):
        assert view.tobytes() == whole.tobytes()
