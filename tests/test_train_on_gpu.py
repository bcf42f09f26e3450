"""Whole commands on a GPU: the numbers of the CPU, no wait inside a step, and all that can happen to a run."""

from __future__ import annotations

import json
import math
import re

import numpy as np
import pytest
from run_helpers import silent, small_config, stop_after, tiny_data
from twins import GPUS

from minidepth import Tensor, checkpoint, cli, compare, losses, nn, ops, run_folder, targets, train_parts
from minidepth.backend import is_on_gpu
from minidepth.config import continue_config
from minidepth.errors import InputError
from minidepth.inference import FoldedConv
from minidepth.lr_finder import lr_find
from minidepth.testing import device_array, device_memory
from minidepth.train import train

TINY = {"model": "unet:depth=1", "batch": 2, "size": (16, 16), "epochs": 1, "val_split": 0.25, "lr": 1e-3}
"""Three steps an epoch, of two pictures each."""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return tiny_data(tmp_path_factory.mktemp("data"), train=8, test=1, size=(16, 16))


@pytest.fixture(params=GPUS)
def gpu(request):
    """Where tests that take it run: on the emulated GPU, and with ``-m gpu`` on a real one."""
    return request.getfixturevalue("emulated_gpu") if request.param == "emulated" else None


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch):
    """Drawing takes longer than all the rest, and is not what is tested here."""
    monkeypatch.setattr("minidepth.train.draw_pictures", lambda folder, parts: None)


@pytest.fixture
def each_loss(monkeypatch):
    """The loss of every batch, in order, and how often numbers had been brought back to the CPU before it."""
    compute, noted = losses.Loss.__call__, []

    def noting(loss, *arguments):
        value = compute(loss, *arguments)
        noted.append((value, device_array.synchronisations))
        return value

    monkeypatch.setattr(losses.Loss, "__call__", noting)
    return noted


def tiny(data, folder, **changes):
    return small_config(data, folder, **{**TINY, **changes})


def stopped(config, monkeypatch, batches):
    with monkeypatch.context() as patch:
        stop_after(patch, batches)
        with pytest.raises(KeyboardInterrupt, match="everything is saved"):
            train(config, log=silent)


def go_on(folder, **given):
    saved, _ = run_folder.read_config(folder)
    return train(continue_config(saved, given, folder), log=silent, resume=folder)


def arrays_of(folder):
    return checkpoint.load(folder / "last.safetensors")[0]


def assert_near(found, expected):
    """The same but for rounding, which Adam makes larger: where a gradient is nothing but that, it decides the step."""
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_allclose(found[name], array, rtol=0, atol=1e-3 * max(1, np.abs(array).max()), err_msg=name)


@pytest.mark.parametrize(
    "gpu, steps", [("emulated", 6), pytest.param("cuda", 50, marks=pytest.mark.gpu)], indirect=["gpu"]
)
def test_the_loss_curve_is_that_of_the_cpu(gpu, steps, data, tmp_path, each_loss):
    curves = []
    for device in ("cpu", "cuda"):
        each_loss.clear()
        train(tiny(data, tmp_path / device, device=device, epochs=math.ceil(steps / 3), lr=1e-2), log=silent)
        curves.append([loss.item() for loss, _ in each_loss][:steps])
    assert np.ptp(curves[0]) > 0.05 * curves[0][0]
    np.testing.assert_allclose(curves[1], curves[0], rtol=1e-4 if gpu is None else 1e-6)  # a GPU rounds otherwise
    rows = [run_folder.read_log(tmp_path / device)[0]["loss"] for device in ("cpu", "cuda")]
    assert rows[0] == pytest.approx(np.mean(curves[0][:3])) and rows[1] == pytest.approx(rows[0], rel=1e-4)


@pytest.mark.parametrize("changes", [{}, {"clip_norm": 0.5, "accumulate": 2, "optimizer": "sgd", "weight_decay": 0.1}])
def test_no_step_waits_for_the_gpu(emulated_gpu, data, tmp_path, each_loss, monkeypatch, changes):
    monkeypatch.setattr("minidepth.train.READ_EVERY", 3)
    train(tiny(data, tmp_path / "run", device="cuda", val_split=0, **changes), log=silent)
    waits = np.diff([waits for _, waits in each_loss])
    assert waits.tolist() == [0, 0, 2]  # of four steps, the third reads the losses, and asks whether one was skipped
    assert all(is_on_gpu(loss.data) for loss, _ in each_loss)


def test_a_step_that_waits_would_be_seen(emulated_gpu, data, tmp_path, each_loss, monkeypatch):
    forward = nn.Conv2d.forward
    monkeypatch.setattr(nn.Conv2d, "forward", lambda layer, x: forward(layer, x if x.data.sum() > -1e9 else x))
    train(tiny(data, tmp_path / "run", device="cuda"), log=silent)
    assert min(np.diff([waits for _, waits in each_loss])) > 0


