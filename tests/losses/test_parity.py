"""The published forms against the same formulas in PyTorch, value and gradient. Runs where torch is installed."""

from __future__ import annotations

import numpy as np
import pytest
from loss_batches import batch, picture

from minidepth import Tensor, losses

torch = pytest.importorskip("torch", reason="torch is not installed; plain loops cover the formulas")
F = torch.nn.functional

OURS = ("gradient", "normal")
"""Forms without border pixels, which no program has."""


def sobel(x):
    kx = [[1, 0, -1], [2, 0, -2], [1, 0, -1]]
    ky = [[1, 2, 1], [0, 0, 0], [-1, -2, -1]]
    return F.conv2d(x, torch.tensor([[kx], [ky]], dtype=x.dtype), padding=1)


def image_gradients(x):
    """(dy, dx) with a last row and column of zeros, as in TensorFlow."""
    return F.pad(x[:, :, 1:] - x[:, :, :-1], (0, 0, 0, 1)), F.pad(x[..., 1:] - x[..., :-1], (0, 1))


def ssim(p, t, size=11, k1=0.01, k2=0.03, largest=1.0):
    """The map of S from five filtered maps, as the programs compute it."""
    taps = torch.exp(-((torch.arange(size, dtype=p.dtype) - (size - 1) / 2) ** 2) / (2 * 1.5**2))
    window = torch.outer(taps, taps)[None, None] / taps.sum() ** 2

    def mean(x):
        return F.conv2d(x, window)

    c1, c2 = (k1 * largest) ** 2, (k2 * largest) ** 2
    light = (2 * mean(p) * mean(t) + c1) / (mean(p) ** 2 + mean(t) ** 2 + c1)
    var_p, var_t = mean(p * p) - mean(p) ** 2, mean(t * t) - mean(t) ** 2
    return light * (2 * (mean(p * t) - mean(p) * mean(t)) + c2) / (var_p + var_t + c2)


def halved(s):
    """The term of DenseDepth: one mean a picture, clipped, then averaged."""
    return ((1 - s.mean(dim=(1, 2, 3))) / 2).clip(0, 1).mean()


def reverse_huber(e):
    c = 0.2 * e.abs().max().detach()
    return torch.where(e.abs() <= c, e.abs(), (e**2 + c**2) / (2 * c)).mean()


def overlap(p, t, smooth):
    return 1 - (2 * (p * t).sum() + smooth) / (p.sum() + t.sum() + smooth)


def of_depths(p, t, image):
    cosine = F.cosine_similarity
    gp, gt = sobel(p), sobel(t)
    upward = torch.ones_like(p)
    gx, gy = (gp - gt).abs().unbind(dim=1)
    d = torch.log(p) - torch.log(t)
    (dy_p, dx_p), (dy_t, dx_t) = image_gradients(p), image_gradients(t)
    dy_i, dx_i = (step.abs().mean(dim=1, keepdim=True) for step in image_gradients(image))
    return {
        "mse": F.mse_loss(p, t),
        "l1": F.l1_loss(p, t),
        "l1:hu": torch.log((p - t).abs() + 0.5).mean(),
        "rmse": torch.sqrt(F.mse_loss(p, t) + 1e-6),
        "berhu": reverse_huber(p - t),
        "silog:eigen": (d**2).mean() - 0.5 * d.mean() ** 2,
        "silog:bts": 10 * torch.sqrt((d**2).mean() - 0.85 * d.mean() ** 2 + 1e-6),
        "gradient:readme": (gx + gy).mean(),
        "gradient:code": (gp - gt).abs().mean(),
        "gradient:hu": torch.log(gx + 0.5).mean() + torch.log(gy + 0.5).mean(),
        "normal:readme": (1 - cosine(gp, gt, dim=1)).mean(),
        "normal:code": 1 - cosine(gp.flatten(2), gt.flatten(2), dim=2).mean(),
        "normal:hu": (1 - cosine(torch.cat([-gp, upward], 1), torch.cat([-gt, upward], 1), dim=1)).abs().mean(),
        "edges": ((dy_p - dy_t).abs() + (dx_p - dx_t).abs()).mean(),
        "smoothness": (dx_p.abs() * torch.exp(-dx_i)).mean() + (dy_p.abs() * torch.exp(-dy_i)).mean(),
        "smoothness:keras": (torch.exp(dx_t.abs().mean()) * dx_p).abs().mean()
        + (torch.exp(dy_t.abs().mean()) * dy_p).abs().mean(),
        "ssim": 1 - ssim(p, t).mean(),
        "ssim:densedepth": halved(ssim(p, t, largest=100)),
        "ssim:002": halved(ssim(p, t)),
        "ssim:000b": (1 - ssim(p, t, size=7, k1=0.01**2, k2=0.03**2, largest=256)).mean(),
        "ssim:004": 1 - ssim(p, t, largest=255).mean(),
    }


def of_masks(z, t):
    return {
        "rmse:logits": torch.sqrt(F.mse_loss(torch.sigmoid(z), t) + 1e-6),
        "ssim:logits": 1 - ssim(torch.sigmoid(z), t).mean(),
        "bce": F.binary_cross_entropy_with_logits(z, t),
        "dice": overlap(torch.sigmoid(z), t, 1),
        "dice:milesial": overlap(torch.sigmoid(z), t, 1e-6),
    }


def of_probabilities(p, t):
    return {"bce:probabilities": F.binary_cross_entropy(p, t), "dice:probabilities": overlap(p, t, 1)}


def of_labels(z, labels):
    """The weights themselves are tested against plain loops."""
    each = F.cross_entropy(z, labels[:, 0], reduction="none")
    weights = losses.unet_weights(labels.numpy(), np.ones(labels.shape, bool))[:, 0]
    return {"cross_entropy": each.mean(), "cross_entropy:unet": (each * torch.tensor(weights)).mean()}


def published(name, p, t):
    if t.dtype == torch.int64:
        return of_labels(p, t)[name]
    if name.endswith(":probabilities"):
        return of_probabilities(p, t)[name]
    if name.endswith(":logits") or name.startswith(("bce", "dice")):
        return of_masks(p, t)[name]
    return of_depths(p, t, torch.tensor(picture()))[name]


@pytest.mark.parametrize("name", [name for name in losses.names() if name not in OURS])
def test_value_and_gradient(name):
    prediction, target, _ = batch(name)
    theirs = torch.tensor(prediction, requires_grad=True)
    labels = target.dtype == np.uint8
    expected = published(name, theirs, torch.tensor(target.astype(np.int64) if labels else target))
    expected.backward()
    ours = Tensor(prediction, requires_grad=True)
    valid = np.ones(target.shape, bool)
    loss = losses.build(name)(ours, target, valid, picture())
    loss.backward()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-10)
    np.testing.assert_allclose(ours.grad, theirs.grad.numpy(), rtol=1e-8, atol=1e-12)
