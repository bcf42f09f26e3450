"""The checking mode finds what is planted here, says where it is, and has nothing to say once it is mended."""

from __future__ import annotations

import re

import numpy as np
import pytest
from written_kernels import needs_compiler, written

from minidepth.cuda import Grid, launch
from minidepth.testing import KernelError, checking, emulated

pytestmark = needs_compiler

BROKEN_AND_MENDED = r"""
extern "C" __global__ void read_outside(const real* x, real* y, int n, bool mended) {
    int i = flat_thread();
    if (i < n) y[i] = mended && i + 1 == n ? 0 : x[i + 1];
}

extern "C" __global__ void read_before(const real* x, real* y, int n, bool mended) {
    int i = flat_thread();
    if (i < n) y[i] = mended && i == 0 ? 0 : x[i - 1];
}

extern "C" __global__ void write_outside(real* y, int n, bool mended) {
    int i = flat_thread();
    if (mended && i >= n) return;
    y[i] = i;
}

extern "C" __global__ void row_outside(real* y, bool mended) {
    __shared__ real tile[4][8];
    int i = threadIdx.x;
    tile[i / 8][i % 8] = i;
    __syncthreads();
    y[i] = mended ? tile[i / 8][7 - i % 8] : tile[i / 8][8 - i % 8];
}

extern "C" __global__ void shared_outside(real* y, bool mended) {
    __shared__ int places[32];
    int i = threadIdx.x;
    int* mine = places + i;
    *mine = i;
    __syncthreads();
    y[i] = static_cast<real>(mine[mended ? 31 - 2 * i : 1]);
}

extern "C" __global__ void misaligned(const real* x, real* y, bool mended) {
    float4 four = *reinterpret_cast<const float4*>(x + (mended ? 4 : 5));
    y[0] = four.x + four.w;
}

extern "C" __global__ void half_outside(const real* x, real* y, bool mended) {
    float4 four = reinterpret_cast<const float4*>(x)[mended ? 1 : 2];  // of 10 numbers
    y[0] = four.x;
}

extern "C" __global__ void misaligned_shared(real* y, bool mended) {
    __shared__ real anywhere[32];
    __shared__ __align__(16) real aligned[32];
    int i = threadIdx.x;
    anywhere[i] = i;
    aligned[i] = i;
    __syncthreads();
    real* from = mended ? aligned : anywhere;
    float4 four = *reinterpret_cast<float4*>(from + i / 4 * 4);
    y[i] = four.x;
}

extern "C" __global__ void unwritten(real* y, bool mended) {
    __shared__ real tile[40];
    int i = threadIdx.x;
    tile[i] = i;
    if (mended && i < 8) tile[32 + i] = i;
    __syncthreads();
    y[i] = tile[i + 8];
}

extern "C" __global__ void unwritten_number(real* y, bool mended) {
    __shared__ real total;
    if (mended ? threadIdx.x == 0 : blockIdx.x == 0 && threadIdx.x == 0) total = 3;
    __syncthreads();
    y[flat_thread()] = total;
}

extern "C" __global__ void read_too_early(real* y, bool mended) {
    __shared__ real tile[64];
    int i = threadIdx.x;
    tile[i] = 0;
    __syncthreads();
    tile[i] = i;
    if (mended) __syncthreads();
    y[i] = tile[63 - i];
}

extern "C" __global__ void written_too_early(real* y, bool mended) {
    __shared__ real tile[64];
    int i = threadIdx.x;
    for (int round = 0; round < 2; ++round) {
        tile[i] = i;
        __syncthreads();
        y[i] = tile[63 - i];
        if (mended) __syncthreads();
    }
}

extern "C" __global__ void lanes_race(real* y, bool mended) {
    __shared__ real tile[32];
    int i = threadIdx.x;
    tile[i] = 0;
    __syncwarp();
    tile[i] = i;
    if (mended) __syncwarp();
    y[i] = tile[31 - i];
}

extern "C" __global__ void shuffle_is_no_barrier(real* y, bool mended) {
    __shared__ real tile[32];
    int i = threadIdx.x;
    tile[i] = i;
    int other = __shfl_xor_sync(0xffffffffu, i, 1);
    if (mended) __syncwarp();
    y[i] = tile[other];
}

extern "C" __global__ void warps_race(real* y, bool mended) {
    __shared__ real tile[64];
    int i = threadIdx.x;
    tile[i] = 0;
    __syncthreads();
    tile[i] = i;
    __syncwarp();
    y[i] = tile[mended ? i ^ 1 : i ^ 32];
}

extern "C" __global__ void same_place(real* y, bool mended) {
    __shared__ real last;
    if (!mended || threadIdx.x == 5) last = 3;
    __syncthreads();
    y[threadIdx.x] = last;
}

extern "C" __global__ void blocks_race(real* y, bool mended) { y[mended ? flat_thread() : threadIdx.x] = 1; }

extern "C" __global__ void blocks_read_and_write(real* x, int n, bool mended) {
    int i = flat_thread();
    real left = 0;
    if (!mended && i > 0) left = x[i - 1];
    __syncthreads();
    x[i] = x[i] + left;
}

extern "C" __global__ void blocks_read_before_writing(real* x, int n, bool mended) {
    int i = flat_thread();
    real right = 0;
    if (!mended && i + 1 < n) right = x[i + 1];
    __syncthreads();
    x[i] = x[i] + right;
}

extern "C" __global__ void views_race(const real* x, real* y, bool mended) {
    int i = flat_thread();  // y is x[1:]
    y[i] = mended ? 1 : x[i];
}

extern "C" __global__ void mixed_atomics(real* y, bool mended) {
    if (mended || threadIdx.x != 7) atomicAdd(y, real(1));
    else y[0] += 1;
}

extern "C" __global__ void mixed_atomics_of_blocks(real* y, bool mended) {
    if (mended || blockIdx.x < 2) atomicAdd(y + threadIdx.x, real(1));
    else y[threadIdx.x] += 1;
}

extern "C" __global__ void read_and_atomics_of_blocks(real* y, bool mended) {
    real before = 0;
    if (!mended) before = y[0];
    if (blockIdx.x == 1) atomicAdd(y, real(1) + 0 * before);
}

extern "C" __global__ void write_and_atomics(real* y, bool mended) {
    if (threadIdx.x == 0) y[0] = 1;
    if (mended) __syncthreads();
    atomicAdd(y, real(1));
}

extern "C" __global__ void one_of_the_readers_writes(real* y, bool mended) {
    __shared__ real number;
    int i = threadIdx.x;
    if (i == 0) number = 3;
    __syncthreads();
    if (i == 5 || i == 63) y[i] = number;
    if (mended) __syncthreads();
    __syncwarp();
    if (i == 63) number = 4;
}

extern "C" __global__ void halves_wait_apart(real* y, bool mended) {
    __shared__ real tile[32];
    int i = threadIdx.x;
    tile[i] = i;
    __syncwarp(mended ? 0xffffffffu : i < 16 ? 0x0000ffffu : 0xffff0000u);
    y[i] = tile[31 - i];
}

extern "C" __global__ void lane_outside_the_mask(real* y, bool mended) {
    int i = threadIdx.x;
    y[i] = __shfl_sync(i < 16 ? 0x0000ffffu : 0xffff0000u, i, mended ? i : 20);
}

extern "C" __global__ void some_wait(real* y, bool mended) {
    __shared__ real tile[64];
    int i = threadIdx.x;
    tile[i] = i;
    if (mended || i < 32) __syncthreads();
    tile[i] += 1;
    __syncthreads();
    y[i] = tile[63 - i];
}

extern "C" __global__ void lanes_wait_for_the_block(real* y, bool mended) {
    int i = threadIdx.x;
    if (!mended && i % 32 == 0) __syncthreads();
    else __syncwarp();
    y[i] = i;
}

extern "C" __global__ void lanes_apart(real* y, bool mended) {
    int i = threadIdx.x, other = 0;
    if (mended || i < 16) other = __shfl_xor_sync(0xffffffffu, i, 1);
    else __syncwarp();
    y[i] = other;
}

extern "C" __global__ void masks_apart(real* y, bool mended) {
    int i = threadIdx.x;
    y[i] = __shfl_xor_sync(mended ? 0xffffffffu : i < 16 ? 0x1ffffu : 0xffff0000u, i, 1);
}

extern "C" __global__ void not_in_its_mask(real* y, bool mended) {
    int i = threadIdx.x;
    y[i] = __shfl_sync(mended || i != 9 ? 0xffffffffu : 0xffu, i, 0);
}

extern "C" __global__ void returned_lane(real* y, bool mended) {
    int i = threadIdx.x;
    if (i >= 24) return;
    y[i] = __shfl_sync(0xffffffffu, i, mended ? 3 : 24);
}

extern "C" __global__ void lane_outside_the_block(real* y, bool mended) {
    int i = threadIdx.x;
    y[i] = __shfl_down_sync(0xffffffffu, i, 8, mended ? 8 : 32);
}
"""

