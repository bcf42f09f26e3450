"""Where PyTorch is installed: the same weights after many steps, with a rate that changes, and the same clipping."""

from __future__ import annotations

import numpy as np
import pytest

from minidepth import optim
from minidepth.nn import Parameter

torch = pytest.importorskip("torch")

SETTINGS = {
    "sgd:momentum=0": ("SGD", {}),
    "sgd:momentum=0.99": ("SGD", {"momentum": 0.99}),
    "sgd:nesterov": ("SGD", {"momentum": 0.9, "nesterov": True}),
    "adam": ("Adam", {}),
    "adam:amsgrad,beta2=0.9": ("Adam", {"amsgrad": True, "betas": (0.9, 0.9)}),
    "adamw:amsgrad,beta1=0.5,eps=1e-4": ("AdamW", {"amsgrad": True, "betas": (0.5, 0.999), "eps": 1e-4}),
    "rmsprop": ("RMSprop", {}),
    "rmsprop:momentum=0.999,alpha=0.9": ("RMSprop", {"momentum": 0.999, "alpha": 0.9}),
}


@pytest.mark.parametrize("text", SETTINGS)
@pytest.mark.parametrize("max_norm", [None, 2.0])
def test_the_same_weights(text: str, max_norm: float | None) -> None:
    rng = np.random.default_rng(0)
    start = rng.standard_normal((7, 5))
    name, options = SETTINGS[text]
    theirs = torch.nn.Parameter(torch.tensor(start.copy()))
    reference = getattr(torch.optim, name)([theirs], lr=0.1, weight_decay=0.02, **options)
    ours = Parameter(start.copy())
    optimizer = optim.build(text, [ours], lr=0.1, weight_decay=0.02)
    for step in range(20):
        grad = rng.standard_normal((7, 5)) * 0.8**step  # falling, so that amsgrad differs
        optimizer.lr = reference.param_groups[0]["lr"] = 0.1 / (1 + step)
        ours.grad, theirs.grad = grad.copy(), torch.tensor(grad)
        if max_norm is not None:
            norm = torch.nn.utils.clip_grad_norm_([theirs], max_norm).item()
            assert optim.clip_grad_norm_([ours], max_norm) == pytest.approx(norm, rel=1e-12)
        optimizer.step()
        reference.step()
    np.testing.assert_allclose(ours.data, theirs.detach().numpy(), rtol=1e-11)


@pytest.mark.parametrize("max_norm", [None, 2.0])
def test_the_same_scale_and_weights_with_steps_that_are_skipped(max_norm: float | None) -> None:
    """A step in five is bad; Adam's correction shows whether those are counted."""
    rng = np.random.default_rng(1)
    start = rng.standard_normal(6).astype(np.float32)
    theirs, ours = torch.nn.Parameter(torch.tensor(start.copy())), Parameter(start.copy())
    reference, optimizer = torch.optim.Adam([theirs], lr=0.1), optim.Adam([ours], lr=0.1)
    numbers = {"growth_factor": 4.0, "backoff_factor": 0.25, "growth_interval": 3}
    their_scaler = torch.amp.GradScaler("cpu", init_scale=256.0, **numbers)
    scaler = optim.LossScaler([ours], 256.0, *numbers.values())
    for step in range(30):
        grad = rng.standard_normal(6).astype(np.float32)
        grad[step % 6] = np.inf if step % 5 == 4 else 1
        theirs.grad = torch.tensor(grad) * their_scaler.scale(torch.tensor(1.0))
        ours.grad = grad * scaler.cotangent()
        with np.errstate(invalid="ignore"):
            if max_norm is not None:
                their_scaler.unscale_(reference)
                torch.nn.utils.clip_grad_norm_([theirs], max_norm)
                optim.clip_grad_norm_([ours], max_norm, scaler)
        their_scaler.step(reference)
        their_scaler.update()
        optimizer.step(scaler)
        scaler.update()
        assert scaler.read().scale == their_scaler.get_scale()
    assert scaler.read().skipped_steps == 6
    np.testing.assert_allclose(ours.data, theirs.detach().numpy(), rtol=1e-5)
