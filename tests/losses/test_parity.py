"""The published forms against the same formulas in PyTorch, value and gradient. Runs where torch is installed."""

from __future__ import annotations

import numpy as np
import pytest

from minidepth import Tensor, losses

torch = pytest.importorskip("torch", reason="torch is not installed; plain loops cover the formulas")


def published(prediction, target):
    """Every form as the programs write it with torch: whole pictures, Sobel as a padded convolution."""
    cosine = torch.nn.functional.cosine_similarity
    kx = [[1, 0, -1], [2, 0, -2], [1, 0, -1]]
    ky = [[1, 2, 1], [0, 0, 0], [-1, -2, -1]]
    kernel = torch.tensor([[kx], [ky]], dtype=prediction.dtype)
    p, t = (torch.nn.functional.conv2d(x, kernel, padding=1) for x in (prediction, target))
    upward = torch.ones_like(prediction)
    dx, dy = (p - t).abs().unbind(dim=1)
    return {
        "mse": torch.nn.functional.mse_loss(prediction, target),
        "l1": torch.nn.functional.l1_loss(prediction, target),
        "gradient:readme": (dx + dy).mean(),
        "gradient:code": (p - t).abs().mean(),
        "gradient:hu": torch.log(dx + 0.5).mean() + torch.log(dy + 0.5).mean(),
        "normal:readme": (1 - cosine(p, t, dim=1)).mean(),
        "normal:code": 1 - cosine(p.flatten(2), t.flatten(2), dim=2).mean(),
        "normal:hu": (1 - cosine(torch.cat([-p, upward], 1), torch.cat([-t, upward], 1), dim=1)).abs().mean(),
    }


@pytest.mark.parametrize("name", [name for name in losses.names() if name not in ("gradient", "normal")])
def test_value_and_gradient(name):
    rng = np.random.default_rng(0)
    prediction, target = rng.uniform(0.5, 9, (2, 2, 1, 12, 15))
    theirs = torch.tensor(prediction, requires_grad=True)
    expected = published(theirs, torch.tensor(target))[name]
    expected.backward()
    ours = Tensor(prediction, requires_grad=True)
    loss = losses.build(name)(ours, target, np.ones(target.shape, bool))
    loss.backward()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-12)
    np.testing.assert_allclose(ours.grad, theirs.grad.numpy(), rtol=1e-10, atol=1e-14)
