"""How a convolution is cut: every pixel and every channel once, in shares of nearly one size."""

import numpy as np
import pytest

from minidepth.ops.cpu.tiles import ChannelBlocks, PixelTiles, multiply, multiply_into, pixel_matrix


@pytest.mark.parametrize("most", [1, 7, 20, 35, 70, 1000])
@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 5, 7), (7, 2, 3), (1, 13, 4), (0, 5, 5)])
def test_tiles_cover_every_pixel_once(shape, most):
    tiles = PixelTiles(*shape, most)
    hits, sizes = np.zeros(shape, int), []
    for index in range(len(tiles)):
        part = hits[tiles[index]]
        assert part.shape[0] == 1 or part.shape[1] == shape[1]  # rows of one picture, or whole pictures
        part += 1
        sizes.append(part.size)
    assert (hits == 1).all()
    assert max(sizes, default=tiles.largest) == tiles.largest <= max(most, shape[2])
    assert len(sizes) <= max(1, 4 * hits.size // most, shape[0] * shape[1])


@pytest.mark.parametrize("most", [0, 1, 2, 5, 100])
@pytest.mark.parametrize(("channels", "groups"), [(1, 1), (7, 1), (6, 3), (6, 6), (8, 2), (0, 1)])
def test_blocks_cover_every_channel_once(channels, groups, most):
    blocks = ChannelBlocks(channels, groups, most)
    hits = np.zeros((groups, channels // groups), int)
    for index in range(len(blocks)):
        some, of_group, within = blocks[index]
        numbers = np.arange(channels).reshape(hits.shape)[of_group, within]
        assert numbers.ravel().tolist() == list(range(some.start, some.stop))
        assert numbers.size <= max(most, channels // groups if groups > 1 else 1)
        hits[of_group, within] += 1
    assert (hits == 1).all()


def test_pixels_of_one_picture_are_a_view_and_of_several_a_copy():
    x = np.arange(2 * 3 * 4 * 5.0).reshape(2, 3, 4, 5)
    one, both = pixel_matrix(x[1:, :, 1:3], "a test's own"), pixel_matrix(x[:, :, 1:3], "a test's own")
    np.testing.assert_array_equal(one, x[1, :, 1:3].reshape(3, 10))
    np.testing.assert_array_equal(both, np.concatenate([x[0, :, 1:3].reshape(3, 10), one], axis=1))
    assert np.shares_memory(one, x) and not np.shares_memory(both, x)


@pytest.mark.parametrize("k", [1, 4])
@pytest.mark.parametrize("some", [np.s_[1:2, :, 1:3], np.s_[:, :, :2], np.s_[:1, :, ::2], np.s_[:1, :, :, ::2]])
def test_a_product_lands_in_any_part_of_pictures(k, some):
    rng = np.random.default_rng(0)
    y = np.zeros((2, 3, 4, 6))
    n, _, rows, columns = y[some].shape
    kernels, matrix = rng.standard_normal((3, k)), rng.standard_normal((k, n * rows * columns))
    multiply_into(y[some], kernels, matrix)
    expected = np.einsum("ok,knrs->nors", kernels, matrix.reshape(k, n, rows, columns))
    np.testing.assert_allclose(y[some], expected, rtol=1e-13)
    assert np.count_nonzero(y) == expected.size  # and nowhere else
    out = np.empty((3, matrix.shape[1]))
    multiply(kernels, matrix, out)
    np.testing.assert_allclose(out, kernels @ matrix, rtol=1e-13)
