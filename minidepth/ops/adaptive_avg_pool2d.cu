// Adaptive average pooling, forward and backward; the formulas are in adaptive_avg_pool2d.py.
//
// Threads: forward a warp for each number of y. Its lanes take the pixels of the part by turns, neighbouring lanes
// neighbouring pixels of a row, and add up their sums at the end. Backward one for each number of x, which gathers from
// the parts that it is in: no atomics, and both sums have a fixed order.
//
// Bytes moved: 4 for each number of x, read forward and written backward. The time is bytes / bandwidth.
//
// The ladder:
// 1. forward a thread for each number of y. The usual case is the mean of whole planes, a few thousand numbers: so few
//    threads leave most of the GPU idle, and 32 of them read from 32 planes at once, a transaction for each number.
// 2. a warp for each number, 32 times the threads, and a transaction brings a whole row of lanes their numbers. Parts of
//    fewer than 32 pixels leave lanes idle; that much is lost where little time is spent. This one is here.
// A block for each number would have more in flight where there are few, large planes; it pays for that with barriers.
#include "common.cuh"

// The parts of one axis: part r of `count` is what lies from start(r) up to end(r), of `length` in all.
__device__ __forceinline__ int start(int r, int length, int count) { return r * length / count; }
__device__ __forceinline__ int end(int r, int length, int count) { return ((r + 1) * length + count - 1) / count; }

extern "C" __global__ void adaptive_avg_pool2d_forward(const stored* x, stored* y, int height, int width,
                                                       int out_height, int out_width, int n) {
    int output = flat_thread() / WARP, lane = threadIdx.x % WARP;
    if (output >= n) return;  // all lanes or none
    int r = output / out_width % out_height, q = output % out_width;
    int top = start(r, height, out_height), left = start(q, width, out_width);
    int columns = end(q, width, out_width) - left;
    int pixels = (end(r, height, out_height) - top) * columns;
    const stored* corner = x + (output / out_width / out_height * height + top) * width + left;
    real sum = 0;
    for (int k = lane; k < pixels; k += WARP) sum += real(corner[k / columns * width + k % columns]);
    sum = warp_sum(sum);
    if (lane == 0) y[output] = sum / pixels;
}

// Pixel h is in the parts from floor(h R / H) to ceil((h + 1) R / H) - 1: one, or neighbours that share it.
extern "C" __global__ void adaptive_avg_pool2d_grad_x(const stored* grad, stored* grad_x, int height, int width,
                                                      int out_height, int out_width, int n) {
    int i = flat_thread();
    if (i >= n) return;
    int row = i / width % height, column = i % width;
    const stored* plane = grad + i / width / height * out_height * out_width;
    real sum = 0;
    for (int r = start(row, out_height, height); r < end(row, out_height, height); ++r) {
        int rows = end(r, height, out_height) - start(r, height, out_height);
        for (int q = start(column, out_width, width); q < end(column, out_width, width); ++q) {
            int columns = end(q, width, out_width) - start(q, width, out_width);
            sum += real(plane[r * out_width + q]) / (rows * columns);
        }
    }
    grad_x[i] = sum;
}
