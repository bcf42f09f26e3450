"""Training: what a run leaves behind, stopping and going on bit for bit, and numbers that go bad."""

import csv
import json
import signal
import threading

import numpy as np
import pytest
from PIL import Image
from run_helpers import silent, small_config, stop_after, tiny_data

from minidepth import Tensor, checkpoint, losses, models, run_folder
from minidepth.config import TrainConfig, continue_config
from minidepth.diagnose import first_bad_value
from minidepth.errors import InputError
from minidepth.interrupt import StopRequest
from minidepth.run_folder import load_model
from minidepth.train import train

EPOCHS = 3


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return tiny_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def finished(data, tmp_path_factory):
    """A run of three epochs that nothing stopped, and what it said."""
    lines = []
    folder = train(small_config(data, tmp_path_factory.mktemp("runs") / "whole", epochs=EPOCHS), log=lines.append)
    return folder, "\n".join(lines)


def test_a_run_leaves_every_file(finished):
    folder, _ = finished
    assert sorted(path.name for path in folder.iterdir()) == [
        "best.safetensors",
        "config.json",
        "curves.png",
        "example.png",
        "last.safetensors",
        "log.csv",
        "samples.png",
    ]
    assert TrainConfig.from_dict(json.loads((folder / "config.json").read_text())).size == (16, 16)
    for name in ("curves.png", "samples.png", "example.png"):
        with Image.open(folder / name) as picture:
            assert len(np.unique(np.asarray(picture))) > 10, name


