"""The pool: memory is used again only when nothing lives in it, and its limit, faults and threads do no harm."""

import copy
import gc
import logging
import os
import pickle
import sys
import threading

import numpy as np
import pytest

import minidepth
from minidepth.errors import InputError
from minidepth.ops.cpu import pool as pool_module
from minidepth.ops.cpu.pool import LINE_BYTES, SMALL_BYTES, Pool, scratch

MIB = 1 << 20
WAIT_S = 30
SHAPE = (4, 256, 256)  # 1 MiB of float32


def address(array):
    return array.__array_interface__["data"][0]


def reused(pool, old_address, shape=SHAPE, dtype=np.float32):
    """Whether the next array of the pool lies at an address; it is dropped at once."""
    return address(pool.empty(shape, dtype)) == old_address


# --- what is handed out -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "shape",
    [(), (0,), (5,), (3, 0, 70000), (0, 1 << 40), (SMALL_BYTES // 4 - 1,), (SMALL_BYTES // 4,), (2, 3, 123, 457)],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, bool, np.dtype(np.uint8)])
def test_arrays_are_what_was_asked_for(shape, dtype):
    pool = Pool()
    for _ in range(2):  # fresh, then used again
        array = pool.empty(shape, dtype)
        assert (array.shape, array.dtype) == (shape, np.dtype(dtype))
        assert array.flags.c_contiguous and array.flags.writeable and type(array) is np.ndarray
        array[...] = 1
        assert (array == 1).all()
        del array


def test_large_arrays_begin_at_a_line_of_the_cache():
    pool = Pool()
    kept = [pool.empty((40_000 + 3 * k,), np.float32) for k in range(20)]
    assert {address(array) % LINE_BYTES for array in kept} == {0}


def test_small_arrays_are_none_of_its_business():
    pool = Pool()
    array = pool.empty((SMALL_BYTES - 1,), np.uint8)
    assert array.flags.owndata and pool.held_bytes == 0


def test_zeros_and_empty_like():
    for shape in ((), (3,), SHAPE):
        dirty = pool_module.empty(shape, np.float32)
        dirty[...] = 7
        like = pool_module.empty_like(dirty)
        assert like.shape == shape and like.dtype == np.float32 and not np.shares_memory(like, dirty)
        del dirty
        zeros = pool_module.zeros(shape, np.float32)
        assert (zeros == 0).all()


# --- when memory is used again ----------------------------------------------------------------------------------------


def test_a_dropped_array_gives_its_memory_to_the_next():
    pool = Pool()
    first = pool.empty(SHAPE, np.float32)
    place = address(first)
    del first
    second = pool.empty(SHAPE, np.float32)
    assert address(second) == place
    assert pool.held_bytes == MIB


@pytest.mark.parametrize(
    "hold",
    [
        lambda a: a,
        lambda a: a[1:],
        lambda a: a[2, 3:5, ::2].T,
        lambda a: a.reshape(-1)[5:6],
        lambda a: a.view(np.uint32).reshape(2, -1)[:, None],
        lambda a: a.real,
        lambda a: np.broadcast_to(a[0, 0], (9, 256)),
        lambda a: np.lib.stride_tricks.as_strided(a[1], (2, 2), (4, 4)),
        lambda a: np.lib.stride_tricks.sliding_window_view(a, (2, 2, 2)),
        lambda a: a.view(np.recarray),
        lambda a: np.split(a, 2)[1],
        lambda a: np.nditer(a),
        lambda a: a.flat,
        lambda a: memoryview(a)[1:],
        lambda a: np.frombuffer(a, np.float32),
        lambda a: np.asarray(memoryview(a)),
        lambda a: np.from_dlpack(a),
        lambda a: a.ctypes,
        lambda a: pickle.PickleBuffer(a),
        lambda a: minidepth.Tensor(a).detach(),
        lambda a: a.base,
        lambda a: lambda: a,
    ],
)
def test_whatever_looks_at_an_array_keeps_its_memory(hold):
    pool = Pool()
    array = pool.empty(SHAPE, np.float32)
    place = address(array)
    held = hold(array)
    del array
    assert not reused(pool, place)
    del held
    gc.collect()  # some of these are circles
    assert reused(pool, place)


def test_the_base_of_every_view_is_the_buffer():
    """The pool counts references to the buffer; a view with another base would not be counted."""
    pool = Pool()
    array = pool.empty(SHAPE, np.float32)
    (buffer,) = pool._buffers[array.nbytes]
    for view in (
        array,
        array[1:],
        array.reshape(-1)[3:].view(np.int32)[::2],
        array.T[0],
        np.broadcast_to(array, (2, *SHAPE)),
    ):
        assert view.base is buffer.memory


def test_copies_do_not_keep_it():
    pool = Pool()
    array = pool.empty(SHAPE, np.float32)
    array[...] = 3
    place = address(array)
    copies = [array.copy(), copy.copy(array), copy.deepcopy(array), pickle.loads(pickle.dumps(array, protocol=5))]
    assert len(pickle.dumps(array[0, 0], protocol=5)) < 2000  # the numbers of the array, not those of its buffer
    del array
    assert reused(pool, place)
    pool.empty(SHAPE, np.float32)[...] = 5
    assert all((one == 3).all() and one.base is not pool for one in copies)


def test_arrays_that_live_at_the_same_time_share_nothing():
    pool, rng = Pool(), np.random.default_rng(0)
    alive = {}
    for number in range(400):
        if len(alive) > 9:
            del alive[int(rng.choice(list(alive)))]
        array = pool.empty((int(rng.integers(1, 6)), 8192), (np.float32, np.float64)[number % 2])
        array[...] = number
        alive[number] = array[0, ::3]
    assert all((array == number).all() for number, array in alive.items())
    assert pool.held_bytes < 3 * 10 * array.itemsize * 5 * 8192  # and not that of 400


def test_a_larger_buffer_serves_where_there_is_none_of_the_right_size():
    pool = Pool()
    array = pool.empty(SHAPE, np.float32)
    place = address(array)
    del array
    smaller = (2, 256, 256)
    assert reused(pool, place, smaller)
    assert pool.held_bytes == MIB
    assert not reused(pool, place, (1, 256, 256))  # a quarter would waste too much
    assert pool.held_bytes == MIB + MIB // 4


def test_an_error_in_between_loses_nothing():
    pool = Pool()
    with pytest.raises(ZeroDivisionError):
        array = pool.empty(SHAPE, np.float32)
        place = address(array)
        array[0] = 1 / 0
    del array
    assert reused(pool, place) and pool.held_bytes == MIB
    with pytest.raises(MemoryError):
        pool.empty((1 << 50,), np.float32)
    assert reused(pool, place) and pool.held_bytes == MIB
    with pytest.raises(TypeError):
        pool.empty(SHAPE, "no type")
    with pytest.raises(ValueError, match="negative"):
        pool.empty((-1,), np.float32)
    assert pool.held_bytes == MIB


# --- what is given back -----------------------------------------------------------------------------------------------


def test_release_gives_back_what_is_free():
    pool = Pool()
    kept = pool.empty(SHAPE, np.float32)
    kept[...] = 1
    pool.empty((2, *SHAPE), np.float32)
    assert pool.held_bytes == 3 * MIB
    pool.release()
    assert pool.held_bytes == MIB
    pool.empty((2, *SHAPE), np.float32)[...] = 2
    assert (kept == 1).all()
    del kept
    pool.release()
    assert pool.held_bytes == 0 and not pool._buffers


def test_a_buffer_that_nobody_asked_for_in_a_long_while_is_given_back(monkeypatch):
    monkeypatch.setattr(pool_module, "LONG_WHILE", 10)
    pool = Pool()
    kept = pool.empty((5, *SHAPE), np.float32)
    pool.empty((3, *SHAPE), np.float32)
    assert pool.held_bytes == 8 * MIB
    for _ in range(21):
        pool.empty(SHAPE, np.float32)  # asked for again and again
    assert pool.held_bytes == 6 * MIB
    del kept
    for _ in range(21):
        pool.empty(SHAPE, np.float32)
    assert pool.held_bytes == MIB


def test_beyond_the_limit_arrays_are_made_afresh_and_one_line_says_so(caplog):
    pool = Pool(limit_bytes=2 * MIB)
    kept = [pool.empty(SHAPE, np.float32) for _ in range(2)]
    assert not caplog.records
    for _ in range(2):
        more = [pool.empty(SHAPE, np.float32) for _ in range(3)]
        for value, array in enumerate(kept + more):
            array[...] = value
        assert all((array == value).all() for value, array in enumerate(kept + more))
        assert all(address(array) % LINE_BYTES == 0 for array in more)
    assert pool.held_bytes == 2 * MIB
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("minidepth", logging.WARNING)
    text = record.getMessage()
    assert "limit of 2.0 MiB is smaller than one step needs: it holds 2.0 MiB, and 1.0 more were asked for" in text
    assert "\n" not in text


def test_within_the_limit_free_buffers_make_room_the_oldest_first(caplog):
    pool = Pool(limit_bytes=5 * MIB)
    arrays = [pool.empty(SHAPE, np.float32) for _ in range(4)]
    places = [address(array) for array in arrays]
    del arrays[0]
    assert reused(pool, places[0])  # the one used last from now on
    del arrays[0]
    other = pool.empty((2, *SHAPE), np.float32)
    assert other.nbytes == 2 * MIB and pool.held_bytes == 5 * MIB
    assert reused(pool, places[0])
    assert not caplog.records


def test_a_new_limit_holds_from_now_on():
    pool = Pool()
    kept = [pool.empty(SHAPE, np.float32) for _ in range(3)]
    del kept[2]
    pool.set_limit(MIB)
    assert pool.held_bytes == 2 * MIB  # what is in use stays
    del kept[1]
    assert pool.empty(SHAPE, np.float32) is not None
    assert pool.held_bytes == MIB
    pool.set_limit(None)
    kept += [pool.empty(SHAPE, np.float32) for _ in range(3)]
    assert pool.held_bytes == 4 * MIB


def test_a_limit_of_zero_keeps_nothing():
    pool = Pool(limit_bytes=0)
    for value in range(3):
        array = pool.empty(SHAPE, np.float32)
        array[...] = value
        assert (array == value).all()
    assert pool.held_bytes == 0


@pytest.fixture
def shared_pool(monkeypatch):
    """The pool that all kernels share, in place of which there is a fresh one meanwhile."""
    pool = Pool()
    monkeypatch.setattr(pool_module, "_pool", pool)
    return pool


def test_the_public_functions(shared_pool):
    kept = pool_module.empty(SHAPE, np.float32)
    pool_module.empty(SHAPE, np.float64)
    assert shared_pool.held_bytes == 3 * MIB
    minidepth.release_memory()
    assert shared_pool.held_bytes == MIB == kept.nbytes
    minidepth.set_pool_limit(np.int64(5))
    assert shared_pool.limit_bytes == 5
    minidepth.set_pool_limit(0)
    del kept
    pool_module.empty(SHAPE, np.float32)
    assert shared_pool.held_bytes == 0
    minidepth.set_pool_limit(None)
    assert shared_pool.limit_bytes is None


@pytest.mark.parametrize("bad", [-1, "64", "much", 1.5, 64.0, True, (1,)])
def test_a_limit_that_is_none(shared_pool, bad):
    with pytest.raises(InputError, match=r"set_pool_limit: limit_bytes is .*; it must be a whole number of at least 0"):
        minidepth.set_pool_limit(bad)
    assert shared_pool.limit_bytes is None


# --- threads, collections, processes ----------------------------------------------------------------------------------


def test_several_threads_at_once():
    pool, faults = Pool(limit_bytes=40 * MIB), []

    def user(number):
        rng = np.random.default_rng(number)
        alive = []
        for turn in range(300):
            value = 1000 * number + turn
            array = pool.empty((int(rng.integers(1, 5)), 8192), np.float64)
            array[...] = value
            alive.append((value, array[:, ::7]))
            if len(alive) > 5:
                value, array = alive.pop(int(rng.integers(len(alive))))
                if not (array == value).all():
                    faults.append(value)
            del array

    threads = [threading.Thread(target=user, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults
    pool.release()
    assert pool.held_bytes == 0


def test_one_thread_at_a_time():
    pool, done = Pool(), threading.Event()
    thread = threading.Thread(target=lambda: (pool.empty(SHAPE, np.float32), done.set()), daemon=True)
    with pool._lock:
        thread.start()
        assert not done.wait(0.05)
    assert done.wait(WAIT_S)


def request_with_code_between(pool, point):
    """The array of a request, and what the program got that ran before instruction number `point` of pool.py."""
    between, countdown = [], point

    def trace(frame, event, _):
        nonlocal countdown
        if frame.f_code.co_filename != pool_module.__file__:
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            if countdown == 0:
                sys.settrace(None)
                between.append(pool.empty(SHAPE, np.float32))
                pool.release()
            countdown -= 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        return pool.empty(SHAPE, np.float32), between
    finally:
        sys.settrace(before)


@pytest.mark.parametrize("limit_bytes", [None, 3 * MIB])
def test_code_of_the_program_may_run_at_any_point_of_a_request(limit_bytes):
    """As it does in a garbage collection: it must neither wait for the request to end nor get the same memory."""
    for point in range(10_000):
        pool = Pool(limit_bytes)
        kept = [pool.empty(SHAPE, np.float32) for _ in range(3)]
        del kept[1:]  # one in use, two free
        array, between = request_with_code_between(pool, point)
        everything = [*kept, *between, array]
        for number, one in enumerate(everything):
            one[...] = number
        assert all((one == number).all() for number, one in enumerate(everything)), point
        if not between:
            break  # the request was over before that point
    assert 50 < point < 9_999


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_process_does_not_wait_for_a_thread_it_does_not_have():
    stop = threading.Event()

    def busy():
        while not stop.is_set():
            pool_module.empty(SHAPE, np.float32)

    thread = threading.Thread(target=busy)
    thread.start()
    try:
        for _ in range(20):
            child = os.fork()
            if child == 0:
                pool_module.empty(SHAPE, np.float32)[...] = 1
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0
    finally:
        stop.set()
        thread.join()


# --- scratch ----------------------------------------------------------------------------------------------------------

FLOAT = np.dtype(np.float32)


def test_scratch_is_kept_grows_and_belongs_to_a_thread():
    a = scratch("a test's own", (4, 5), FLOAT)
    assert a.shape == (4, 5) and a.dtype == np.float32
    b = scratch("a test's own", (2, 5), FLOAT)
    assert np.shares_memory(a, b)
    assert scratch("a test's own", (100, 100), np.dtype(np.float64)).shape == (100, 100)
    assert not np.shares_memory(scratch("another", (4, 5), FLOAT), scratch("a test's own", (4, 5), FLOAT))
    elsewhere = []
    other = threading.Thread(target=lambda: elsewhere.append(scratch("a test's own", (4, 5), FLOAT)))
    other.start()
    other.join()
    assert not np.shares_memory(elsewhere[0], scratch("a test's own", (4, 5), FLOAT))


@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (1,), (1 << 20,)])
def test_scratch_of_any_size_begins_at_a_line_of_the_cache(shape):
    array = scratch("any size", shape, FLOAT)
    assert array.shape == shape and (array.size == 0 or address(array) % LINE_BYTES == 0)


def test_release_memory_drops_the_scratch_of_all_threads():
    done, go_on = threading.Event(), threading.Event()

    def other():
        scratch("of a thread", (1 << 20,), FLOAT)
        done.set()
        assert go_on.wait(WAIT_S)

    thread = threading.Thread(target=other, daemon=True)
    thread.start()
    assert done.wait(WAIT_S)
    scratch("of a thread", (1 << 20,), FLOAT)
    assert len(pool_module._scratch) >= 2
    minidepth.release_memory()
    assert len(pool_module._scratch) == 0
    go_on.set()
    thread.join()


def test_the_scratch_of_a_thread_ends_with_it():
    before = len(pool_module._scratch)
    thread = threading.Thread(target=lambda: scratch("short", (10,), FLOAT))
    thread.start()
    thread.join()
    del thread
    gc.collect()
    assert len(pool_module._scratch) == before
