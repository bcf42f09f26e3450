from concurrent.futures import ThreadPoolExecutor

import h5py
import numpy as np
import pytest
from data_folders import cut_short, make_frames, metres, write_h5, write_mat, write_splits_mat

from minidepth.data import open_dataset
from minidepth.data.open import open_splits
from minidepth.data.splits_mat import read_splits
from minidepth.errors import DataError


@pytest.fixture
def path(tmp_path):
    return write_mat(tmp_path / "nyu.mat", make_frames(6))


def test_axes_are_put_right(path):
    dataset = open_dataset(path)
    assert (len(dataset), dataset.name) == (6, "nyu")
    for sample, frame in zip(dataset, make_frames(6)):
        np.testing.assert_array_equal(sample.image, frame.image)
        np.testing.assert_array_equal(sample.depth_m, metres(frame))
        assert sample.image.flags.c_contiguous and sample.depth_m.dtype == np.float32


def test_without_splits_both_splits_are_all_frames_and_the_note_says_so(path):
    for split in ("train", "test"):
        dataset = open_dataset(path, split)
        assert len(dataset) == 6 and "train and test are both all 6 frames" in dataset.note
    assert list(open_splits(path)) == ["all"]


@pytest.mark.parametrize("byte_order", ["<", ">"])
def test_official_splits_beside_the_file_count_from_one(path, byte_order):
    write_splits_mat(path.parent / "splits.mat", [1, 3, 6], [2, 4], byte_order)
    frames = make_frames(6)
    train, test = open_dataset(path, "train"), open_dataset(path, "test")
    np.testing.assert_array_equal([s.image for s in train], [frames[i].image for i in (0, 2, 5)])
    np.testing.assert_array_equal([s.image for s in test], [frames[i].image for i in (1, 3)])
    assert train.source(2).endswith("frame 5") and train.note == ""
    assert list(open_splits(path)) == ["train", "test"]


def test_splits_of_the_official_length(tmp_path):
    everything = np.random.default_rng(0).permutation(1449) + 1
    train, test = np.sort(everything[:795]), np.sort(everything[795:])
    splits = read_splits(write_splits_mat(tmp_path / "splits.mat", train, test))
    np.testing.assert_array_equal(splits["train"], train - 1)
    np.testing.assert_array_equal(splits["test"], test - 1)


def test_splits_that_do_not_fit_or_are_damaged(path):
    splits = write_splits_mat(path.parent / "splits.mat", [1, 7], [2, 3, 4])
    with pytest.raises(DataError, match=r"splits\.mat: its train split does not fit the 6 frames of nyu\.mat"):
        open_dataset(path, "train")
    cut_short(splits, 0.8)
    with pytest.raises(DataError, match=r"splits\.mat: is not the NYU splits\.mat"):
        open_dataset(path, "train")
    splits.write_bytes(b"something else")
    with pytest.raises(DataError, match=r"splits\.mat: is not the NYU splits\.mat"):
        open_dataset(path, "train")


def test_threads_may_share_it(path):
    dataset = open_dataset(path)
    order = list(range(6)) * 20
    with ThreadPoolExecutor(4) as pool:
        samples = list(pool.map(dataset.__getitem__, order))
    for i, sample in zip(order, samples):
        np.testing.assert_array_equal(sample.depth_m, metres(make_frames(6)[i]))


def test_nan_and_negative_depth_name_the_frame(path):
    with h5py.File(path, "a") as file:
        file["depths"][2, 3, 4] = np.nan
        file["depths"][2, 5, 6] = -1
    with pytest.raises(DataError, match=r"nyu\.mat.* frame 2: depth is NaN at 1 pixels, negative at 1 pixels"):
        open_dataset(path)[2]


def test_missing_keys_and_wrong_shapes(tmp_path):
    write_h5(tmp_path / "a.mat", images=np.zeros((2, 3, 4, 5), np.uint8), rawDepths=np.ones((2, 4, 5), np.float32))
    with pytest.raises(DataError, match=r"a\.mat: no dataset depths in the file; keys found: images, rawDepths"):
        open_dataset(tmp_path / "a.mat")
    write_h5(tmp_path / "b.mat", images=np.zeros((2, 3, 4, 5), np.uint8), depths=np.ones((2, 5, 4), np.float32))
    with pytest.raises(DataError, match=r"b\.mat: images \(2, 3, 4, 5\) and depths \(2, 5, 4\) do not fit together"):
        open_dataset(tmp_path / "b.mat")


def test_truncated_and_foreign_files(path):
    cut_short(path)
    with pytest.raises(DataError, match=r"nyu\.mat: cannot be opened as HDF5, truncated or not a MATLAB v7\.3 file"):
        open_dataset(path)
    other = write_splits_mat(path.parent / "splits.mat", [1], [2])
    with pytest.raises(DataError, match=r"splits\.mat: cannot be opened as HDF5"):
        open_dataset(other)


def test_real_file_agrees_with_the_same_frames_as_pictures(nyu_data):
    """The metres of the 8-bit and of the 16-bit files are those of the float32 file."""
    labelled = open_dataset(nyu_data / "nyu_labeled_sample.mat")
    train, test = (open_dataset(nyu_data / "nyu_csv", split) for split in ("train", "test"))
    assert len(labelled) == 12
    for sample, other, step_m in ((labelled[0], train[10], 10 / 255), (labelled[8], test[3], 0.001)):
        assert sample.image.shape == (480, 640, 3) and sample.valid.all()
        assert np.abs(sample.image.astype(int) - other.image).mean() < 3  # JPEG
        assert np.abs(sample.depth_m - other.depth_m).max() <= step_m / 2 + 1e-5
