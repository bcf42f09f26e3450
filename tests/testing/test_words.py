"""CUDA's words under the emulator, plain and watched: what they compute, and how the checking mode counts."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
from written_kernels import needs_compiler, written

from minidepth.cuda import Grid, flat, launch
from minidepth.testing import checking, emulated, emulator
from minidepth.testing.emulator import library

pytestmark = needs_compiler

TEXT = r"""
extern "C" __global__ void places(int* seen) {
    int block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
    int thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
    int* mine = seen + (block * blockDim.x * blockDim.y * blockDim.z + thread) * 6;
    mine[0] = blockIdx.x;
    mine[1] = blockIdx.y;
    mine[2] = blockIdx.z;
    mine[3] = threadIdx.x;
    mine[4] = threadIdx.y;
    mine[5] = threadIdx.z;
}

extern "C" __global__ void shuffled(const real* x, real* from, real* down, real* up, real* across, int by, int width) {
    int i = threadIdx.x;
    real mine = x[i];
    from[i] = __shfl_sync(0xffffffffu, mine, by, width);
    down[i] = __shfl_down_sync(0xffffffffu, mine, by, width);
    up[i] = __shfl_up_sync(0xffffffffu, mine, by, width);
    across[i] = __shfl_xor_sync(0xffffffffu, mine, by, width);
}

extern "C" __global__ void half_warps(const real* x, real* y) {
    int i = threadIdx.x;
    real value = x[i];
    if (i < 16) value += __shfl_xor_sync(0x0000ffffu, value, 8);
    else value -= __shfl_xor_sync(0xffff0000u, value, 8);
    y[i] = value;
}

extern "C" __global__ void wide_shuffle(real* y) {
    int i = threadIdx.x;
    float4 four = make_float4(i, 2 * i, 3 * i, 4 * i);
    four = __shfl_down_sync(0xffffffffu, four, 1);
    y[i] = four.x + four.w;
}

extern "C" __global__ void counted(const int* kinds, int* counts, int* largest, real* sums, int n) {
    int i = flat_thread();
    if (i >= n) return;
    atomicAdd(counts + kinds[i], 1);
    atomicMax(largest, kinds[i]);
    atomicAdd(&sums[kinds[i]], real(0.5));
}

extern "C" __global__ void atomics_in_shared(const int* kinds, int* counts) {
    __shared__ int found[4];
    int i = threadIdx.x;
    if (i < 4) found[i] = 0;
    __syncthreads();
    atomicAdd(&found[kinds[i]], 1);
    __syncthreads();
    if (i < 4) counts[i] = found[i];
}

extern "C" __global__ void fours(const float* x, float* y) {
    const float4* from = reinterpret_cast<const float4*>(x);
    float4* to = reinterpret_cast<float4*>(y);
    float4 four = from[threadIdx.x];
    four = make_float4(four.w, four.z, four.y, four.x);
    to[threadIdx.x] = four;
}

extern "C" __global__ void transposed(const real* x, real* y, int size) {
    __shared__ real tile[8][9];
    int row = blockIdx.y * 8 + threadIdx.y, column = blockIdx.x * 8 + threadIdx.x;
    if (row < size && column < size) tile[threadIdx.y][threadIdx.x] = x[row * size + column];
    __syncthreads();
    row = blockIdx.x * 8 + threadIdx.y, column = blockIdx.y * 8 + threadIdx.x;
    if (row < size && column < size) y[row * size + column] = tile[threadIdx.x][threadIdx.y];
}

extern "C" __global__ void returned_early(const real* x, real* y, int n) {
    __shared__ real tile[64];
    int i = threadIdx.x;
    if (i >= n) return;
    tile[i] = x[i];
    __syncthreads();
    y[i] = tile[n - 1 - i];
}

extern "C" __global__ void in_order(real* y, int rounds) {
    __shared__ real tile[96];
    int i = threadIdx.x;
    tile[i] = i;
    __syncthreads();
    for (int round = 0; round < rounds; ++round) {
        real next = tile[(i + 1) % 96];
        __syncthreads();
        tile[i] = next;
        __syncthreads();
    }
    y[i] = tile[i];
}

