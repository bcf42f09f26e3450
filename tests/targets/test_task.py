"""One target or several through a step, and what is refused before any work."""

from __future__ import annotations

import numpy as np
import pytest

from minidepth import losses, models, targets
from minidepth.data import Batch, Sample
from minidepth.engine import Tensor
from minidepth.errors import InputError
from minidepth.nn import Conv2d, Module


class Head(Module):
    """A network that is nothing but its head."""

    def __init__(self) -> None:
        self.head = Conv2d(3, 1, 1, rng=0)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(x)


class Half(Module):
    """A network that answers at half the size, with a number a picture."""

    def forward(self, x: Tensor) -> Tensor:
        return x[:, :1, ::2, ::2]


def batch_of(size=(4, 6), seed=0):
    rng = np.random.default_rng(seed)
    depth_m = rng.uniform(1, 9, (2, 1, *size)).astype(np.float32)
    valid = rng.random(depth_m.shape) < 0.8
    image = rng.standard_normal((2, 3, *size)).astype(np.float32)
    return Batch(image, np.where(valid, depth_m, 0), valid)


def test_the_loss_is_that_of_the_scale():
    batch = batch_of()
    task = targets.build("depth", "inverse", 10.0)
    outputs = task.run(Head(), batch)
    truth = np.where(batch.valid, 10 / np.where(batch.valid, batch.depth_m, 1), 0).astype(np.float32)
    expected = losses.mse(outputs[0], truth, batch.valid).item()
    assert task.loss(losses.build("mse"), outputs, batch).item() == pytest.approx(expected, rel=1e-6)


def test_a_smaller_answer_is_compared_with_the_pixels_under_its_centres():
    batch = batch_of()
    task = targets.build("depth")
    value = task.loss(losses.build("l1"), task.run(Half(), batch), batch).item()
    error = (np.abs(batch.image[:, :1, ::2, ::2] - batch.depth_m[:, :, 1::2, 1::2])) * batch.valid[:, :, 1::2, 1::2]
    assert value == pytest.approx(error.sum() / batch.valid[:, :, 1::2, 1::2].sum(), rel=1e-5)


def test_a_smaller_answer_is_enlarged_before_it_is_read():
    batch = batch_of()
    task = targets.build("depth")
    outputs = [output.data for output in task.run(Half(), batch)]
    assert task.read(outputs, (4, 6))["depth"].shape == (2, 4, 6)


def test_a_network_starts_at_the_guess_of_its_scale():
    batch, network, task = batch_of(), Head(), targets.build("depth", "log", 10.0)
    network.head.weight.data[...] = 0
    task.start(network, {"depth": 3.0})
    assert task.read([output.data for output in task.run(network, batch)], (4, 6))["depth"] == pytest.approx(
        3.0, rel=1e-5
    )


@pytest.mark.parametrize(
    ("model", "scale"),
    [
        ("custom_unet:base_channels=2", "unit"),
        ("keras_depth_unet:base_channels=2", "unit"),
        ("mobilenet_pruned", "metres"),
        ("densedepth:width=4,growth=2", "inverse"),
    ],
)
def test_a_network_starts_at_the_guess_through_its_last_activation(model, scale):
    """With weights of 0 in the last convolution, what comes out is what its bias says."""
    network, task = models.build(model, rng=0), targets.build("depth", scale, 10.0)
    task.start(network, {"depth": 3.0})
    last = [layer for layer in network.modules() if isinstance(layer, Conv2d)][-1]
    last.weight.data[...] = 0
    outputs = task.run(network.eval(), batch_of((32, 32)))
    read = task.read([output.data for output in outputs], (32, 32))["depth"]
    np.testing.assert_allclose(read, 3.0, rtol=1e-5)


def test_what_is_read_is_a_depth():
    said = np.array([np.nan, -4.0, 1e9, 2.0], np.float32).reshape(1, 1, 2, 2)
    read = targets.build("depth").read([said], (2, 2))["depth"]
    assert read.dtype == np.float32 and read.ravel().tolist() == pytest.approx([1e-3, 1e-3, 10.0, 2.0])


def test_the_board_scores_network_and_guess_over_the_same_pixels():
    task = targets.build("depth")
    board = targets.TaskBoard(task, {"depth": 2.0})
    depth_m = np.array([[1.0, 2.0, 0.0]], np.float32)
    board.add({"depth": np.array([[1.5, 2.0, 7.0]], np.float32)}, Sample(np.zeros((1, 3, 3)), depth_m, depth_m > 0))
    scores = board.scores()["depth"]
    assert scores["network"]["pixels"] == scores["guess"]["pixels"] == 2
    assert scores["network"]["pooled"]["mae_m"] == pytest.approx(0.25)
    assert scores["guess"]["pooled"]["mae_m"] == pytest.approx(0.5)
    assert task.error(board.scores()) == pytest.approx(np.sqrt(0.125))


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"task": "colour"}, "--task colour: use depth"),
        ({"task": "depth+depth"}, "--task depth.depth: use"),
        ({"task": "depth", "scale": "feet"}, "--scale feet: use metres, unit, inverse, log"),
    ],
)
def test_what_cannot_be_learnt(wrong, text):
    with pytest.raises(InputError, match=text):
        targets.build(**wrong)


def test_a_network_made_for_something_else_than_the_data_hold():
    with pytest.raises(InputError, match="--data pets holds labels, but this network is made for depth"):
        targets.choose_task(("depth",), ("labels",), "pets")
    assert targets.choose_task(None, ("mask", "depth"), "modest") == "depth"
    assert targets.choose_task(("mask", "depth"), ("mask", "depth"), "modest") == "mask+depth"
    assert targets.choose_task(None, ("labels",), "pets") == "labels"
