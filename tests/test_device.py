"""Placement: what --device means, and how arrays and networks get there."""

from __future__ import annotations

import numpy as np
import pytest

from minidepth import nn
from minidepth.backend import is_on_gpu, resolve_device, to_device
from minidepth.errors import InputError


def test_auto_is_the_cpu_where_a_gpu_is_missing(monkeypatch):
    def missing():
        raise InputError("device cuda needs CuPy: ...")

    monkeypatch.setattr("minidepth.backend.working_cupy", missing)
    assert (resolve_device("auto"), resolve_device("cpu")) == ("cpu", "cpu")
    with pytest.raises(InputError, match="needs CuPy"):
        resolve_device("cuda")
    with pytest.raises(InputError, match="device 'gpu' is unknown; use auto, cpu or cuda"):
        resolve_device("gpu")


def test_auto_is_the_gpu_where_one_works(emulated_gpu):
    assert [resolve_device(name) for name in ("auto", "cuda", "cpu")] == ["cuda", "cuda", "cpu"]


def test_an_array_goes_there_and_back(emulated_gpu):
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    on_gpu = to_device(array, "cuda")
    array[0, 0] = 9  # it is a copy
    assert is_on_gpu(on_gpu)
    assert to_device(on_gpu, "cuda") is on_gpu
    np.testing.assert_array_equal(to_device(on_gpu, "cpu"), [[0, 1, 2], [3, 4, 5]])
    assert to_device(array, "cpu") is array


def test_a_network_goes_there_and_back_with_its_gradients_but_counts_stay(emulated_gpu):
    network = nn.Sequential(nn.Conv2d(1, 2, 3, rng=0), nn.BatchNorm2d(2), nn.Dropout(0.5, rng=0))
    before = {name: array.copy() for name, array in network.state_dict().items()}
    first = next(network.parameters())
    first.grad = np.ones_like(first.data)
    assert network.to("cuda") is network
    assert is_on_gpu(first.grad)
    on_cpu = [name for name, array in network.state_dict().items() if not is_on_gpu(array)]
    assert on_cpu == ["1.num_batches_tracked", "2.seed_and_count"]
    network.to("cpu")
    assert isinstance(first.grad, np.ndarray)
    for name, array in network.state_dict().items():
        np.testing.assert_array_equal(array, before[name])
        assert array.flags.writeable
