"""Batches that are copied to a GPU ahead of the step: the right numbers, and each wait that makes them so."""

from __future__ import annotations

import gc

import numpy as np
import pytest

from minidepth.data import Batch, prefetch
from minidepth.data.prefetch import ahead, pinned
from minidepth.testing import device_streams
from minidepth.testing.device_streams import Stream


def made(empty, count=5):
    """Batches whose numbers are those of the batch, forgotten as soon as they are handed out."""
    for number in range(count):
        image, depth_m, valid = (empty((2, 3), np.dtype(kind)) for kind in (np.float32, np.float32, bool))
        image[...], depth_m[...], valid[...] = number, -number, number % 2
        yield Batch(image, depth_m, valid)


def seen(batches):
    """What a step finds that reads a batch when it gets it."""
    found = []
    for batch in batches:
        image, depth_m, valid = (array.host for array in batch[:3])
        found.append((float(image[1, 2]), float(depth_m[0, 0]), bool(valid.all())))
    return found


RIGHT = [(number, -number, bool(number % 2)) for number in range(5)]


@pytest.fixture
def streams(monkeypatch):
    """The streams that are made."""
    made = []

    class Noted(Stream):
        def __init__(self, non_blocking=False):
            super().__init__()
            made.append(self)

    monkeypatch.setattr("minidepth.testing.device_array._Module.cuda.Stream", Noted)
    return made


def test_on_the_cpu_nothing_happens():
    batches = list(made(pinned(None)))
    for given, came in zip(batches, ahead(batches, None), strict=True):
        assert came is given
    assert pinned(None) is np.empty


def test_every_batch_comes_whole_and_in_order(emulated_gpu):
    assert seen(ahead(made(pinned(emulated_gpu)), emulated_gpu)) == RIGHT


def test_a_batch_is_copied_while_the_one_before_is_computed_with(emulated_gpu, streams):
    taken = []

    def source():
        for number, batch in enumerate(made(pinned(emulated_gpu))):
            taken.append(number)
            yield batch

    for number, _ in enumerate(ahead(source(), emulated_gpu)):
        assert taken[-1] == min(number + 1, 4)
        assert len(streams[0].work) - streams[0].done == (3 if number < 4 else 0)  # its three fields are under way


def test_a_step_that_does_not_wait_finds_nothing(emulated_gpu, monkeypatch):
    monkeypatch.setattr(prefetch, "_ready", lambda computing, batch, copied: batch)
    image, depth_m, _ = seen(ahead(made(pinned(emulated_gpu)), emulated_gpu))[0]
    assert np.isnan(image) and np.isnan(depth_m)


def test_a_batch_that_is_forgotten_before_it_is_copied_does_not_arrive(emulated_gpu):
    copying, target = Stream(), emulated_gpu.empty((2, 3), np.float32)
    copying.wait_event(device_streams.COMPUTING.record())
    target.set(next(made(pinned(emulated_gpu))).image, stream=copying)
    copying.synchronize()
    assert np.isnan(target.host).all()


def test_memory_that_is_written_again_before_it_is_copied_arrives_so(emulated_gpu):
    source = next(made(pinned(emulated_gpu))).image
    copying, target = Stream(), emulated_gpu.empty((2, 3), np.float32)
    copying.wait_event(device_streams.COMPUTING.record())
    target.set(source, stream=copying)
    source[...] = 7
    copying.synchronize()
    assert (target.host == 7).all()


def test_a_copy_waits_for_what_may_still_read_its_memory(emulated_gpu):
    copying = Stream()
    copying.wait_event(device_streams.COMPUTING.record())  # before the array is made, and so too early
    target = emulated_gpu.empty((2, 3), np.float32)
    with pytest.raises(RuntimeError, match="kernels launched before may still use"):
        target.set(next(made(pinned(emulated_gpu))).image, stream=copying)


def test_a_copy_beside_the_computing_needs_pinned_memory(emulated_gpu):
    with pytest.raises(RuntimeError, match="alloc_pinned_memory"):
        next(ahead(made(np.empty), emulated_gpu))


def test_the_cpu_is_at_most_so_many_batches_ahead(emulated_gpu):
    def living():
        return sum(isinstance(thing, device_streams.PinnedMemory) for thing in gc.get_objects())

    before = living()
    counts = [living() - before for _ in ahead(made(pinned(emulated_gpu), 12), emulated_gpu)]
    assert max(counts) == 3 * prefetch.AHEAD


def test_who_stops_early_leaves_no_copy_under_way(emulated_gpu, streams):
    batches = ahead(made(pinned(emulated_gpu)), emulated_gpu)
    next(batches)
    assert streams[0].done < len(streams[0].work)
    batches.close()
    assert streams[0].done == len(streams[0].work)
