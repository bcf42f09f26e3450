"""A training step in its steady state asks the system for no large memory: the pool has it from the steps before."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from minidepth import Tensor, losses, models, optim
from minidepth.ops.cpu import pool, threads


@pytest.mark.parametrize("up, norm, loss", [("transposed", None, "mse"), ("bilinear", "batch", "mse+gradient+normal")])
def test_the_third_step_uses_the_memory_of_the_first_two(up, norm, loss, monkeypatch):
    rng = np.random.default_rng(0)
    network = models.build("unet", base_channels=8, depth=3, up=up, norm=norm, activation="leaky_relu", rng=0)
    optimizer, error = optim.Adam(network.parameters()), losses.build(loss)
    image = rng.standard_normal((2, 3, 128, 160), dtype=np.float32)
    depth_m = rng.random((2, 1, 128, 160), dtype=np.float32)

    def step() -> None:
        value = error(network(Tensor(image)), depth_m, depth_m > 0.1)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()

    monkeypatch.setattr(pool, "_pool", pool.Pool())
    monkeypatch.setattr(threads, "get_num_threads", lambda: 1)  # a worker that comes late would make its scratch late
    step()
    step()
    held_bytes = pool._pool.held_bytes
    assert held_bytes > 15e6  # activations, gradients, and what kernels lay by
    tracemalloc.start()  # it sees all memory of NumPy's, new buffers of the pool too
    step()
    kept_bytes, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert pool._pool.held_bytes == held_bytes
    assert peak_bytes < 1.5e6 and kept_bytes < 0.5e6
