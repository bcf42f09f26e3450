"""Half precision and TF32: what is asked for must be there, and a network trains in half as it does in float32."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from minidepth import Tensor, nn, ops, optim, precision
from minidepth.backend import to_device
from minidepth.diagnose import quiet_overflow
from minidepth.errors import InputError
from minidepth.ops.gpu import implicit_gemm
from minidepth.optim import LossScaler
from minidepth.testing import device_array


def test_on_the_cpu_there_is_neither() -> None:
    precision.check("cpu", amp=False, tf32=False)
    for option in ("amp", "tf32"):
        with pytest.raises(InputError, match=f"--{option} needs --device cuda, for .* leave --{option} out"):
            precision.check("cpu", **{"amp": False, "tf32": False, option: True})


def test_a_card_needs_the_tensor_cores(emulated_gpu, monkeypatch) -> None:
    precision.check("cuda", amp=True, tf32=True)
    runtime = SimpleNamespace(getDevice=lambda: 1, getDeviceProperties=lambda number: {"major": 7, "minor": 4 + number})
    monkeypatch.setattr(emulated_gpu, "cuda", SimpleNamespace(runtime=runtime), raising=False)
    precision.check("cuda", amp=False, tf32=False)
    with pytest.raises(InputError, match=r"--tf32 needs a GPU of compute capability 8\.0 or newer, .* has 7\.5; leave"):
        precision.check("cuda", amp=False, tf32=True)
    with pytest.raises(InputError, match="--amp needs a GPU of"):
        precision.check("cuda", amp=True, tf32=True)


def test_tf32_is_put_back() -> None:
    assert not implicit_gemm.tf32
    with pytest.raises(KeyError), precision.factors(tf32=True):
        assert implicit_gemm.tf32
        with precision.factors(tf32=False):
            assert not implicit_gemm.tf32
        assert implicit_gemm.tf32
        raise KeyError
    assert not implicit_gemm.tf32


class TwoOutputs(nn.Module):
    def __init__(self) -> None:
        self.seen = None

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        self.seen = x.dtype
        return x, x * 3


def test_pictures_go_in_in_half_and_outputs_come_back_in_float32(emulated_gpu) -> None:
    network = TwoOutputs()
    picture = Tensor(to_device(np.float32([[[[1 / 3]]]]), "cuda"))
    outputs = precision.forward(network, picture, half=True)
    assert network.seen == np.float16 and [output.dtype for output in outputs] == [np.float32] * 2
    assert outputs[0].item() == np.float16(1 / 3) != np.float32(1 / 3)
    assert precision.forward(network, picture)[0] is picture and network.seen == np.float32
    one = precision.forward(nn.LeakyReLU(0.5), Tensor(to_device(np.float32([-1 / 3]), "cuda")), half=True)
    assert one.dtype == np.float32 and one.item() == np.float16(np.float16(-1 / 3) / 2)


class TwoLayers(nn.Module):
    """Two products with weights in float32 that take what the layer before has, as convolutions do."""

    def __init__(self) -> None:
        self.first, self.second = (nn.Parameter(np.full((1, 3, 1, 1), value, np.float32)) for value in (0.7, 0.3))

    def forward(self, x: Tensor) -> Tensor:
        hidden = ops.leaky_relu(x * ops.cast(self.first, x.dtype), 0.1)
        return (hidden * ops.cast(self.second, x.dtype)).sum(dim=1, keepdim=True)


class Trained:
    """A small network on the emulated GPU that learns a fixed batch."""

    def __init__(self, half: bool, **options) -> None:
        rng = np.random.default_rng(0)
        self.half = half
        self.picture = Tensor(to_device(rng.standard_normal((2, 3, 6, 6)).astype(np.float32), "cuda"))
        self.truth = Tensor(to_device(rng.uniform(1, 3, (2, 1, 6, 6)).astype(np.float32), "cuda"))
        self.network = TwoLayers().to("cuda")
        self.optimizer = optim.Adam(self.network.parameters(), lr=0.05)
        self.scaler = LossScaler(self.network.parameters(), **options) if half else None
        self.losses = []

    @quiet_overflow()
    def step(self) -> None:
        output = precision.forward(self.network, self.picture, half=self.half)
        loss = ((output - self.truth) ** 2).mean()
        loss.backward(None if self.scaler is None else self.scaler.cotangent(loss=loss))
        self.optimizer.step(self.scaler)
        if self.scaler is not None:
            self.scaler.update()
        self.losses.append(loss.data)

    def arrays(self) -> list[np.ndarray]:
        state = [array for sums in self.optimizer.state.values() for array in sums]
        weights = [parameter.data for parameter in self.network.parameters()]
        return [array.get() for array in (*weights, *state, self.optimizer.steps)]


def test_training_in_half_is_training_but_for_rounding_and_waits_for_nothing(emulated_gpu) -> None:
    plain, half = Trained(half=False), Trained(half=True, scale=2.0**10)
    before = device_array.synchronisations
    for run in (plain, half):
        for _ in range(10):
            run.step()
            run.optimizer.zero_grad()
    assert device_array.synchronisations == before
    losses = [[float(loss) for loss in run.losses] for run in (plain, half)]
    assert losses[0][-1] < 0.9 * losses[0][0]
    np.testing.assert_allclose(losses[1], losses[0], rtol=2e-3)
    assert losses[1] != losses[0]
    assert half.scaler.read().skipped_steps == 0
    assert {parameter.data.dtype for parameter in half.network.parameters()} == {np.dtype(np.float32)}


def test_a_gradient_too_large_for_half_is_skipped_until_the_scale_is_small_enough(emulated_gpu) -> None:
    """The loss is finite, and float32 would hold the gradients: it is between the layers that they become infinite."""
    run = Trained(half=True, scale=2.0**24)
    before, steps = run.arrays(), 0
    while all((a == b).all() for a, b in zip(run.arrays(), before)):
        steps += 1
        run.step()
        run.optimizer.zero_grad()
    state = run.scaler.read()
    assert state.scale == 2.0 ** (24 - state.skipped_steps) and 1 <= state.skipped_steps == steps - 1 < 12
    assert all(np.isfinite(array).all() for array in run.arrays()) and np.isfinite(float(run.losses[0]))
    assert (run.optimizer.steps.get() == 1).all()


def test_a_loss_that_never_is_finite_ends_in_a_reason_to_stop_with_good_weights(emulated_gpu) -> None:
    run = Trained(half=True)
    run.picture = run.picture * 1e5  # infinite in half
    before = run.arrays()
    for number in range(17):
        assert run.scaler.fault() is None, number
        run.step()
    assert "not finite whatever their scale, which fell to 0.5; 17 steps were skipped" in run.scaler.fault()
    assert all((a == b).all() for a, b in zip(run.arrays(), before))


def test_ops_cast_is_what_it_is_made_of() -> None:
    with pytest.raises(TypeError, match="float16 is for a GPU, but x is on the CPU"):
        precision.forward(nn.LeakyReLU(), Tensor([1.0]), half=True)
    assert ops.cast is precision.cast
