// Leaky ReLU, forward and backward; the formulas are in leaky_relu.py.
//
// Threads: one for each number. Neighbouring threads read and write neighbouring numbers, so every transaction of a warp
// is full. Bytes moved: 8 a number forward (read x, write y), 12 backward (read grad and y, write grad_x). Arithmetic is
// next to nothing, so the time is bytes / bandwidth.
//
// The ladder: one number a thread is all there is to gain here. Four at a time (float4) saves instructions, but the
// memory and not the instructions is what the kernel waits for.
#include "common.cuh"

extern "C" __global__ void leaky_relu_forward(const real* x, real* y, real slope, int n) {
    int i = flat_thread();
    if (i < n) y[i] = x[i] > 0 ? x[i] : slope * x[i];
}

// The sign of y is the sign of x, so y serves in its place. At 0 the slope counts, as in PyTorch.
extern "C" __global__ void leaky_relu_grad_x(const real* grad, const real* y, real* grad_x, real slope, int n) {
    int i = flat_thread();
    if (i < n) grad_x[i] = y[i] > 0 ? grad[i] : slope * grad[i];
}
