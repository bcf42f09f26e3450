import json

import h5py
import numpy as np
import pytest
from data_folders import (
    cut_short,
    make_frames,
    write_csv_folder,
    write_diode,
    write_fastdepth,
    write_h5,
    write_mat,
    write_modest,
    write_pets,
)
from PIL import Image

from minidepth.data.facts import evenly
from minidepth.data.inspect import info, verify
from minidepth.errors import DataError, InputError


def set_depth(root, split, i, values):
    Image.fromarray(values).save(root / f"data/nyu2_{split}/{i:05}_depth.png")


def test_info_counts_and_measures(tmp_path):
    root = write_csv_folder(tmp_path / "nyu", make_frames(2), make_frames(1))
    depth_mm = np.full((12, 16), 2500, np.uint16)
    depth_mm[:3] = 0
    depth_mm[3, :8] = 10000
    set_depth(root, "test", 0, depth_mm)
    report = info(root)
    facts = report.data["splits"]["test"]
    assert (facts["frames"], facts["measured"], facts["unreadable"], facts["sizes"]) == (1, 1, 0, {"12x16": 1})
    assert facts["invalid_share"] == 0.25
    assert facts["histogram"] == [0, 0, 136, 0, 0, 0, 0, 0, 0, 8]
    assert (facts["depth_min_m"], facts["depth_max_m"]) == (2.5, 10)
    assert facts["depth_mean_m"] == pytest.approx((136 * 2.5 + 8 * 10) / 144)
    assert report.data["splits"]["train"]["frames"] == 2
    assert (
        "test: 1 frames, 12x16 (height x width); stored as grey png: 8-bit v/255*10 m, 16-bit v/1000 m" in report.text
    )
    assert "25.00% of the pixels invalid" in report.text
    assert " 2 to  3 m   94.4%  ########################################\n" in report.text
    assert json.loads(json.dumps(report.data)) == report.data


def test_info_counts_what_it_cannot_read(tmp_path):
    root = write_csv_folder(tmp_path, make_frames(3))
    cut_short(root / "data/nyu2_train/00001_depth.png")
    report = info(root, tmp_path / "sheet.png")
    assert report.data["splits"]["train"]["unreadable"] == 1
    assert "1 frames cannot be read; minidepth data verify names them" in report.text
    for i in (0, 2):
        cut_short(root / f"data/nyu2_train/{i:05}_depth.png")
    with pytest.raises(DataError, match="row 1: .*truncated"):
        info(root)


def test_info_of_every_layout(tmp_path):
    fast = info(write_fastdepth(tmp_path / "fast", make_frames(2), make_frames(1)))
    assert list(fast.data["splits"]) == ["train", "test"] and "float32 metres" in fast.text
    mat = info(write_mat(tmp_path / "nyu.mat", make_frames(2)))
    assert list(mat.data["splits"]) == ["all"] and "note: no splits.mat beside it" in mat.text


def test_info_of_labels(tmp_path):
    trimap = np.full((12, 16), 2, np.uint8)
    trimap[:3], trimap[3, :8] = 1, 3
    report = info(write_pets(tmp_path, make_frames(2), make_frames(1), trimap))
    facts = report.data["splits"]["train"]
    assert facts["targets"] == ["labels"] and "depth_mean_m" not in facts and "histogram" not in facts
    assert facts["class_shares"] == pytest.approx({"pet": 48 / 192, "background": 136 / 192, "border": 8 / 192})
    assert "stored as 8-bit trimap: 1 pet, 2 background, 3 border" in report.text
    assert "\n  pet          25.0%  ##############\n  background   70.8%  " + "#" * 40 + "\n" in report.text
    assert " m  " not in report.text
    assert json.loads(json.dumps(report.data)) == report.data


def test_info_of_a_mask_and_depth(tmp_path):
    report = info(write_modest(tmp_path, 4, frames_of_a_background=4))
    facts = report.data["splits"]["train"]
    assert facts["targets"] == ["mask", "depth"] and facts["mask_share"] == pytest.approx(0.5, abs=0.01)
    assert facts["mask_partial_share"] < 0.01 and facts["depth_mean_m"] == pytest.approx(21.5 / 25.5, abs=0.02)
    assert "mask: 50." in report.text or "mask: 49." in report.text
    assert "note: a single background" in report.text and " 0 to  1 m  100.0%" in report.text


