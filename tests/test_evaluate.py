"""Evaluation: the protocol is followed to the letter, against a plain computation that shares nothing with it."""

import numpy as np
import pytest
from data_folders import make_frames, write_csv_folder
from run_helpers import silent, small_config, tiny_data

from minidepth import Tensor
from minidepth.data import network_input, open_dataset, resize_image
from minidepth.evaluate import evaluate, scores_text
from minidepth.predict import predict_depth
from minidepth.run_folder import load_model
from minidepth.train import train


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return tiny_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    return train(small_config(data, tmp_path_factory.mktemp("runs") / "run", epochs=1), log=silent)


def upsampled(small, size):
    """Bilinear, corners not aligned, one pixel at a time."""
    (h, w), (height, width) = small.shape, size
    result = np.empty(size)
    for i in range(height):
        for j in range(width):
            y = np.clip((i + 0.5) * h / height - 0.5, 0, h - 1)
            x = np.clip((j + 0.5) * w / width - 0.5, 0, w - 1)
            top, left = int(y), int(x)
            bottom, right = min(top + 1, h - 1), min(left + 1, w - 1)
            a, b = y - top, x - left
            result[i, j] = (1 - a) * ((1 - b) * small[top, left] + b * small[top, right]) + a * (
                (1 - b) * small[bottom, left] + b * small[bottom, right]
            )
    return result


@pytest.mark.parametrize("tta", [False, True])
def test_scores_are_those_of_a_plain_computation(run, data, tta):
    model = load_model(run)
    squared, relative, rmse = [], [], []
    dataset = open_dataset(data, "test")
    for index in range(len(dataset)):
        sample = dataset[index]
        small = network_input(resize_image(sample.image, (16, 16)))
        prediction = model.network(Tensor(small[None])).data[0, 0]
        if tta:
            mirrored = model.network(Tensor(small[None, :, :, ::-1].copy())).data[0, 0]
            prediction = (prediction + mirrored[:, ::-1]) / 2
        p = np.clip(upsampled(prediction, (24, 32)), 1e-3, 10)
        error = p - sample.depth_m
        squared.append(np.mean(error**2))
        rmse.append(np.sqrt(squared[-1]))
        relative.append(np.mean(np.abs(error) / sample.depth_m))
    result = evaluate(run, data, tta=tta)
    assert result["network"]["per_picture"]["rmse_m"] == pytest.approx(np.mean(rmse), rel=1e-5)
    assert result["network"]["pooled"]["rmse_m"] == pytest.approx(np.sqrt(np.mean(squared)), rel=1e-5)
    assert result["network"]["per_picture"]["abs_rel"] == pytest.approx(np.mean(relative), rel=1e-5)
    assert result["network"]["pictures"] == 3
    assert result["tta"] is tta


def test_the_guess_is_the_mean_depth_of_the_training_frames(run, data):
    result = evaluate(run, data)
    depths = [open_dataset(data, "test")[i].depth_m for i in range(3)]
    guess_m = load_model(run).guesses["depth"]
    assert result["guess_m"] == guess_m
    expected = np.sqrt(np.mean(np.square(np.array(depths, np.float64) - guess_m)))
    assert result["guess"]["pooled"]["rmse_m"] == pytest.approx(expected, rel=1e-6)


def test_crop_follows_the_size_of_the_frames(run, data, tmp_path):
    assert evaluate(run, data)["network"]["crop"] == "none"
    folder = write_csv_folder(tmp_path / "full", test=make_frames(1, size=(480, 640)))
    result = evaluate(run, str(folder))
    assert result["network"]["crop"] == "eigen-bts"
    assert result["network"]["pixels"] == 426 * 560
    other = evaluate(run, str(folder), crop="eigen-densedepth")["network"]
    assert other["pixels"] == 440 * 592
    assert evaluate(run, str(folder), crop="none")["network"]["pixels"] == 480 * 640


def test_the_text_names_crop_averaging_guess_and_sizes(run, data):
    text = scores_text(evaluate(run, data, tta=True))
    for words in (
        "crop none",
        "mean of pictures",
        "pooled over pixels",
        "constant guess",
        "network at 16x16",
        "mirrored",
    ):
        assert words in text, words


def test_the_training_split_can_be_scored(run, data):
    assert evaluate(run, data, split="train")["network"]["pictures"] == 22


def test_mirroring_the_picture_mirrors_the_averaged_prediction(run):
    model = load_model(run)
    image = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    straight, mirrored = (predict_depth(model, view, tta=True) for view in (image, image[:, ::-1].copy()))
    np.testing.assert_allclose(mirrored, straight[:, ::-1], rtol=1e-5)
    assert not np.allclose(predict_depth(model, image), straight)
