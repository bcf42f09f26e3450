"""Keras files: real ones kept in golden/, the forms of older Keras written by hand, and traps."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from minidepth.errors import DataError
from minidepth.pretrained import read_weights

GOLDEN = Path(__file__).with_name("golden")
RNG = np.random.default_rng(1)


def expected() -> dict[str, np.ndarray]:
    """The arrays of golden/keras_files.npz by hand in our layouts, element by element."""
    with np.load(GOLDEN / "keras_files.npz") as file:
        keras = {name.replace(" ", "."): file[name] for name in file}

    def conv(kernel: np.ndarray) -> np.ndarray:  # ours[b, a, i, j] = keras[i, j, a, b]
        kh, kw, a, b = kernel.shape
        return np.array(
            [[[[kernel[i, j, m, n] for j in range(kw)] for i in range(kh)] for m in range(a)] for n in range(b)]
        )

    def depthwise(kernel: np.ndarray) -> np.ndarray:  # output channel c * multiplier + m
        kh, kw, channels, multiplier = kernel.shape
        return np.array(
            [
                [[[kernel[i, j, c, m] for j in range(kw)] for i in range(kh)]]
                for c in range(channels)
                for m in range(multiplier)
            ]
        )

    dense = keras["fc.kernel"]
    return {
        "bn_data.bias": keras["bn_data.beta"],
        "bn_data.running_mean": keras["bn_data.moving_mean"],
        "bn_data.running_var": keras["bn_data.moving_variance"],
        "conv0.weight": conv(keras["conv0.kernel"]),
        "dw.weight": depthwise(keras["dw.kernel"]),
        "dw.bias": keras["dw.bias"],
        "sep.weight": depthwise(keras["sep.depthwise_kernel"]),
        "sep.pointwise_weight": conv(keras["sep.pointwise_kernel"]),
        "sep.bias": keras["sep.bias"],
        "up.weight": conv(keras["up.kernel"]),
        "up.bias": keras["up.bias"],
        "in1.weight": conv(keras["inner.in1.kernel"]),
        "in1.bias": keras["inner.in1.bias"],
        "fc.weight": np.array([[dense[i, j] for i in range(dense.shape[0])] for j in range(dense.shape[1])]),
        "fc.bias": keras["fc.bias"],
    }


def check(found: dict[str, np.ndarray], wanted: dict[str, np.ndarray]) -> None:
    assert sorted(found) == sorted(wanted)
    for name, array in wanted.items():
        assert found[name].dtype == array.dtype, name
        np.testing.assert_array_equal(found[name], array, err_msg=name)


@pytest.mark.parametrize("name", ["keras.h5", "keras.keras"])
def test_files_that_keras_3_wrote(tmp_path: Path, name: str) -> None:
    renamed = tmp_path / "weights.bin"  # the first bytes count, not the name
    renamed.write_bytes((GOLDEN / name).read_bytes())
    check(read_weights(renamed), expected())


def test_weights_alone_of_keras_3(tmp_path: Path) -> None:
    with zipfile.ZipFile(GOLDEN / "keras.keras") as archive:
        (tmp_path / "a.weights.h5").write_bytes(archive.read("model.weights.h5"))
    check(read_weights(tmp_path / "a.weights.h5"), expected())


LAYERS = {
    "conv_dw_1": {"conv_dw_1/depthwise_kernel:0": RNG.random((3, 3, 4, 1), dtype=np.float32)},
    "bn": {f"bn/{part}:0": RNG.random(4) for part in ("gamma", "beta", "moving_mean", "moving_variance")},
    "a_relu": {},
    "half": {"half/kernel:0": RNG.random((1, 1, 4, 2)).astype(np.float16)},
}
OURS = {
    "conv_dw_1.weight": LAYERS["conv_dw_1"]["conv_dw_1/depthwise_kernel:0"].transpose(2, 3, 0, 1),
    "bn.weight": LAYERS["bn"]["bn/gamma:0"],
    "bn.bias": LAYERS["bn"]["bn/beta:0"],
    "bn.running_mean": LAYERS["bn"]["bn/moving_mean:0"],
    "bn.running_var": LAYERS["bn"]["bn/moving_variance:0"],
    "half.weight": LAYERS["half"]["half/kernel:0"].transpose(3, 2, 0, 1),
}


def write(root: h5py.Group, split: bool = False) -> None:
    """The weights of LAYERS as Keras 1 and 2 wrote them; `split` cuts the list of layers into one per attribute."""
    names = [name.encode() for name in LAYERS]
    if split:
        for number, name in enumerate(names):
            root.attrs[f"layer_names{number}"] = np.array([name])
    else:
        root.attrs["layer_names"] = names
    for layer, arrays in LAYERS.items():
        group = root.create_group(layer)
        group.attrs["weight_names"] = [name.encode() for name in arrays]
        for name, array in arrays.items():
            group[name] = array


def test_weights_only(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as root:
        write(root)
    check(read_weights(tmp_path / "a.h5"), OURS)


def test_a_whole_model_and_a_list_in_pieces(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.keras", "w") as root:  # the name that Keras 2 gave to HDF5 files too
        write(root.create_group("model_weights"), split=True)
        root.attrs["model_config"], root.attrs["training_config"] = json.dumps({"class_name": "Model"}), "{}"
        root.create_group("optimizer_weights").attrs["weight_names"] = [b"x"]
    check(read_weights(tmp_path / "a.keras"), OURS)


def test_names_of_keras_1(tmp_path: Path) -> None:
    kernel = RNG.random((3, 3, 2, 5))
    with h5py.File(tmp_path / "a.h5", "w") as root:
        root.attrs["layer_names"] = [b"conv0"]
        group = root.create_group("conv0")
        group.attrs["weight_names"] = [b"conv0_kernel"]
        group["conv0_kernel"] = kernel
    check(read_weights(tmp_path / "a.h5"), {"conv0.weight": kernel.transpose(3, 2, 0, 1)})


def outside(root: h5py.File, folder: Path) -> None:
    with h5py.File(folder / "secret.h5", "w") as other:
        other["x"] = np.ones(3)
    root["half"]["half"]["link"] = h5py.ExternalLink("secret.h5", "x")
    root["half"].attrs["weight_names"] = [b"half/link"]


def raw_bytes_outside(root: h5py.File, folder: Path) -> None:
    (folder / "secret").write_bytes(bytes(80))
    root["half"].create_dataset("x", (10,), "f8", external=[(str(folder / "secret"), 0, 80)])
    root["half"].attrs["weight_names"] = [b"x"]


def virtual(root: h5py.File, folder: Path) -> None:
    layout = h5py.VirtualLayout((3,), "f8")
    layout[:] = h5py.VirtualSource(folder / "secret.h5", "x", (3,))
    root["half"].create_virtual_dataset("x", layout)
    root["half"].attrs["weight_names"] = [b"x"]


def claims(root: h5py.File, _: Path) -> None:
    root["half"].create_dataset("x", (2**40,), "f4", chunks=(2**20,))
    root["half"].attrs["weight_names"] = [b"x"]


def bomb(root: h5py.File, _: Path) -> None:
    root["half"].create_dataset("x", data=np.zeros(2**22, np.float32), compression="gzip", chunks=(2**22,))
    root["half"].attrs["weight_names"] = [b"x"]


def upwards(root: h5py.File, _: Path) -> None:
    root["half"].attrs["weight_names"] = [b"../bn/bn/gamma:0"]


def text(root: h5py.File, _: Path) -> None:
    root["half"]["x"] = "no numbers"
    root["half"].attrs["weight_names"] = [b"x"]


def twice(root: h5py.File, _: Path) -> None:
    root.attrs["layer_names"] = [b"bn", b"bn"]


def missing(root: h5py.File, _: Path) -> None:
    root["half"].attrs["weight_names"] = [b"half/bias:0"]


def no_list(root: h5py.File, _: Path) -> None:
    del root.attrs["layer_names"]


TRAPS = [
    (outside, "'half/link' is a link to somewhere else"),
    (raw_bytes_outside, "'x' is no array, or its numbers lie in another file"),
    (virtual, "'x' is no array, or its numbers lie in another file"),
    (claims, "'x' claims 1099511627776 numbers, but has 0 bytes"),
    (bomb, "'x' claims 4194304 numbers, but has"),
    (upwards, "'../bn/bn/gamma:0' that it names is not there"),
    (text, "'x' holds no numbers"),
    (twice, "it has two arrays 'bn.weight'"),
    (missing, "'half/bias:0' that it names is not there"),
    (no_list, "an HDF5 file, but none of Keras weights: it has no layer_names"),
]


@pytest.mark.parametrize("trap, message", TRAPS, ids=[trap.__name__ for trap, _ in TRAPS])
def test_traps(tmp_path: Path, trap, message: str) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as root:
        write(root)
        trap(root, tmp_path)
    with pytest.raises(DataError) as error:
        read_weights(tmp_path / "a.h5")
    assert str(error.value).startswith(f"{tmp_path / 'a.h5'}: ") and message in str(error.value)


def test_a_group_that_contains_itself_ends(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as root:
        variables = root.create_group("layers/dense/vars")
        variables.attrs["name"], variables["0"] = "fc", np.ones((2, 3))
        root["layers/again"], root["layers/dense/once more"] = root["layers"], root
    check(read_weights(tmp_path / "a.h5"), {"fc.weight": np.ones((3, 2))})


def test_an_early_keras_3_says_what_to_do(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as root:
        root["layers/dense/vars/0"] = np.ones((2, 3))
    with pytest.raises(DataError, match=r"does not tell the names of its layers; load it in Keras and save"):
        read_weights(tmp_path / "a.h5")


def test_an_archive_without_weights(tmp_path: Path) -> None:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("metadata.json", "{}")
    (tmp_path / "a.keras").write_bytes(data.getvalue())
    with pytest.raises(DataError, match=r"an archive of Keras without model\.weights\.h5"):
        read_weights(tmp_path / "a.keras")
