"""Every mistake of a user gives one clear line and a non-zero exit status, no traceback, and loses nothing."""

import errno
import os
from pathlib import Path

import h5py
import numpy as np
import pytest
from data_folders import cut_short, make_frames, write_fastdepth
from PIL import Image
from run_helpers import SMALL_OPTIONS, silent, small_config, tiny_data

from minidepth import checkpoint
from minidepth.cli import main
from minidepth.run_folder import LAST
from minidepth.train import train


@pytest.fixture
def data(tmp_path):
    return Path(tiny_data(tmp_path / "data"))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    return train(small_config(tiny_data(folder / "data"), folder / "run", epochs=1), log=silent)


@pytest.fixture
def complaint(capsys, tmp_path, monkeypatch):
    """Run a command that must fail, and give the one line that it says; it must leave no run folder."""
    monkeypatch.chdir(tmp_path)

    def run_command(*words, status=2):
        assert main([str(word) for word in words]) == status
        lines = capsys.readouterr().err.splitlines()
        assert len(lines) == 1, lines
        assert lines[0].startswith("minidepth: ")
        assert not Path("runs").exists()
        return lines[0]

    return run_command


def train_words(data, *more):
    return ["train", "--data", data, *SMALL_OPTIONS, "--epochs", "1", *more]


def test_missing_paths(complaint, tmp_path, run):
    missing = tmp_path / "nowhere"
    assert f"{missing}: does not exist; give 'rooms'" in complaint(*train_words(missing))
    assert f"{missing}: there is no such run folder" in complaint("evaluate", missing, "--data", "rooms")
    assert f"{missing}: does not exist" in complaint("evaluate", run, "--data", missing)
    assert f"{missing}: there is no such run folder" in complaint("predict", missing, run / "example.png")
    assert f"{missing}: there is no such picture or folder" in complaint("predict", run, missing)
    assert f"--resume {missing}: there is no such run folder" in complaint("train", "--resume", missing)
    assert f"{missing}: does not exist" in complaint("data", "info", missing)


def test_a_folder_without_pictures(complaint, tmp_path, run):
    (tmp_path / "empty").mkdir()
    assert "no picture in this folder" in complaint("predict", run, tmp_path / "empty")


def test_a_row_whose_file_is_missing(complaint, data):
    (data / "data/nyu2_train/00007_colors.png").unlink()
    line = complaint(*train_words(data))
    assert "nyu2_train.csv" in line and "row 8" in line and "00007_colors.png" in line and "missing" in line


def test_a_row_whose_file_is_truncated(complaint, data):
    cut_short(data / "data/nyu2_train/00011_depth.png")
    line = complaint(*train_words(data))
    assert "row 12" in line and "00011_depth.png" in line and "truncated" in line


def test_picture_and_depth_of_different_size(complaint, data):
    Image.fromarray(np.full((9, 9), 100, np.uint8)).save(data / "data/nyu2_train/00003_depth.png")
    line = complaint(*train_words(data))
    assert "row 4" in line and "24x32" in line and "9x9" in line


def test_an_h5_file_without_the_keys(complaint, tmp_path):
    folder = Path(write_fastdepth(tmp_path / "fast", train=make_frames(8)))
    with h5py.File(folder / "train/scene_0001/00002.h5", "w") as file:
        file["picture"] = np.zeros(3)
    line = complaint(*train_words(folder))
    assert "00002.h5" in line and "rgb" in line and "depth" in line and "picture" in line


def test_a_depth_map_without_a_valid_pixel(complaint, data):
    Image.fromarray(np.zeros((24, 32), np.uint8)).save(data / "data/nyu2_train/00005_depth.png")
    line = complaint(*train_words(data))
    assert "row 6" in line and "no valid pixel" in line


@pytest.mark.parametrize(("value", "word"), [(np.nan, "NaN"), (-1.0, "negative")])
def test_nan_and_negative_depth(complaint, tmp_path, value, word):
    folder = Path(write_fastdepth(tmp_path / "fast", train=make_frames(10, size=(24, 32))))
    with h5py.File(folder / "train/scene_0001/00002.h5", "r+") as file:
        file["depth"][3, 4] = value
    line = complaint(*train_words(folder))
    assert "00002.h5" in line and f"{word} at 1 pixels" in line
    assert main(["data", "verify", str(folder)]) == 1


