// Padding, forward and backward; the formulas are in pad.py.
//
// The array is planes of rows and columns, of which both get a frame; pad.py folds any other array into that. Threads:
// forward one for every four numbers of y, backward one for each number of grad_x, which gathers from the places that
// show it: itself, and the frame where it is an edge or has a mirror image. No atomics, and a fixed order.
//
// Bytes moved: 8 a number, 4 read and 4 written; a frame is small. The time is bytes / bandwidth.
//
// The ladder
// 1. A launch for each axis, as a frame is made along one and then along the other: everything is copied twice.
// 2. Rows and columns at once.
// 3. Four numbers a thread forward, whose reads are all asked for before the first is used, see leaky_relu.cu.
//    In half they are still read one by one, half the bytes under way: two at a time would need pairs that stay together.
#include "common.cuh"

constexpr int CONSTANT = 0;
constexpr int REPLICATE = 1;
constexpr int REFLECT = 2;

// Which of n numbers stands at place i of the frame, counted from the first of them; outside 0 .. n - 1: none.
__device__ __forceinline__ int source(int i, int n, int mode) {
    switch (mode) {
        case CONSTANT: return i;
        case REPLICATE: return min(max(i, 0), n - 1);
        case REFLECT: return i < 0 ? -i : i < n ? i : 2 * (n - 1) - i;
    }
    return -1;
}

extern "C" __global__ void pad_forward(const stored* __restrict__ x, stored* __restrict__ y, int rows, int columns,
                                       int top, int left, int out_rows, int out_columns, int mode, real value, int n) {
    each_number<4>(n, [&](int i) {
        int row = source(i / out_columns % out_rows - top, rows, mode);
        int column = source(i % out_columns - left, columns, mode);
        bool inside = row >= 0 && row < rows && column >= 0 && column < columns;
        real shown = value;
        if (inside) shown = x[(i / out_columns / out_rows * rows + row) * columns + column];
        y[i] = shown;
    });
}

// Modes constant and replicate: number i stands at places first .. last, one after the other.
__device__ __forceinline__ int first(int i, int before, int mode) { return mode == REPLICATE && i == 0 ? 0 : i + before; }
__device__ __forceinline__ int last(int i, int before, int n, int out, int mode) {
    return mode == REPLICATE && i == n - 1 ? out - 1 : i + before;
}

extern "C" __global__ void pad_grad_x(const stored* grad, stored* grad_x, int rows, int columns, int top, int left,
                                      int out_rows, int out_columns, int mode, int n) {
    int i = flat_thread();
    if (i >= n) return;
    int row = i / columns % rows, column = i % columns;
    const stored* plane = grad + i / columns / rows * out_rows * out_columns;
    real sum = 0;
    for (int r = first(row, top, mode); r <= last(row, top, rows, out_rows, mode); ++r) {
        for (int q = first(column, left, mode); q <= last(column, left, columns, out_columns, mode); ++q) {
            sum += real(plane[r * out_columns + q]);
        }
    }
    grad_x[i] = sum;
}

// Mode reflect: number i stands at its own place and at up to two others, its images in the front mirror and in the one
// behind. This is place k of those, or -1 where there is none. The edges themselves have no image.
__device__ __forceinline__ int image(int k, int i, int before, int n, int out) {
    if (k == 0) return before + i;
    int place = k == 1 ? before - i : before + 2 * (n - 1) - i;
    bool shown = k == 1 ? i > 0 && place >= 0 : i < n - 1 && place < out;
    return shown ? place : -1;
}

extern "C" __global__ void pad_reflect_grad_x(const stored* grad, stored* grad_x, int rows, int columns, int top,
                                              int left, int out_rows, int out_columns, int n) {
    int i = flat_thread();
    if (i >= n) return;
    int row = i / columns % rows, column = i % columns;
    const stored* plane = grad + i / columns / rows * out_rows * out_columns;
    real sum = 0;
    for (int a = 0; a < 3; ++a) {
        int r = image(a, row, top, rows, out_rows);
        if (r < 0) continue;
        for (int b = 0; b < 3; ++b) {
            int q = image(b, column, left, columns, out_columns);
            if (q >= 0) sum += real(plane[r * out_columns + q]);
        }
    }
    grad_x[i] = sum;
}
