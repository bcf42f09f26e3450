"""The figures of a GPU's memory: the most that was in use at one time, and what the pool holds."""

from __future__ import annotations

import pytest

from minidepth.cuda.memory import WATCHED_BATCHES, PoolMemory
from minidepth.testing import device_memory

MIB = 1 << 20


def test_the_peak_is_that_of_the_middle_of_a_step(emulated_gpu):
    memory, pool = PoolMemory(emulated_gpu), device_memory.POOL
    before = emulated_gpu.empty(MIB, "uint8")
    base = pool.used_bytes()
    for _ in memory.watch(range(2)):
        parts = [emulated_gpu.empty(MIB, "uint8") for _ in range(5)]
        view = parts[0][:9]  # takes no memory of its own
        del parts[2:], view
        emulated_gpu.empty(1, "uint8")  # 512 bytes, in the room that came back
    assert memory.peak_bytes == base + 5 * MIB + 2 * MIB  # the second step's five beside the first one's two
    assert pool.used_bytes() == base + 2 * MIB
    del before, parts
    assert pool.used_bytes() == base - MIB


def test_only_the_first_batches_of_an_epoch_are_watched_and_the_largest_epoch_counts(emulated_gpu):
    memory, base = PoolMemory(emulated_gpu), device_memory.POOL.used_bytes()
    for epoch in range(2):
        for number in memory.watch(range(WATCHED_BATCHES + 1)):
            emulated_gpu.empty((9 if number == WATCHED_BATCHES else 3 - epoch) * MIB, "uint8")
            assert bool(device_memory.POOL.hooks) == (number < WATCHED_BATCHES)
    assert memory.peak_bytes == base + 3 * MIB
    held = device_memory.POOL.total_bytes()
    peak, pool = (round(count / MIB) for count in (memory.peak_bytes, held))
    assert held >= base + 9 * MIB
    assert memory.text() == f"GPU memory: peak {peak} MiB in use, {pool} MiB held by the pool"


def test_who_stops_early_is_watched_no_more(emulated_gpu):
    batches = PoolMemory(emulated_gpu).watch(range(9))
    next(batches)
    batches.close()
    assert device_memory.POOL.hooks == []


def test_on_the_cpu_there_is_nothing_to_tell():
    memory = PoolMemory(None)
    assert list(memory.watch(range(9))) == list(range(9)) and memory.text() == ""


def test_a_full_pool_refuses_in_the_words_of_cupy(emulated_gpu):
    pool = emulated_gpu.get_default_memory_pool()
    pool.free_all_blocks()
    pool.set_limit(pool.used_bytes() + MIB)
    try:
        kept = emulated_gpu.empty(MIB - 512, "uint8")
        with pytest.raises(MemoryError, match=r"^Out of memory allocating 513 bytes \(allocated so far: [\d,]+ bytes"):
            emulated_gpu.empty(513, "uint8")
        emulated_gpu.empty(512, "uint8")
        assert emulated_gpu.cuda.runtime.memGetInfo()[0] == 0 and pool.free_bytes() == 512
        del kept
        emulated_gpu.empty(513, "uint8")
    finally:
        pool.set_limit(0)
