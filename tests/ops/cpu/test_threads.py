"""Worker threads: every tile once, errors come out, the number of threads holds, nothing is kept by accident."""

import gc
import os
import queue
import subprocess
import sys
import threading
import time
import weakref

import numpy as np
import pytest

import minidepth
from minidepth.errors import InputError
from minidepth.ops.cpu import blas, threads
from minidepth.ops.cpu.threads import get_num_threads, run_slices, run_tiles, set_num_threads

WAIT_S = 30  # a thread that has not come by then never will


@pytest.fixture(autouse=True)
def two_threads():
    """Also on a machine with one core."""
    before = get_num_threads()
    set_num_threads(2)
    yield
    set_num_threads(before)


def helpers():
    return [thread for thread in threading.enumerate() if thread.name.startswith("minidepth-")]


def settle(number):
    """Helpers that were dismissed end in their own time; then there must be `number` of them."""
    deadline = time.monotonic() + WAIT_S
    while len(helpers()) != number and time.monotonic() < deadline:
        time.sleep(0.001)
    assert len(helpers()) == number


def thread_names(tiles):
    """The threads that run tiles, each of which takes its time."""
    names = []

    def task(tile):
        names.append(threading.current_thread().name)
        threading.Event().wait(0.002)

    run_tiles(task, tiles)
    return set(names)


def meet(tiles):
    """Tiles that wait for each other: an error unless so many threads take part at the same time."""
    meeting = threading.Barrier(tiles, timeout=WAIT_S)
    run_tiles(lambda tile: meeting.wait(), tiles)


# --- tiles ------------------------------------------------------------------------------------------------------------


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


@pytest.mark.parametrize("bad", [0, 1, 2, 3])
def test_an_error_in_any_tile_comes_out(bad):
    def task(tile):
        if tile == bad:
            raise ValueError(f"tile {tile}")

    with pytest.raises(ValueError, match=f"tile {bad}"):
        run_tiles(task, 4)
    meet(2)  # and the next kernel finds everything in order


def test_an_error_in_a_helper_comes_out_once_every_thread_is_done():
    meeting, done = threading.Barrier(2, timeout=WAIT_S), []

    def task(tile):
        meeting.wait()
        if threading.current_thread() is not threading.main_thread():
            raise ValueError("from the helper")
        done.append(tile)

    with pytest.raises(ValueError, match="from the helper"):
        run_tiles(task, 2)
    assert len(done) == 1


@pytest.mark.parametrize("number", [1, 2, 3])
def test_tiles_within_tiles_within_tiles(number):
    set_num_threads(number)
    done = []
    run_tiles(lambda a: run_tiles(lambda b: run_tiles(lambda c: done.append((a, b, c)), 3), 4), 5)
    assert sorted(done) == list(np.ndindex(5, 4, 3))


def test_errstate_holds_in_every_tile():
    meeting, seen = threading.Barrier(2, timeout=WAIT_S), []

    def task(tile):
        meeting.wait()
        seen.append(np.geterr()["over"])

    with np.errstate(over="raise"):
        run_tiles(task, 2)
    run_tiles(task, 2)
    assert seen == ["raise", "raise", "warn", "warn"]


def test_nothing_that_a_tile_used_is_kept(monkeypatch):
    """A helper that kept its job, if only for a moment, would keep arrays, and the pool would have to make new ones."""

    class SlowQueue:
        """A report arrives at once, but the helper that sent it stays where it is."""

        def __init__(self):
            self.queue = queue.SimpleQueue()
            self.get = self.queue.get

        def put(self, item):
            self.queue.put(item)
            time.sleep(0.05)

    meet(2)  # the helper is there, and has the queue of jobs that it will have
    monkeypatch.setattr(threads, "SimpleQueue", SlowQueue)
    gc.disable()  # reference counts alone must do
    try:
        for _ in range(5):
            array, meeting = np.zeros(10), threading.Barrier(2, timeout=WAIT_S)
            run_tiles(lambda tile, array=array, meeting=meeting: meeting.wait() + array.sum(), 2)
            gone = weakref.ref(array)
            del array
            assert gone() is None
    finally:
        gc.enable()


