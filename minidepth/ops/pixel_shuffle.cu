// Pixel shuffle, forward and backward; the formulas are in pixel_shuffle.py.
//
// Threads: one for every four numbers of the large picture, in both directions, as every number has one place on either
// side. Neighbouring threads read or write neighbouring columns of the large picture. In the small one r of them go by
// turns to r channels, so a warp touches r runs of 32 / r numbers: whole transactions of 32 bytes for r up to 4.
//
// Bytes moved: 8 a number, 4 read and 4 written. The time is bytes / bandwidth.
//
// The ladder
// 1. Threads along the small picture: in the large one they have gaps of r numbers, and each transaction of 32 bytes is
//    touched by r warps that run at different times.
// 2. Threads along the large picture, here.
// 3. Four numbers a thread, whose reads are all asked for before the first is used, see leaky_relu.cu.
//    In half they are still read one by one, half the bytes under way: two at a time would need pairs that stay together.
#include "common.cuh"

// Where number i of the large picture (.., height r, width r) lies in the small one (.., r r, height, width).
__device__ __forceinline__ int small_place(int i, int r, int height, int width) {
    int column = i % (width * r), row = i / (width * r) % (height * r), plane = i / (width * r) / (height * r);
    int channel = (plane * r + row % r) * r + column % r;
    return (channel * height + row / r) * width + column / r;
}

extern "C" __global__ void pixel_shuffle_forward(const stored* __restrict__ x, stored* __restrict__ y, int r,
                                                 int height, int width, int n) {
    each_number<4>(n, [&](int i) { y[i] = x[small_place(i, r, height, width)]; });
}

extern "C" __global__ void pixel_shuffle_grad_x(const stored* __restrict__ grad, stored* __restrict__ grad_x, int r,
                                                int height, int width, int n) {
    each_number<4>(n, [&](int i) { grad_x[small_place(i, r, height, width)] = grad[i]; });
}
