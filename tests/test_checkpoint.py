"""Checkpoints: exact round trips, one clear line for what cannot be read, an old file that survives every failure."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from minidepth import checkpoint
from minidepth.errors import CheckpointError, InputError

ARRAYS = {
    "down.0.weight": np.random.default_rng(0).standard_normal((3, 2, 3, 3)).astype(np.float32),
    "double": np.array([1 / 3, np.nan, np.inf]),
    "bn.num_batches_tracked": np.array(2**40, np.int64),
    "steps": np.array([1, 2, 3], np.int64),
    "bits": np.array([0, 2**64 - 1], np.uint64),
    "flags": np.array([True, False]),
    "empty": np.zeros((0, 3), np.float32),
}
META = {"epoch": 3, "rng": {"state": 2**127 + 1}, "best": 0.5, "text": "ü", "none": None}


def test_round_trip_is_exact(tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "a.safetensors", ARRAYS, META)
    arrays, meta = checkpoint.load(tmp_path / "a.safetensors")
    assert meta == META
    assert set(arrays) == set(ARRAYS)
    for name, array in ARRAYS.items():
        assert arrays[name].dtype == array.dtype and arrays[name].shape == array.shape
        assert arrays[name].tobytes() == array.tobytes()
    assert os.listdir(tmp_path) == ["a.safetensors"]


def test_loaded_arrays_can_be_written_to(tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "a", {"x": np.ones(2)}, {})
    arrays, _ = checkpoint.load(str(tmp_path / "a"))
    arrays["x"] += 1
    checkpoint.save(tmp_path / "a", {"x": np.zeros(2)}, {})  # the file may be replaced while its arrays are in use
    np.testing.assert_array_equal(arrays["x"], [2, 2])


def test_strided_arrays_are_saved_as_they_look(tmp_path: Path) -> None:
    array = np.arange(24).reshape(2, 3, 4)
    checkpoint.save(tmp_path / "a", {"turned": array.T, "every second": array[:, ::2]}, {})
    arrays, _ = checkpoint.load(tmp_path / "a")
    np.testing.assert_array_equal(arrays["turned"], array.T)
    np.testing.assert_array_equal(arrays["every second"], array[:, ::2])


def test_the_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        checkpoint.save(tmp_path / name, ARRAYS, META)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_saving_replaces(tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "a", {"x": np.zeros(1000)}, {"epoch": 1})
    checkpoint.save(tmp_path / "a", {"y": np.ones(1)}, {"epoch": 2})
    arrays, meta = checkpoint.load(tmp_path / "a")
    assert list(arrays) == ["y"] and meta == {"epoch": 2}


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_disk_full_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    path = tmp_path / "best.safetensors"
    checkpoint.save(path, {"x": np.zeros(3)}, {"epoch": 1})
    before = path.read_bytes()

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(f"minidepth.checkpoint.os.{step}", fail)
    with pytest.raises(
        InputError, match=r"best.safetensors: cannot write .*No space left.*there before is unharmed"
    ) as e:
        checkpoint.save(path, {"x": np.ones(3)}, {"epoch": 2})
    assert "\n" not in str(e.value)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["best.safetensors"]


def test_a_write_cut_short_leaves_the_old_file(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")  # a limit on file sizes makes a real write fail half-way; not on Windows
    path = tmp_path / "last.safetensors"
    checkpoint.save(path, {"x": np.zeros(3)}, {"epoch": 1})
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(InputError, match="cannot write the checkpoint .*unharmed"):
            checkpoint.save(path, {"x": np.zeros(10_000)}, {"epoch": 2})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert checkpoint.load(path)[1] == {"epoch": 1}
    assert os.listdir(tmp_path) == ["last.safetensors"]


def test_ctrl_c_while_saving_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint.save(tmp_path / "a", {}, {"epoch": 1})

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("minidepth.checkpoint.os.fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        checkpoint.save(tmp_path / "a", {}, {"epoch": 2})
    assert checkpoint.load(tmp_path / "a")[1] == {"epoch": 1}
    assert os.listdir(tmp_path) == ["a"]


def test_no_such_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none.a: cannot write the checkpoint \(No such file or directory\)$"):
        checkpoint.save(tmp_path / "none" / "a", {}, {})


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="a.safetensors: there is no such checkpoint file"):
        checkpoint.load(tmp_path / "a.safetensors")


def test_folder_instead_of_file(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="cannot read the checkpoint"):
        checkpoint.load(tmp_path)


@pytest.mark.parametrize("keep", [0, 4, 8, 40, -1])
def test_truncated_file(tmp_path: Path, keep: int) -> None:
    path = tmp_path / "cut.safetensors"
    checkpoint.save(path, ARRAYS, META)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(CheckpointError, match="cut.safetensors: damaged, or no safetensors file") as error:
        checkpoint.load(path)
    assert "\n" not in str(error.value)


def test_other_files(tmp_path: Path) -> None:
    (tmp_path / "photo.png").write_bytes(b"\x89PNG\r\n" + bytes(1000))
    with pytest.raises(CheckpointError, match="photo.png: damaged, or no safetensors file"):
        checkpoint.load(tmp_path / "photo.png")


@pytest.mark.parametrize("metadata", [None, {"format": "pt"}, {"minidepth": "{not JSON"}])
def test_a_safetensors_file_of_somebody_else(tmp_path: Path, metadata: dict | None) -> None:
    from safetensors.numpy import save_file

    save_file({"x": np.zeros(1)}, tmp_path / "x.safetensors", metadata=metadata)
    with pytest.raises(CheckpointError, match="not one that minidepth wrote"):
        checkpoint.load(tmp_path / "x.safetensors")
