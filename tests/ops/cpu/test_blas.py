"""BLAS has one thread in a kernel, and the program's own number before, after and beside it."""

import threading

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from minidepth.ops.cpu import blas
from minidepth.ops.cpu.threads import get_num_threads, run_tiles, set_num_threads

WAIT_S = 30


def blas_threads():
    return [library.num_threads for library in blas.libraries()]


def all_libraries(number):
    return [number] * len(blas.libraries())


def set_blas_threads(number):
    for library in blas.libraries():
        blas._set(library, number)


@pytest.fixture(autouse=True)
def two_of_each():
    """Two threads for kernels and two for BLAS, also on a machine with one core: numbers that must be found again."""
    found, number = blas_threads(), get_num_threads()
    set_blas_threads(2)
    set_num_threads(2)
    yield
    for library, threads in zip(blas.libraries(), found):
        blas._set(library, threads)
    set_num_threads(number)


class Kernel:
    """A kernel in a thread of its own that stays in its tiles until `end`."""

    def __init__(self):
        self.inside, self.go_on = threading.Event(), threading.Event()
        self.thread = threading.Thread(target=run_tiles, args=(self.tile, 2), daemon=True)
        self.thread.start()
        assert self.inside.wait(WAIT_S)

    def tile(self, index):
        self.inside.set()
        assert self.go_on.wait(WAIT_S)

    def end(self):
        self.go_on.set()
        self.thread.join()


def test_there_is_a_library_to_hold():
    assert blas.libraries()


@pytest.mark.parametrize("tiles", [1, 2])
@pytest.mark.parametrize("number", [1, 2])
def test_one_thread_inside_and_the_programs_number_afterwards(tiles, number):
    set_num_threads(number)
    seen = []
    run_tiles(lambda tile: seen.append(blas_threads()), tiles)
    assert seen == [all_libraries(1)] * tiles
    assert blas_threads() == all_libraries(2)


def test_without_products_it_is_left_alone():
    seen = []
    run_tiles(lambda tile: seen.append(blas_threads()), 2, products=False)
    assert seen == [all_libraries(2)] * 2


def test_put_back_after_an_error():
    with pytest.raises(ZeroDivisionError):
        run_tiles(lambda tile: 1 / 0, 2)
    assert blas_threads() == all_libraries(2)


def test_of_kernels_that_overlap_the_last_one_puts_back():
    """From two threads: threadpoolctl 3.8 obeys only one of them, unless it is told otherwise."""
    first, second = Kernel(), Kernel()
    assert blas_threads() == all_libraries(1)
    first.end()
    assert blas_threads() == all_libraries(1)  # the second one is still at it
    second.end()
    assert blas_threads() == all_libraries(2)


@pytest.mark.parametrize("limit", [1, 3])
def test_a_limit_around_kernels_holds_before_and_after_them_and_ends(limit):
    with threadpool_limits(limit, user_api="blas"):
        run_tiles(lambda tile: None, 2)
        assert blas_threads() == all_libraries(limit)
        kernel = Kernel()
        kernel.end()
        assert blas_threads() == all_libraries(limit)
    assert blas_threads() == all_libraries(2)


def test_a_limit_that_another_thread_holds_before_and_after():
    """The thread that trains is not the one that set the limit."""
    set_up, trained = threading.Event(), threading.Event()

    def host():
        with threadpool_limits(3, user_api="blas"):
            set_up.set()
            assert trained.wait(WAIT_S)

    thread = threading.Thread(target=host, daemon=True)
    thread.start()
    assert set_up.wait(WAIT_S)
    seen = []
    run_tiles(lambda tile: seen.append(blas_threads()), 2)
    assert seen == [all_libraries(1)] * 2
    assert blas_threads() == all_libraries(3)
    trained.set()
    thread.join()
    assert blas_threads() == all_libraries(2)


def test_a_limit_that_ends_while_a_kernel_runs():
    limits = threadpool_limits(3, user_api="blas")
    kernel = Kernel()
    limits.restore_original_limits()
    kernel.end()
    assert blas_threads() == all_libraries(2)


def test_a_number_set_while_a_kernel_runs_stays():
    kernel = Kernel()
    threadpool_limits(4, user_api="blas")  # not as a context: it stays
    kernel.end()
    assert blas_threads() == all_libraries(4)
    run_tiles(lambda tile: None, 2)
    assert blas_threads() == all_libraries(4)


def test_afterwards_every_thread_can_set_limits():
    """Nobody is left with threadpoolctl 3.8's claim to be the only one who may."""
    kernel = Kernel()
    kernel.end()
    run_tiles(lambda tile: None, 2)
    seen = []

    def host():
        with threadpool_limits(3, user_api="blas"):
            seen.append(blas_threads())
        seen.append(blas_threads())

    thread = threading.Thread(target=host, daemon=True)
    thread.start()
    thread.join()
    assert seen == [all_libraries(3), all_libraries(2)]


def test_products_in_another_thread_are_right_while_kernels_start_and_end():
    a, b = np.random.default_rng(0).integers(-9, 10, (2, 300, 300)).astype(np.float32)  # small integers: exact
    expected = a.astype(np.int64) @ b.astype(np.int64)
    stop, wrong, products = threading.Event(), [], []

    def host():
        while not stop.is_set():
            products.append(1)
            if not np.array_equal(a @ b, expected):
                wrong.append(1)

    thread = threading.Thread(target=host, daemon=True)
    thread.start()
    outs = np.empty((4, 300, 300), np.float32)
    try:
        while len(products) < 30:
            run_tiles(lambda tile: np.matmul(a, b, out=outs[tile]), 4)
            assert (outs == expected).all()
    finally:
        stop.set()
        thread.join()
    assert not wrong
    assert blas_threads() == all_libraries(2)