@pytest.mark.parametrize(("size", "fits"), [("20x32", "16x32"), ("33x65", "32x64"), ("3x3", "16x16")])
def test_a_size_that_the_network_cannot_take(complaint, data, size, fits):
    line = complaint(*train_words(data, "--size", size))
    assert f"--size {size}" in line and "multiples of 16" in line and f"try --size {fits}" in line


def test_a_size_that_is_no_size(complaint, data, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(train_words(str(data), "--size", "big"))
    assert "give height x width in pixels, such as 128x160" in capsys.readouterr().err.splitlines()[-1]


def test_a_batch_larger_than_the_data(complaint, data):
    line = complaint(*train_words(data, "--batch", "21"))
    assert "--batch 21 is larger than the 20 training frames" in line and "use --batch 20 or fewer" in line


@pytest.mark.parametrize("number", ["0", "-2"])
def test_a_number_of_threads_that_is_none(complaint, data, run, number):
    for words in (train_words(data), ["evaluate", run, "--data", data], ["predict", run, run / "example.png"]):
        assert complaint(*words, "--threads", number) == f"minidepth: --threads {number}: must be at least 1"


def test_a_limit_of_the_pool_that_is_none(complaint, data):
    assert complaint(*train_words(data), "--pool-mib", "-1") == "minidepth: --pool-mib -1: must be 0 or more"


@pytest.mark.parametrize("option", ["--threads", "--pool-mib"])
@pytest.mark.parametrize("text", ["two", "2.5", "", "true"])
def test_text_in_place_of_a_number(data, option, text, capsys):
    with pytest.raises(SystemExit, match="2"):
        main([*map(str, train_words(data)), option, text])
    assert f"argument {option}: invalid int value: {text!r}" in capsys.readouterr().err.splitlines()[-1]


def test_a_run_folder_that_exists(complaint, data, run):
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    line = complaint(*train_words(data, "--out", run))
    assert f"--out {run} exists already" in line and f"--resume {run}" in line
    assert {path.name: path.read_bytes() for path in run.iterdir()} == before


@pytest.mark.parametrize(
    ("option", "value", "before"),
    [("--size", "32x32", "16x16"), ("--model", "other", "unet"), ("--lr", "0.5", "0.01"), ("--epochs", "2", "1")],
)
def test_resume_with_a_changed_configuration(complaint, run, option, value, before):
    line = complaint("train", "--resume", run, option, value)
    assert f"started with {option} {before}, but {value} is given" in line and f"leave {option} out" in line


def test_resume_of_a_run_that_is_done(complaint, run):
    line = complaint("train", "--resume", run)
    assert "all 1 epochs are done" in line and f"minidepth evaluate {run}" in line


def test_resume_on_other_data(complaint, tmp_path, data):
    folder = train(small_config(data, tmp_path / "run", epochs=1, schedule="constant"), log=silent)
    other = tiny_data(tmp_path / "other", train=12)
    line = complaint("train", "--resume", folder, "--epochs", "2", "--data", other)
    assert "started on 22 frames" in line and f"{other} has 12" in line


def test_resume_and_out_together(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["train", "--resume", "a", "--out", "b"])
    assert "not allowed with" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["best.safetensors", "last.safetensors"])
def test_a_damaged_checkpoint(complaint, tmp_path, run, name):
    copy = tmp_path / "copy"
    copy.mkdir()
    (copy / name).write_bytes((run / name).read_bytes())
    cut_short(copy / name)
    words = ["train", "--resume", copy] if name == LAST else ["predict", copy, run / "example.png"]
    line = complaint(*words)
    assert str(copy / name) in line and "damaged" in line


def test_weights_of_another_program(complaint, tmp_path, run):
    from safetensors.numpy import save_file

    save_file({"layer.weight": np.zeros((2, 2), np.float32)}, tmp_path / "other.safetensors")
    line = complaint("predict", tmp_path / "other.safetensors", run / "example.png")
    assert "other.safetensors" in line and "minidepth" in line


def test_weights_without_settings(complaint, tmp_path, run):
    checkpoint.save(tmp_path / "bare.safetensors", {"a": np.zeros(1)}, {})
    line = complaint("predict", tmp_path / "bare.safetensors", run / "example.png")
    assert "no settings in its metadata" in line


