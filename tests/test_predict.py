"""Prediction: pictures of any size and kind, four files for each, and broken ones that do not stop the others."""

import numpy as np
import pytest
from PIL import Image
from run_helpers import silent, small_config, tiny_data

from minidepth.errors import InputError
from minidepth.predict import predict, predict_depth
from minidepth.run_folder import load_model
from minidepth.train import train


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    return train(small_config(tiny_data(folder / "data"), folder / "run", epochs=1), log=silent)


def picture(path, size=(30, 50), seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)).save(path)
    return path


@pytest.mark.parametrize("size", [(1, 1), (17, 5), (30, 50), (200, 90)])
def test_the_four_files_hold_the_same_depth_at_the_size_of_the_picture(run, tmp_path, size):
    done, problems = predict(run, [picture(tmp_path / "photo.png", size)], tmp_path / "out", log=silent)
    assert problems == []
    assert done == [tmp_path / "out" / "photo_side.png"]
    depth_m = np.load(tmp_path / "out" / "photo_depth.npy")
    assert depth_m.shape == size
    assert depth_m.dtype == np.float32
    assert 1e-3 <= depth_m.min() <= depth_m.max() <= 10
    with Image.open(tmp_path / "out" / "photo_depth.png") as file:
        assert file.mode.startswith("I;16")
        np.testing.assert_allclose(np.asarray(file) / 1000, depth_m, atol=5.1e-4)
    for name in ("photo_color.png", "photo_side.png"):
        with Image.open(tmp_path / "out" / name) as file:
            assert min(file.size) > 20, name


def test_the_default_folder_is_in_the_run(run, tmp_path):
    (side,), _ = predict(run, [picture(tmp_path / "photo.jpg")], log=silent)
    assert side == run / "predictions" / "photo_side.png"


def test_a_folder_gives_its_pictures_and_nothing_else(run, tmp_path):
    for name in ("b.JPG", "a.png"):
        picture(tmp_path / "in" / name)
    (tmp_path / "in" / "notes.txt").write_text("no picture")
    done, problems = predict(run, [tmp_path / "in"], tmp_path / "out", log=silent)
    assert [path.name for path in done] == ["a_side.png", "b_side.png"]
    assert problems == []


def test_pictures_of_one_name_do_not_overwrite_each_other(run, tmp_path):
    paths = [picture(tmp_path / folder / "photo.png", seed=i) for i, folder in enumerate("xyz")]
    done, _ = predict(run, paths, tmp_path / "out", log=silent)
    assert [path.name for path in done] == ["photo_side.png", "photo_2_side.png", "photo_3_side.png"]
    model = load_model(run)
    with Image.open(paths[1]) as file:
        expected = predict_depth(model, np.asarray(file))
    np.testing.assert_allclose(np.load(tmp_path / "out" / "photo_2_depth.npy"), expected, rtol=1e-5)


def test_a_broken_picture_is_named_and_the_others_are_done(run, tmp_path):
    (tmp_path / "in").mkdir()
    picture(tmp_path / "in" / "a.png")
    (tmp_path / "in" / "b.png").write_bytes(b"this is no picture")
    picture(tmp_path / "in" / "c.png")
    lines = []
    done, problems = predict(run, [tmp_path / "in"], tmp_path / "out", log=lines.append)
    assert [path.name for path in done] == ["a_side.png", "c_side.png"]
    assert len(problems) == 1
    assert f"{tmp_path / 'in' / 'b.png'}: cannot be read" in problems[0]
    assert sum("b.png" in line for line in lines) == 1


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "CMYK", "1", "LA"])
def test_pictures_of_every_mode(run, tmp_path, mode):
    path = tmp_path / ("photo.tif" if mode == "CMYK" else "photo.png")
    Image.new("RGB", (20, 20), (200, 30, 90)).convert(mode).save(path)
    done, problems = predict(run, [path], tmp_path / "out", log=silent)
    assert len(done) == 1
    assert problems == []


def test_a_photograph_that_was_taken_upright_is_turned(run, tmp_path):
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 40, 3), np.uint8))
    exif = image.getexif()
    exif[0x0112] = 6  # the camera was turned by a quarter
    image.save(tmp_path / "phone.png", exif=exif)
    predict(run, [tmp_path / "phone.png"], tmp_path / "out", log=silent)
    assert np.load(tmp_path / "out" / "phone_depth.npy").shape == (40, 20)


def test_a_prediction_that_is_no_number_is_clamped(run):
    model = load_model(run)
    model.network.head.bias.data[...] = np.nan
    depth_m = predict_depth(model, np.zeros((8, 8, 3), np.uint8))
    assert (depth_m == np.float32(1e-3)).all()


def test_nothing_is_written_when_a_path_is_wrong(run, tmp_path):
    with pytest.raises(InputError, match="no such picture"):
        predict(run, [picture(tmp_path / "a.png"), tmp_path / "none.png"], tmp_path / "out", log=silent)
    assert not (tmp_path / "out").exists()
