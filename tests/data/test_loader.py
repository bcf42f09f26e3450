import threading
import time

import numpy as np
import pytest
from data_folders import cut_short, make_frames, write_csv_folder

from minidepth.data import Loader, Sample, augment, network_input, open_dataset
from minidepth.data.sample import make_sample
from minidepth.errors import DataError, InputError


class Numbered:
    """Sample i is 2 + i metres everywhere; counts what was read."""

    name = "numbered"

    def __init__(self, count, size=(6, 8)):
        self.count, self.size, self.read = count, size, []

    def __len__(self):
        return self.count

    def source(self, i):
        return f"number {i}"

    def __getitem__(self, i):
        self.read.append(i)
        image = np.random.default_rng(i).integers(0, 256, (*self.size, 3), np.uint8)
        return make_sample(image, np.full(self.size, (2 + i) / 100, np.float32), self.source(i))


def numbers(batches):
    """Which samples are in each batch."""
    return [[round(float(depth[0, 0, 0]) * 100) - 2 for depth in batch.depth_m] for batch in batches]


def test_batches_hold_normalised_pictures_metres_and_masks():
    dataset = Numbered(5)
    batches = list(Loader(dataset, 2, shuffle=False).epoch(0))
    assert numbers(batches) == [[0, 1], [2, 3], [4]]
    batch = batches[1]
    assert batch.image.shape == (2, 3, 6, 8) and batch.depth_m.shape == batch.valid.shape == (2, 1, 6, 8)
    assert (batch.image.dtype, batch.depth_m.dtype, batch.valid.dtype) == (np.float32, np.float32, bool)
    np.testing.assert_array_equal(batch.image[1], network_input(dataset[3].image))


class Everything(Numbered):
    """Samples with all fields, each a function of the pixel."""

    def __getitem__(self, i):
        sample = super().__getitem__(i)
        labels = (sample.image[..., 0] % 3).astype(np.uint8)
        mask = (sample.image[..., 1] / 255).astype(np.float32)
        return sample._replace(labels=labels, mask=mask, background=255 - sample.image)


def test_batches_hold_every_field_that_is_there():
    dataset = Everything(3)
    batch = next(Loader(dataset, 3, shuffle=False, input_form="unit").epoch(0))
    assert batch.labels.shape == batch.mask.shape == (3, 1, 6, 8) and batch.background.shape == (3, 3, 6, 8)
    assert (batch.labels.dtype, batch.mask.dtype, batch.background.dtype) == (np.uint8, np.float32, np.float32)
    np.testing.assert_array_equal(batch.labels[2, 0], dataset[2].labels)
    np.testing.assert_array_equal(batch.mask[1, 0], dataset[1].mask)
    np.testing.assert_allclose(batch.background, 1 - batch.image, atol=1e-6)
    assert Loader(Numbered(1), 1)._make_batch(np.arange(1), 0)[3:] == (None, None, None)


def test_a_background_is_scaled_as_a_background():
    dataset = Everything(2)
    batch = next(Loader(dataset, 2, shuffle=False, input_form="modest").epoch(0))
    np.testing.assert_array_equal(batch.image[1], network_input(dataset[1].image, "modest"))
    np.testing.assert_array_equal(batch.background[1], network_input(dataset[1].background, "modest", background=True))


def test_an_unknown_input_form_is_refused_at_once():
    with pytest.raises(InputError, match="input 'units': unknown; .*did you mean unit"):
        Loader(Numbered(1), 1, input_form="units")


def test_every_epoch_has_its_own_order_and_repeats_it():
    loader = Loader(Numbered(20), 4, seed=3)
    first, second, again = (numbers(loader.epoch(e)) for e in (0, 1, 0))
    assert first == again != second
    assert sorted(sum(first, [])) == sorted(sum(second, [])) == list(range(20))
    assert first != numbers(Loader(Numbered(20), 4, seed=4).epoch(0))


def test_plain_iteration_goes_from_epoch_to_epoch():
    loader = Loader(Numbered(20), 4)
    assert [numbers(loader), numbers(loader)] == [numbers(loader.epoch(0)), numbers(loader.epoch(1))]


@pytest.mark.parametrize("drop_last, sizes", [(False, [4, 4, 2]), (True, [4, 4])])
def test_the_last_batch(drop_last, sizes):
    loader = Loader(Numbered(10), 4, drop_last=drop_last)
    assert len(loader) == len(sizes)
    assert [len(batch.image) for batch in loader.epoch(0)] == sizes


def test_only_the_indices_asked_for():
    loader = Loader(Numbered(10), 2, indices=[7, 3, 5, 1])
    assert len(loader) == 2 and sorted(sum(numbers(loader.epoch(0)), [])) == [1, 3, 5, 7]
    assert numbers(Loader(Numbered(10), 2, indices=[7, 3, 5, 1], shuffle=False).epoch(0)) == [[7, 3], [5, 1]]


