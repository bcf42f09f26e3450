import numpy as np
import pytest
from data_folders import cut_short
from PIL import Image

from minidepth.data.pictures import read_depth_png, read_picture
from minidepth.errors import DataError


def save(path, array, mode=None):
    picture = Image.fromarray(array)
    (picture.convert(mode) if mode else picture).save(path)
    return path


def test_8_bit_depth_spans_ten_metres(tmp_path):
    path = save(tmp_path / "d.png", np.array([[0, 1, 51, 255]], np.uint8))
    depth_m = read_depth_png(path)
    assert depth_m.dtype == np.float32
    np.testing.assert_allclose(depth_m, [[0, 10 / 255, 2, 10]], rtol=1e-6)


def test_16_bit_depth_is_millimetres_also_above_32767(tmp_path):
    path = save(tmp_path / "d.png", np.array([[0, 1, 2500, 10000, 40000, 65535]], np.uint16))
    np.testing.assert_allclose(read_depth_png(path), [[0, 0.001, 2.5, 10, 40, 65.535]], rtol=1e-6)


def test_the_mode_decides_and_not_the_values(tmp_path):
    """A 16-bit file whose values would fit into 8 bits is still in millimetres."""
    small = np.array([[7, 255]], np.uint16)
    np.testing.assert_allclose(read_depth_png(save(tmp_path / "d.png", small)), [[0.007, 0.255]], rtol=1e-6)


def test_a_colour_file_is_no_depth_map(tmp_path):
    path = save(tmp_path / "d.png", np.zeros((4, 4, 3), np.uint8))
    with pytest.raises(DataError, match=r"d\.png: a depth map must be 8-bit grey .* but this file has mode RGB"):
        read_depth_png(path)


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "1"])
def test_pictures_of_every_mode_become_rgb(tmp_path, mode):
    path = save(tmp_path / "p.png", np.full((4, 6, 3), 255, np.uint8), mode)
    image = read_picture(path)
    assert image.shape == (4, 6, 3) and image.dtype == np.uint8 and (image == 255).all()


@pytest.mark.parametrize("name", ["p.png", "p.jpg"])
def test_truncated_files_are_named(tmp_path, name):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    path = save(tmp_path / name, noise)
    cut_short(path)
    with pytest.raises(DataError, match=rf"{name}: cannot be read, truncated or not a picture"):
        read_picture(path)


def test_missing_and_foreign_files_are_named(tmp_path):
    with pytest.raises(DataError, match=r"none\.png: the file is missing"):
        read_picture(tmp_path / "none.png")
    (tmp_path / "text.png").write_text("hello")
    with pytest.raises(DataError, match=r"text\.png: cannot be read, truncated or not a picture"):
        read_depth_png(tmp_path / "text.png")
