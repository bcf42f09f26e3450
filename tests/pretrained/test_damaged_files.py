"""Damaged files of every kind: refused in one line with the file's name, or read; nothing else ever comes out.

What has checksums (torch's archives, Keras' archives) is refused or gives the very same numbers.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest

from minidepth import checkpoint
from minidepth.errors import DataError
from minidepth.pretrained import read_weights

GOLDEN = Path(__file__).with_name("golden")
KINDS = ("torch_zip.pth", "torch_zip_protocol4.pth", "torch_legacy.pth", "keras.h5", "keras.keras", "own.safetensors")
CHECKED = ("torch_zip.pth", "torch_zip_protocol4.pth", "keras.keras")
"""Those with a checksum over every number."""


def good_file(name: str, folder: Path) -> Path:
    if name != "own.safetensors":
        return GOLDEN / name
    arrays = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.arange(3)}
    checkpoint.save(folder / name, arrays, {"epoch": 3})
    return folder / name


def read_or_refuse(path: Path, data: bytes) -> dict[str, np.ndarray] | None:
    """What is read from a file of these bytes; None where it is refused as it should be."""
    path.write_bytes(data)
    try:
        return read_weights(path)
    except DataError as error:
        text = str(error)
        assert text.startswith(f"{path}: ") and text.isprintable() and len(text) < 500, text
        return None


def damaged(good: bytes, n: int) -> Iterator[bytes]:
    """The file with bits turned, bytes overwritten, or a byte too many, here and there and in every region."""
    rng = random.Random(4)
    for i in range(n):
        data, place = bytearray(good), min(len(good) - 1, int(len(good) * (i + rng.random()) / n))
        if i % 4 == 0:
            data[place : place + rng.choice((1, 2, 4, 8))] = b"\xff" * 8
        elif i % 4 == 1:
            data.insert(place, rng.randrange(256))
        else:
            data[place] ^= 1 << rng.randrange(8)
        yield bytes(data)


@pytest.mark.parametrize("kind", KINDS)
def test_turned_bits_and_overwritten_bytes(tmp_path: Path, kind: str) -> None:
    path = good_file(kind, tmp_path)
    expected, good = read_weights(path), path.read_bytes()
    n_refused = 0
    for data in damaged(good, 120):
        found = read_or_refuse(tmp_path / "damaged", data)
        n_refused += found is None
        if found is not None and kind in CHECKED:
            assert sorted(found) == sorted(expected)
            for name, array in expected.items():
                np.testing.assert_array_equal(found[name], array)
    assert 20 < n_refused < 120


@pytest.mark.parametrize("kind", KINDS)
def test_files_that_are_cut_off(tmp_path: Path, kind: str) -> None:
    good = good_file(kind, tmp_path).read_bytes()
    for length in sorted({len(good) * i // 60 for i in range(60)} | set(range(20)) | {len(good) - 1}):
        assert read_or_refuse(tmp_path / "cut", good[:length]) is None, f"{length} of {len(good)} bytes were read"


def test_a_checksum_in_the_name_finds_what_the_old_form_cannot(tmp_path: Path) -> None:
    good = (GOLDEN / "torch_legacy.pth").read_bytes()
    name = f"resnet34-{hashlib.sha256(good).hexdigest()[:8]}.pth"
    assert read_or_refuse(tmp_path / name, good) is not None
    wrong = bytearray(good)
    wrong[-1] ^= 1  # a bit of the last number
    assert read_or_refuse(tmp_path / "any.pth", bytes(wrong)) is not None
    assert read_or_refuse(tmp_path / name, bytes(wrong)) is None


def test_texts_that_send_the_hdf5_library_into_an_endless_loop(tmp_path: Path) -> None:
    """The free space at the end of a collection of texts claims no size; h5py would never return."""
    with h5py.File(tmp_path / "good.h5", "w") as root:
        root.attrs["layer_names"] = ["a", "b"]  # text of any length, as Keras 3 writes it
    good = (tmp_path / "good.h5").read_bytes()
    start = good.index(b"GCOL")
    end = start + int.from_bytes(good[start + 8 : start + 16], "little")
    position = start + 16
    while number := int.from_bytes(good[position : position + 2], "little"):
        assert number in (1, 2)
        position += 16 + -(-int.from_bytes(good[position + 8 : position + 16], "little") // 8) * 8
    assert int.from_bytes(good[position + 8 : position + 16], "little") == end - position
    for size in (0, 8, end - position + 16, 2**64 - 16):
        data = good[: position + 8] + size.to_bytes(8, "little") + good[position + 16 :]
        (tmp_path / "a.h5").write_bytes(data)
        with pytest.raises(DataError, match=rf"a\.h5: the HDF5 file is damaged \(its texts at byte {start}\)"):
            read_weights(tmp_path / "a.h5")
    with pytest.raises(DataError, match="'a' that it names is not there"):  # as it should be, but for the layers
        read_weights(tmp_path / "good.h5")