def test_the_number_of_workers_cannot_be_seen():
    change = augment.build("flip,rotate:10,zoom:1-1.4,color")
    results = []
    for workers in (0, 1, 2, 5):
        loader = Loader(Everything(13, (24, 32)), 3, size=(16, 20), augment=change, seed=1, workers=workers)
        results.append([array for e in (0, 1) for batch in loader.epoch(e) for array in batch])
    for other in results[1:]:
        assert len(other) == len(results[0])
        for a, b in zip(results[0], other):
            np.testing.assert_array_equal(a, b)


def test_augmentation_depends_on_seed_epoch_and_sample_and_not_on_the_place():
    def draws(seed, epoch, indices):
        """The first random number that each sample gets."""
        seen = {}

        def note(sample, rng):
            seen[round(float(sample.depth_m[0, 0]) * 100) - 2] = rng.random()
            return sample

        list(Loader(Numbered(6), 2, augment=note, seed=seed, indices=indices, workers=0).epoch(epoch))
        return seen

    base = draws(0, 0, range(6))
    assert len(set(base.values())) == 6
    assert draws(0, 0, [5, 2])[2] == base[2]
    assert draws(0, 1, range(6))[2] != base[2] != draws(1, 0, range(6))[2]
    assert np.random.default_rng((0, 0)).random() not in base.values()  # the generator of the order


def test_size_none_undoes_the_crop_of_an_augmentation():
    batch = next(Loader(Numbered(2), 2, augment=augment.build("zoom:1.5-1.5"), workers=0).epoch(0))
    assert batch.image.shape == (2, 3, 6, 8)


def test_mixed_sizes_without_a_size_are_named():
    class Mixed(Numbered):
        def __getitem__(self, i):
            self.size = (6, 8) if i != 1 else (7, 8)
            return super().__getitem__(i)

    with pytest.raises(
        DataError, match=r"number 1: its size \(7, 8\) differs from \(6, 8\) of number 0; give one size"
    ):
        list(Loader(Mixed(2), 2, shuffle=False).epoch(0))
    assert next(Loader(Mixed(2), 2, size=(4, 4)).epoch(0)).image.shape == (2, 3, 4, 4)


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_a_broken_file_surfaces_with_its_name(tmp_path, workers):
    root = write_csv_folder(tmp_path, make_frames(6))
    cut_short(root / "data/nyu2_train/00004_colors.png")
    batches = Loader(open_dataset(root), 2, shuffle=False, workers=workers).epoch(0)
    assert len([next(batches), next(batches)]) == 2
    with pytest.raises(DataError, match=r"nyu2_train\.csv row 5: .*00004_colors\.png: cannot be read, truncated"):
        next(batches)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("minidepth-loader")]


def test_few_batches_are_made_ahead_and_none_after_the_consumer_has_gone():
    dataset = Numbered(100)
    batches = Loader(dataset, 1, shuffle=False, workers=2).epoch(0)
    next(batches)
    time.sleep(0.2)  # time enough to read all 100, if nothing held the workers back
    assert len(dataset.read) == 3
    batches.close()
    read = len(dataset.read)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("minidepth-loader")]
    assert len(dataset.read) == read


def test_waiting_is_counted():
    gate = threading.Event()

    class Slow(Numbered):
        def __getitem__(self, i):
            gate.wait(0.05)
            return super().__getitem__(i)

    loader = Loader(Slow(2), 1)
    assert loader.waited_s == 0
    list(loader.epoch(0))
    assert loader.waited_s >= 0.04


def test_what_cannot_be_loaded():
    with pytest.raises(
        InputError, match="batch 8 is larger than the data: 5 pictures from numbered; use a smaller batch"
    ):
        Loader(Numbered(5), 8, drop_last=True)
    with pytest.raises(InputError, match="batch 1 is larger than the data: 0 pictures"):
        Loader(Numbered(5), 1, indices=[])
    with pytest.raises(ValueError, match="indices 0 to 5, but numbered has 5"):
        Loader(Numbered(5), 1, indices=[0, 5])
    with pytest.raises(InputError, match="batch_size 0 must be at least 1"):
        Loader(Numbered(5), 0)


def test_without_drop_last_a_small_data_set_is_one_small_batch():
    loader = Loader(Numbered(3), 8)
    assert len(loader) == 1 and sorted(numbers(loader.epoch(0))[0]) == [0, 1, 2]


def test_real_frames(nyu_data):
    dataset = open_dataset(nyu_data / "nyu_csv_320x240")
    change = augment.build("flip,rotate:5,zoom:1-1.4,color")
    batch = next(Loader(dataset, 8, size=(128, 160), augment=change).epoch(0))
    assert batch.image.shape == (8, 3, 128, 160)
    assert 0.9 < batch.valid.mean() < 1 and 0.3 < batch.depth_m[batch.valid].min() < batch.depth_m.max() <= 10
    assert abs(batch.image.mean()) < 1.5 and isinstance(dataset[0], Sample)