extern "C" __global__ void halves(const stored* x, stored* twice, stored* reversed, int n) {
    __shared__ stored tile[8];
    int i = flat_thread();
    if (i >= n) return;
    real value = x[i];
    tile[threadIdx.x] = value;
    real kept = tile[threadIdx.x];
    twice[i] = value + kept;
    if (threadIdx.x % 4 != 0) return;
    stored4 four = reinterpret_cast<const stored4*>(x)[i / 4];
    stored4 back = {four.w, four.z, four.y, four.x};
    reinterpret_cast<stored4*>(reversed)[i / 4] = back;
}

extern "C" __global__ void rounded(const float* x, stored* y, int n) {
    int i = flat_thread();
    if (i < n) y[i] = x[i];
}

extern "C" __global__ void arithmetic(const real* x, real* y) {
    __shared__ real shared[4];
    __shared__ unsigned char marks[4];
    __shared__ real total;
    int i = threadIdx.x;
    shared[i] = x[i];
    marks[i] = i;
    __syncthreads();
    auto value = x[i];
    real a = i > 0 ? x[i - 1] : 0, b = i < 9 ? shared[i] : real(0);
    shared[i] += 1;
    shared[i] *= 2;
    shared[i] /= 4;
    shared[i] -= shared[i] * shared[i];
    if (i == 0) total = -shared[i];
    __syncthreads();
    y[i] = value + a + b + max(x[i], real(2)) + shared[i] * 2 + marks[i] + (marks[i] == 3 ? total : real(0));
}
"""


@pytest.fixture(scope="module")
def kernels(tmp_path_factory):
    return written(tmp_path_factory.mktemp("words"), TEXT, "words.cu")


@pytest.fixture(params=["plain", "checked"])
def mode(request):
    with checking() if request.param == "checked" else nullcontext() as launches:
        yield launches


def test_several_kernels_in_a_file(kernels) -> None:
    file = kernels["places"].file
    assert len(kernels) == TEXT.count("__global__") and library(file, "float32", False) is library(
        file, "float32", False
    )


def test_blocks_and_threads_in_three_directions(kernels, mode) -> None:
    seen = emulated(np.zeros((2 * 3 * 4 * 5 * 2 * 3, 6), np.int32))
    launch(kernels["places"], Grid((2, 3, 4), (5, 2, 3)), seen)
    z, y, x, c, b, a = np.meshgrid(*map(range, (4, 3, 2, 3, 2, 5)), indexing="ij")
    np.testing.assert_array_equal(seen.get(), np.stack([x, y, z, a, b, c], -1).reshape(-1, 6))


@pytest.mark.parametrize("width", [32, 16, 8, 4, 2, 1])
@pytest.mark.parametrize("by", [0, 1, 3, 9, 31])
def test_shuffles(kernels, mode, by, width) -> None:
    x = np.arange(64.0, dtype=np.float32)
    found = [emulated(np.zeros(64, np.float32)) for _ in range(4)]
    launch(kernels["shuffled"], Grid((1, 1, 1), (64, 1, 1)), emulated(x), *found, by, width)
    lane = np.arange(64)
    part = lane // width * width
    end = part + width
    warp = lane // 32 * 32
    expected = [
        part + by % width,
        np.where(lane + by < end, lane + by, lane),
        np.where(lane - by >= part, lane - by, lane),
        np.where(warp + (lane % 32 ^ by) < end, warp + (lane % 32 ^ by), lane),
    ]
    for actual, source in zip(found, expected):
        np.testing.assert_array_equal(actual.get(), x[source])


def test_shuffles_of_a_part_of_a_warp(kernels, mode) -> None:
    x, y = np.arange(32.0, dtype=np.float32) ** 2, emulated(np.zeros(32, np.float32))
    launch(kernels["half_warps"], Grid((1, 1, 1), (32, 1, 1)), emulated(x), y)
    other = x[np.arange(32) ^ 8]
    np.testing.assert_array_equal(y.get(), np.where(np.arange(32) < 16, x + other, x - other))


def test_a_shuffle_of_sixteen_bytes(kernels, mode) -> None:
    y = emulated(np.zeros(32, np.float32))
    launch(kernels["wide_shuffle"], Grid((1, 1, 1), (32, 1, 1)), y)
    np.testing.assert_array_equal(y.get(), [5 * min(i + 1, 31) for i in range(32)])


def test_atomics(kernels, mode) -> None:
    kinds = np.random.default_rng(0).integers(0, 4, 100).astype(np.int32)
    counts, largest = emulated(np.zeros(4, np.int32)), emulated(np.full(1, -1, np.int32))
    sums = emulated(np.zeros(4, np.float32))
    launch(kernels["counted"], Grid((4, 1, 1), (32, 1, 1)), emulated(kinds), counts, largest, sums, 100)
    assert counts.get().tolist() == np.bincount(kinds, minlength=4).tolist()
    assert largest.get().tolist() == [3]
    assert sums.get().tolist() == (np.bincount(kinds, minlength=4) / 2).tolist()
    launch(kernels["atomics_in_shared"], Grid((1, 1, 1), (64, 1, 1)), emulated(kinds[:64]), counts)
    assert counts.get().tolist() == np.bincount(kinds[:64], minlength=4).tolist()


def test_four_at_a_time(kernels, mode) -> None:
    x, y = np.arange(32.0, dtype=np.float32), emulated(np.zeros(32, np.float32))
    launch(kernels["fours"], Grid((1, 1, 1), (8, 1, 1)), emulated(x), y)
    np.testing.assert_array_equal(y.get(), x.reshape(8, 4)[:, ::-1].ravel())
    if mode is not None:
        assert (mode[0].reads, mode[0].writes) == ({"x": 32, "y": 0}, {"x": 0, "y": 32})


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [1, 8, 19])
def test_a_tile_in_shared_memory(kernels, mode, size, dtype) -> None:
    x, y = np.random.default_rng(0).random((size, size)).astype(dtype), emulated(np.zeros((size, size), dtype))
    blocks = -(-size // 8)
    launch(kernels["transposed"], Grid((blocks, blocks, 1), (8, 8, 1)), emulated(x), y, size)
    np.testing.assert_array_equal(y.get(), x.T)


def test_counts_of_reads_and_writes(kernels) -> None:
    x = emulated(np.zeros((19, 19), np.float32))
    with checking() as launches:
        for _ in range(2):
            launch(kernels["transposed"], Grid((3, 3, 1), (8, 8, 1)), x, emulated(np.zeros((19, 19), np.float32)), 19)
    for counts in launches:
        assert counts == emulator.Counts("transposed", {"x": 361, "y": 0}, {"x": 0, "y": 361}, 361, 361)


@pytest.mark.parametrize("n", [1, 33, 64])
def test_threads_that_have_returned_are_not_waited_for(kernels, mode, n) -> None:
    x, y = np.arange(64.0, dtype=np.float32), emulated(np.zeros(64, np.float32))
    launch(kernels["returned_early"], Grid((1, 1, 1), (64, 1, 1)), emulated(x), y, n)
    np.testing.assert_array_equal(y.get()[:n], x[:n][::-1])


@pytest.mark.parametrize("rounds", [0, 1, 200])
def test_barriers_keep_threads_in_step(kernels, mode, rounds) -> None:
    y = emulated(np.zeros(96, np.float32))
    launch(kernels["in_order"], Grid((1, 1, 1), (96, 1, 1)), y, rounds)
    np.testing.assert_array_equal(y.get(), (np.arange(96) + rounds) % 96)


def test_the_checking_mode_computes_the_same(kernels, mode) -> None:
    """No number of an array turns into another type because something looks at it."""
    x, y = np.array([0.25, 0.5, 0.75, 1.25], np.float32), emulated(np.zeros(4, np.float32))
    launch(kernels["arithmetic"], Grid((1, 1, 1), (4, 1, 1)), emulated(x), y)
    half = (x + 1) / 2
    shared = half - half * half
    expected = x + np.concatenate([[0], x[:-1]]) + x + 2 + 2 * shared + np.arange(4)
    expected[3] -= shared[0]
    np.testing.assert_allclose(y.get(), expected, rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_stored_numbers(kernels, mode, dtype) -> None:
    x, twice, reverse = np.arange(16, dtype=dtype) - 3, emulated(np.zeros(16, dtype)), emulated(np.zeros(16, dtype))
    launch(kernels["halves"], Grid((2, 1, 1), (8, 1, 1)), emulated(x), twice, reverse, 16)
    np.testing.assert_array_equal(twice.get(), 2 * x)
    np.testing.assert_array_equal(reverse.get(), x.reshape(4, 4)[:, ::-1].ravel())
    if mode is not None:
        assert mode[0].reads["x"] == 32 and mode[0].writes["reversed"] == 16


def test_every_half(kernels, mode) -> None:
    """All 65536 of them become a float and half again; what lies between is rounded as NumPy does."""
    every = np.arange(65536, dtype=np.uint16).view(np.float16)
    finite = np.sort(every[np.isfinite(every)].astype(np.float32))
    beyond = np.array([65519.99, 65520, 70000, -1e30, np.inf, np.nan, -0.0, 2.0**-25, 2.0**-26], np.float32)
    middle = (finite[1:] + finite[:-1]) / 2
    x = np.concatenate([every.astype(np.float32), middle, np.nextafter(middle, 0), np.nextafter(middle, 9e9), beyond])
    y = emulated(np.zeros(x.size, np.float16))
    launch(kernels["rounded"], flat(x.size), emulated(x), y, x.size)
    with np.errstate(over="ignore"):
        expected = x.astype(np.float16)
    np.testing.assert_array_equal(y.get(), expected)
    np.testing.assert_array_equal(np.signbit(y.get()), np.signbit(expected))


def test_a_file_that_is_wrong(tmp_path, monkeypatch) -> None:
    x = emulated(np.zeros(1, np.float32))
    wrong = written(tmp_path, '\nextern "C" __global__ void wrong(real* y) { y[0] = unknown; }\n', "wrong.cu")
    with pytest.raises(RuntimeError, match=r"(?s)wrong.cu does not compile with .*wrong.cu:3:.*unknown"):
        launch(wrong["wrong"], Grid((1, 1, 1), (1, 1, 1)), x)
    for declared, text in (
        ("__shared__ real a[3], b[3];", "one array a statement"),
        ("real *a, *b;", "declare `real[*] a` alone: one pointer a statement"),
    ):
        body = f'extern "C" __global__ void wrong(real* y) {{ {declared} y[0] = 1; }}'
        kernel = written(tmp_path, body, f"wrong{len(text)}.cu")["wrong"]
        with checking(), pytest.raises((ValueError, RuntimeError), match=text):
            launch(kernel, Grid((1, 1, 1), (1, 1, 1)), x)
    monkeypatch.setattr(emulator, "COMPILER", "no-such-compiler")
    other = written(tmp_path, 'extern "C" __global__ void other(real* y) {}', "other.cu")
    with pytest.raises(
        RuntimeError, match=r"the emulator needs no-such-compiler to compile other.cu; install g\+\+, or set CXX"
    ):
        launch(other["other"], Grid((1, 1, 1), (1, 1, 1)), x)


def test_it_is_compiled_once(tmp_path, monkeypatch) -> None:
    """The library lies in the cache folder, and is made anew when the text or a header has changed."""
    made = []
    monkeypatch.setenv("MINIDEPTH_EMULATOR_CACHE", str(tmp_path))
    monkeypatch.setattr(emulator, "_compile", lambda what, texts, target: made.append(target) or target.touch())
    for texts in (["int a;"], ["int a;"], ["int b;"]):
        target = emulator._compiled("kernel.cu", "kernel", texts)
        assert target.parent == tmp_path and target.name.startswith("kernel_")
    assert len(made) == 2 and all(isinstance(path, Path) for path in made)