def test_the_histogram_reaches_as_far_as_the_data_set(tmp_path):
    frames = make_frames(1)
    frames[0].depth_mm[:6], frames[0].depth_mm[6:] = 3000, 48000
    report = info(write_diode(tmp_path, frames, hole=np.s_[:2, :4]))
    facts = report.data["splits"]["train"]
    assert facts["max_depth_m"] == 50 and facts["histogram"] == [88, 0, 0, 0, 0, 0, 0, 0, 0, 96]
    assert facts["invalid_share"] == pytest.approx(8 / 192)
    assert "\n   0 to  5 m   47.8%  " in report.text and "\n  45 to 50 m   52.2%  " in report.text


def test_many_sizes_are_summed_up(tmp_path):
    root = write_pets(tmp_path, make_frames(6))
    for i in range(6):
        for path in (root / f"images/trainval_{i}.jpg", root / f"annotations/trimaps/trainval_{i}.png"):
            picture = Image.open(path).resize((20 + i, 12 - i))
            picture.save(path, format="PNG")
    report = info(root)
    assert "6 frames, 6 sizes from 7x20 to 12x25 (height x width)" in report.text
    assert len(report.data["splits"]["train"]["sizes"]) == 6


def colors_in(path):
    """How many pixels each colour has in a picture."""
    colors, counts = np.unique(np.asarray(Image.open(path).convert("RGB")).reshape(-1, 3), axis=0, return_counts=True)
    return {tuple(color.tolist()): int(count) for color, count in zip(colors, counts)}


def test_contact_sheet_of_labels_and_of_masks(tmp_path):
    trimap = np.full((12, 16), 2, np.uint8)
    trimap[:3] = 1
    root = write_pets(tmp_path / "pets", make_frames(3), (), trimap)
    info(root, tmp_path / "pets.png")
    pet, background, border = (31, 119, 180), (255, 127, 14), (44, 160, 44)  # tab10
    counts = colors_in(tmp_path / "pets.png")
    assert counts[background] == pytest.approx(3 * counts[pet], rel=0.1)
    assert 50 < counts[border] < counts[pet] / 20  # in the legend alone
    info(write_modest(tmp_path / "modest", 4, frames_of_a_background=4), tmp_path / "modest.png")
    counts = colors_in(tmp_path / "modest.png")
    assert counts[(0, 0, 0)] > 4000  # the right halves of the masks
    assert counts[(200, 200, 200)] > 8000  # the backgrounds
    assert counts[(12, 12, 12)] > 8000  # a picture


def test_verify_of_pets_counts_labels_out_of_range_and_sizes(tmp_path):
    root = write_pets(tmp_path, make_frames(3))
    Image.fromarray(np.zeros((12, 16), np.uint8)).save(root / "annotations/trimaps/trainval_1.png")
    Image.fromarray(np.ones((11, 16), np.uint8)).save(root / "annotations/trimaps/trainval_2.png")
    texts = [problem["problem"] for problem in verify(root).data["problems"]]
    assert len(texts) == 2 and "row 2" in texts[0] and "label 0 out of range at 192 pixels" in texts[0]
    assert "row 3" in texts[1] and "12x16, but the trimap is 11x16" in texts[1]


def test_contact_sheet(tmp_path):
    blue = np.full((12, 16, 3), (0, 0, 255), np.uint8)
    root = write_csv_folder(tmp_path, [frame._replace(image=blue) for frame in make_frames(8)], make_frames(2))
    report = info(root, tmp_path / "sheet.png")
    assert report.data["contact_sheet"] == str(tmp_path / "sheet.png") and "sheet.png" in report.text
    pixels = np.asarray(Image.open(tmp_path / "sheet.png").convert("RGB"))
    assert pixels.shape[1] > pixels.shape[0] > 300 and pixels.std() > 30
    assert 0.1 < (pixels == (0, 0, 255)).all(-1).mean() < 0.3  # six of the eight blue pictures
    grey = (191, 191, 191)  # invalid; now there is none
    assert (pixels == grey).all(-1).mean() < 0.01
    depth_mm = np.full((12, 16), 3000, np.uint16)
    depth_mm[2:] = 0
    set_depth(root, "test", 0, depth_mm)
    info(root, tmp_path / "sheet.png")
    pixels = np.asarray(Image.open(tmp_path / "sheet.png").convert("RGB"))
    assert (pixels == grey).all(-1).mean() > 0.02
    with pytest.raises(InputError, match=r"sheet\.png: the contact sheet cannot be written"):
        info(root, tmp_path / "missing" / "sheet.png")


