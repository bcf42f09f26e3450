"""What a training run may do beyond the plain loop: each thing alone, and stopped and resumed bit for bit."""

import numpy as np
import pytest
from data_folders import make_frames, write_pets
from run_helpers import silent, small_config, stop_after, tiny_data

from minidepth import checkpoint, models, run_folder, targets
from minidepth.config import TrainConfig, continue_config
from minidepth.errors import InputError
from minidepth.run_folder import load_model, read_log
from minidepth.train import train
from minidepth.train_parts import build_parts

BATCHES = 5
"""Of four frames each, in an epoch of the tiny data set."""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return tiny_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch):
    """Drawing takes longer than all the rest, and is not what is tested here."""
    monkeypatch.setattr("minidepth.train.draw_pictures", lambda folder, parts: None)


@pytest.fixture
def errors(monkeypatch):
    """Choose the validation error of every epoch."""

    def choose(values):
        left = iter(values)
        monkeypatch.setattr(targets.Task, "error", lambda task, scores: next(left))

    return choose


def arrays_of(folder, name="last.safetensors"):
    arrays, _ = checkpoint.load(folder / name)
    return arrays


def weights_of(folder):
    return np.concatenate([array.reshape(-1) for name, array in arrays_of(folder).items() if name.startswith("model.")])


def go_on(folder, **given):
    saved, _ = run_folder.read_config(folder)
    return train(continue_config(saved, given, folder), log=silent, resume=folder)


# --- stopped and resumed ----------------------------------------------------------------------------------------------

ALL_AT_ONCE = {
    "clip_norm": 0.5,
    "accumulate": 2,  # groups of 2, 2 and 1 batches
    "sizes": "16x32:1,32x16:1",
    "size": (32, 32),
    "keep": "every",
    "schedule": "plateau:factor=0.5,patience=0",
    "optimizer": "adam:amsgrad",
    "lr": 0.3,
}
BY_EPOCHS = {"schedule": "step:every=1,factor=0.5", "optimizer": "rmsprop:momentum=0.9", "accumulate": 100}


@pytest.fixture(scope="module", params=[ALL_AT_ONCE, BY_EPOCHS], ids=["all at once", "by epochs"])
def whole(request, data, tmp_path_factory):
    """A run of three epochs that nothing stopped, and its settings."""
    settings = {"epochs": 3, **request.param}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("minidepth.train.draw_pictures", lambda folder, parts: None)
        return train(small_config(data, tmp_path_factory.mktemp("runs") / "run", **settings), log=silent), settings


@pytest.mark.parametrize("batches", [1, 10, 13])  # after 1 and 13 a group waits for its other batches
def test_stopped_and_resumed_is_the_same_to_the_last_byte(whole, data, tmp_path, monkeypatch, batches):
    expected, settings = whole
    folder = tmp_path / "stopped"
    with monkeypatch.context() as patch:
        stop_after(patch, batches)
        with pytest.raises(KeyboardInterrupt, match="everything is saved"):
            train(small_config(data, folder, **settings), log=silent)
    pending = any(name.startswith("gradient.") for name in arrays_of(folder))
    assert pending == (batches in (1, 13))
    go_on(folder)
    names = {path.name for path in expected.glob("*.safetensors")}
    assert names == {path.name for path in folder.glob("*.safetensors")}
    for name in names:
        assert (folder / name).read_bytes() == (expected / name).read_bytes(), name
    rows = [[(row["step"], row["loss"], row["lr"]) for row in read_log(place)] for place in (expected, folder)]
    assert rows[0] == rows[1]


def test_what_was_resumed_had_something_to_resume(whole):
    folder, settings = whole
    rates = [row["lr"] for row in read_log(folder)]
    assert rates[0] > rates[-1]  # the schedule has a state, or counts epochs
    assert len(list(folder.glob("epoch-*"))) == (3 if "keep" in settings else 0)


def test_a_run_of_an_earlier_version_can_go_on(data, tmp_path, monkeypatch):
    settings = {"epochs": 2, "schedule": "constant"}
    expected = train(small_config(data, tmp_path / "whole", **settings), log=silent)
    folder = tmp_path / "old"
    with monkeypatch.context() as patch:
        stop_after(patch, 7)
        with pytest.raises(KeyboardInterrupt):
            train(small_config(data, folder, **settings), log=silent)
    arrays, meta = checkpoint.load(folder / "last.safetensors")
    for name in ("clip_norm", "accumulate", "sizes", "patience", "keep"):
        del meta["config"][name]
    del meta["progress"]["plateau"]
    meta["progress"]["best_rmse_m"] = meta["progress"].pop("best_error")
    checkpoint.save(folder / "last.safetensors", arrays, meta)
    go_on(folder)
    assert (folder / "last.safetensors").read_bytes() == (expected / "last.safetensors").read_bytes()


