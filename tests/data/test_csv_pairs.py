import numpy as np
import pytest
from data_folders import cut_short, make_frames, write_csv_folder
from PIL import Image

from minidepth.data import open_dataset
from minidepth.data.csv_pairs import CsvPairs
from minidepth.errors import DataError


@pytest.fixture
def root(tmp_path):
    return write_csv_folder(tmp_path / "nyu", make_frames(3), make_frames(2, seed=1))


def test_train_is_8_bit_and_test_is_16_bit(root):
    train, test = open_dataset(root, "train"), open_dataset(root, "test")
    assert (len(train), len(test), train.name) == (3, 2, "nyu")
    frame = make_frames(3)[2]
    np.testing.assert_array_equal(train[2].image, frame.image)
    np.testing.assert_allclose(train[2].depth_m, frame.depth_mm / 1000, atol=10 / 255 / 2 + 1e-6)
    steps = train[2].depth_m * 25.5
    np.testing.assert_allclose(steps, steps.round(), atol=1e-4)
    frame = make_frames(2, seed=1)[1]
    np.testing.assert_array_equal(test[1].image, frame.image)
    np.testing.assert_allclose(test[1].depth_m, frame.depth_mm / 1000, rtol=1e-6)
    assert test[1].valid.all()


def test_the_folder_the_data_folder_and_the_file_all_work(root, monkeypatch):
    expected = open_dataset(root)[1].depth_m
    for path in (root / "data", root / "data" / "nyu2_train.csv"):
        dataset = open_dataset(path)
        assert dataset.name == "nyu"
        np.testing.assert_array_equal(dataset[1].depth_m, expected)
    monkeypatch.chdir(root / "data")
    for path in (".", "nyu2_train.csv"):
        np.testing.assert_array_equal(open_dataset(path)[1].depth_m, expected)


def test_a_csv_file_is_taken_whole_whatever_the_split(root):
    csv_path = root / "data" / "nyu2_train.csv"
    assert len(open_dataset(csv_path, "test")) == len(open_dataset(csv_path, "train")) == 3


def test_names_relative_to_the_csv_file_itself(root):
    (root / "pairs.csv").write_text("data/nyu2_test/00001_colors.png,data/nyu2_test/00001_depth.png\n")
    dataset = CsvPairs(root / "pairs.csv")
    assert dataset.name == "pairs"
    np.testing.assert_array_equal(dataset[0].image, make_frames(2, seed=1)[1].image)


def test_windows_separators_blank_lines_spaces_mark_and_header_do_no_harm(root):
    csv_path = root / "data" / "nyu2_train.csv"
    rows = csv_path.read_text().splitlines()
    expected = [sample.image for sample in CsvPairs(csv_path)]
    windows = [row.replace("/", "\\").replace(",", " , ") for row in rows]
    csv_path.write_bytes(("\ufeffimage,depth\r\n\r\n" + "\r\n\r\n".join(windows) + "\r\n,\r\n\r\n").encode())
    dataset = CsvPairs(csv_path)
    np.testing.assert_array_equal([sample.image for sample in dataset], expected)
    assert "row 5 " in dataset.source(1)


def test_a_byte_order_mark_is_no_part_of_the_first_name(root):
    csv_path = root / "data" / "nyu2_train.csv"
    csv_path.write_text("\ufeff" + csv_path.read_text(), encoding="utf-8")
    np.testing.assert_array_equal(open_dataset(root)[0].image, make_frames(3)[0].image)


def test_the_first_row_is_data(root):
    """There is no header in the published files; a reader that skips one loses a frame without a word."""
    np.testing.assert_array_equal(open_dataset(root)[0].image, make_frames(3)[0].image)


def test_a_missing_file_is_named_with_its_row(root):
    (root / "data/nyu2_train/00001_depth.png").unlink()
    with pytest.raises(DataError, match=r"nyu2_train\.csv row 2: .*00001_depth\.png: the file is missing"):
        open_dataset(root)[1]


def test_a_truncated_file_is_named_with_its_row(root):
    cut_short(root / "data/nyu2_train/00002_colors.png")
    with pytest.raises(DataError, match=r"nyu2_train\.csv row 3: .*00002_colors\.png: cannot be read, truncated"):
        open_dataset(root)[2]


def test_different_sizes_name_row_and_files(root):
    Image.fromarray(np.ones((5, 7), np.uint8)).save(root / "data/nyu2_train/00000_depth.png")
    with pytest.raises(DataError, match=r"row 1 \(00000_colors\.png, 00000_depth\.png\): .*12x16, .* 5x7"):
        open_dataset(root)[0]


def test_an_empty_depth_map_is_an_error(root):
    Image.fromarray(np.zeros((12, 16), np.uint8)).save(root / "data/nyu2_train/00000_depth.png")
    with pytest.raises(DataError, match="row 1 .*no valid pixel"):
        open_dataset(root)[0]


@pytest.mark.parametrize(
    "text, message",
    [
        ("", r"nyu2_train\.csv: has no rows"),
        ("\n\n", r"nyu2_train\.csv: has no rows"),
        ("a.jpg,a.png\nb.jpg\n", r"row 2: expected two names \(picture,depth\), found 'b\.jpg'"),
        ("a.jpg,a.png,3\n", "row 1: expected two names"),
        ("a.jpg,\n", "row 1: expected two names"),
    ],
)
def test_bad_csv_files(root, text, message):
    csv_path = root / "data" / "nyu2_train.csv"
    csv_path.write_text(text)
    with pytest.raises(DataError, match=message):
        open_dataset(csv_path)


def test_a_file_that_is_no_text(root):
    csv_path = root / "data" / "nyu2_train.csv"
    csv_path.write_bytes(bytes(range(256)))
    with pytest.raises(DataError, match=r"nyu2_train\.csv: cannot be read as a CSV file"):
        open_dataset(csv_path)


def test_where_no_file_exists_the_error_names_the_usual_place(root):
    (root / "data" / "nyu2_train.csv").write_text("data/gone/1.jpg,data/gone/1.png\n")
    with pytest.raises(DataError, match=r"nyu/data/gone/1\.jpg: the file is missing"):
        open_dataset(root)[0]


@pytest.mark.parametrize("folder, size", [("nyu_csv", (480, 640)), ("nyu_csv_320x240", (240, 320))])
def test_real_frames(nyu_data, folder, size):
    train, test = open_dataset(nyu_data / folder, "train"), open_dataset(nyu_data / folder, "test")
    assert (len(train), len(test)) == (795, 218)
    for sample in (train[0], train[794], test[0], test[217]):
        assert sample.image.shape == (*size, 3) and sample.valid.all()
        assert 0.5 < sample.depth_m.min() < sample.depth_m.max() <= 10
