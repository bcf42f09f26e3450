"""Genuine torch files of both forms: written by hand, kept from a real torch, made by torch where it is installed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch_files as tf

from minidepth.pretrained import read_weights

RNG = np.random.default_rng(0)
ARRAYS: dict[str, np.ndarray] = {
    "conv.weight": RNG.standard_normal((4, 3, 2, 2)).astype(np.float32),
    "f8": RNG.standard_normal(5),
    "f2": RNG.standard_normal((2, 3)).astype(np.float16),
    "i8": np.array(-(2**40), np.int64),
    "i4": np.array([1, -2], np.int32),
    "i2": np.array([-3, 4], np.int16),
    "i1": np.array([[-5], [6]], np.int8),
    "u1": np.array([200], np.uint8),
    "flag": np.array([True, False, True]),
    "empty": np.zeros((0, 3), np.float32),
}
CONTAINERS = ("zip", "legacy")


def check(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    assert list(found) == list(expected)
    for name, array in expected.items():
        assert found[name].dtype == array.dtype and found[name].shape == array.shape, name
        np.testing.assert_array_equal(found[name], array, err_msg=name)
        assert not found[name].flags.writeable


@pytest.mark.parametrize("container", CONTAINERS)
def test_every_kind_of_number(tmp_path: Path, container: str) -> None:
    check(read_weights(tf.save(tmp_path / "a.pth", ARRAYS, container)), ARRAYS)


@pytest.mark.parametrize("container", CONTAINERS)
def test_bfloat16_is_read_as_float32(tmp_path: Path, container: str) -> None:
    upper = np.array([0x3F80, 0xC049, 0x0001, 0x7F80], np.uint16)  # 1, -pi in eight bits, the least number, infinity
    content = {"x": tf.tensor("BFloat16", "7", 4, (2, 2), (2, 1))}
    if container == "zip":
        path = tf.write_zip(tmp_path / "a", content, {"7": upper.tobytes()})
    else:
        path = tf.write_legacy(tmp_path / "a", content, {"7": (4, upper.tobytes())})
    expected = np.array([[1, -3.140625], [2.0**-133, np.inf]], np.float32)
    check(read_weights(path), {"x": expected})


@pytest.mark.parametrize("container", CONTAINERS)
def test_views_tied_weights_and_strides(tmp_path: Path, container: str) -> None:
    numbers = np.arange(12, dtype=np.float32)
    content = {
        "all": tf.tensor("Float", "0", 12, (3, 4), (4, 1)),
        "tied": tf.tensor("Float", "0", 12, (3, 4), (4, 1)),
        "turned": tf.tensor("Float", "0", 12, (4, 3), (1, 4)),
        "column": tf.tensor("Float", "0", 12, (3,), (4,), offset=2),
        "channels last": tf.tensor("Float", "0", 12, (1, 2, 3, 2), (12, 1, 4, 2)),
        "last": tf.tensor("Float", "0", 12, (), (), offset=11),
        "none": tf.tensor("Float", "0", 12, (0,), (1,), offset=12),
    }
    if container == "zip":
        path = tf.write_zip(tmp_path / "a", content, {"0": numbers.tobytes()})
    else:
        path = tf.write_legacy(tmp_path / "a", content, {"0": (12, numbers.tobytes())})
    grid = numbers.reshape(3, 4)
    expected = {"all": grid, "tied": grid, "turned": grid.T, "column": grid[:, 2]}
    expected["channels last"] = grid.reshape(3, 2, 2).transpose(2, 0, 1)[None]
    expected |= {"last": numbers[11], "none": numbers[:0]}
    found = read_weights(path)
    check(found, {name: np.asarray(array) for name, array in expected.items()})
    assert np.shares_memory(found["all"], found["tied"])  # no copies: a file cannot ask for more memory than it has


def test_a_view_of_a_part_of_an_old_storage(tmp_path: Path) -> None:
    numbers = np.arange(10, dtype=np.float32)
    part = tf.storage("Float", "3", 10, ("4", 6, 4))  # numbers 6 to 9
    content = {"x": tf.Call(tf.Global("torch._utils", "_rebuild_tensor"), (part, 1, (3,), (1,)))}
    path = tf.write_legacy(tmp_path / "a", content, {"3": (10, numbers.tobytes())})
    check(read_weights(path), {"x": numbers[7:10]})


def test_parameters_in_their_three_forms(tmp_path: Path) -> None:
    numbers = np.arange(6, dtype=np.float32)
    plain, no_hooks = tf.tensor("Float", "0", 6, (6,), (1,)), tf.Call(tf.ORDERED_DICT, ())
    parameter = tf.Global("torch.nn.parameter", "Parameter")
    content = {
        "new": tf.Call(tf.Global("torch._utils", "_rebuild_parameter"), (plain, True, no_hooks)),
        "old": tf.Build(tf.Call(parameter, (plain,)), (True, False, no_hooks)),
        "made": tf.Call(parameter, (plain, True), b"\x81"),  # NEWOBJ
    }
    path = tf.write_zip(tmp_path / "a", content, {"0": numbers.tobytes()})
    check(read_weights(path), dict.fromkeys(content, numbers))


def test_a_file_of_python_2(tmp_path: Path) -> None:
    """Byte strings, long numbers, and an OrderedDict made from a list of pairs."""
    numbers = np.arange(6, dtype=np.float32)
    six = tf.Raw(b"\x8a\x01\x06")
    place = tf.Persistent((b"storage", tf.Global("torch", "FloatStorage"), b"12", b"cpu", six, None))
    made = tf.Call(tf.Global("torch._utils", "_rebuild_tensor"), (place, 0, (tf.Raw(b"\x8a\x01\x02"), 3), (3, 1)))
    content = tf.Call(tf.ORDERED_DICT, ([[b"weight", made]],))
    facts = {b"protocol_version": 1001, b"little_endian": True, b"type_sizes": {b"int": 4}}
    data = tf.legacy_bytes(content, {"12": (6, numbers.tobytes())}, facts)
    data = data.replace(tf.pickled(["12"]), tf.pickled([b"12"]))
    (tmp_path / "a").write_bytes(data)
    check(read_weights(tmp_path / "a"), {"weight": numbers.reshape(2, 3)})


WRAPS = {
    "fast-depth": lambda state: {"epoch": 49, "best_prec1": 70.6, "state_dict": state},
    "lists and sizes": lambda state: {
        "model": state,
        "sizes": [1, (2, None)],
        "s": tf.Call(tf.Global("torch", "Size"), ((2, 3),)),
    },
    "optimiser": lambda state: {
        "state_dict": state,
        "optimizer": {"state": {0: {"step": 3}}, "param_groups": [{"lr": 0.1}]},
    },
}


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("wrap", WRAPS)
def test_wrapped_weights(tmp_path: Path, container: str, wrap: str) -> None:
    check(read_weights(tf.save(tmp_path / "a.pth", ARRAYS, container, WRAPS[wrap])), ARRAYS)


def test_storages_at_odd_places_are_aligned(tmp_path: Path) -> None:
    """A double that begins at any byte of an old file."""
    for length in range(8):
        arrays = {"a": np.zeros(length, np.uint8), "b": np.array([1.5, -2.5])}
        found = read_weights(tf.save(tmp_path / "a", arrays, "legacy"))
        assert found["b"].flags.aligned
        check(found, arrays)


def test_entries_that_say_nothing_about_weights_are_ignored(tmp_path: Path) -> None:
    content, storages = tf.state_dict(ARRAYS)
    more = {".format_version": b"1", ".storage_alignment": b"64", "data/999": b"never named"}
    check(read_weights(tf.write_zip(tmp_path / "a", content, storages, top="any name", **more)), ARRAYS)


GOLDEN = Path(__file__).with_name("golden")


@pytest.mark.parametrize("name", ["torch_zip.pth", "torch_legacy.pth", "torch_zip_protocol4.pth"])
def test_files_that_torch_wrote(name: str) -> None:
    """The module, the tensors and the seeds are in make_golden.py; the numbers follow from the names."""
    found = read_weights(GOLDEN / name)
    with np.load(GOLDEN / "torch_files.npz") as expected:
        check({key: found[key] for key in sorted(found)}, {key: expected[key] for key in sorted(expected.files)})


# --- with torch installed ---


def torch_tensors(torch: Any) -> dict[str, Any]:
    torch.manual_seed(0)
    base = torch.randn(6, 8)
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    return {
        **module.state_dict(),
        "parameter": module[0].weight,
        "tied": module[0].weight,
        "view": base[1:4, 2:7],
        "turned": base.T,
        "every second": base[::2, ::3],
        "channels last": torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last),
        "half": torch.randn(3, 2).half(),
        "bfloat16": torch.randn(3, 2).bfloat16(),
        "double": torch.randn(3, dtype=torch.float64),
        "bool": torch.tensor([True, False]),
        "int": torch.arange(4, dtype=torch.int32),
        "number": torch.tensor(2.5),
        "empty": torch.zeros(2, 0),
    }


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("new", [True, False])
def test_what_torch_saves_here(tmp_path: Path, new: bool, protocol: int) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    tensors = torch_tensors(torch)
    path = tmp_path / "weights.pth"
    torch.save(tensors, path, pickle_protocol=protocol, _use_new_zipfile_serialization=new)
    expected = {n: (t.float() if t.dtype == torch.bfloat16 else t).detach().numpy() for n, t in tensors.items()}
    check(read_weights(path), expected)


@pytest.mark.parametrize("new", [True, False])
def test_a_training_state_of_torch(tmp_path: Path, new: bool) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    module = torch.nn.DataParallel(torch.nn.Linear(3, 2))
    adam = {"state": {0: {"step": torch.tensor(3.0), "exp_avg": torch.randn(2, 3)}}, "param_groups": [{"lr": 0.1}]}
    state = {"epoch": 3, "best_prec1": 0.5, "state_dict": module.state_dict(), "optimizer": adam}
    torch.save(state, tmp_path / "a.pth", _use_new_zipfile_serialization=new)
    expected = {name: tensor.numpy() for name, tensor in module.state_dict().items()}
    check(read_weights(tmp_path / "a.pth"), expected)


def test_the_writer_of_these_tests_writes_what_torch_reads(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    for container in CONTAINERS:
        found = torch.load(tf.save(tmp_path / "a.pth", ARRAYS, container), weights_only=True)
        check_equal = {name: tensor.numpy() for name, tensor in found.items()}
        for name, array in ARRAYS.items():
            np.testing.assert_array_equal(check_equal[name], array)