FAULTS = {  # kernel: threads a block, blocks, what is said of it
    "read_outside": (32, 1, r"block (0, 0, 0) thread (31, 0, 0): x[32] is out of bounds: x has 32 numbers"),
    "read_before": (32, 1, r"block (0, 0, 0) thread (0, 0, 0): x[-1] is out of bounds: x has 32 numbers"),
    "write_outside": (48, 1, r"thread (32, 0, 0): y[32] is out of bounds: y has 32 numbers"),
    "row_outside": (32, 1, r"thread (0, 0, 0): shared tile[0][8] is out of bounds: there are 8 such places"),
    "shared_outside": (32, 1, r"thread (31, 0, 0): shared places[32] is out of bounds: places has 32 numbers"),
    "misaligned": (1, 1, r"x[5] is not aligned for a read or write of 16 bytes: its address is no multiple of 16"),
    "half_outside": (1, 1, r"x[10] is out of bounds: x has 10 numbers"),
    "misaligned_shared": (32, 1, r"shared anywhere[0] is not aligned for a read or write of 16 bytes"),
    "unwritten": (32, 1, r"thread (24, 0, 0): shared tile[32] is read, but no thread of the block has written it"),
    "unwritten_number": (16, 2, r"block (1, 0, 0) thread (0, 0, 0): shared total is read, but no thread of the block"),
    "read_too_early": (64, 1, r"a race: it writes shared tile[32], which thread 31 has read"),
    "written_too_early": (64, 1, r"thread (32, 0, 0): a race: it reads shared tile[31], which thread 31 has written"),
    "lanes_race": (32, 1, r"thread (16, 0, 0): a race: it writes shared tile[16], which thread 15 has read"),
    "shuffle_is_no_barrier": (32, 1, r"thread (0, 0, 0): a race: it reads shared tile[1], which thread 1 has written"),
    "warps_race": (64, 1, r"thread (32, 0, 0): a race: it writes shared tile[32], which thread 0 has read"),
    "same_place": (32, 1, r"thread (1, 0, 0): a race: it writes shared last, which thread 0 has written"),
    "blocks_race": (8, 3, r"block (1, 0, 0) thread (0, 0, 0): a race: it writes y[0], which a thread of another block"),
    "blocks_read_and_write": (
        8,
        3,
        r"block (1, 0, 0) thread (0, 0, 0): a race: it reads x[7], which a thread of another",
    ),
    "blocks_read_before_writing": (
        8,
        3,
        r"thread (0, 0, 0): a race: it writes x[8], which a thread of another block has read",
    ),
    "views_race": (8, 1, r"thread (1, 0, 0): a race: it reads x[1], which thread 0 has written"),
    "mixed_atomics": (16, 1, r"thread (7, 0, 0): a race: it reads y[0], which another thread has written"),
    "mixed_atomics_of_blocks": (
        4,
        3,
        r"block (2, 0, 0) thread (0, 0, 0): a race: it reads y[0], which a thread of anoth",
    ),
    "read_and_atomics_of_blocks": (
        1,
        2,
        r"block (1, 0, 0) thread (0, 0, 0): a race: it writes y[0], which a thread of an",
    ),
    "write_and_atomics": (32, 1, r"thread (1, 0, 0): a race: it reads y[0], which thread 0 has written"),
    "one_of_the_readers_writes": (
        64,
        1,
        r"thread (63, 0, 0): a race: it writes shared number, which another thread has",
    ),
    "halves_wait_apart": (32, 1, r"thread (0, 0, 0): a race: it reads shared tile[31], which thread 31 has written"),
    "lane_outside_the_mask": (32, 1, r"thread (0, 0, 0): __shfl_sync takes the number of lane 20, which is not there"),
    "some_wait": (64, 1, r"thread (32, 0, 0): waits at the __syncthreads of planted.cu line"),
    "lanes_wait_for_the_block": (64, 1, r"hangs in __syncwarp, as 2 of 64 threads wait at __syncthreads"),
    "lanes_apart": (32, 1, r"__shfl_xor_sync waits for lane 16 of its warp, which waits in __syncwarp"),
    "masks_apart": (
        32,
        1,
        r"__shfl_xor_sync waits for lane 16 of its warp, which waits in __shfl_xor_sync with another mask",
    ),
    "not_in_its_mask": (32, 1, r"thread (9, 0, 0): __shfl_sync has a mask without the lane that calls it"),
    "returned_lane": (32, 1, r"thread (0, 0, 0): __shfl_sync takes the number of lane 24, which is not there"),
    "lane_outside_the_block": (16, 1, r"thread (8, 0, 0): __shfl_down_sync takes the number of lane 16, which is not"),
}


