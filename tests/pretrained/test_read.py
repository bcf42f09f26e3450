"""Which file is which, what is said of those that are none, safetensors, and the checksum in a name."""

from __future__ import annotations

import ast
import hashlib
import io
import struct
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch_files as tf
from safetensors import TensorSpec, serialize
from safetensors.numpy import save as numpy_save

from minidepth import checkpoint
from minidepth.errors import DataError, InputError
from minidepth.pretrained import read, read_weights

ARRAYS = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b.c": np.array(3, np.int64), "h": np.ones(2, np.float16)}


def tar() -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        for name in ("sys_info", "pickle", "storages", "tensors"):
            archive.addfile(tarfile.TarInfo(name))
    return data.getvalue()


OTHERS = [
    (b"", "the file is empty; get it again"),
    (tar(), "a tar archive, torch's form before version 0.1.10, which is not read"),
    (b"\x1f\x8b\x08" + bytes(50), "a compressed file: unpack it first"),
    (b"\n <!DOCTYPE html><html>", "a web page and no file of weights"),
    (b"version https://git-lfs.github.com/spec/v1\noid sha256:", "fetch it with `git lfs pull`"),
    (b"\x80\x04\x95\x00}.", "a pickle, but not one of torch"),
    (b"\x89PNG\r\n\x1a\n" + bytes(600), "no kind of weights that is read here: .pth of torch"),
    (bytes(600), "no kind of weights that is read here"),
    (b"PK\x05\x06" + bytes(18), "no kind of weights that is read here"),
]


@pytest.mark.parametrize("data, message", OTHERS, ids=range(len(OTHERS)))
def test_other_files_are_named(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(data)
    with pytest.raises(DataError) as error:
        read_weights(path)
    assert str(error.value).startswith(f"{path}: ") and message in str(error.value)
    assert isinstance(error.value, InputError)


def test_files_that_cannot_be_opened(tmp_path: Path) -> None:
    for path, message in ((tmp_path / "none.pth", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(DataError, match=message) as error:
            read_weights(path)
        assert str(error.value).startswith(f"{path}: cannot read these weights")


def test_a_file_that_is_too_large(tmp_path: Path) -> None:
    with open(tmp_path / "a.pth", "wb") as file:
        file.truncate(2**32 + 1)  # takes no room on the disk
    with pytest.raises(DataError, match="it has 4294967297 bytes; files of weights of up to 4294967296 are read"):
        read_weights(tmp_path / "a.pth")


def test_not_enough_memory_is_said_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: Path) -> None:
        raise MemoryError

    monkeypatch.setattr(read.torch_zip, "read", full)
    with pytest.raises(DataError, match=r"a\.pth: there is not enough memory"):
        read_weights(tf.save(tmp_path / "a.pth", ARRAYS))


def test_the_first_bytes_count_and_not_the_name(tmp_path: Path) -> None:
    for container in ("zip", "legacy"):
        for name in ("a.h5", "a.keras", "a.safetensors", "a"):
            assert list(read_weights(tf.save(tmp_path / name, ARRAYS, container))) == list(ARRAYS)


def test_safetensors(tmp_path: Path) -> None:
    upper = np.array([0x3F80, 0xC049], np.uint16)
    specs = {name: (array.dtype.name, array) for name, array in ARRAYS.items()} | {"bf": ("bfloat16", upper)}
    data = serialize(
        {
            name: TensorSpec(dtype=dtype, shape=array.shape, data_ptr=array.ctypes.data, data_len=array.nbytes)
            for name, (dtype, array) in specs.items()
        }
    )
    (tmp_path / "a").write_bytes(bytes(data))
    found = read_weights(tmp_path / "a")
    expected = {**ARRAYS, "bf": np.array([1, -3.140625], np.float32)}
    assert sorted(found) == sorted(expected)
    for name, array in expected.items():
        assert found[name].dtype == array.dtype and found[name].shape == array.shape
        np.testing.assert_array_equal(found[name], array)
        assert not found[name].flags.writeable


def test_what_was_saved_for_resuming_gives_the_model_only(tmp_path: Path) -> None:
    arrays = {"model.a": ARRAYS["a"], "optimizer.a.step": np.array(3), "optimizer.a.mean": ARRAYS["a"]}
    checkpoint.save(tmp_path / "last.safetensors", arrays, {"epoch": 3})
    assert list(read_weights(tmp_path / "last.safetensors")) == ["a"]
    checkpoint.save(tmp_path / "last.safetensors", {"model.a": ARRAYS["a"]}, {"optimizer": "without state"})
    assert list(read_weights(tmp_path / "last.safetensors")) == ["a"]
    checkpoint.save(tmp_path / "best.safetensors", {"model.a": ARRAYS["a"], "head": ARRAYS["a"]}, {})
    assert sorted(read_weights(tmp_path / "best.safetensors")) == ["head", "model.a"]  # a network with a part "model"
    (tmp_path / "foreign.safetensors").write_bytes(numpy_save({"model.0.0.weight": ARRAYS["a"]}))
    assert list(read_weights(tmp_path / "foreign.safetensors")) == ["model.0.0.weight"]


def test_safetensors_of_an_unknown_kind(tmp_path: Path) -> None:
    header = b'{"x":{"dtype":"F8_E4M3","shape":[2],"data_offsets":[0,2]}}'
    (tmp_path / "a").write_bytes(struct.pack("<Q", len(header)) + header + b"\x00\x00")
    with pytest.raises(DataError, match="x has numbers of the kind F8_E4M3, which is not read"):
        read_weights(tmp_path / "a")


# --- the checksum in the name ---


def test_a_checksum_in_the_name_is_compared(tmp_path: Path) -> None:
    path = tf.save(tmp_path / "a", ARRAYS)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    for digits in (digest[:8], digest):
        assert len(read_weights(path.rename(tmp_path / f"resnet34-{digits}.pth"))) == 3
        path = tmp_path / f"resnet34-{digits}.pth"
    wrong = path.rename(tmp_path / "resnet34-b627a593.pth")
    with pytest.raises(DataError) as error:
        read_weights(wrong)
    message = f"the download is damaged: its SHA-256 begins with {digest[:8]}, and should with b627a593"
    assert str(error.value).startswith(f"{wrong}: {message}")


def test_names_without_a_checksum(tmp_path: Path) -> None:
    for name in (
        "run-20240131.pth",
        "resnet34-b627a59.pth",
        "resnet34_b627a593.pth",
        "net-abcdefgh.pth",
        "b627a593.pth",
    ):
        assert len(read_weights(tf.save(tmp_path / name, ARRAYS))) == 3


def test_no_reader_imports_what_could_run_a_file() -> None:
    """Of Python's pickle machine only the list of instructions is used, which describes them."""
    files = list(Path(read.__file__).parent.glob("*.py"))
    nodes = [node for file in files for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))]
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}
    assert "pickletools" in names and len(files) > 10
    assert not names & {"pickle", "_pickle", "marshal", "importlib", "torch", "subprocess"}
    called = {node.func.id for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    assert not called & {"eval", "exec", "compile", "__import__"}
