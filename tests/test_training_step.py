"""A whole training step: the same bits for any number of threads, under any limit of memory, and in any company."""

import threading

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

import minidepth
from minidepth import Tensor, losses, models, optim
from minidepth.ops.cpu import pool as pool_module
from minidepth.ops.cpu.pool import Pool

STEPS = 3
WAIT_S = 60


@pytest.fixture(autouse=True)
def fresh_pool_and_two_threads(monkeypatch):
    """Nothing is left behind in the pool, or in the number of threads, for other tests."""
    before = minidepth.get_num_threads()
    monkeypatch.setattr(pool_module, "_pool", Pool())
    minidepth.set_num_threads(2)
    yield
    minidepth.set_num_threads(before)


def train(norm="batch", up="transposed", batch=3, size=(96, 128), seed=0):
    """The bytes of all losses and gradients of a few steps, and of the network at the end."""
    network = models.build("unet", base_channels=4, norm=norm, up=up, activation="leaky_relu", rng=seed)
    optimizer, error = optim.Adam(network.parameters(), lr=1e-3), losses.build("mse+gradient+normal")
    rng = np.random.default_rng(seed)
    seen = []
    for _ in range(STEPS):
        image = rng.standard_normal((batch, 3, *size), dtype=np.float32)
        depth_m = 1 + rng.random((batch, 1, *size), dtype=np.float32)
        loss = error(network(Tensor(image)), depth_m, depth_m < 1.9)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        seen += [loss.data, *(parameter.grad.copy() for parameter in network.parameters())]
    return [array.tobytes() for array in (*seen, *network.state_dict().values())]


@pytest.fixture(scope="module")
def alone():
    """What the first settings give in one thread, with nothing else going on."""
    before = minidepth.get_num_threads()
    minidepth.set_num_threads(1)
    result = train()
    minidepth.set_num_threads(before)
    return result


# --- threads ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [1, 2, 3])
def test_the_number_of_threads_does_not_change_a_bit(alone, number):
    minidepth.set_num_threads(number)
    assert train() == alone  # and so a second run with one number gives what the first gave


@pytest.mark.parametrize(
    "changes",
    [{"norm": None}, {"up": "bilinear"}, {"batch": 1, "norm": None}, {"size": (48, 272), "up": "nearest"}],
    ids=str,
)
def test_nor_do_other_networks_and_sizes(changes):
    results = []
    for number in (1, 2, 3):
        minidepth.set_num_threads(number)
        results.append(train(**changes))
    assert results[0] == results[1] == results[2]


def test_the_bytes_can_tell_runs_apart(alone):
    assert train(seed=1) != alone


# --- memory -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit_bytes", [0, 1 << 20, 5 << 20, 1 << 30])
def test_a_limit_of_the_pool_does_not_change_a_bit_and_says_so_once(alone, limit_bytes, caplog):
    minidepth.set_pool_limit(limit_bytes)
    assert train() == alone
    needed = limit_bytes < 1 << 30
    assert len(caplog.records) == needed
    assert [f"limit of {limit_bytes / 2**20:.1f} MiB is smaller than one step needs" in caplog.text] == [needed]
    assert pool_module._pool.held_bytes <= limit_bytes


def test_memory_may_be_released_at_any_time(alone):
    stop = threading.Event()

    def host():
        while not stop.wait(0.001):
            minidepth.release_memory()

    thread = threading.Thread(target=host, daemon=True)
    thread.start()
    assert train() == alone
    stop.set()
    thread.join()
    minidepth.release_memory()
    assert pool_module._pool.held_bytes == 0  # the network is gone, and no helper has kept anything


# --- in company -------------------------------------------------------------------------------------------------------


def blas_threads():
    return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]


@pytest.fixture
def host_limit():
    """A number of BLAS threads that the program has set for itself: neither ours nor the machine's."""
    with threadpool_limits(3, user_api="blas"):
        yield blas_threads()


def test_the_programs_setting_of_blas_is_left_as_it_was(alone, host_limit):
    assert train() == alone
    assert blas_threads() == host_limit


def test_two_threads_train_at_once_and_a_third_multiplies(alone, host_limit):
    a, b = np.random.default_rng(0).integers(-9, 10, (2, 200, 200)).astype(np.float32)  # small integers: exact
    expected = a.astype(np.int64) @ b.astype(np.int64)
    stop, results, wrong = threading.Event(), [], []

    def host():
        while not stop.is_set():
            if not np.array_equal(a @ b, expected):
                wrong.append(1)

    users = [threading.Thread(target=lambda: results.append(train()), daemon=True) for _ in range(2)]
    multiplier = threading.Thread(target=host, daemon=True)
    for thread in (multiplier, *users):
        thread.start()
    for user in users:
        user.join(WAIT_S)
    stop.set()
    multiplier.join(WAIT_S)
    assert results == [alone, alone]
    assert not wrong
    assert blas_threads() == host_limit


def test_the_number_of_threads_may_change_at_any_time(alone):
    stop = threading.Event()

    def host():
        number = 0
        while not stop.wait(0.002):
            number += 1
            minidepth.set_num_threads(1 + number % 4)

    thread = threading.Thread(target=host, daemon=True)
    thread.start()
    assert train() == alone
    stop.set()
    thread.join()
