// Average pooling, forward and backward; the formulas are in avg_pool2d.py.
//
// Threads: forward one for each number of y, which adds up its window. Backward one for each number of x, which adds up
// what the outputs whose windows hold it send back: a gather in a fixed order, where a scatter from the outputs would
// need atomics as soon as windows overlap. Neighbouring threads work on neighbouring columns.
//
// D, how many places of a window count, follows from where it lies, so nobody reads a table of it.
//
// Bytes moved for each number of y, with windows of 2x2: 16 read and 4 written, backward 4 read and 16 written; windows
// that overlap read numbers again from the cache. A handful of additions for that: the time is bytes / bandwidth.
//
// The ladder: this is its only step. Loads of 16 bytes as in max_pool2d.cu would save instructions for windows of 2x2.
// No network here pools large pictures by averages, so it has not been worth a second pair of kernels, nor one that takes
// two halves at a time.
#include "common.cuh"

// How many places of the window from `start` lie in the picture and a frame around it, along one axis.
__device__ __forceinline__ int places(int start, int window, int length, int frame) {
    return min(start + window, length + frame) - max(start, -frame);
}

extern "C" __global__ void avg_pool2d_forward(const stored* x, stored* y, int height, int width, int out_height,
                                              int out_width, int rows, int columns, int row_stride, int column_stride,
                                              int row_pad, int column_pad, int row_frame, int column_frame, int n) {
    int i = flat_thread();
    if (i >= n) return;
    int top = i / out_width % out_height * row_stride - row_pad;
    int left = i % out_width * column_stride - column_pad;
    const stored* plane = x + i / out_width / out_height * height * width;
    real sum = 0;
    for (int row = max(top, 0); row < min(top + rows, height); ++row) {
        for (int column = max(left, 0); column < min(left + columns, width); ++column) {
            sum += real(plane[row * width + column]);
        }
    }
    y[i] = sum / (places(top, rows, height, row_frame) * places(left, columns, width, column_frame));
}

// The first of the windows, counted along one axis, that reach place `i` of the padded picture.
__device__ __forceinline__ int first_window(int i, int window, int stride) {
    return i < window ? 0 : (i - window) / stride + 1;
}

extern "C" __global__ void avg_pool2d_grad_x(const stored* grad, stored* grad_x, int height, int width, int out_height,
                                             int out_width, int rows, int columns, int row_stride, int column_stride,
                                             int row_pad, int column_pad, int row_frame, int column_frame, int n) {
    int i = flat_thread();
    if (i >= n) return;
    int row = i / width % height + row_pad, column = i % width + column_pad;  // in the padded picture
    const stored* plane = grad + i / width / height * out_height * out_width;
    int left = first_window(column, columns, column_stride);
    real sum = 0;
    for (int r = first_window(row, rows, row_stride); r < out_height && r * row_stride <= row; ++r) {
        int above = places(r * row_stride - row_pad, rows, height, row_frame);
        for (int q = left; q < out_width && q * column_stride <= column; ++q) {
            int beside = places(q * column_stride - column_pad, columns, width, column_frame);
            sum += real(plane[r * out_width + q]) / (above * beside);
        }
    }
    grad_x[i] = sum;
}
