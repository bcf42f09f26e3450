"""How often does each version of a CUDA kernel read memory? No GPU needed: an emulator runs them and counts.

docs/from_naive_to_tiled.md tells the story behind the two tables. The emulator compiles the kernels, which takes g++
and half a minute at the first run.
"""

from collections.abc import Callable

import numpy as np

from minidepth.ops.gpu import direct, implicit_gemm, implicit_gemm_tensor
from minidepth.ops.im2col import im2col
from minidepth.ops.product import product_cuda
from minidepth.testing import checking, emulated

rng = np.random.default_rng(0)


def on_gpu(*shape: int):
    return emulated(rng.standard_normal(shape).astype(np.float32))


def row(name: str, multiply_adds: int, compute: Callable[[], object]) -> str:
    """What all launches of `compute` read and write together, and that for each multiply-add."""
    with checking() as launches:
        compute()
    reads = sum(sum(launch.reads.values()) for launch in launches)
    writes = sum(sum(launch.writes.values()) for launch in launches)
    shared = sum(launch.shared_reads for launch in launches)
    each, shared_each = reads / multiply_adds, shared / multiply_adds
    return f"| {name} | {reads:,} | {writes:,} | {each:.3f} | {shared:,} | {shared_each:.2f} |"


COLUMNS = (
    "numbers read | numbers written | reads a multiply-add | shared reads | those a multiply-add |\n" + "|---" * 6 + "|"
)

m, n, k = 128, 128, 64
a, b = on_gpu(m, k), on_gpu(k, n)
print(f"Matrix product, {m}x{k} times {k}x{n}: {m * n * k:,} multiply-adds\n\n| kernel | {COLUMNS}")
for version in ("product_naive", "product_shared", "product_registers", "product_registers_8x8"):
    print(row(version, m * n * k, lambda version=version: product_cuda(a, b, version=version)))

x, weight = on_gpu(1, 16, 32, 32), on_gpu(64, 16, 3, 3)
settings = (1, 1), (1, 1), (1, 1), 1  # stride, padding, dilation, groups
multiply_adds = 64 * 32 * 32 * 16 * 9


def by_im2col():
    patches = im2col(x, weight.shape, *settings)  # (1, 1, 144, 1024)
    return product_cuda(weight.reshape(64, 144), patches[0, 0], version="product_registers")


print(f"\nConvolution 3x3, 16 to 64 channels, 32x32 pixels: {multiply_adds:,} multiply-adds\n\n| way | {COLUMNS}")
print(row("direct", multiply_adds, lambda: direct.forward(x, weight, None, *settings)))
print(row("im2col and product_registers", multiply_adds, by_im2col))
print(row("implicit_gemm", multiply_adds, lambda: implicit_gemm.forward(x, weight, None, *settings)))
half, implicit_gemm_tensor.ENOUGH_BLOCKS = x.astype(np.float16), 1  # with the wide tiles of a large picture
print(row("implicit_gemm_tensor", multiply_adds, lambda: implicit_gemm_tensor.forward(half, weight, None, *settings)))
