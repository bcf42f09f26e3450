"""Layers: each hands its settings and parameters to its operation, and batch-norm keeps its statistics."""

from __future__ import annotations

import numpy as np
import pytest

from minidepth import Tensor, nn, ops


def picture(*shape: int) -> Tensor:
    return Tensor(np.random.default_rng(0).standard_normal(shape).astype(np.float32))


def test_conv2d_passes_every_setting_on() -> None:
    layer = nn.Conv2d(4, 6, (3, 2), stride=(2, 1), padding=(1, 2), dilation=(1, 2), groups=2, rng=0)
    assert layer.weight.shape == (6, 2, 3, 2) and layer.bias.shape == (6,)
    x = picture(2, 4, 9, 8)
    expected = ops.conv2d(x, layer.weight, layer.bias, (2, 1), (1, 2), (1, 2), 2)
    np.testing.assert_array_equal(layer(x).data, expected.data)
    assert layer(x).shape == (2, 6, 5, 10)


def test_conv_transpose2d_passes_every_setting_on() -> None:
    layer = nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1, groups=2, dilation=2, rng=0)
    assert layer.weight.shape == (4, 3, 3, 3) and layer.bias.shape == (6,)
    x = picture(2, 4, 5, 4)
    expected = ops.conv_transpose2d(x, layer.weight, layer.bias, 2, 1, 1, 2, 2)
    np.testing.assert_array_equal(layer(x).data, expected.data)


def test_convolutions_without_bias() -> None:
    for layer in (nn.Conv2d(2, 3, 1, bias=False, rng=0), nn.ConvTranspose2d(2, 3, 1, bias=False, rng=0)):
        assert layer.bias is None and list(layer.state_dict()) == ["weight"]
        assert not layer(Tensor(np.zeros((1, 2, 4, 4), np.float32))).data.any()


@pytest.mark.parametrize("layer", [nn.Conv2d, nn.ConvTranspose2d])
def test_channels_must_divide_into_groups(layer: type) -> None:
    text = rf"{layer.__name__}: in_channels \(4\) and out_channels \(6\) must be positive multiples of groups \(4\)"
    with pytest.raises(ValueError, match=text):
        layer(4, 6, 3, groups=4)


