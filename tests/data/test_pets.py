import numpy as np
import pytest
from data_folders import cut_short, make_frames, write_pets
from PIL import Image

from minidepth.data import Loader, open_dataset, open_splits
from minidepth.errors import DataError, InputError


def test_pictures_and_labels_from_zero(tmp_path):
    frames = make_frames(2)
    dataset = open_dataset(write_pets(tmp_path / "pets", frames, make_frames(1, seed=5)))
    assert (len(dataset), dataset.name, dataset.targets) == (2, "pets", ("labels",))
    assert dataset.classes == ("pet", "background", "border")
    for i, frame in enumerate(frames):
        sample = dataset[i]
        np.testing.assert_array_equal(sample.image, frame.image)
        assert sample.labels.dtype == np.uint8 and sample.labels[3].tolist() == [0, 1, 2] * 5 + [0]
        assert sample.valid.all() and not sample.depth_m.any() and sample.mask is None
    assert "annotations/trainval.txt row 2 (trainval_1)" in dataset.source(1)
    assert list(open_splits(tmp_path / "pets")) == ["train", "test"]


def test_lists_beside_the_folders_with_comments_and_blank_lines(tmp_path):
    root = write_pets(tmp_path, make_frames(2))
    (root / "annotations/trainval.txt").unlink()
    (root / "trainval.txt").write_text("#Image CLASS-ID SPECIES BREED-ID\n\ntrainval_1 1 1 1\r\n")
    dataset = open_dataset(root)
    assert len(dataset) == 1 and "trainval.txt row 3 (trainval_1)" in dataset.source(0)
    with pytest.raises(InputError, match=r"has a train split but no test split; looked for annotations/test\.txt"):
        open_dataset(root, "test")


def test_without_lists_all_pictures_and_no_forks(tmp_path):
    root = write_pets(tmp_path, make_frames(3))
    (root / "annotations/trainval.txt").unlink()
    (root / "annotations/trimaps/._trainval_0.png").write_bytes(b"Mac OS X")
    for split in ("train", "test"):
        dataset = open_dataset(root, split)
        assert len(dataset) == 3 and "train and test are both all 3 pictures" in dataset.note
    assert list(open_splits(root)) == ["all"]


@pytest.mark.parametrize("kind", ["L", "RGBA", "P", "GIF", "LA", "CMYK"])
def test_odd_files_under_the_name_of_a_jpeg(tmp_path, kind):
    """Grey, transparent, of a palette, GIF and CMYK: all of them under .jpg. The grey of 100 must arrive as grey."""
    root = write_pets(tmp_path, make_frames(1, (6, 9)))
    grey = Image.new("L", (9, 6), 100)
    if kind in ("GIF", "P"):
        odd, options = grey.convert("P"), {"format": "GIF" if kind == "GIF" else "PNG"}
        options["transparency"] = 0 if kind == "GIF" else bytes([7, 20, 255])
    else:
        odd = grey.convert("RGB").convert(kind)
        options = {"format": "JPEG" if kind in ("L", "CMYK") else "PNG"}
    odd.save(root / "images/trainval_0.jpg", **options)
    image = open_dataset(root)[0].image
    assert image.shape == (6, 9, 3) and image.dtype == np.uint8
    assert np.abs(image.astype(int) - 100).max() <= 1


def test_a_trimap_with_a_palette_keeps_its_numbers(tmp_path):
    root = write_pets(tmp_path, make_frames(1))
    path = root / "annotations/trimaps/trainval_0.png"
    picture = Image.fromarray(np.asarray(Image.open(path))).convert("P")
    picture.putdata(list(np.asarray(Image.open(path)).ravel()))
    picture.putpalette([0, 0, 0, 9, 9, 9, 200, 0, 0, 0, 0, 77])
    picture.save(path)
    assert open_dataset(root)[0].labels[0, :4].tolist() == [0, 1, 2, 0]


@pytest.mark.parametrize("label, row, column", [(0, 2, 5), (4, 0, 1), (255, 11, 15)])
def test_a_label_out_of_range(tmp_path, label, row, column):
    trimap = np.full((12, 16), 2, np.uint8)
    trimap[row, column] = label
    root = write_pets(tmp_path, make_frames(1), trimap=trimap)
    text = (
        rf"trainval\.txt row 1: .*trainval_0\.png: label {label} out of range at 1 pixels, first at row {row}, column"
        rf" {column}; a trimap holds 1 pet, 2 background, 3 border"
    )
    with pytest.raises(DataError, match=text):
        open_dataset(root)[0]
    with pytest.raises(DataError, match=text):  # so no such label ever gets to a GPU
        next(iter(Loader(open_dataset(root), 1, workers=1)))


def test_picture_and_trimap_of_different_size(tmp_path):
    root = write_pets(tmp_path, make_frames(1), trimap=np.ones((5, 7), np.uint8))
    text = r"row 1: .*trainval_0\.png: the picture is 12x16, but the trimap is 5x7 \(height x width\)"
    with pytest.raises(DataError, match=text):
        open_dataset(root)[0]


def test_what_is_missing_or_broken_is_named_with_its_row(tmp_path):
    root = write_pets(tmp_path, make_frames(4))
    (root / "images/trainval_0.jpg").unlink()
    (root / "annotations/trimaps/trainval_1.png").unlink()
    cut_short(root / "annotations/trimaps/trainval_2.png")
    Image.new("RGB", (16, 12)).save(root / "annotations/trimaps/trainval_3.png")
    dataset = open_dataset(root)
    for i, text in enumerate(["trainval_0.jpg: the file is missing", "trainval_1.png: the file is missing"]):
        with pytest.raises(DataError, match=rf"trainval\.txt row {i + 1}: .*{text}"):
            dataset[i]
    with pytest.raises(DataError, match=r"row 3: .*trainval_2\.png: cannot be read, truncated"):
        dataset[2]
    with pytest.raises(DataError, match=r"row 4: .*trainval_3\.png: a trimap must be 8-bit with one .* mode RGB"):
        dataset[3]


def test_an_empty_list(tmp_path):
    root = write_pets(tmp_path, make_frames(1))
    (root / "annotations/trainval.txt").write_text("# nothing\n")
    with pytest.raises(DataError, match=r"trainval\.txt: names no pictures; expected lines such as Abyssinian_1"):
        open_dataset(root)