# --- each thing alone -------------------------------------------------------------------------------------------------


def test_accumulating_is_one_large_batch(data, tmp_path):
    """Without batch-norm: five batches of four frames step like one of twenty, and are one step of the schedule."""
    common = {"norm": "none", "augment": "none", "epochs": 2, "optimizer": "sgd", "loss": "mse", "lr": 1e-3}
    large = train(small_config(data, tmp_path / "large", batch=20, **common), log=silent)
    small = train(small_config(data, tmp_path / "small", batch=4, accumulate=5, **common), log=silent)
    untrained = models.build("unet", base_channels=2, norm=None, activation="leaky_relu", up="bilinear", rng=0)
    assert [row["step"] for row in read_log(small)] == [1, 2]
    assert [row["lr"] for row in read_log(small)] == [row["lr"] for row in read_log(large)]
    assert np.abs(weights_of(large)[:50] - untrained.state_dict()["down.0.conv1.weight"].reshape(-1)[:50]).max() > 1e-4
    np.testing.assert_allclose(weights_of(small), weights_of(large), atol=2e-6)
    assert read_log(small)[0]["loss"] == pytest.approx(read_log(large)[0]["loss"], rel=1e-6)


def test_the_last_steps_of_an_epoch_may_be_smaller(data, tmp_path):
    folder = train(small_config(data, tmp_path / "run", accumulate=2, epochs=2, schedule="linear"), log=silent)
    assert [row["step"] for row in read_log(folder)] == [3, 6]
    assert read_log(folder)[-1]["lr"] == pytest.approx(1e-2 / 6)


def test_clipping_bounds_every_step(data, tmp_path):
    common = {"optimizer": "sgd:momentum=0", "schedule": "constant", "lr": 0.1, "epochs": 1}
    start = dict(run_folder.build_model(small_config(data, "x")).named_parameters())
    del start["head.bias"]  # it begins at the mean depth
    moved = {}
    for norm in (None, 1e-3):
        after = arrays_of(train(small_config(data, tmp_path / str(norm), clip_norm=norm, **common), log=silent))
        moved[norm] = np.sqrt(sum(np.square(after[f"model.{name}"] - w.data).sum() for name, w in start.items()))
    assert moved[1e-3] <= BATCHES * 0.1 * 1e-3 < 0.01 < moved[None]


def test_epochs_grow_and_validation_does_not(data, tmp_path, monkeypatch):
    run, seen, said = targets.Task.run, [], []

    def noting(task, network, batch, *half):
        seen.append((network.training, batch.image.shape[2:]))
        return run(task, network, batch, *half)

    monkeypatch.setattr(targets.Task, "run", noting)
    config = small_config(data, tmp_path / "run", epochs=4, sizes="16x16:2,16x32:1", size=(32, 32))
    train(config, log=said.append)
    assert [size for training, size in seen if training] == [(16, 16)] * 10 + [(16, 32)] * 5 + [(32, 32)] * 5
    assert {size for training, size in seen if not training} == {(32, 32)}
    titles = [line.split("  ")[0] for line in said if line.startswith("epoch ")]
    assert titles == [f"epoch {e}/4 at {size}" for e, size in enumerate(("16x16", "16x16", "16x32", "32x32"), 1)]


def test_early_stop_and_going_on_with_more_patience(data, tmp_path, errors):
    errors([3.0, 2.0, 2.1, 2.0, 1.0, 1.5])
    said = []
    config = small_config(data, tmp_path / "run", epochs=6, patience=2, schedule="constant")
    folder = train(config, log=said.append)
    assert len(read_log(folder)) == 4
    assert "done: it stopped after epoch 4 of 6, as none since epoch 2 was better (--patience 2)." in said[-1]
    with pytest.raises(
        InputError, match=r"stopped after epoch 4 of 6.*larger --patience, or 0 for none; try: minidepth"
    ):
        go_on(folder)
    go_on(folder, patience=3)
    assert len(read_log(folder)) == 6
    _, meta = checkpoint.load(folder / "best.safetensors")
    assert meta["epoch"] == 5
    with pytest.raises(InputError, match="all 6 epochs are done, there is nothing to go on with; try: minidepth"):
        go_on(folder)


def test_the_weights_of_every_epoch(data, tmp_path, errors):
    errors([3.0, 2.0, 4.0])
    folder = train(small_config(data, tmp_path / "run", epochs=3, keep="every"), log=silent)
    names = [f"epoch-{epoch:03}.safetensors" for epoch in (1, 2, 3)]
    assert sorted(path.name for path in folder.glob("epoch-*")) == names
    assert (folder / names[1]).read_bytes() == (folder / "best.safetensors").read_bytes()
    last = {name.removeprefix("model."): a for name, a in arrays_of(folder).items() if name.startswith("model.")}
    model = load_model(folder / names[2])
    for name, array in model.network.state_dict().items():
        np.testing.assert_array_equal(array, last[name])
    assert not np.array_equal(arrays_of(folder, names[0])["head.weight"], last["head.weight"])


