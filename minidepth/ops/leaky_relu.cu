// Leaky ReLU, forward and backward; the formulas are in leaky_relu.py.
//
// Threads: one for every 4 numbers, which lie a block apart, so that neighbouring threads read and write neighbouring
// numbers and every transaction of a warp is full. Bytes moved: 8 a number forward (read x, write y), 12 backward (read
// grad and y, write grad_x). Arithmetic is next to nothing, so the time is bytes / bandwidth.
//
// The ladder
// 1. One number a thread. A read takes some 600 cycles to come back. In that time an H200 could bring each of its
//    multiprocessors 12 KB (4.8 TB/s are 20 bytes a cycle for each of the 132), but the 2048 threads that fit on one,
//    each with a read of 4 bytes under way, have asked for 8 KB only: the memory waits.
// 2. Four numbers a thread, all asked for before the first is used, see `map_numbers`: 32 KB, more than it can bring.
//    A float4 would ask for as many in one instruction, but fail where an array does not begin at a multiple of 16
//    bytes; and instructions are not what is short here.
// 3. In half, 4 and 6 bytes a number, four loads of two neighbours: eight numbers a thread, and as many bytes under way.
//    An array that begins in the middle of 4 bytes is read number by number.
#include "common.cuh"

extern "C" __global__ void leaky_relu_forward(const stored* x, stored* y, real slope, int n) {
    map_numbers<4>(x, y, n, [=](real x) { return x > 0 ? x : slope * x; });
}

// The sign of y is the sign of x, so y serves in its place. At 0 the slope counts, as in PyTorch.
extern "C" __global__ void leaky_relu_grad_x(const stored* grad, const stored* y, stored* grad_x, real slope, int n) {
    map_numbers<4>(grad, y, grad_x, n, [=](real grad, real y) { return y > 0 ? grad : slope * grad; });
}