def test_batch_norm_in_training_normalises_and_remembers() -> None:
    layer = nn.BatchNorm2d(1)
    x = Tensor(np.array([1, 2, 3, 6], np.float32).reshape(2, 1, 1, 2))  # mean 3, variance 3.5, unbiased 14 / 3
    y = layer(x)
    np.testing.assert_allclose(y.data.ravel(), np.array([-2, -1, 0, 3]) / np.sqrt(3.5 + 1e-5), rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(layer.running_mean.data, [0.1 * 3], rtol=1e-6)
    np.testing.assert_allclose(layer.running_var.data, [0.9 + 0.1 * 14 / 3], rtol=1e-6)
    assert layer.num_batches_tracked.data == 1 and layer.num_batches_tracked.data.dtype == np.int64


def test_batch_norm_in_evaluation_uses_the_running_statistics_and_leaves_them() -> None:
    layer = nn.BatchNorm2d(2).eval()
    layer.running_mean.data[...] = [1, 2]
    layer.running_var.data[...] = [4, 9]
    layer.weight.data[...] = [3, 5]
    layer.bias.data[...] = [7, 11]
    y = layer(Tensor(np.full((1, 2, 1, 1), 5, np.float32)))
    np.testing.assert_allclose(y.data.ravel(), [3 * 4 / 2 + 7, 5 * 3 / 3 + 11], rtol=1e-5)
    np.testing.assert_array_equal(layer.running_mean.data, [1, 2])
    assert layer.num_batches_tracked.data == 0


def test_batch_norm_state_dict_has_pytorchs_names() -> None:
    names = ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"]
    assert list(nn.BatchNorm2d(3).state_dict()) == names


def test_batch_norm_momentum_and_eps() -> None:
    layer = nn.BatchNorm2d(1, eps=0.5, momentum=0.25)
    y = layer(Tensor(np.array([0, 2], np.float32).reshape(1, 1, 1, 2)))
    np.testing.assert_allclose(y.data.ravel(), np.array([-1, 1]) / np.sqrt(1.5), rtol=1e-6)
    np.testing.assert_allclose(layer.running_mean.data, [0.25], rtol=1e-6)


ACTIVATIONS = {
    nn.ReLU(): [0, 0, 0.5, 8],
    nn.ReLU6(): [0, 0, 0.5, 6],
    nn.LeakyReLU(): [-0.02, 0, 0.5, 8],
    nn.LeakyReLU(0.2): [-0.4, 0, 0.5, 8],
    nn.Sigmoid(): [0.11920292, 0.5, 0.62245933, 0.99966465],
    nn.Tanh(): [-0.96402758, 0, 0.46211716, 0.99999977],
    nn.Softmax(0): [4.5357568e-05, 0.00033514962, 0.0005525683, 0.99906692],
    nn.Identity(): [-2, 0, 0.5, 8],
}


@pytest.mark.parametrize("layer", ACTIVATIONS, ids=repr)
def test_activations(layer: nn.Module) -> None:
    y = layer(Tensor([-2, 0, 0.5, 8]))
    np.testing.assert_allclose(y.data, ACTIVATIONS[layer], rtol=1e-6)
    assert not layer.state_dict()


def test_softmax_along_its_dimension() -> None:
    y = nn.Softmax(dim=1)(picture(2, 3, 4))
    np.testing.assert_allclose(y.data.sum(axis=1), np.ones((2, 4)), rtol=1e-6)
    assert repr(nn.Softmax(dim=1)) == "Softmax(dim=1)"


def test_linear() -> None:
    layer = nn.Linear(3, 2, rng=0)
    assert layer.weight.shape == (2, 3) and layer.bias.shape == (2,)
    assert np.abs(layer.weight.data).max() <= 3**-0.5 and layer.weight.data.std() > 0.2
    layer.weight.data[...], layer.bias.data[...] = [[1, 2, 3], [4, 5, 6]], [10, 20]
    assert layer(Tensor([[1, 0, 2], [0, 1, 0]])).data.tolist() == [[17, 36], [12, 25]]
    without = nn.Linear(3, 2, bias=False, init="he", rng=0)
    assert list(without.state_dict()) == ["weight"]
    assert not without(Tensor(np.zeros((4, 5, 3), np.float32))).data.any()
    assert [repr(layer), repr(without)] == ["Linear(3, 2)", "Linear(3, 2, bias=False)"]
    with pytest.raises(ValueError, match=r"Linear: in_features \(0\) and out_features \(2\) must be positive"):
        nn.Linear(0, 2)


def test_zero_pad() -> None:
    x = Tensor(np.ones((1, 1, 1, 1)))
    assert nn.ZeroPad2d((1, 2, 0, 1))(x).data.tolist() == [[[[0, 1, 0, 0], [0, 0, 0, 0]]]]
    assert nn.ZeroPad2d(1)(x).data.tolist() == [[[[0, 0, 0], [0, 1, 0], [0, 0, 0]]]]
    assert repr(nn.ZeroPad2d(3)) == "ZeroPad2d((3, 3, 3, 3))"


@pytest.mark.parametrize("size", [(7, 8), (6, 9)])
def test_same_pad_gives_the_sizes_of_keras(size: tuple[int, int]) -> None:
    x = picture(1, 2, *size)
    halved = (1, 2, -(-size[0] // 2), -(-size[1] // 2))
    for stride, shape in ((1, x.shape), (2, halved)):
        padded = nn.SamePad2d((3, 2), stride)(x)
        assert nn.Conv2d(2, 2, (3, 2), stride, rng=0)(padded).shape == shape
    assert nn.SamePad2d(3, 2)(x).data[0, 0, -1].tolist() == [0] * (size[1] + 1 + size[1] % 2)
    lowest = nn.SamePad2d(3, 2, value=-np.inf)
    pooled = nn.Sequential(lowest, nn.MaxPool2d(3, stride=2))(x - 10)  # a frame of zeros would win
    assert pooled.shape == halved and np.isfinite(pooled.data).all() and pooled.data.max() < -5
    assert repr(lowest) == "SamePad2d(kernel_size=(3, 3), stride=(2, 2), value=-inf)"


def test_enlarging_layers() -> None:
    x = picture(1, 4, 3, 5)
    np.testing.assert_array_equal(nn.PixelShuffle(2)(x).data, ops.pixel_shuffle(x, 2).data)
    np.testing.assert_array_equal(nn.UnpoolZeros((3, 2))(x).data, ops.unpool_zeros(x, (3, 2)).data)
    assert nn.UnpoolZeros()(x).shape == (1, 4, 6, 10)
    assert [repr(nn.PixelShuffle(2)), repr(nn.UnpoolZeros())] == [
        "PixelShuffle(upscale_factor=2)",
        "UnpoolZeros(stride=(2, 2))",
    ]


def test_pooling_passes_every_setting_on() -> None:
    x = picture(1, 2, 7, 8)
    pool = nn.MaxPool2d(3, stride=2, padding=1, ceil_mode=True)
    np.testing.assert_array_equal(pool(x).data, ops.max_pool2d(x, 3, 2, 1, 1, True).data)
    mean = nn.AvgPool2d(3, stride=2, padding=1, count_include_pad=False)
    np.testing.assert_array_equal(mean(x).data, ops.avg_pool2d(x, 3, 2, 1, False, False).data)
    parts = nn.AdaptiveAvgPool2d((2, 5))
    np.testing.assert_array_equal(parts(x).data, ops.adaptive_avg_pool2d(x, (2, 5)).data)
    assert nn.AdaptiveAvgPool2d(1)(x).shape == (1, 2, 1, 1) and repr(parts) == "AdaptiveAvgPool2d(output_size=(2, 5))"
    assert nn.MaxPool2d(2)(x).shape == nn.AvgPool2d(2)(x).shape == (1, 2, 3, 4)


def test_upsample_passes_every_setting_on() -> None:
    x = picture(1, 2, 3, 4)
    assert nn.Upsample(size=(5, 9))(x).shape == (1, 2, 5, 9)
    doubled = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)(x)
    expected = ops.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
    np.testing.assert_array_equal(doubled.data, expected.data)


def test_repr_shows_what_is_unusual() -> None:
    assert repr(nn.MaxPool2d(2)) == "MaxPool2d(kernel_size=(2, 2), stride=(2, 2))"
    assert repr(nn.BatchNorm2d(3)) == "BatchNorm2d(3, eps=1e-05, momentum=0.1)"
    assert repr(nn.ReLU()) == "ReLU()"
    assert repr(nn.Upsample(scale_factor=2, mode="bilinear")) == "Upsample(scale_factor=2, mode='bilinear')"