@pytest.mark.parametrize("first, then", [("cuda", "cuda"), ("cuda", "cpu"), ("cpu", "cuda")])
def test_a_run_goes_on_on_any_device(gpu, data, tmp_path, monkeypatch, first, then):
    changes = {"accumulate": 2, "epochs": 2, "clip_norm": 1.0}
    train(tiny(data, tmp_path / "whole", device=then, **changes), log=silent)
    stopped(tiny(data, tmp_path / "stopped", device=first, **changes), monkeypatch, 4)  # one of two batches of a step
    assert any(name.startswith("gradient.") for name in arrays_of(tmp_path / "stopped"))
    go_on(tmp_path / "stopped", device=then)
    found, expected = (tmp_path / name / "last.safetensors" for name in ("stopped", "whole"))
    if first == then:
        assert found.read_bytes() == expected.read_bytes()
    else:
        assert_near(arrays_of(tmp_path / "stopped"), arrays_of(tmp_path / "whole"))


def test_plateau_and_early_stop(emulated_gpu, data, tmp_path, monkeypatch):
    errors, lines = iter((1.0, 2.0, 3.0)), []
    monkeypatch.setattr(targets.Task, "error", lambda task, scores: next(errors))
    settings = {"schedule": "plateau:patience=0,factor=0.1", "patience": 2, "epochs": 9}
    train(tiny(data, tmp_path / "run", device="cuda", **settings), log=lines.append)
    assert "it stopped after epoch 3 of 9, as none since epoch 1 was better" in lines[-1]
    assert [row["lr"] for row in run_folder.read_log(tmp_path / "run")] == pytest.approx([1e-3, 1e-3, 1e-4])


def test_a_bad_loss_ends_the_run_in_the_line_that_it_has_on_the_cpu(gpu, data, tmp_path, monkeypatch):
    texts = []
    for device in ("cpu", "cuda"):
        compute, taken = losses.Loss.__call__, []

        def bad_at_the_fourth(loss, *arguments, compute=compute, taken=taken):
            taken.append(1)
            return compute(loss, *arguments) * (math.nan if len(taken) == 4 else 1.0)

        with monkeypatch.context() as patch:
            patch.setattr(losses.Loss, "__call__", bad_at_the_fourth)
            with pytest.raises(InputError) as caught:
                train(tiny(data, tmp_path / device, device=device, epochs=2), log=silent)
        assert len(taken) == (4 if device == "cpu" else 6)  # it is read at the end of the epoch
        texts.append(str(caught.value).replace(str(tmp_path / device), "RUN"))
        arrays, meta = checkpoint.load(tmp_path / device / "last.safetensors")
        assert meta["progress"]["step"] == 3
        assert all(np.isfinite(array).all() for array in arrays.values())
    assert texts[0] == texts[1]
    assert re.match("training stopped: the loss is nan at epoch 2, batch 1; every layer of the network gives", texts[0])


def test_a_bad_gradient_of_a_good_loss_ends_the_run_too(gpu, data, tmp_path, monkeypatch):
    compute, taken = losses.Loss.__call__, []

    def bad_gradient(loss, *arguments):
        value = compute(loss, *arguments)
        taken.append(1)
        factor = math.nan if len(taken) == 6 else 1.0  # in the last step of the epoch
        return Tensor.from_op("bad", value.data.copy(), (value,), lambda grad: (grad * np.float32(factor),))

    monkeypatch.setattr(losses.Loss, "__call__", bad_gradient)
    monkeypatch.setattr("minidepth.train.READ_EVERY", 3)  # before the gradient, and then no loss is left to read
    with pytest.raises(InputError, match=r"gradients are not finite; 1 step was skipped.*last good weights"):
        train(tiny(data, tmp_path / "run", device="cuda", epochs=3), log=silent)
    arrays, meta = checkpoint.load(tmp_path / "run" / "last.safetensors")
    assert meta["progress"]["step"] == 3
    assert all(np.isfinite(array).all() for array in arrays.values())


def test_what_a_run_says_of_the_gpu(gpu, data, tmp_path):
    lines = []
    train(tiny(data, tmp_path / "run", device="auto"), log=lines.append)
    name = "emulated GPU" if gpu else ".+"
    assert re.search(f"1 epochs of 3 batches of 2, on the GPU {name}$", lines[0])
    found = re.match(r"GPU memory: peak ([\d,]+) MiB in use, ([\d,]+) MiB held by the pool\n", lines[-1])
    assert found and int(found[1]) <= int(found[2])
    lines.clear()
    train(tiny(data, tmp_path / "cpu", device="cpu"), log=lines.append)
    assert lines[0].endswith(", on the CPU") and "GPU" not in lines[-1]


def test_a_full_gpu_is_one_line_with_the_batch_that_would_fit(emulated_gpu, data, tmp_path, capsys):
    device_memory.POOL.free_all_blocks()
    device_memory.POOL.set_limit(device_memory.POOL.used_bytes() + (120 << 10))
    words = ["--data", data, "--model", "unet:depth=1", "--base-channels", "2", "--size", "16x16", "--val-split", "0"]
    try:
        assert cli.main(["train", *words, "--device", "cuda", "--out", str(tmp_path / "run")]) == 2
    finally:
        device_memory.POOL.set_limit(0)
    said = capsys.readouterr().err
    assert re.fullmatch(
        r"minidepth: out of memory on the GPU: \d+ MiB were asked for, and \d+ MiB of \d+ MiB are free; at most "
        r"--batch [1-7] would fit; or use a smaller --size, or --recompute\n",
        said,
    )


