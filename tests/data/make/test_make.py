"""Stand-ins for data sets: written in the layout of the real ones, whole, the same again for the same seed."""

import re

import numpy as np
import pytest
from PIL import Image

from minidepth import cli
from minidepth.data import open_dataset
from minidepth.data.inspect import verify
from minidepth.data.make import KINDS, make
from minidepth.data.rooms import RoomsDataset
from minidepth.errors import InputError

SIZE = (40, 48)
COUNTS = {"pets": (5, 1), "modest": (4, 2), "diode": (5, 1), "rooms": (5, 1)}
"""Frames to train and to test, of six."""


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("made")
    made = {kind: make(kind, root / kind, 6, SIZE, seed=1) for kind in KINDS}
    assert {kind: tuple(made[kind].frames.values()) for kind in made} == COUNTS
    assert all(list(made[kind].frames) == ["train", "test"] for kind in made)
    return {kind: made[kind].folder for kind in made}


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("kind", KINDS)
def test_opens_like_the_real_one_and_nothing_is_broken(folders, kind):
    assert verify(folders[kind]).data["problems"] == []
    for split, count in zip(("train", "test"), COUNTS[kind]):
        dataset = open_dataset(folders[kind], split)
        assert len(dataset) == count and dataset.note == ""
        for i in range(count):
            sample = dataset[i]
            assert sample.image.std() > 8 and sample.valid.mean() > 0.4
            if kind == "pets":
                assert set(np.unique(sample.labels)) == {0, 1, 2}
                assert all(0.8 <= n / asked <= 1.25 for n, asked in zip(sample.valid.shape, SIZE))
            else:
                assert sample.valid.shape == SIZE and 0.3 < sample.depth_m[sample.valid].min() < 4


@pytest.mark.parametrize("kind", KINDS)
def test_equal_seeds_give_equal_files_and_others_do_not(folders, kind, tmp_path):
    first = contents(folders[kind])
    again, other = (contents(make(kind, tmp_path / str(seed), 6, SIZE, seed).folder) for seed in (1, 2))
    assert first == again
    pictures = [name for name in first if name in other and name.endswith((".jpg", ".jpeg", ".png"))]
    assert all(first[name] != other[name] for name in pictures)


@pytest.mark.parametrize(
    "kind, expected",
    [
        ("pets", {r"images/(\w+)_\d+\.jpg": 6, r"annotations/trimaps/(\w+)_\d+\.png": 6, r"annotations/\w+\.txt": 3}),
        (
            "modest",
            {
                r"bg/bg00\d\.jpeg": 3,
                r"fg/fg00\d\.png": 2,
                r"fg_mask/fg00\d_mask\.png": 2,
                r"bg_fg/bg00\d_fg00\d_\d\d\.jpeg": 6,
                r"bg_fg_mask/bg00\d_fg00\d_\d\d_mask\.jpeg": 6,
                r"bg_fg_depth_map/bg00\d_fg00\d_\d\d_depth_map\.jpeg": 6,
                r"(file_map|bbox)\.txt": 2,
            },
        ),
        ("diode", {r"(train|val)/indoors/scene_\d{5}/scan_\d{5}/\d{5}_\d{5}_indoors_\d{3}_\d{3}\.png": 6,
                   r".*_depth\.npy": 6, r".*_depth_mask\.npy": 6}),
        ("rooms", {r"data/nyu2_train/room_\d{4}_out/\d+\.(jpg|png)": 10,
                   r"data/nyu2_test/\d{5}_(colors|depth)\.png": 2, r"data/nyu2_(train|test)\.csv": 2}),
    ],
)  # fmt: skip
def test_the_names_are_those_of_the_layout(folders, kind, expected):
    names = list(contents(folders[kind]))
    assert {form: sum(bool(re.fullmatch(form, name)) for name in names) for form in expected} == expected
    assert sum(expected.values()) == len(names)


def test_the_splits_share_no_picture(folders):
    for kind in KINDS:
        train, test = (open_dataset(folders[kind], split) for split in ("train", "test"))
        seen = {train[i].image.tobytes() for i in range(len(train))}
        assert len(seen) == len(train)
        assert not seen & {test[i].image.tobytes() for i in range(len(test))}


def test_rooms_are_those_of_the_renderer(folders):
    for split, count, step_m in (("train", 5, 10 / 255), ("test", 1, 1 / 1000)):
        source = RoomsDataset(count=count, size=SIZE, seed=1, split=split, cache=False)
        dataset = open_dataset(folders["rooms"], split)
        for i in (0, count - 1):
            assert np.abs(dataset[i].depth_m - source[i].depth_m).max() <= step_m / 2 + 1e-5
            assert np.abs(dataset[i].image.astype(int) - source[i].image).mean() < 6  # jpg


