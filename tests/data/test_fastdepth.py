import numpy as np
import pytest
from data_folders import cut_short, make_frames, metres, write_fastdepth, write_h5

from minidepth.data import open_dataset
from minidepth.errors import DataError, InputError


@pytest.fixture
def root(tmp_path):
    return write_fastdepth(tmp_path / "fast", make_frames(3), make_frames(2, seed=1))


def test_both_splits(root):
    train, test = open_dataset(root, "train"), open_dataset(root, "test")
    assert (len(train), len(test), train.name) == (3, 2, "fast")
    for dataset, frames in ((train, make_frames(3)), (test, make_frames(2, seed=1))):
        for sample, frame in zip(dataset, frames):
            np.testing.assert_array_equal(sample.image, frame.image)
            np.testing.assert_array_equal(sample.depth_m, metres(frame))


def test_zero_is_invalid(root):
    depth_m = metres(make_frames(1)[0])
    depth_m[0, :5] = 0
    write_h5(root / "train/scene_0002/00001.h5", rgb=np.zeros((3, 12, 16), np.uint8), depth=depth_m)
    sample = open_dataset(root)[3]
    assert sample.valid.sum() == 12 * 16 - 5 and not sample.valid[0, :5].any()


def test_missing_keys_name_what_is_there(root):
    write_h5(root / "train/scene_0001/00001.h5", image=np.zeros(3), depth=np.ones((4, 4)))
    with pytest.raises(DataError, match=r"00001\.h5: no dataset rgb in the file; keys found: depth, image"):
        open_dataset(root)[1]
    write_h5(root / "train/scene_0001/00001.h5")
    with pytest.raises(DataError, match=r"00001\.h5: no dataset rgb and no depth in the file; keys found: none"):
        open_dataset(root)[1]


def test_wrong_axes_are_refused(root):
    write_h5(root / "train/scene_0001/00001.h5", rgb=np.zeros((12, 16, 3), np.uint8), depth=np.ones((12, 16)))
    with pytest.raises(
        DataError, match=r"rgb is uint8 \(12, 16, 3\) and depth float64 \(12, 16\); expected uint8 \(3, H"
    ):
        open_dataset(root)[1]


def test_truncated_and_vanished_files(root):
    dataset = open_dataset(root)
    cut_short(root / "train/scene_0001/00000.h5")
    with pytest.raises(DataError, match=r"00000\.h5: cannot be read as HDF5, truncated"):
        dataset[0]
    (root / "train/scene_0001/00001.h5").unlink()
    with pytest.raises(DataError, match=r"00001\.h5: the file is missing"):
        dataset[1]


def test_a_missing_split_says_what_was_looked_for(tmp_path):
    write_fastdepth(tmp_path, make_frames(1))
    with pytest.raises(InputError, match=r"has a train split but no test split; looked for val/\*/\*\.h5"):
        open_dataset(tmp_path, "test")


def test_real_frames(nyu_data):
    train, test = open_dataset(nyu_data / "nyu_fastdepth"), open_dataset(nyu_data / "nyu_fastdepth", "test")
    assert (len(train), len(test)) == (12, 8)
    for sample, other, step_m in (
        (train[0], open_dataset(nyu_data / "nyu_csv")[0], 10 / 255),
        (test[1], open_dataset(nyu_data / "nyu_csv", "test")[28], 0.001),
    ):
        assert sample.image.shape == (480, 640, 3) and sample.valid.all()
        assert np.abs(sample.image.astype(int) - other.image).mean() < 3  # JPEG
        assert np.abs(sample.depth_m - other.depth_m).max() <= step_m / 2 + 1e-5
