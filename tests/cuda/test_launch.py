"""launch refuses what does not fit the declaration in the .cu file, with a text that says which, and what would fit."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
from written_kernels import needs_compiler, written

from minidepth import Tensor, ops
from minidepth.backend import KERNELS, kernel
from minidepth.cuda import Grid, constant, flat, launch, source
from minidepth.cuda.launch import RUNNERS
from minidepth.ops.activations import relu_grad_x
from minidepth.testing import emulated

leaky_relu = importlib.import_module("minidepth.ops.leaky_relu")

TEXT = """
// extern "C" __global__ void commented_out(real* y)
extern "C" __global__ void __launch_bounds__(256)
scale(const real* __restrict__ x, real *y, real by, int n) { int i = flat_thread(); if (i < n) y[i] = by * x[i]; }
extern "C" __global__ __launch_bounds__(64) void counters(unsigned char* a, long long* b, unsigned int* c, long long n)
{}
extern "C" __global__ void switched(double* sums, const bool* on, bool really) {}
extern "C" __global__ void normalised(const real* by, const stored* x, stored* y, real slope) {}
"""
ONE = Grid((1, 1, 1), (32, 1, 1))


@pytest.fixture
def kernels(tmp_path):
    return written(tmp_path, TEXT)


@pytest.fixture
def x():
    return emulated(np.ones(8, np.float32))


def test_what_is_read_in_a_file(kernels) -> None:
    assert [str(kernel) for kernel in kernels.values()] == [
        "scale(const real* x, real* y, real by, int n)",
        "counters(unsigned char* a, long long* b, unsigned int* c, long long n)",
        "switched(double* sums, const bool* on, bool really)",
        "normalised(const real* by, const stored* x, stored* y, real slope)",
    ]
    assert [kernel.takes_half for kernel in kernels.values()] == [False, False, False, True]


@needs_compiler
def test_by_hand(kernels, x) -> None:
    y = emulated(np.zeros(8, np.float32))
    launch(kernels["scale"], flat(8), x, y, 3, np.int64(8))
    assert y.get().tolist() == [3] * 8
    launch("leaky_relu_forward", flat(8), x, y, 0.5, 8)
    assert y.get().tolist() == [1] * 8
    launch(kernels["scale"], flat(0), x, None, 3, 0)  # no blocks, nothing to do


def test_flat() -> None:
    assert flat(1) == Grid((1, 1, 1), (256, 1, 1))
    assert flat(257) == Grid((2, 1, 1), (256, 1, 1))
    assert flat(64, threads=64).blocks == (1, 1, 1)
    assert flat(1025, each=4).blocks == (2, 1, 1)
    assert flat(0).blocks == (0, 1, 1)


def test_unknown_kernel() -> None:
    with pytest.raises(
        ValueError, match="no .cu file declares a kernel 'leaky_relu_forwards'; did you mean leaky_relu_f"
    ):
        launch("leaky_relu_forwards", ONE)
    with pytest.raises(ValueError, match="no .cu file declares a kernel 'xyzzy'$"):
        launch("xyzzy", ONE)


def test_wrong_count(kernels, x) -> None:
    with pytest.raises(TypeError, match=r"launch: scale\(const real\* x, .*, int n\) takes 4 arguments, but got 3"):
        launch(kernels["scale"], ONE, x, x, 2.0)


def test_wrong_dtype(kernels, x) -> None:
    with pytest.raises(TypeError, match=r"launch: scale takes real\* y in float32, but got float64"):
        launch(kernels["scale"], ONE, x, emulated(np.ones(8)), 2.0, 8)
    with pytest.raises(TypeError, match=r"launch: scale computes in float32 or float64, not in float16; use .astype"):
        launch(kernels["scale"], ONE, emulated(np.ones(8, np.float16)), None, 2.0, 8)
    with pytest.raises(TypeError, match=r"launch: scale computes in float32 or float64, not in int64; use .astype"):
        launch(kernels["scale"], ONE, x, x, 2.0, 8, real="int64")
    with pytest.raises(TypeError, match=r"launch: counters takes unsigned char\* a in uint8, but got float32"):
        launch(kernels["counters"], ONE, x, None, None, 8)
    with pytest.raises(TypeError, match=r"launch: switched takes double\* sums in float64, but got float32"):
        launch(kernels["switched"], ONE, x, None, True)


def test_half(kernels, x, monkeypatch) -> None:
    """What is declared `stored` may be half, and says what the kernel is compiled for; the rest stays float32."""
    half, double, said = emulated(np.ones(8, np.float16)), emulated(np.ones(8)), []
    monkeypatch.setitem(RUNNERS, type(x), lambda kernel, real, grid, bound: said.append((real, type(bound[3]))))
    for by, stored in ((x, half), (x, x), (double, double), (None, half)):
        launch(kernels["normalised"], ONE, by, stored, stored, 0.5)
    assert said == [
        ("float16", np.float32), ("float32", np.float32), ("float64", np.float64), ("float16", np.float32),
    ]  # fmt: skip
    for by, one, other, text in (
        (half, half, half, r"real\* by in float32, but got float16"),
        (double, half, half, r"real\* by in float32, but got float64"),
        (x, half, x, r"stored\* y in float16, but got float32"),
        (x, x, half, r"stored\* y in float32, but got float16"),
    ):
        with pytest.raises(TypeError, match=text):
            launch(kernels["normalised"], ONE, by, one, other, 0.5)
    with pytest.raises(TypeError, match="scale computes in float32 or float64, not in float16"):
        launch(kernels["scale"], ONE, x, x, 2.0, 8, real="float16")


def test_not_contiguous(kernels, x) -> None:
    view = emulated(np.ones((4, 2), np.float32)).T
    with pytest.raises(
        ValueError, match=r"x C-contiguous, but got a view of shape \(2, 4\) with strides \(4, 8\); copy it"
    ):
        launch(kernels["scale"], ONE, view, x, 2.0, 8)


def test_not_on_a_gpu(kernels, x) -> None:
    for wrong, name in ((np.ones(8, np.float32), "numpy.ndarray"), ([1.0], "builtins.list"), (3, "builtins.int")):
        with pytest.raises(TypeError, match=rf"launch: scale takes const real\* x as an array on the GPU, not {name}"):
            launch(kernels["scale"], ONE, wrong, x, 2.0, 8)
        with pytest.raises(TypeError, match=rf"launch: scale takes real\* y as an array on the GPU, not {name}"):
            launch(kernels["scale"], ONE, x, wrong, 2.0, 8)
    with pytest.raises(TypeError, match=r"launch: scale\(.*\) got no array, so nothing says where it is to run"):
        launch(kernels["scale"], ONE, None, None, 2.0, 8)


def test_two_devices(kernels, x) -> None:
    with pytest.raises(
        ValueError, match=r"launch: scale got arrays on two devices \(1 for y, 0 before\); copy them to one"
    ):
        launch(kernels["scale"], ONE, x, emulated(np.ones(8, np.float32), device=1), 2.0, 8)


CALLS = {
    "conv2d": (lambda x, weight: ops.conv2d(x, weight), (1, 2, 5, 5), (3, 2, 3, 3)),
    "1x1": (lambda x, weight: ops.conv2d(x, weight), (1, 2, 5, 5), (3, 2, 1, 1)),
    "conv_transpose2d": (lambda x, weight: ops.conv_transpose2d(x, weight), (1, 2, 5, 5), (2, 3, 3, 3)),
    "linear": (lambda x, weight: ops.linear(x, weight), (4, 2), (3, 2)),
}
"""An operation with a parameter, and the shapes of both."""


@pytest.mark.parametrize("call, x_shape, weight_shape", CALLS.values(), ids=CALLS)
class TestAnOperation:
    """What somebody reads who calls an operation, and no kernel, with arrays that do not fit."""

    def refused(self, call, x, weight, error, text):
        with pytest.raises(error, match=text) as caught:
            call(Tensor(x), Tensor(weight))
        assert "\n" not in str(caught.value)

    def test_one_array_on_the_cpu(self, call, x_shape, weight_shape) -> None:
        x, weight = np.ones(x_shape, np.float32), np.ones(weight_shape, np.float32)
        text = r"^minidepth\.ops\.\w+\.\w+: some of its arrays are on the CPU and some on a GPU; move them with Module"
        self.refused(call, emulated(x), weight, TypeError, text)
        self.refused(call, x, emulated(weight), TypeError, text)

    @pytest.mark.parametrize("move", [np.asarray, emulated], ids=["cpu", "gpu"])
    def test_two_dtypes(self, call, x_shape, weight_shape, move) -> None:
        """The same words on both."""
        x, weight = move(np.ones(x_shape, np.float32)), move(np.ones(weight_shape))
        text = r"^\w+: x, weight and bias must have one dtype \(x float32, weight float64, bias None\)"
        self.refused(call, x, weight, TypeError, text)


def test_an_operation_on_two_gpus(x) -> None:
    text = r"^launch: activations_relu_grad_x got arrays on two devices \(1 for y, 0 before\); copy them to one"
    with pytest.raises(ValueError, match=text):
        relu_grad_x(x, emulated(np.ones(8, np.float32), device=1))


def test_a_kernel_without_a_twin_and_without_an_array() -> None:
    @kernel
    def forward(x):
        return np.asarray(len(x) + x)  # a TypeError of its own is left as it is

    name = rf"{__name__}\..*forward"
    with pytest.raises(TypeError, match=rf"^{name} has no CUDA kernel; move the arrays to the CPU for it"):
        forward(emulated(np.ones(3)))
    with pytest.raises(
        TypeError, match=rf"^{name} has no kernel for builtins\.list; pass a NumPy array or one on a GPU"
    ):
        forward([1.0])
    with pytest.raises(TypeError, match=r"^len\(\) of unsized object"):
        forward(np.ones(()))
    KERNELS.pop(next(key for key in KERNELS if key.startswith(__name__)))


@pytest.mark.parametrize("n", [2**31, -(2**31) - 1, 2.0, 2.5, float("nan"), np.float32(3)])
def test_a_number_that_does_not_fit(kernels, x, n) -> None:
    with pytest.raises(ValueError, match=rf"launch: scale takes int n, in which {n} does not fit"):
        launch(kernels["scale"], ONE, x, x, 2.0, n)


@needs_compiler
def test_other_numbers(kernels, x) -> None:
    scale, sums = kernels["scale"], emulated(np.ones(8))
    with pytest.raises(ValueError, match=r"launch: scale takes real by, in which 1e\+39 does not fit"):
        launch(scale, ONE, x, x, 1e39, 8)
    launch(scale, ONE, sums, sums, 1e39, 8)  # in float64 it does
    launch(scale, ONE, x, x, float("-inf"), 8)
    launch(scale, ONE, x, x, True, np.bool_(True))
    with pytest.raises(ValueError, match=r"launch: switched takes bool really, in which 2 does not fit"):
        launch(kernels["switched"], ONE, sums, None, 2)
    for wrong, name in (("8", "str"), (None, "NoneType"), (x, "DeviceArray"), (1j, "complex")):
        with pytest.raises(TypeError, match=rf"launch: scale takes int n as a number, not {name}"):
            launch(scale, ONE, x, x, 2.0, wrong)


@needs_compiler
def test_a_twin_is_handed_a_copy_of_a_view() -> None:
    x = np.arange(-4, 4, dtype=np.float32).reshape(2, 4)
    for array in (emulated(x), emulated(x).T):  # the type is known from the first one on
        np.testing.assert_array_equal(leaky_relu.forward(array, 0.5).get(), leaky_relu.forward(array.get(), 0.5))


def test_what_is_remembered_of_one_number_says_nothing_of_another(kernels, x) -> None:
    given = []
    kept = RUNNERS[type(x)]
    RUNNERS[type(x)] = lambda kernel, real, grid, arguments: given.append(arguments)
    try:
        launch(kernels["scale"], ONE, x, x, 0.0, 8)
        with pytest.raises(ValueError, match="takes int n, in which 8.0 does not fit"):
            launch(kernels["scale"], ONE, x, x, 0.0, 8.0)
        launch(kernels["scale"], ONE, x, x, -0.0, 9)
        launch(kernels["scale"], ONE, x, x, np.float64(0.5), True)
        launch(kernels["scale"], ONE, x, x, 0.5, 1)
    finally:
        RUNNERS[type(x)] = kept
    assert [[type(value) for value in arguments[2:]] for arguments in given] == [[np.float32, np.int32]] * 4
    assert not any(np.signbit(arguments[2]) for arguments in given)  # whoever came first, 0 is 0


@pytest.mark.parametrize(
    "blocks, threads, text",
    [
        ((1, 65536, 1), (32, 1, 1), r"in \(1, 65536, 1\) blocks; a GPU takes at most \(2147483647, 65535, 65535\)"),
        ((1, 1, 65536), (32, 1, 1), r"in \(1, 1, 65536\) blocks; .* so the long count belongs along x"),
        ((2**31, 1, 1), (32, 1, 1), r"in \(2147483648, 1, 1\) blocks"),
        ((-1, 1, 1), (32, 1, 1), r"in \(-1, 1, 1\) blocks"),
        ((1, 1, 1), (1025, 1, 1), r"with \(1025, 1, 1\) threads a block, which are 1025; a GPU takes 1 to 1024"),
        ((1, 1, 1), (32, 32, 2), r"with \(32, 32, 2\) threads a block, which are 2048; a GPU takes 1 to 1024"),
        ((1, 1, 1), (1, 1, 65), r"with \(1, 1, 65\) threads a block, .*, and at most 64 along z"),
        ((1, 1, 1), (32, 0, 1), r"with \(32, 0, 1\) threads a block, which are 0"),
    ],
)
def test_a_grid_that_no_gpu_takes(kernels, x, blocks, threads, text) -> None:
    with pytest.raises(ValueError, match="launch: scale " + text):
        launch(kernels["scale"], Grid(blocks, threads), x, x, 2.0, 8)


@pytest.mark.parametrize(
    "parameter", ["int2 size", "const real** rows", "real tile[4]", "short* x", "real", "T* x", "stored x"]
)
def test_a_declaration_that_cannot_be_read(tmp_path, parameter) -> None:
    with pytest.raises(
        ValueError, match=r"planted.cu: wrong has the parameter .*; a kernel takes pointers and numbers of"
    ):
        written(tmp_path, f'extern "C" __global__ void wrong(real* y, {parameter}) {{}}')


def test_one_name_twice(tmp_path, monkeypatch) -> None:
    for stem in ("first", "second"):
        written(tmp_path, 'extern "C" __global__ void same(real* y) {}', f"{stem}.cu")
    monkeypatch.setattr(source, "PACKAGE", tmp_path)
    with pytest.raises(ValueError, match="second.cu: kernel same is declared in first.cu too"):
        source.kernels.__wrapped__()


def test_constant(tmp_path, monkeypatch) -> None:
    written(tmp_path, "constexpr int TILE = 16;  // constexpr int OLD = 3;\nconstexpr int SIDE = 4;", "tiles.cu")
    monkeypatch.setattr(source, "PACKAGE", tmp_path)
    unkept = constant.__wrapped__
    assert unkept("tiles", "TILE") == 16
    with pytest.raises(ValueError, match="tiles.cu: there is no constexpr int OLD; it has TILE, SIDE"):
        unkept("tiles", "OLD")
    with pytest.raises(ValueError, match="other.cu: there is no such file in the package"):
        unkept("other", "TILE")


def test_included(tmp_path) -> None:
    (tmp_path / "inner.cuh").write_text("int inner;\n", encoding="utf-8")
    (tmp_path / "outer.cuh").write_text('#include "inner.cuh"\nint outer;\n', encoding="utf-8")
    file = tmp_path / "file.cu"
    file.write_text('int first;\n#include "outer.cuh"\nint last;\n', encoding="utf-8")
    lines = source.included(file).splitlines()
    assert [line for line in lines if line.startswith("int")] == ["int first;", "int inner;", "int outer;", "int last;"]
    assert lines[lines.index("int last;") - 1] == '#line 3 "file.cu"'
    file.write_text('#include "nowhere.cuh"\n', encoding="utf-8")
    with pytest.raises(ValueError, match="file.cu: there is no nowhere.cuh to include beside it or in .*ops"):
        source.included(file)


def test_without_comments_keeps_lines() -> None:
    assert source.without_comments("a // b\nc /* d\ne */ f") == "a  \nc \n f"
