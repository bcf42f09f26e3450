// Max-pooling, forward and backward; the formulas are in max_pool2d.py.
//
// Threads: forward one for each number of y, which looks at its window. Backward one for each number of x, which looks at
// the outputs whose windows hold it and adds up the gradients of those that it won: nobody else writes there, so there
// are no atomics, and the order of the sum is always the same. Neighbouring threads work on neighbouring columns.
// Windows that overlap read numbers again, but from the cache of the multiprocessor.
//
// Bytes moved for each number of y, with windows of 2x2: forward 16 read, 4 + 1 written (the winner is one byte);
// backward 5 read and 16 written. Comparing costs next to nothing, so the time is bytes / bandwidth.
//
// The ladder:
// 1. a thread for each number, any window: max_pool2d_forward, max_pool2d_grad_x. In windows of 2x2 each load takes every
//    second number, half of what a transaction brings; backward, each thread divides to find its window.
// 2. windows of 2x2 side by side, the usual ones, two windows a thread: one load of 16 bytes takes both of their rows'
//    four numbers, and a warp reads 512 bytes at once. Backward two such stores write a place each and zeros beside it.
//    Four instructions to memory for two windows in place of 12 forward, and of 20 or so backward.
//    In half its loads and stores move 8 bytes; four windows a thread would move 16, and are not written yet.
// Version 2 needs whole windows and rows of a multiple of 4; version 1 does the rest and is its oracle.
#include "common.cuh"

struct Window { int rows, columns, row_stride, column_stride, row_pad, column_pad, row_dilation, column_dilation; };

// `Winners` is a pointer to the type of the winners. A NaN wins over everything and stays, but leaves `who` as it was.
template <class Winners>
__device__ __forceinline__ void pool(const stored* x, stored* y, Winners winner, int height, int width, int out_height,
                                     int out_width, Window at, int n) {
    int i = flat_thread();
    if (i >= n) return;
    int top = i / out_width % out_height * at.row_stride - at.row_pad;
    int left = i % out_width * at.column_stride - at.column_pad;
    const stored* plane = x + i / out_width / out_height * height * width;
    real best = -INFINITY;
    int who = 0;
    for (int a = 0; a < at.rows; ++a) {
        int row = top + a * at.row_dilation;
        if (row < 0 || row >= height) continue;
        for (int b = 0; b < at.columns; ++b) {
            int column = left + b * at.column_dilation;
            if (column < 0 || column >= width) continue;
            real value = plane[row * width + column];
            if (value > best) who = a * at.columns + b;
            if (value > best || isnan(value)) best = value;
        }
    }
    y[i] = best;
    if (winner != nullptr) winner[i] = who;
}

// The first of the windows, counted along one axis, that reach place `i` of the padded picture.
__device__ __forceinline__ int first_window(int i, int window, int stride, int dilation) {
    int before = i - dilation * (window - 1);
    return before <= 0 ? 0 : (before + stride - 1) / stride;
}

template <class Winners>
__device__ __forceinline__ void unpool(const stored* grad, Winners winner, stored* grad_x, int height, int width,
                                       int out_height, int out_width, Window at, int n) {
    int i = flat_thread();
    if (i >= n) return;
    int row = i / width % height + at.row_pad, column = i % width + at.column_pad;  // in the padded picture
    int plane = i / width / height * out_height * out_width;
    int top = first_window(row, at.rows, at.row_stride, at.row_dilation);
    int left = first_window(column, at.columns, at.column_stride, at.column_dilation);
    real sum = 0;
    for (int r = top; r < out_height && r * at.row_stride <= row; ++r) {
        int a = row - r * at.row_stride;  // the number of the tap times the dilation
        if (a % at.row_dilation != 0) continue;
        for (int q = left; q < out_width && q * at.column_stride <= column; ++q) {
            int b = column - q * at.column_stride;
            if (b % at.column_dilation != 0) continue;
            int who = winner[plane + r * out_width + q];
            if (who == a / at.row_dilation * at.columns + b / at.column_dilation) {
                sum += real(grad[plane + r * out_width + q]);
            }
        }
    }
    grad_x[i] = sum;
}