def test_verify_finds_nothing_in_good_data(tmp_path):
    root = write_csv_folder(tmp_path, make_frames(3), make_frames(2))
    report = verify(root)
    assert report.data == {"path": str(root), "frames": 5, "problems": []}
    assert report.text == "5 frames read, no problems found"


def test_verify_names_every_broken_file_of_a_csv_folder(tmp_path):
    root = write_csv_folder(tmp_path, make_frames(6), make_frames(2))
    (root / "data/nyu2_train/00000_colors.png").unlink()
    cut_short(root / "data/nyu2_train/00002_depth.png")
    set_depth(root, "train", 3, np.ones((5, 7), np.uint8))
    set_depth(root, "train", 4, np.zeros((12, 16), np.uint8))
    set_depth(root, "test", 1, np.zeros((12, 16, 3), np.uint8))
    report = verify(root)
    texts = [problem["problem"] for problem in report.data["problems"]]
    expected = [
        ("row 1:", "00000_colors.png", "missing"),
        ("row 3:", "00002_depth.png", "truncated"),
        ("row 4 ", "00003_depth.png", "12x16"),
        ("row 5 ", "00004_depth.png", "no valid pixel"),
        ("row 2:", "00001_depth.png", "mode RGB"),
    ]
    assert len(texts) == len(expected)
    for text, parts in zip(texts, expected):
        assert all(part in text for part in parts) and "\n" not in text
    assert report.text.splitlines()[-1] == "8 frames read, 5 problems found"
    assert [problem["split"] for problem in report.data["problems"]] == ["train"] * 4 + ["test"]


def test_verify_finds_nan_infinite_and_negative_depth(tmp_path):
    depth_m = np.full((12, 16), 3, np.float32)
    depth_m[0, :3], depth_m[1, 0], depth_m[2, :2] = np.nan, np.inf, -1
    root = write_fastdepth(tmp_path / "fast", make_frames(1))
    write_h5(root / "train/scene_0001/00001.h5", rgb=np.zeros((3, 12, 16), np.uint8), depth=depth_m)
    write_h5(root / "train/scene_0001/00002.h5", picture=np.zeros(3))
    texts = [problem["problem"].split("/")[-1] for problem in verify(root).data["problems"]]
    assert texts == [
        "00001.h5: depth is NaN at 3 pixels, infinite at 1 pixels, negative at 2 pixels; the file is damaged, for where"
        " depth is missing it is 0",
        "00002.h5: no dataset rgb and no depth in the file; keys found: picture",
    ]


def test_verify_of_a_mat_file(tmp_path):
    path = write_mat(tmp_path / "nyu.mat", make_frames(4))
    with h5py.File(path, "a") as file:
        file["depths"][2, 0, 0] = np.nan
        file["depths"][3] = 0
    texts = [problem["problem"] for problem in verify(path).data["problems"]]
    assert len(texts) == 2 and "frame 2: depth is NaN at 1 pixels" in texts[0]
    assert "frame 3: the depth map has no valid pixel" in texts[1]


def test_evenly():
    assert evenly(5, 10) == [0, 1, 2, 3, 4]
    assert evenly(100, 3) == [0, 50, 99]
    assert evenly(1, 6) == [0]


def test_real_data(nyu_data):
    report = verify(nyu_data / "nyu_fastdepth")
    assert report.data["frames"] == 20 and report.data["problems"] == []
    facts = info(nyu_data / "nyu_labeled_sample.mat").data["splits"]["all"]
    assert facts["invalid_share"] == 0 and 2 < facts["depth_mean_m"] < 4