def test_weights_that_do_not_fit_their_settings(complaint, tmp_path, run):
    arrays, meta = checkpoint.load(run / "best.safetensors")
    del arrays["head.bias"]
    checkpoint.save(tmp_path / "odd.safetensors", arrays, meta)
    line = complaint("predict", tmp_path / "odd.safetensors", run / "example.png")
    assert "odd.safetensors" in line and "missing (1): head.bias" in line


def test_device_cuda_without_cupy_or_driver(complaint, data):
    line = complaint(*train_words(data, "--device", "cuda"))
    assert "cuda" in line and "--device cpu" in line
    assert "unknown" in complaint(*train_words(data, "--device", "tpu"))


def full_disk_after(monkeypatch, saves):
    """Let the disk be full from the (saves + 1)-th checkpoint on."""
    fsync, done = os.fsync, []

    def full(number):
        done.append(number)
        if len(done) > saves:
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(number)

    monkeypatch.setattr(os, "fsync", full)


def test_disk_full_while_saving_keeps_the_last_good_checkpoint(complaint, data, tmp_path, monkeypatch):
    full_disk_after(monkeypatch, 3)  # the first state, and the last and best of the first epoch
    line = complaint(*train_words(data, "--out", tmp_path / "run", "--epochs", "3"))
    assert "cannot write the checkpoint (No space left on device)" in line and "unharmed" in line
    _, meta = checkpoint.load(tmp_path / "run" / "last.safetensors")
    assert meta["progress"]["epoch"] == 1
    checkpoint.load(tmp_path / "run" / "best.safetensors")
    assert not list((tmp_path / "run").glob("*.part"))
    monkeypatch.undo()
    assert main(["train", "--resume", str(tmp_path / "run")]) == 0  # nothing was lost


def test_disk_full_at_the_start(complaint, data, tmp_path, monkeypatch):
    full_disk_after(monkeypatch, 0)
    assert "No space left on device" in complaint(*train_words(data, "--out", tmp_path / "run"))


@pytest.mark.parametrize(
    ("option", "value", "text"),
    [
        ("--model", "vnet", "model 'vnet' is unknown (did you mean 'unet'?); use unet"),
        ("--loss", "mse+", "--loss: loss 'mse+', character 5"),
        ("--schedule", "zigzag", "--schedule: "),
        ("--optimizer", "adagrad", "--optimizer: "),
        ("--augment", "spin", "--augment: "),
        ("--up", "sideways", "up is 'sideways'"),
        ("--activation", "swish", "activation is 'swish'"),
        ("--init", "zeros", "init is 'zeros'"),
        ("--norm", "layer", "--norm layer: use batch or none"),
        ("--epochs", "0", "--epochs 0: must be at least 1"),
        ("--batch", "0", "--batch 0: must be at least 1"),
        ("--lr", "nan", "--lr nan: must be a positive number"),
        ("--lr", "0", "--lr 0.0: must be a positive number"),
        ("--val-split", "1", "--val-split 1.0: a share"),
        ("--weight-decay", "-1", "--weight-decay -1.0: must be 0 or more"),
        ("--seed", "-1", "--seed -1: must be 0 or more"),
        ("--workers", "-1", "--workers -1: must be 0 or more"),
        ("--base-channels", "0", "--base-channels 0: must be at least 1"),
        ("--size", "0x16", "--size 0x16: both numbers must be at least 1"),
    ],
)
def test_options_that_no_run_can_use(complaint, data, option, value, text):
    assert text in complaint(*train_words(data, option, value))


def test_a_crop_for_frames_of_another_size(complaint, data, run):
    assert "480x640" in complaint("evaluate", run, "--data", data, "--crop", "eigen-bts")
    assert "--crop square: use eigen-bts" in complaint("evaluate", run, "--data", data, "--crop", "square")


def test_output_that_cannot_be_written(complaint, data, run, tmp_path):
    (tmp_path / "file").write_text("in the way")
    assert "--out" in complaint("predict", run, run / "example.png", "--out", tmp_path / "file")
    assert "--out" in complaint(*train_words(data, "--out", tmp_path / "file" / "run"))