def test_the_holes_of_diode_are_holes_in_depth_and_mask(folders):
    holes = 0
    for path in folders["diode"].rglob("*_depth.npy"):
        depth_m, mask = np.load(path), np.load(str(path).replace("_depth", "_depth_mask"))
        assert depth_m.shape == (*SIZE, 1) and depth_m.dtype == np.float32 and mask.shape == SIZE
        np.testing.assert_array_equal(depth_m[..., 0] > 0, mask == 1)
        holes += int((mask == 0).sum())
    assert holes > 0


def test_a_border_always_lies_between_pet_and_background(folders):
    dataset = open_dataset(folders["pets"])
    for i in range(len(dataset)):
        labels = dataset[i].labels.astype(int)
        for axis in (0, 1):
            pairs = labels.take(range(1, labels.shape[axis]), axis) + 10 * labels.take(
                range(labels.shape[axis] - 1), axis
            )
            assert not np.isin(pairs, (1, 10)).any()
        assert 0.03 < (labels == 0).mean() < 0.8 and (labels == 2).mean() < 0.4


def test_what_is_pasted_is_what_the_mask_says(folders):
    """Without a network: where the picture differs from the background there is an animal, and only there."""
    dataset, found, wanted = open_dataset(folders["modest"]), 0, 0
    for i in range(len(dataset)):
        sample = dataset[i]
        difference = np.abs(sample.image.astype(int) - sample.background).max(-1)
        front = sample.mask > 0.5
        assert difference[sample.mask < 0.02].mean() < 8  # the shadow at its feet
        found += int((difference[front] > 25).sum())
        wanted += int(front.sum())
    assert wanted > 0 and found / wanted > 0.6


def test_an_animal_is_as_far_away_as_the_floor_that_it_stands_on(folders):
    """In its box there is one depth inside the mask, and behind it nothing nearer but what hides it."""
    dataset = open_dataset(folders["modest"])
    boxes = dict(line.split(", ", 1) for line in (folders["modest"] / "bbox.txt").read_text().splitlines())
    for i in range(len(dataset)):
        sample = dataset[i]
        x, y, width, height = map(int, boxes[dataset.rows[i].names[1] + ".jpeg"].split(", "))
        front = sample.mask > 0.9
        rows, columns = np.nonzero(sample.mask > 0.6)
        assert abs(rows.min() - y) <= 1 and abs(columns.min() - x) <= 1
        assert abs(np.ptp(rows) + 1 - height) <= 2 and abs(np.ptp(columns) + 1 - width) <= 2
        assert np.ptp(np.percentile(sample.depth_m[front], (10, 90))) < 0.3


def test_the_second_frame_of_a_pair_is_mirrored(folders):
    names = [line.split("\t")[1] for line in (folders["modest"] / "file_map.txt").read_text().splitlines()]
    for first, second in zip(names[::2], names[1::2]):
        assert first.rsplit("_", 1)[0] == second.rsplit("_", 1)[0]
        one, two = (Image.open(folders["modest"] / f"bg_fg/{name}.jpeg") for name in (first, second))
        assert (np.asarray(one) != np.asarray(two)).any()


def test_an_empty_folder_may_be_there_and_a_full_one_not(tmp_path):
    assert sum(make("rooms", tmp_path, 2, (16, 16)).frames.values()) == 2
    with pytest.raises(InputError, match="is there already and not an empty folder; give a new one"):
        make("rooms", tmp_path, 2, (16, 16))
    with pytest.raises(InputError, match="is there already"):
        make("pets", tmp_path / "data" / "nyu2_train.csv")


@pytest.mark.parametrize(
    "words, message",
    [
        (("cats",), "make 'cats': unknown; use pets, modest, diode, rooms"),
        (("pets", 1), "make pets: 1 frames; at least 2 are needed"),
        (("pets", 0), "make pets: 0 frames; at least 2 are needed"),
        (("diode", 4, (4, 40)), "size is 4x40"),
        (("diode", 4, (16, 16), -1), "make diode: seed -1; it must be 0 or more"),
    ],
)
def test_mistakes_are_found_before_anything_is_written(tmp_path, words, message):
    kind, *rest = words
    with pytest.raises(InputError, match=message):
        make(kind, tmp_path / "new", *rest)
    assert not (tmp_path / "new").exists()


def test_from_the_command_line(tmp_path, capsys):
    folder = str(tmp_path / "pets")
    assert cli.main(["data", "make", "pets", folder, "--frames", "5", "--size", "24x32", "--seed", "3"]) == 0
    assert f"{folder}: 4 to train, 1 to test; look with: minidepth data info {folder}" in capsys.readouterr().out
    assert cli.main(["data", "make", "pets", folder]) == 2
    assert capsys.readouterr().err.startswith(f"minidepth: {folder}: is there already")