def test_an_error_keeps_nothing():
    gc.disable()
    try:
        array = np.zeros(10)
        with pytest.raises(ZeroDivisionError):
            run_tiles(lambda tile, array=array: 1 / array.size / 0, 2)
        gone = weakref.ref(array)
        del array
        assert gone() is None
    finally:
        gc.enable()


# --- the number of threads --------------------------------------------------------------------------------------------


def test_the_default_is_the_cores_this_process_may_run_on():
    program = "import minidepth; print(minidepth.get_num_threads())"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert int(done.stdout) == (len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count())


def test_with_one_thread_everything_runs_in_the_callers():
    set_num_threads(1)
    assert thread_names(8) == {threading.current_thread().name}
    settle(0)


@pytest.mark.parametrize("number", [2, 3, 7])  # more than there are cores is allowed
def test_so_many_threads_take_part(number):
    set_num_threads(number)
    assert get_num_threads() == minidepth.get_num_threads() == number
    meet(number)
    assert len(thread_names(10 * number)) <= number
    settle(number - 1)


def test_another_number_replaces_the_helpers():
    for number in (4, 1, 3, 2):
        set_num_threads(number)
        meet(number)
        settle(number - 1)


def test_another_number_while_a_kernel_runs():
    done, go_on, under_way = [], threading.Event(), threading.Barrier(3, timeout=WAIT_S)

    def task(tile):
        if tile < 2:
            under_way.wait()
            assert go_on.wait(WAIT_S)
        done.append(tile)

    kernel = threading.Thread(target=run_tiles, args=(task, 6), daemon=True)
    kernel.start()
    under_way.wait()  # both threads are in a tile
    set_num_threads(3)
    meet(3)  # another kernel, with new helpers, while the first one is held up
    go_on.set()
    kernel.join()
    assert sorted(done) == list(range(6))
    settle(2)


def test_many_kernels_in_several_threads_while_the_number_changes():
    faults = []

    def kernels():
        for count in range(60):
            done = []
            run_tiles(done.append, count)
            if sorted(done) != list(range(count)):
                faults.append(count)

    users = [threading.Thread(target=kernels, daemon=True) for _ in range(4)]
    for user in users:
        user.start()
    for number in (1, 2, 3, 4) * 10:
        set_num_threads(number)
        run_tiles(lambda tile: None, 5)
    for user in users:
        user.join()
    assert not faults
    settle(3)


def test_a_kernel_does_not_wait_for_a_helper_that_is_busy_elsewhere():
    busy, go_on = threading.Barrier(3, timeout=WAIT_S), threading.Event()

    def long(tile):
        busy.wait()
        assert go_on.wait(WAIT_S)

    other = threading.Thread(target=run_tiles, args=(long, 2), daemon=True)
    other.start()
    busy.wait()  # the only helper is in that kernel
    assert thread_names(4) == {threading.current_thread().name}
    go_on.set()
    other.join()


@pytest.mark.parametrize("bad", [0, -1, "two", "2", 2.0, True, None, np.float32(2)])
def test_a_number_that_is_none(bad):
    with pytest.raises(InputError, match=r"set_num_threads: n is .*; it must be a whole number of at least 1"):
        minidepth.set_num_threads(bad)
    assert get_num_threads() == 2


def test_a_number_of_numpy_is_a_number():
    minidepth.set_num_threads(np.int64(3))
    assert get_num_threads() == 3


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_process_makes_threads_of_its_own():
    inside, go_on = threading.Barrier(3, timeout=WAIT_S), threading.Event()

    def task(tile):
        inside.wait()
        assert go_on.wait(WAIT_S)

    before = [library.num_threads for library in blas.libraries()]
    kernel = threading.Thread(target=run_tiles, args=(task, 2), daemon=True)
    kernel.start()
    inside.wait()  # the helper is busy here; in the child there is neither helper nor kernel
    child = os.fork()
    if child == 0:
        try:
            found = [library.num_threads for library in blas.libraries()]
            meet(2)
        except BaseException:
            os._exit(1)
        os._exit(0 if found == before else 2)
    go_on.set()
    kernel.join()
    assert os.waitpid(child, 0)[1] == 0
