"""The whole in under five seconds: training lowers the loss, a checkpoint is exact, a seed decides every byte."""

import numpy as np
from run_helpers import silent, small_config, tiny_data

from minidepth import Tensor, checkpoint, losses, models, optim
from minidepth.train import train


def test_five_training_steps_lower_the_loss():
    rng = np.random.default_rng(0)
    network = models.build("unet", base_channels=2, norm="batch", rng=0)
    optimizer = optim.Adam(network.parameters(), lr=1e-2)
    loss = losses.build("mse+gradient+normal")
    image = Tensor(rng.standard_normal((2, 3, 32, 32)).astype(np.float32))
    depth_m = np.broadcast_to(np.linspace(1, 4, 32, dtype=np.float32)[:, None], (2, 1, 32, 32)).copy()
    values = []
    for _ in range(6):
        value = loss(network(image), depth_m, depth_m > 0)
        values.append(value.item())
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
    assert values[5] < 0.9 * values[0]


def test_a_checkpoint_round_trip_is_exact(tmp_path):
    network = models.build("unet", base_channels=2, norm="batch", rng=0)
    checkpoint.save(tmp_path / "weights.safetensors", network.state_dict(), {"epoch": 3})
    arrays, meta = checkpoint.load(tmp_path / "weights.safetensors")
    other = models.build("unet", base_channels=2, norm="batch", rng=1)
    other.load_state_dict(arrays)
    assert meta == {"epoch": 3}
    for name, array in network.state_dict().items():
        assert array.tobytes() == other.state_dict()[name].tobytes(), name


def test_two_runs_with_one_seed_give_equal_bytes_and_another_seed_does_not(tmp_path):
    data = tiny_data(tmp_path / "data", train=8, test=0)
    bytes_of = {}
    for name, seed, workers in (("first", 0, 1), ("again", 0, 1), ("other", 1, 1)):
        config = small_config(data, tmp_path / name, epochs=2, seed=seed, workers=workers)
        folder = train(config, log=silent)
        bytes_of[name] = (folder / "last.safetensors").read_bytes()
    assert bytes_of["first"] == bytes_of["again"]
    assert bytes_of["first"] != bytes_of["other"]