def test_the_log_has_a_row_for_each_epoch_with_both_averages_and_the_guess(finished):
    folder, _ = finished
    with (folder / "log.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert [row["step"] for row in rows] == ["5", "10", "15"]
    wanted = {"lr", "loss", "images_per_s", "data_wait_share", "val_rmse_m", "val_pooled_rmse_m", "guess_rmse_m"}
    assert wanted <= rows[0].keys()
    assert len({row["guess_rmse_m"] for row in rows}) == 1  # the guess learns nothing
    assert len({row["val_rmse_m"] for row in rows}) == 3


def test_the_report_names_averages_guess_and_the_next_commands(finished):
    folder, said = finished
    assert "20 training and 2 validation frames at 16x16, 3 epochs of 5 batches of 4" in said
    assert said.count("validation (in brackets: always 5.") == EPOCHS
    assert said.count("mean of pictures    RMSE") == said.count("pooled over pixels  RMSE") == EPOCHS
    assert said.count("of it waiting for data") == EPOCHS
    assert f"minidepth evaluate {folder} --data" in said
    assert f"minidepth predict {folder} {folder / 'example.png'}" in said


def test_the_best_weights_are_those_of_the_best_epoch(finished):
    folder, _ = finished
    rows = run_folder.read_log(folder)
    _, meta = checkpoint.load(folder / "best.safetensors")
    assert meta["epoch"] == min(rows, key=lambda row: row["val_rmse_m"])["epoch"]
    assert "out" not in meta["config"]


def test_the_best_file_alone_makes_the_network(finished, tmp_path):
    folder, _ = finished
    alone = tmp_path / "weights.safetensors"
    alone.write_bytes((folder / "best.safetensors").read_bytes())
    model = load_model(alone)
    assert model.config.base_channels == 2
    assert not model.network.training
    arrays, _ = checkpoint.load(folder / "best.safetensors")
    for name, array in model.network.state_dict().items():
        np.testing.assert_array_equal(array, arrays[name])


@pytest.mark.parametrize("steps", [2, 5, 8])  # within the first epoch, at its end, within the second
def test_stopped_and_resumed_is_the_same_to_the_last_byte(finished, data, tmp_path, monkeypatch, steps):
    whole, _ = finished
    config = small_config(data, tmp_path / "stopped", epochs=EPOCHS)
    with monkeypatch.context() as patch:
        stop_after(patch, steps)
        with pytest.raises(KeyboardInterrupt, match=r"everything is saved. To go on: minidepth train --resume"):
            train(config, log=silent)
    folder = tmp_path / "stopped"
    saved, meta = run_folder.read_config(folder)
    assert meta["progress"]["step"] == steps
    train(continue_config(saved, {}, folder), log=silent, resume=folder)
    for name in ("last.safetensors", "best.safetensors"):
        assert (folder / name).read_bytes() == (whole / name).read_bytes(), name
    assert [row["loss"] for row in run_folder.read_log(folder)] == [row["loss"] for row in run_folder.read_log(whole)]


@pytest.mark.parametrize("first, then", [(True, True), (False, True), (True, False)])
def test_recompute_may_change_at_a_resume_and_changes_no_weight(finished, data, tmp_path, monkeypatch, first, then):
    whole, _ = finished
    folder = tmp_path / "stopped"
    with monkeypatch.context() as patch:
        stop_after(patch, 8)
        with pytest.raises(KeyboardInterrupt):
            train(small_config(data, folder, epochs=EPOCHS, recompute=first), log=silent)
    saved, _ = run_folder.read_config(folder)
    assert saved.recompute is first
    config = continue_config(saved, {} if first == then else {"recompute": then}, folder)
    train(config, log=silent, resume=folder)
    assert run_folder.read_config(folder)[0].recompute is then
    expected, _ = checkpoint.load(whole / "last.safetensors")
    found, _ = checkpoint.load(folder / "last.safetensors")
    assert {name: array.tobytes() for name, array in found.items()} == {
        name: array.tobytes() for name, array in expected.items()
    }


def test_sigterm_saves_too(data, tmp_path, monkeypatch):
    stop_after(monkeypatch, 1, signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt, match="in epoch 1 of 1, after 1 batches"):
        train(small_config(data, tmp_path / "run", epochs=1), log=silent)


def test_the_second_ctrl_c_breaks_off_at_once():
    before = signal.getsignal(signal.SIGINT)  # in a background job it is SIG_IGN
    with pytest.raises(KeyboardInterrupt, match="at once"), StopRequest() as stop:
        signal.raise_signal(signal.SIGINT)
        assert stop.requested
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_training_works_in_a_thread(data, tmp_path):
    thread = threading.Thread(target=train, args=(small_config(data, tmp_path / "run", epochs=1), silent))
    thread.start()
    thread.join()
    assert (tmp_path / "run" / "best.safetensors").exists()


def test_without_validation_the_last_epoch_is_the_best(data, tmp_path):
    lines = []
    folder = train(small_config(data, tmp_path / "run", epochs=2, val_split=0.0), log=lines.append)
    _, meta = checkpoint.load(folder / "best.safetensors")
    assert meta["epoch"] == 2
    assert "validation (" not in "\n".join(lines)
    assert "val_rmse_m" not in run_folder.read_log(folder)[0]


def test_training_begins_at_the_constant_guess(data, tmp_path, monkeypatch):
    stop_after(monkeypatch, 1)
    with pytest.raises(KeyboardInterrupt):
        train(small_config(data, tmp_path / "run", lr=1e-12), log=silent)
    arrays, meta = checkpoint.load(tmp_path / "run" / "last.safetensors")
    assert arrays["model.head.bias"] == pytest.approx(meta["guesses"]["depth"], rel=1e-6)
    assert 4 < meta["guesses"]["depth"] < 6  # the data are even noise from 0.5 to 9.9 m


def test_run_folders_are_numbered(data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = TrainConfig(data=data)
    first, second = run_folder.create(config, "rooms"), run_folder.create(config, "rooms")
    assert [str(first), str(second)] == ["runs/rooms-1", "runs/rooms-2"]


def test_more_epochs_are_allowed_where_the_rate_is_constant():
    saved = TrainConfig(schedule="constant", epochs=3)
    assert continue_config(saved, {"epochs": 5}, "run").epochs == 5
    with pytest.raises(InputError, match=r"started with --epochs 3, but 5 is given \(the one-cycle schedule"):
        continue_config(TrainConfig(epochs=3), {"epochs": 5}, "run")


# --- numbers that go bad ----------------------------------------------------------------------------------------------


def test_a_loss_that_is_not_finite_stops_the_run_and_the_good_weights_stay(data, tmp_path, monkeypatch):
    compute, taken = losses.Loss.__call__, []

    def bad_at_the_seventh(loss, *arguments):
        taken.append(1)
        return compute(loss, *arguments) * (float("nan") if len(taken) == 7 else 1.0)

    monkeypatch.setattr(losses.Loss, "__call__", bad_at_the_seventh)
    with pytest.raises(InputError, match=r"the loss is nan at epoch 2, batch 2; every layer .* finite.*lower --lr"):
        train(small_config(data, tmp_path / "run", epochs=2), log=silent)
    arrays, meta = checkpoint.load(tmp_path / "run" / "last.safetensors")
    assert meta["progress"]["step"] == 5  # the end of the first epoch
    assert all(np.isfinite(array).all() for array in arrays.values())


def test_weights_that_went_bad_in_the_last_step_of_an_epoch_are_not_saved(data, tmp_path, monkeypatch):
    compute, taken = losses.Loss.__call__, []

    def bad_gradient(loss, *arguments):
        value = compute(loss, *arguments)
        taken.append(1)
        factor = np.float32(np.nan if len(taken) == 10 else 1)  # the value stays, its gradient does not
        return Tensor.from_op("bad", value.data.copy(), (value,), lambda grad: (grad * factor,))

    monkeypatch.setattr(losses.Loss, "__call__", bad_gradient)
    with pytest.raises(InputError, match=r"the weights of down.0.conv1.weight are no longer finite.*last good weights"):
        train(small_config(data, tmp_path / "run", epochs=2), log=silent)
    arrays, meta = checkpoint.load(tmp_path / "run" / "last.safetensors")
    assert meta["progress"]["step"] == 5
    assert all(np.isfinite(array).all() for array in arrays.values())


def test_a_learning_rate_that_is_far_too_high_ends_in_one_line(data, tmp_path):
    config = small_config(data, tmp_path / "run", lr=1e30, schedule="constant", optimizer="sgd", norm="none")
    with pytest.raises(InputError, match=r"training stopped: the loss is (nan|inf) at epoch 1.*last good weights"):
        train(config, log=silent)
    arrays, _ = checkpoint.load(tmp_path / "run" / "last.safetensors")
    assert all(np.isfinite(array).all() for array in arrays.values())


def test_the_first_layer_that_overflows_is_named():
    network = models.build("unet", base_channels=2, norm="batch", rng=0)
    image = np.random.default_rng(0).standard_normal((4, 3, 16, 16)).astype(np.float32)
    before = {name: array.copy() for name, array in network.state_dict().items()}
    assert "every layer of the network gives finite values" in first_bad_value(network, image)
    for name, array in network.state_dict().items():  # the statistics of batch-norm did not move
        np.testing.assert_array_equal(array, before[name])
    network.bottom.conv2.weight.data[...] = 3e38
    network.bottom.bn2.running_mean.data[...] = np.nan  # as the batch leaves it that overflows
    assert first_bad_value(network, image) == "the first layer to give infinite values is bottom.conv2 (Conv2d)"
    network.head.weight.data[0, 0] = np.nan
    assert "the weights of head.weight are not finite" in first_bad_value(network, image)
    image[0, 0, 0, 0] = np.inf
    assert first_bad_value(network, image) == "the batch itself holds values that are not finite"
