// Unpooling with zeros, forward and backward; the formulas are in unpool_zeros.py.
//
// Threads: one for every four numbers that are written, which lie a block apart, so that neighbouring threads write
// neighbouring numbers.
//
// Bytes moved, for strides of 2: forward 16 written and 4 read for each number of x. Backward reads every second number
// of every second row, but memory comes by 32 bytes, so 8 + 4 for each. Nothing is computed: the time is
// bytes / bandwidth.
//
// The ladder
// 1. Fill y with zeros, then set the pixels: two launches, and most of the memory is touched twice.
// 2. A thread decides by its place between a pixel and a zero, and y is written once, without gaps.
// 3. Four numbers a thread, whose reads are all asked for before the first is used, see leaky_relu.cu.
//    In half they are still read one by one, half the bytes under way: two at a time would need pairs that stay together.
#include "common.cuh"

// The rows of all planes follow one another, and a plane has a whole number of strides. `width` is that of x.
extern "C" __global__ void unpool_zeros_forward(const stored* __restrict__ x, stored* __restrict__ y, int width,
                                                int row_stride, int column_stride, int n) {
    int out_width = width * column_stride;
    each_number<4>(n, [&](int i) {
        int row = i / out_width, column = i % out_width;
        bool pixel = row % row_stride == 0 && column % column_stride == 0;
        real shown = 0;
        if (pixel) shown = x[row / row_stride * width + column / column_stride];
        y[i] = shown;
    });
}

extern "C" __global__ void unpool_zeros_grad_x(const stored* __restrict__ grad, stored* __restrict__ grad_x, int width,
                                               int row_stride, int column_stride, int n) {
    int out_width = width * column_stride;
    each_number<4>(n, [&](int i) {
        grad_x[i] = grad[i / width * row_stride * out_width + i % width * column_stride];
    });
}
