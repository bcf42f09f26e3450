import numpy as np
import pytest
from data_folders import cut_short, write_modest
from PIL import Image

from minidepth.data import open_dataset, open_splits
from minidepth.errors import DataError


def frame_numbers(dataset):
    """Which frames of `write_modest` a data set has, by their pictures."""
    return [round(float(dataset[i].image.mean())) - 10 for i in range(len(dataset))]


def test_picture_background_mask_and_depth(tmp_path):
    dataset = open_dataset(write_modest(tmp_path / "modest", 2, frames_of_a_background=2))
    assert (dataset.name, dataset.targets, dataset.max_depth_m) == ("modest", ("mask", "depth"), 10)
    for i in range(2):
        sample = dataset[i]
        assert sample.mask.dtype == np.float32 and sample.depth_m.dtype == np.float32 and sample.valid.all()
        assert abs(float(sample.image.mean()) - (10 + i)) < 1 and abs(float(sample.background.mean()) - 200) < 1
        assert np.abs(sample.mask[:, :16] - 1).max() < 0.01 and sample.mask[:, 16:].max() < 0.01
        np.testing.assert_allclose(sample.depth_m, (20 + i) / 255 * 10, atol=0.05)
    assert "file_map.txt row 2 (bg001_fg001_01)" in dataset.source(1)


def test_the_last_line_is_read_whole_without_its_line_break(tmp_path):
    root = write_modest(tmp_path, 3, frames_of_a_background=3)
    assert not (root / "file_map.txt").read_text().endswith("\n")
    assert frame_numbers(open_dataset(root)) == [0, 1, 2]
    (root / "file_map.txt").write_bytes((root / "file_map.txt").read_bytes().replace(b"\n", b"\r\n") + b"\r\n\r\n")
    assert frame_numbers(open_dataset(root)) == [0, 1, 2]


def test_train_and_test_share_no_background(tmp_path):
    root = write_modest(tmp_path, 30, frames_of_a_background=3)
    splits = open_splits(root)
    numbers = {split: frame_numbers(dataset) for split, dataset in splits.items()}
    assert sorted(numbers["train"] + numbers["test"]) == list(range(30))
    backgrounds = {split: {n // 3 for n in frames} for split, frames in numbers.items()}
    assert not backgrounds["train"] & backgrounds["test"] and len(backgrounds["test"]) == 3
    assert numbers["test"] == sorted(numbers["test"])  # the order of the file


def test_two_backgrounds_are_one_each_and_one_is_both(tmp_path):
    assert {len(d) for d in open_splits(write_modest(tmp_path / "two", 2)).values()} == {1}
    one = open_splits(write_modest(tmp_path / "one", 2, frames_of_a_background=2))
    assert [len(dataset) for dataset in one.values()] == [2, 2]
    assert one["train"].note == "a single background: train and test are both all 2 frames"


def test_what_is_missing_broken_or_of_another_size_is_named_with_its_row(tmp_path):
    root = write_modest(tmp_path, 6, frames_of_a_background=6)
    dataset = open_dataset(root)
    (root / "bg_fg/bg001_fg001_00.jpeg").unlink()
    cut_short(root / "bg_fg_mask/bg001_m1_mask.jpeg", 0.3)
    Image.new("L", (32, 15), 30).save(root / "bg_fg_depth_map/bg001_d2_depth_map.jpeg")
    Image.new("L", (31, 16), 30).save(root / "bg_fg_mask/bg001_m3_mask.jpeg")
    Image.new("RGB", (32, 16)).save(root / "bg_fg_mask/bg001_m4_mask.jpeg")
    Image.new("L", (32, 16), 0).save(root / "bg_fg_depth_map/bg001_d5_depth_map.jpeg")
    texts = [
        r"row 1: .*bg001_fg001_00\.jpeg: the file is missing",
        r"row 2: .*bg001_m1_mask\.jpeg: cannot be read, truncated",
        r"row 3: .*bg001_d2_depth_map\.jpeg: the picture is 16x32, but the depth map is 15x32",
        r"row 4: .*bg001_fg001_03\.jpeg: the picture is 16x32, but the mask bg001_m3_mask\.jpeg is 16x31",
        r"row 5: .*a mask must be 8-bit with one channel .* mode RGB",
        r"row 6: .*bg001_d5_depth_map\.jpeg: the depth map has no valid pixel",
    ]
    for i, text in enumerate(texts):
        with pytest.raises(DataError, match=r"file_map\.txt " + text):
            dataset[i]


def test_a_background_of_another_size(tmp_path):
    root = write_modest(tmp_path, 1)
    Image.new("RGB", (16, 16)).save(root / "bg/bg001.jpeg")
    with pytest.raises(DataError, match=r"the picture is 16x32, but the background bg001\.jpeg is 16x16"):
        open_dataset(root)[0]


@pytest.mark.parametrize(
    "content, text",
    [
        ("bg001 a b c", r"file_map\.txt row 1: expected four names with tabs .*found 'bg001 a b c'"),
        ("a\tb\tc\td\na\tb\tc", r"file_map\.txt row 2: expected four names"),
        ("\n\n", r"file_map\.txt: has no rows"),
    ],
)
def test_a_bad_file_map(tmp_path, content, text):
    root = write_modest(tmp_path, 1)
    (root / "file_map.txt").write_text(content)
    with pytest.raises(DataError, match=text):
        open_dataset(root)