def test_the_rate_falls_on_a_plateau(data, tmp_path, errors):
    errors([3.0, 2.0, 2.0, 2.0, 1.0, 1.0])
    schedule = "plateau:factor=0.5,patience=0"
    folder = train(small_config(data, tmp_path / "run", epochs=6, schedule=schedule, lr=0.01), log=silent)
    assert [row["lr"] for row in read_log(folder)] == [0.01, 0.01, 0.01, 0.005, 0.0025, 0.0025]
    _, meta = checkpoint.load(folder / "last.safetensors")
    assert meta["progress"]["plateau"] == {"lr": 0.00125, "best": 1.0, "bad_epochs": 0}


# --- mistakes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"clip_norm": 0.0}, "--clip-norm 0.0: must be a positive number"),
        ({"clip_norm": float("nan")}, "--clip-norm nan: must be a positive number"),
        ({"accumulate": 0}, "--accumulate 0: must be at least 1"),
        ({"patience": -1}, r"--patience -1: must be 0 \(never stop early\) or more"),
        ({"keep": "all"}, "--keep all: use best or every"),
        ({"sizes": "16x16"}, "--sizes: '16x16' has no number of epochs"),
        ({"sizes": "16x16:1,24x16:1"}, "--sizes 24x16: unet needs .* multiples of 16; try --sizes 32x16"),
        ({"sizes": "16x16:2,32x32:1"}, "--sizes 16x16:2,32x32:1: these are 3 epochs, but the run has 3; at least one"),
        ({"sizes": "0x16:1"}, "--sizes 0x16: unet needs"),
        ({"patience": 2, "val_split": 0.0}, "--patience 2 watches the validation, but --val-split 0 keeps no frames"),
        ({"schedule": "plateau", "val_split": 0.0}, "--schedule plateau watches the validation"),
        ({"schedule": "step:every=0"}, "--schedule: .* every must be at least 1 epoch"),
    ],
)
def test_settings_that_no_run_can_use(data, tmp_path, changes, complaint):
    with pytest.raises(InputError, match=complaint):
        train(small_config(data, tmp_path / "run", epochs=3, **changes), log=silent)
    assert not (tmp_path / "run").exists()


def test_fewer_classes_than_the_labels_have(tmp_path):
    """Found before any picture is read, as a label that no class has makes the loss NaN on a GPU."""
    data = write_pets(tmp_path / "pets", make_frames(12))
    with pytest.raises(
        InputError, match=r"--classes 2: .*pets have 3 classes \(pet, background, border\); leave it out"
    ):
        build_parts(small_config(data, tmp_path, task="labels", classes=2, loss="cross_entropy"))


def test_what_may_change_at_a_resume():
    saved = TrainConfig(patience=2, schedule="plateau")
    changed = continue_config(saved, {"patience": 5, "keep": "every", "epochs": 30}, "run")
    assert (changed.patience, changed.keep, changed.epochs) == (5, "every", 30)
    assert continue_config(TrainConfig(schedule="step:every=5"), {"epochs": 30}, "run").epochs == 30
    for name, value in {"clip_norm": 1.0, "accumulate": 2, "sizes": "32x32:1", "optimizer": "adam:amsgrad"}.items():
        with pytest.raises(InputError, match="the two would not be one run"):
            continue_config(saved, {name: value}, "run")
    for schedule in ("linear:epochs", "step:30,60"):
        with pytest.raises(InputError, match="laid out over all epochs"):
            continue_config(TrainConfig(schedule=schedule), {"epochs": 30}, "run")


def test_training_begins_with_the_weights_of_a_file(data, tmp_path):
    first = train(small_config(data, tmp_path / "first", epochs=1, seed=1), log=silent)
    network = load_model(first).network
    checkpoint.save(tmp_path / "weights.safetensors", network.state_dict(), {})
    lines = []
    given = {
        "weights": str(tmp_path / "weights.safetensors"),
        "epochs": 1,
        "seed": 2,
        "lr": 1e-30,
    }  # steps too small to change a float32
    second = load_model(train(small_config(data, tmp_path / "second", **given), log=lines.append)).network
    for (name, expected), (_, actual) in zip(network.named_parameters(), second.named_parameters()):
        assert np.array_equal(actual.data, expected.data), name
    assert any("weights.safetensors" in line for line in lines)
    with pytest.raises(InputError, match="nothing.safetensors"):
        train(small_config(data, tmp_path / "third", weights=str(tmp_path / "nothing.safetensors")), log=silent)
