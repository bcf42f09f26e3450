import numpy as np
import pytest
from data_folders import cut_short, make_frames, metres, write_kitti
from PIL import Image

from minidepth.data import open_dataset, open_splits
from minidepth.errors import DataError, InputError


def test_metres_and_holes(tmp_path):
    frames = make_frames(2)
    frames[1].depth_mm[:4] = 0
    frames[1].depth_mm[5, 5] = 60_000
    write_kitti(tmp_path / "kitti/train", frames)
    dataset = open_dataset(tmp_path / "kitti")
    assert (len(dataset), dataset.name, dataset.targets, dataset.max_depth_m) == (2, "kitti", ("depth",), 80)
    for i, frame in enumerate(frames):
        sample = dataset[i]
        np.testing.assert_array_equal(sample.image, frame.image)
        np.testing.assert_allclose(sample.depth_m, metres(frame), atol=0.5 / 256 + 1e-6)
        np.testing.assert_array_equal(sample.valid, frame.depth_mm > 0)
    assert dataset.source(1).endswith("train/depth/0000000001.png")


def test_splits(tmp_path):
    write_kitti(tmp_path / "train", make_frames(2))
    with pytest.raises(InputError, match="has a train split but no test split; looked for test/image with test/depth"):
        open_dataset(tmp_path, "test")
    write_kitti(tmp_path / "test", make_frames(3))
    assert {split: len(dataset) for split, dataset in open_splits(tmp_path).items()} == {"train": 2, "test": 3}


def test_the_selection_that_kitti_offers(tmp_path):
    frames = make_frames(2)
    write_kitti(tmp_path, frames, "groundtruth_depth", "2011_09_26_drive_0002_sync_image_{:010}_image_02")
    (tmp_path / "groundtruth_depth/._fork.png").write_bytes(b"Mac OS X")
    for split in ("train", "test"):
        dataset = open_dataset(tmp_path, split)
        assert len(dataset) == 2 and "both are all 2 frames" in dataset.note
        np.testing.assert_array_equal(dataset[1].image, frames[1].image)
    assert list(open_splits(tmp_path)) == ["all"]


def test_pictures_may_be_jpeg_and_more_than_depth_maps(tmp_path):
    write_kitti(tmp_path, make_frames(2))
    path = tmp_path / "image/0000000000.png"
    Image.open(path).save(path.with_suffix(".jpg"))
    path.unlink()
    (tmp_path / "depth/0000000001.png").unlink()
    dataset = open_dataset(tmp_path)
    assert len(dataset) == 1 and dataset[0].image.shape == (12, 16, 3)


def test_what_is_wrong_is_named(tmp_path):
    write_kitti(tmp_path, make_frames(4))
    (tmp_path / "image/0000000000.png").unlink()
    Image.new("L", (16, 12), 9).save(tmp_path / "depth/0000000001.png")
    cut_short(tmp_path / "depth/0000000002.png")
    Image.new("RGB", (3, 3)).save(tmp_path / "image/0000000003.png")
    texts = [
        r"depth/0000000000\.png: there is no picture for it; looked for .*image/0000000000\.png and \.jpg",
        r"depth/0000000001\.png: a depth map must be 16-bit grey here .*v/256 m.*mode L",
        r"depth/0000000002\.png: cannot be read, truncated",
        r"depth/0000000003\.png: the picture is 3x3, but the depth map is 12x16",
    ]
    dataset = open_dataset(tmp_path)
    for i, text in enumerate(texts):
        with pytest.raises(DataError, match=text):
            dataset[i]
