"""Whole runs with --amp and --tf32: what they ask for, what their checkpoints hold, and how a hopeless one ends."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest
from run_helpers import silent, small_config, stop_after, tiny_data

from minidepth import checkpoint, cli, losses, run_folder
from minidepth.config import continue_config
from minidepth.errors import InputError
from minidepth.ops.gpu import implicit_gemm
from minidepth.optim import LossScaler
from minidepth.testing import device_array
from minidepth.train import train

TINY = {"model": "unet:depth=1", "batch": 2, "size": (16, 16), "epochs": 1, "val_split": 0.0, "lr": 1e-3}
"""Two batches an epoch, of two pictures each."""
ON_GPU = {"device": "cuda", "amp": True}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return tiny_data(tmp_path_factory.mktemp("data"), train=4, test=1, size=(16, 16))


@pytest.fixture(autouse=True, scope="module")
def no_pictures():
    """Drawing takes longer than all the rest, and is not what is tested here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("minidepth.train.draw_pictures", lambda folder, parts: None)
        yield


def tiny(data, folder, **changes):
    return small_config(data, folder, **{**TINY, **changes})


def last(folder):
    return checkpoint.load(folder / "last.safetensors")


@pytest.mark.parametrize("option", ["--amp", "--tf32"])
@pytest.mark.parametrize("command", ["train", "lr-find", "evaluate", "predict", "compare"])
def test_on_the_cpu_each_command_says_in_one_line_that_there_is_none(command, option, data, tmp_path, capsys):
    words = {
        "evaluate": ["nowhere", "--data", data],
        "predict": ["nowhere", str(next(path for path in Path(data).rglob("*.*g")))],
        "compare": ["nowhere", "--data", data],
    }.get(command, ["--data", data, "--out", str(tmp_path / "run")])
    assert cli.main([command, *words, "--device", "cpu", option]) == 2
    said = capsys.readouterr().err
    assert said == f"minidepth: {option} needs --device cuda, for the tensor cores of a GPU; leave {option} out\n"
    assert not (tmp_path / "run").exists()


def test_a_run_in_half_is_one_in_float32_but_for_rounding_and_waits_not(emulated_gpu, data, tmp_path, monkeypatch):
    compute, curves, waits = losses.Loss.__call__, [], []

    def noting(loss, *arguments):
        curves[-1].append(compute(loss, *arguments))
        waits.append(device_array.synchronisations)
        return curves[-1][-1]

    monkeypatch.setattr(losses.Loss, "__call__", noting)
    lines = []
    for amp in (False, True):
        curves.append([])
        settings = {"device": "cuda" if amp else "cpu", "amp": amp, "clip_norm": 1.0, "batch": 1}
        train(tiny(data, tmp_path / f"amp_{amp}", **settings), log=lines.append)
    assert np.diff(waits[4:]).tolist() == [0, 0, 0]
    headlines = [line for line in lines if "parameters on" in line]
    assert headlines[0].endswith(", on the CPU")
    assert headlines[1].endswith(", on the GPU emulated GPU, in half precision")
    full, half = ([loss.item() for loss in curve] for curve in curves)
    assert half == pytest.approx(full, rel=5e-3) and half != full
    arrays, meta = last(tmp_path / "amp_True")
    assert {name: array.tolist() for name, array in arrays.items() if name.startswith("scaler.")} == {
        "scaler.scale": [65536.0], "scaler.good_steps": [4], "scaler.bad_steps": [0], "scaler.skipped_steps": [0],
    }  # fmt: skip
    assert meta["config"]["amp"] is True
    assert not any(array.dtype == np.float16 for array in arrays.values())
    assert not any(name.startswith("scaler.") for name in last(tmp_path / "amp_False")[0])


def stopped_between_the_batches_of_a_step(config, monkeypatch):
    with monkeypatch.context() as patch:
        stop_after(patch, 1)
        with pytest.raises(KeyboardInterrupt, match="everything is saved"):
            train(config, log=silent)
    return [array for name, array in last(Path(config.out))[0].items() if name.startswith("gradient.")]


@pytest.fixture(scope="module")
def whole(data, tmp_path_factory):
    """A run in float32 on the CPU, of one step."""
    return train(tiny(data, tmp_path_factory.mktemp("runs") / "run", device="cpu", accumulate=2), log=silent)


@pytest.mark.parametrize("first, then", [(True, False), (False, True)])
def test_a_run_goes_on_in_another_precision(emulated_gpu, data, whole, tmp_path, monkeypatch, first, then):
    """Stopped between two batches of a step, the gradients in the checkpoint are scaled, or are to be."""
    config = tiny(data, tmp_path / "run", device="cuda", accumulate=2, amp=first)
    grads = stopped_between_the_batches_of_a_step(config, monkeypatch)
    assert (max(np.abs(grad).max() for grad in grads) > 1000) == first
    saved, _ = run_folder.read_config(tmp_path / "run")
    train(continue_config(saved, {"amp": then}, tmp_path / "run"), log=silent, resume=tmp_path / "run")
    found, expected = last(tmp_path / "run")[0], last(whole)[0]
    # the mean gradient: through batch-norm, half precision leaves it some per cent off; the scale is 65536
    for name in (name for name in expected if name.startswith("optimizer.exp_avg.")):
        largest = np.abs(expected[name]).max()
        np.testing.assert_allclose(found[name], expected[name], rtol=0, atol=0.2 * largest + 1e-6, err_msg=name)
    assert any(name.startswith("scaler.") for name in found) == then


