// Leaky ReLU, forward and backward; the formulas are in leaky_relu.py.
//
// Threads: one for every PER_THREAD numbers, which lie a block apart, so that neighbouring threads read and write
// neighbouring numbers and every transaction of a warp is full. Bytes moved: 8 a number forward (read x, write y), 12
// backward (read grad and y, write grad_x). Arithmetic is next to nothing, so the time is bytes / bandwidth.
//
// The ladder
// 1. One number a thread. A read takes some 600 cycles to come back. Meanwhile an H200 could bring 20 bytes a cycle to
//    each of its multiprocessors, 12 KB in all; but 2048 threads that wait for 4 bytes each have asked for 8 KB.
// 2. Four numbers a thread, all asked for before the first is used: 32 KB, and the memory is what limits the kernel.
//    A float4 would ask for as many with one instruction, and fail where an array does not begin at a multiple of 16
//    bytes; it is bytes and not instructions that are short here. See `map_numbers` in common.cuh.
#include "common.cuh"

extern "C" __global__ void leaky_relu_forward(const real* x, real* y, real slope, int n) {
    map_numbers<4>(x, y, n, [=](real x) { return x > 0 ? x : slope * x; });
}

// The sign of y is the sign of x, so y serves in its place. At 0 the slope counts, as in PyTorch.
extern "C" __global__ void leaky_relu_grad_x(const real* grad, const real* y, real* grad_x, real slope, int n) {
    map_numbers<4>(grad, y, grad_x, n, [=](real grad, real y) { return y > 0 ? grad : slope * grad; });
}
