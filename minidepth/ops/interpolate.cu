// Resizing planes, forward and backward; the formulas are in interpolate.py.
//
// The general kernel takes the taps of both axes as tables, and with the transposed tables it is its own backward: a
// gather there, too, so there are no atomics, and the order of every sum is fixed. A thread has the same pixel of up to
// four planes of y, as their taps are the same; neighbouring threads have neighbouring columns. Python works the tables
// out in double precision and sends them once for each size; they stay in the caches.
//
// To exactly twice the size, the way up of most networks, no table is needed. There a thread has a pixel of the small
// picture, forward the four that become of it, backward the ones that it went to: 4 in mode nearest, 16 in bilinear.
//
// Bytes moved, to twice the size, for each number of the small picture: 4 read and 16 written forward, 16 read and 4
// written backward. Pixels are read by several threads, but from the cache of the multiprocessor. The time is
// bytes / bandwidth, as long as the cache keeps up.
//
// The ladder, with what the emulator counts in mode bilinear, reads for each number written: forward, backward
// 1. One axis and then the other, as in NumPy: a picture in between is written and read.
// 2. Both at once, a number a thread: 4 + 12 for the tables, 16 + 40. Most of what the cache hands out is tables.
// 3. interpolate_resample: each entry of a table is read once for four planes, which leaves 4 + 3, 16 + 10.
// 4. Twice the size by itself: no tables, and a load or a store of two numbers has whole transactions of the large
//    picture, where every second number of a row would have halves. 2.25 + 0, 16 + 0 in 12 loads. It needs memory that
//    begins at an even place; 3. does the rest, and is its oracle. In half a pair is 4 bytes, so a warp still reads and
//    writes whole transactions of the large picture; pixels of the small one are read by 2 bytes, mostly from the cache.
#include "common.cuh"

constexpr int PLANES = 4;

// y[p, r, q] = sum over a, b of row_weight[a, r] column_weight[b, q] x[p, row_place[a, r], column_place[b, q]]
extern "C" __global__ void interpolate_resample(const stored* x, stored* y, const int* row_place,
                                                const real* row_weight, int row_taps, const int* column_place,
                                                const real* column_weight, int column_taps, int planes, int height,
                                                int width, int out_height, int out_width) {
    int i = flat_thread(), q = i % out_width, r = i / out_width % out_height;
    int first = i / out_width / out_height * PLANES;
    if (first >= planes) return;
    const stored* plane = x + first * height * width;
    real sums[PLANES] = {};
    for (int a = r; a < row_taps * out_height; a += out_height) {
        int row = row_place[a] * width;
        real weight_of_row = row_weight[a];
        for (int b = q; b < column_taps * out_width; b += out_width) {
            int place = row + column_place[b];
            real weight = weight_of_row * column_weight[b];
#pragma unroll
            for (int k = 0; k < PLANES; ++k) {
                if (first + k < planes) sums[k] += weight * real(plane[k * height * width + place]);
            }
        }
    }
#pragma unroll
    for (int k = 0; k < PLANES; ++k) {
        if (first + k < planes) y[((first + k) * out_height + r) * out_width + q] = sums[k];
    }
}

// Mode nearest. y has rows of 2 width numbers, seen as `width` pairs; pixel i goes to a pair in each of two rows.
extern "C" __global__ void interpolate_repeat_forward(const stored* x, stored* y, int width, int n) {
    int i = flat_thread();
    if (i >= n) return;
    stored value = x[i];
    stored2 pair = {value, value};
    stored2* upper = reinterpret_cast<stored2*>(y) + i / width * 2 * width + i % width;
    upper[0] = pair;
    upper[width] = pair;
}

extern "C" __global__ void interpolate_repeat_grad_x(const stored* grad, stored* grad_x, int width, int n) {
    int i = flat_thread();
    if (i >= n) return;
    const stored2* place = reinterpret_cast<const stored2*>(grad) + i / width * 2 * width + i % width;
    stored2 upper = place[0];
    stored2 lower = place[width];
    grad_x[i] = (real(upper.x) + real(lower.x)) + (real(upper.y) + real(lower.y));
}

// Mode bilinear. Along one axis y[2k] = (3 x[k] + x[k-1]) / 4 and y[2k+1] = (3 x[k] + x[k+1]) / 4. Beyond an end the pixel
// at the end goes on, which makes it (3 x + x) / 4 there: itself. The four here are those of row k, from three rows of x.
extern "C" __global__ void interpolate_double_forward(const stored* x, stored* y, int height, int width, int n) {
    int i = flat_thread();
    if (i >= n) return;
    int column = i % width, row = i / width % height;
    int left = column > 0 ? -1 : 0, right = column < width - 1 ? 1 : 0;
    const stored* here = x + i;
    const stored* above = row > 0 ? here - width : here;
    const stored* below = row < height - 1 ? here + width : here;
    real side_left = 3 * real(here[left]), middle = 3 * real(here[0]), side_right = 3 * real(here[right]);
    real up_left = side_left + real(above[left]), up_right = side_right + real(above[right]);
    real down_left = side_left + real(below[left]), down_right = side_right + real(below[right]);
    real up = 3 * (middle + real(above[0])), down = 3 * (middle + real(below[0]));
    stored2* upper = reinterpret_cast<stored2*>(y) + i / width * 2 * width + column;
    stored2 first = {(up + up_left) / 16, (up + up_right) / 16};
    stored2 second = {(down + down_left) / 16, (down + down_right) / 16};
    upper[0] = first;
    upper[width] = second;
}

// 4 times the adjoint along one row of the large picture: 3 (g[2k] + g[2k+1]) + g[2k-1] + g[2k+2]. At an end, what lies
// beyond it is the number at the end once more, which then counts 4: the pixel at the end made it alone.
__device__ __forceinline__ real halved(const stored* pair, int before, int after) {
    stored2 inner = reinterpret_cast<const stored2*>(pair)[0];
    return 3 * (real(inner.x) + real(inner.y)) + (real(pair[before]) + real(pair[after]));
}

extern "C" __global__ void interpolate_double_grad_x(const stored* grad, stored* grad_x, int height, int width, int n) {
    int i = flat_thread();
    if (i >= n) return;
    int column = i % width, row = i / width % height, out_width = 2 * width;
    int before = column > 0 ? -1 : 0, after = column < width - 1 ? 2 : 1;
    const stored* upper = grad + i / width * 2 * out_width + 2 * column;
    const stored* lower = upper + out_width;
    const stored* above = row > 0 ? upper - out_width : upper;
    const stored* below = row < height - 1 ? lower + out_width : lower;
    real inside = halved(upper, before, after) + halved(lower, before, after);
    grad_x[i] = (3 * inside + (halved(above, before, after) + halved(below, before, after))) / 16;
}
