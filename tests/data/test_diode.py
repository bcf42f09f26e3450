import numpy as np
import pytest
from data_folders import cut_short, make_frames, metres, write_diode

from minidepth.data import open_dataset, open_splits
from minidepth.errors import DataError, InputError


def test_depth_where_the_mask_says_so(tmp_path):
    frames = make_frames(2)
    root = write_diode(tmp_path / "diode", frames, make_frames(1, seed=3))
    dataset = open_dataset(root)
    assert (len(dataset), dataset.name, dataset.targets, dataset.max_depth_m) == (2, "diode", ("depth",), 50)
    for i, frame in enumerate(frames):
        image, depth_m, valid, *others = dataset[i]
        np.testing.assert_array_equal(image, frame.image)
        assert depth_m.shape == (12, 16) and depth_m.dtype == np.float32 and others == [None] * 3
        assert not valid[:2].any() and valid[2:].all() and (depth_m[:2] == 0).all()
        np.testing.assert_array_equal(depth_m[2:], metres(frame)[2:])
    assert list(open_splits(root)) == ["train", "test"] and len(open_dataset(root, "test")) == 1
    assert dataset.source(1).endswith("00000_00001_indoors_000_010.png")


def test_outdoors_reaches_farther(tmp_path):
    far = make_frames(1)[0]
    far = far._replace(depth_mm=np.full((12, 16), 250_000, np.int64))
    assert open_dataset(write_diode(tmp_path / "out", [far], place="outdoors"))[0].depth_m.max() == 250
    with pytest.raises(DataError, match=r"found 0 to 250 m; valid is above 0 and at most 50 m"):
        open_dataset(write_diode(tmp_path / "in", [far]))[0]


def test_one_part_alone(tmp_path):
    root = write_diode(tmp_path, val=make_frames(3))
    with pytest.raises(InputError, match=r"has a test split but no train split; looked for train/\*doors/scene"):
        open_dataset(root, "train")
    for split in ("train", "test"):
        dataset = open_dataset(root / "val", split)
        assert len(dataset) == 3 and "train and test are both all 3 frames" in dataset.note
    assert list(open_splits(root / "val")) == ["all"]


def test_forks_of_a_macintosh_are_no_pictures(tmp_path):
    root = write_diode(tmp_path, make_frames(1))
    first = next(root.rglob("*010.png"))
    first.with_name("._" + first.name).write_bytes(b"Mac OS X")
    assert len(open_dataset(root)) == 1


def test_maps_without_the_last_axis_and_of_booleans(tmp_path):
    root = write_diode(tmp_path, make_frames(1))
    depth, mask = (next(root.rglob(ending)) for ending in ("*_depth.npy", "*_depth_mask.npy"))
    before = open_dataset(root)[0]
    np.save(depth, np.load(depth)[..., 0])
    np.save(mask, np.load(mask)[..., None] > 0)
    for a, b in zip(before, open_dataset(root)[0]):
        np.testing.assert_array_equal(a, b)


def change(path, kind):
    if isinstance(kind, np.ndarray):
        np.save(path, kind, allow_pickle=True)
    elif kind == "missing":
        path.unlink()
    elif kind == "truncated":
        cut_short(path)
    else:
        path.write_bytes(b"something else")


@pytest.mark.parametrize(
    "ending, kind, text",
    [
        ("_depth", "missing", "_depth.npy: the file is missing"),
        ("_depth_mask", "missing", "_depth_mask.npy: the file is missing"),
        ("_depth", "truncated", "_depth.npy: cannot be read, truncated or not a .npy file"),
        ("_depth_mask", "not numpy", "_depth_mask.npy: cannot be read, truncated or not a .npy file"),
        ("_depth", np.array([{}, None]), "_depth.npy: cannot be read, truncated or not a .npy file .*pickle"),
        ("_depth", np.zeros((2, 12, 16)), r"_depth.npy: is float64 \(2, 12, 16\); expected numbers \(H, W\)"),
        ("_depth_mask", np.zeros((12, 16), "U1"), r"_depth_mask.npy: is <U1 \(12, 16\); expected numbers"),
        ("_depth", np.ones((12, 15)), "picture is 12x16, but the depth map .*_depth.npy is 12x15"),
        ("_depth_mask", np.ones((11, 16)), "picture is 12x16, but the mask .*_depth_mask.npy is 11x16"),
        ("_depth_mask", np.zeros((12, 16)), "010.png: the depth map has no valid pixel"),
    ],
)
def test_what_is_wrong_with_a_file_is_named(tmp_path, ending, kind, text):
    root = write_diode(tmp_path, make_frames(1))
    change(next(root.rglob(f"*010{ending}.npy")), kind)
    with pytest.raises(DataError, match=text):
        open_dataset(root)[0]
