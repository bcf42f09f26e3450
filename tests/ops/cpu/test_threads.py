"""Worker threads: every tile once, errors come out, BLAS settings are put back, nothing is shared by accident."""

import os
import threading

import numpy as np
import pytest

from minidepth.ops.cpu import threads
from minidepth.ops.cpu.threads import run_slices, run_tiles, scratch


def blas_threads():
    return [library.num_threads for library in threads._blas().lib_controllers]


@pytest.fixture(autouse=True)
def two_threads(monkeypatch):
    """Also on a machine with one core."""
    monkeypatch.setattr(threads, "thread_count", lambda: 2)


@pytest.fixture
def blas_of_two():
    """BLAS with two threads, whatever earlier tests left behind: a number that must be found again."""
    found = blas_threads()
    for library in threads._blas().lib_controllers:
        library.set_num_threads(2)
    yield [2] * len(found)
    for library, number in zip(threads._blas().lib_controllers, found):
        library.set_num_threads(number)


@pytest.mark.parametrize("count", [0, 1, 2, 101])
def test_every_tile_runs_once(count):
    done = []
    run_tiles(done.append, count)
    assert sorted(done) == list(range(count))


@pytest.mark.parametrize("size", [0, 1, 7, 10, 11])
def test_slices_cover_the_range(size):
    hits = np.zeros(size, int)

    def add(part):
        hits[part] += 1

    run_slices(add, size, step=5)
    assert (hits == 1).all()


def test_two_threads_take_part():
    meeting = threading.Barrier(2, timeout=10)  # broken, and so an error, if one thread did everything
    run_tiles(lambda tile: meeting.wait(), 2)


@pytest.mark.parametrize("bad", [0, 1, 2, 3])
def test_an_error_in_any_tile_comes_out(bad):
    def task(tile):
        if tile == bad:
            raise ValueError(f"tile {tile}")

    with pytest.raises(ValueError, match=f"tile {bad}"):
        run_tiles(task, 4)


def test_tiles_within_a_workers_tile_run_in_that_thread():
    names = []  # of the threads that ran the inner tiles of the worker's outer tile

    def task(tile):
        meeting.wait()  # one outer tile for each of the two threads
        if threading.current_thread().name.startswith("minidepth"):
            run_tiles(lambda inner: names.append(threading.current_thread().name), 3)

    meeting = threading.Barrier(2, timeout=10)
    run_tiles(task, 2)
    assert len(names) == 3 and len(set(names)) == 1


def test_blas_has_one_thread_inside_and_its_own_number_afterwards(blas_of_two):
    before = blas_of_two
    seen = []
    run_tiles(lambda tile: seen.append(blas_threads()), 2)
    assert all(numbers == [1] * len(before) for numbers in seen)
    assert blas_threads() == before


def test_blas_is_put_back_after_an_error_and_after_overlapping_users(blas_of_two):
    before = blas_of_two
    with pytest.raises(ZeroDivisionError):
        run_tiles(lambda tile: 1 / 0, 2)
    assert blas_threads() == before
    first, second = threads._single_threaded_blas(), threads._single_threaded_blas()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert blas_threads() == [1] * len(before)  # the second user is still at it
    second.__exit__(None, None, None)
    assert blas_threads() == before


def test_scratch_is_kept_grows_and_belongs_to_a_thread():
    a = scratch("a test's own", (4, 5), np.dtype(np.float32))
    assert a.shape == (4, 5) and a.dtype == np.float32
    b = scratch("a test's own", (2, 5), np.dtype(np.float32))
    assert np.shares_memory(a, b)
    assert scratch("a test's own", (100, 100), np.dtype(np.float64)).shape == (100, 100)
    elsewhere = []
    other = threading.Thread(target=lambda: elsewhere.append(scratch("a test's own", (4, 5), np.dtype(np.float32))))
    other.start()
    other.join()
    assert not np.shares_memory(elsewhere[0], scratch("a test's own", (4, 5), np.dtype(np.float32)))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_process_makes_threads_of_its_own():
    run_tiles(lambda tile: None, 2)  # the pool exists here; its threads do not exist in the child
    child = os.fork()
    if child == 0:
        meeting = threading.Barrier(2, timeout=5)
        try:
            run_tiles(lambda tile: meeting.wait(), 2)
        except BaseException:
            os._exit(1)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