extern "C" __global__ void max_pool2d_forward(
    const stored* x, stored* y, unsigned char* winner, int height, int width, int out_height, int out_width, int rows,
    int columns, int row_stride, int column_stride, int row_pad, int column_pad, int row_dilation, int column_dilation,
    int n) {
    Window at = {rows, columns, row_stride, column_stride, row_pad, column_pad, row_dilation, column_dilation};
    pool(x, y, winner, height, width, out_height, out_width, at, n);
}

// For windows of more than 256 numbers.
extern "C" __global__ void max_pool2d_forward_wide(
    const stored* x, stored* y, unsigned int* winner, int height, int width, int out_height, int out_width, int rows,
    int columns, int row_stride, int column_stride, int row_pad, int column_pad, int row_dilation, int column_dilation,
    int n) {
    Window at = {rows, columns, row_stride, column_stride, row_pad, column_pad, row_dilation, column_dilation};
    pool(x, y, winner, height, width, out_height, out_width, at, n);
}

extern "C" __global__ void max_pool2d_grad_x(
    const stored* grad, const unsigned char* winner, stored* grad_x, int height, int width, int out_height,
    int out_width, int rows, int columns, int row_stride, int column_stride, int row_pad, int column_pad,
    int row_dilation, int column_dilation, int n) {
    Window at = {rows, columns, row_stride, column_stride, row_pad, column_pad, row_dilation, column_dilation};
    unpool(grad, winner, grad_x, height, width, out_height, out_width, at, n);
}

extern "C" __global__ void max_pool2d_grad_x_wide(
    const stored* grad, const unsigned int* winner, stored* grad_x, int height, int width, int out_height,
    int out_width, int rows, int columns, int row_stride, int column_stride, int row_pad, int column_pad,
    int row_dilation, int column_dilation, int n) {
    Window at = {rows, columns, row_stride, column_stride, row_pad, column_pad, row_dilation, column_dilation};
    unpool(grad, winner, grad_x, height, width, out_height, out_width, at, n);
}

// Larger of the two, and its number: a NaN is larger than all, and leaves `who` as it was.
__device__ __forceinline__ void take(real value, int number, real& best, int& who) {
    if (value > best) who = number;
    if (value > best || isnan(value)) best = value;
}

// Thread i: the two windows of columns 4q to 4q + 3, q = i % quarter; x has 4 * quarter columns. n counts the threads.
extern "C" __global__ void max_pool2d_forward_2x2(const stored* x, stored* y, unsigned char* winner, int quarter,
                                                  int n) {
    int i = flat_thread();
    if (i >= n) return;
    const stored4* rows = reinterpret_cast<const stored4*>(x) + i / quarter * 2 * quarter + i % quarter;
    stored4 upper = rows[0];
    stored4 lower = rows[quarter];
    real2 best = {upper.x, upper.z};
    int left = 0, right = 0;
    take(upper.y, 1, best.x, left);
    take(lower.x, 2, best.x, left);
    take(lower.y, 3, best.x, left);
    take(upper.w, 1, best.y, right);
    take(lower.z, 2, best.y, right);
    take(lower.w, 3, best.y, right);
    stored2 both = {best.x, best.y};
    reinterpret_cast<stored2*>(y)[i] = both;
    if (winner != nullptr) reinterpret_cast<unsigned short*>(winner)[i] = left | right << 8;
}

// As forward: two windows a thread, which writes all eight places.
extern "C" __global__ void max_pool2d_grad_x_2x2(const stored* grad, const unsigned char* winner, stored* grad_x,
                                                 int quarter, int n) {
    int i = flat_thread();
    if (i >= n) return;
    stored2 share = reinterpret_cast<const stored2*>(grad)[i];
    int both = reinterpret_cast<const unsigned short*>(winner)[i];
    int left = both & 255, right = both >> 8;
    real a = share.x, b = share.y;
    stored4 upper = {left == 0 ? a : 0, left == 1 ? a : 0, right == 0 ? b : 0, right == 1 ? b : 0};
    stored4 lower = {left == 2 ? a : 0, left == 3 ? a : 0, right == 2 ? b : 0, right == 3 ? b : 0};
    stored4* rows = reinterpret_cast<stored4*>(grad_x) + i / quarter * 2 * quarter + i % quarter;
    rows[0] = upper;
    rows[quarter] = lower;
}