def test_a_run_in_half_goes_on_to_the_same_bytes(emulated_gpu, data, tmp_path, monkeypatch):
    changes = {**ON_GPU, "accumulate": 2}
    train(tiny(data, tmp_path / "whole", **changes), log=silent)
    stopped_between_the_batches_of_a_step(tiny(data, tmp_path / "run", **changes), monkeypatch)
    saved, _ = run_folder.read_config(tmp_path / "run")
    train(continue_config(saved, {}, tmp_path / "run"), log=silent, resume=tmp_path / "run")
    assert (tmp_path / "run/last.safetensors").read_bytes() == (tmp_path / "whole/last.safetensors").read_bytes()


def test_a_loss_that_is_not_finite_once_is_skipped_and_left_out_of_the_mean(emulated_gpu, data, tmp_path, monkeypatch):
    compute, taken = losses.Loss.__call__, []

    def bad_at_the_second(loss, *arguments):
        value = compute(loss, *arguments)
        taken.append(value)
        return value * (math.inf if len(taken) == 2 else 1.0)

    monkeypatch.setattr(losses.Loss, "__call__", bad_at_the_second)
    train(tiny(data, tmp_path / "run", **ON_GPU), log=silent)
    arrays, _ = last(tmp_path / "run")
    assert arrays["scaler.skipped_steps"] == 1 and arrays["scaler.scale"] == 32768
    assert set(arrays["optimizer.steps"].tolist()) == {1}
    assert run_folder.read_log(tmp_path / "run")[0]["loss"] == pytest.approx(taken[0].item())


def test_a_run_whose_loss_is_never_finite_ends_in_one_line_with_good_weights(emulated_gpu, data, tmp_path, monkeypatch):
    compute = losses.Loss.__call__
    monkeypatch.setattr(losses.Loss, "__call__", lambda loss, *arguments: compute(loss, *arguments) * math.nan)
    monkeypatch.setattr(LossScaler.__init__, "__defaults__", (2.0, 2.0, 0.5, 2000))
    with pytest.raises(InputError) as caught:
        train(tiny(data, tmp_path / "run", epochs=20, **ON_GPU), log=silent)
    folder = re.escape(str(tmp_path / "run"))
    assert re.fullmatch(
        "training stopped: the loss or its gradients are not finite whatever their scale, which fell to 0.5; 2 steps "
        rf"were skipped \(2 of them in a row\). {folder}/last.safetensors still holds the last good weights; start "
        f"again with a lower --lr, or go on without half precision: minidepth train --resume {folder} --no-amp",
        str(caught.value),
    )
    arrays, _ = last(tmp_path / "run")
    assert all(np.isfinite(array).all() for array in arrays.values()) and not arrays["optimizer.steps"].any()


def test_tf32_is_for_the_run_alone(emulated_gpu, data, tmp_path, monkeypatch):
    compute, seen, lines = losses.Loss.__call__, [], []

    def noting(loss, *arguments):
        seen.append(implicit_gemm.tf32)
        return compute(loss, *arguments)

    monkeypatch.setattr(losses.Loss, "__call__", noting)
    train(tiny(data, tmp_path / "run", device="cuda", tf32=True), log=lines.append)
    assert seen == [True] * 2 and not implicit_gemm.tf32
    assert lines[0].endswith(", on the GPU emulated GPU, factors in TF32")


def test_predict_and_evaluate(emulated_gpu, data, tmp_path, capsys):
    run = train(tiny(data, tmp_path / "run", device="cpu"), log=silent)
    maps = []
    for number, options in enumerate(([], ["--amp", "--tf32"])):
        out = tmp_path / str(number)
        words = ["predict", str(run), str(run / "example.png"), "--out", str(out), "--device", "cuda", *options]
        assert cli.main(words) == 0
        maps.append(np.load(out / "example_depth.npy"))
    assert (maps[0] != maps[1]).any() and maps[1].dtype == np.float32
    np.testing.assert_allclose(maps[1], maps[0], rtol=1e-2)
    scores = []
    for options in (["cpu"], ["cuda", "--amp"]):
        capsys.readouterr()
        assert cli.main(["evaluate", str(run), "--data", data, "--json", "--device", *options]) == 0
        scores.append(float(re.search(r'"rmse_m": ([\d.]+)', capsys.readouterr().out)[1]))
    assert scores[1] == pytest.approx(scores[0], rel=1e-2) and scores[0] != scores[1]