@pytest.fixture(scope="module")
def kernels(tmp_path_factory):
    return written(tmp_path_factory.mktemp("planted"), BROKEN_AND_MENDED)


def arguments(kernel, threads: int, blocks: int, mended: bool) -> list:
    x = np.arange(10 if kernel.name == "half_outside" else 32, dtype=np.float32)
    if kernel.name == "views_race":
        memory = emulated(x)
        given = {"x": memory, "y": memory[1:]}
    else:
        n = 32 if kernel.name.endswith("outside") else threads * blocks
        given = {"x": emulated(x), "y": emulated(np.zeros(n, np.float32)), "n": min(32, n)}
    return [{**given, "mended": mended}[parameter.name] for parameter in kernel.parameters]


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_found(kernels, name) -> None:
    threads, blocks, text = FAULTS[name]
    grid = Grid((blocks, 1, 1), (threads, 1, 1))
    with checking(), pytest.raises(KernelError, match=rf"planted\.cu: {name}: .*{re.escape(text)}"):
        launch(kernels[name], grid, *arguments(kernels[name], threads, blocks, mended=False))
    with checking() as launches:  # and what comes after a fault is not disturbed by it
        launch(kernels[name], grid, *arguments(kernels[name], threads, blocks, mended=True))
    assert [counts.kernel for counts in launches] == [name]


def test_every_kernel_here_is_a_row_of_the_table(kernels) -> None:
    assert set(kernels) == set(FAULTS)