# --- the other commands -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("minidepth.train.draw_pictures", lambda folder, parts: None)
        return train(tiny(data, tmp_path_factory.mktemp("runs") / "run"), log=silent)


def test_evaluate(gpu, run, data, capsys, monkeypatch):
    forward, places, scores = nn.Conv2d.forward, [], []
    monkeypatch.setattr(nn.Conv2d, "forward", lambda layer, x: places.append(is_on_gpu(x.data)) or forward(layer, x))
    for device in ("cpu", "cuda"):
        places.clear()
        assert cli.main(["evaluate", str(run), "--data", data, "--tta", "--json", "--device", device]) == 0
        assert set(places) == {device == "cuda"}
        scores.append(json.loads(capsys.readouterr().out))
    for average in ("per_picture", "pooled"):
        expected = scores[0]["network"][average]
        assert scores[1]["network"][average] == pytest.approx(expected, rel=1e-4)


def test_predict_folds_the_network_for_the_gpu_too(gpu, run, tmp_path, monkeypatch):
    forward, seen = FoldedConv.forward, []

    def noting(layer, x):
        seen.append((is_on_gpu(x.data), is_on_gpu(layer.weight.data), layer.limits))
        return forward(layer, x)

    monkeypatch.setattr(FoldedConv, "forward", noting)
    maps = []
    for device in ("cpu", "cuda"):
        seen.clear()
        words = ["predict", str(run), str(run / "example.png"), "--out", str(tmp_path / device), "--device", device]
        assert cli.main(words) == 0
        maps.append(np.load(tmp_path / device / "example_depth.npy"))
        assert {place for *places, _ in seen for place in places} == {device == "cuda"}
    np.testing.assert_allclose(maps[1], maps[0], rtol=1e-4)


def test_a_folded_convolution_cuts_off_on_the_gpu_too(gpu):
    conv = nn.Conv2d(2, 3, 3, padding=1, rng=0)
    folded = FoldedConv(conv, conv.weight.data, conv.bias.data, (0.0, math.inf)).to("cuda")
    x = np.random.default_rng(0).standard_normal((1, 2, 5, 4)).astype(np.float32)
    expected = ops.relu(conv(Tensor(x))).data
    assert (expected == 0).any() and (expected > 0).any()
    np.testing.assert_allclose(folded(Tensor(folded.placed(x))).numpy(), expected, atol=1e-5)


def test_compare(emulated_gpu, run, data, tmp_path, monkeypatch):
    monkeypatch.setattr(compare, "in_child", compare.examine)  # the child knows no emulated GPU
    monkeypatch.setattr(compare, "TIMED_PICTURES", 1)
    monkeypatch.setattr("minidepth.compare_report.save_grid", lambda *arguments: None)
    for device in ("cpu", "cuda"):
        words = ["compare", str(run), "--data", data, "--frames", "1", "--out", str(tmp_path / device)]
        assert cli.main([*words, "--device", device]) == 0
    rows = [json.loads((tmp_path / name / "compare.json").read_text())["rows"][0] for name in ("cpu", "cuda")]
    assert [row["device"] for row in rows] == ["CPU", "emulated GPU"]
    name = "rmse_m (pooled)"
    assert rows[1][name] == pytest.approx(rows[0][name], rel=1e-4) and rows[1]["peak_mib"] > 0


def test_a_full_gpu_in_compare_is_one_line(emulated_gpu, run, data, monkeypatch):
    def full(order):
        raise device_memory.OutOfMemoryError("Out of memory allocating 5,000,000 bytes (allocated so far: 0 bytes).")

    monkeypatch.setattr(compare, "_examine", full)
    order = compare.Order(str(run), data, "test", None, False, (), (), "depth", "cuda")
    with pytest.raises(InputError, match=r"run: out of memory on the GPU: 5 MiB were asked for.*; use --device cpu"):
        compare.examine(order)


def test_lr_find(gpu, data, tmp_path, monkeypatch):
    monkeypatch.setattr("minidepth.lr_finder.save_picture", lambda path, curve: None)
    found = []
    for device in ("cpu", "cuda"):
        config = tiny(data, tmp_path / device, device=device, optimizer="sgd", clip_norm=1.0)
        found.append(lr_find(config, 10, log=silent))
    assert found[1] == found[0]


def test_the_network_lies_on_the_gpu_and_counts_stay(emulated_gpu, data, tmp_path):
    parts = train_parts.build_parts(tiny(data, tmp_path / "run", device="cuda"))
    on_cpu = {name.split(".")[-1] for name, array in parts.network.state_dict().items() if not is_on_gpu(array)}
    assert on_cpu == {"num_batches_tracked"}
    assert all(is_on_gpu(array) for arrays in parts.optimizer.state.values() for array in arrays)
