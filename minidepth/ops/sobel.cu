// Sobel differences, forward and backward; the formulas are in sobel.py.
//
// Threads: forward one for each pixel, which writes both gx and gy of it, as they need the same eight neighbours. Backward
// one for each pixel of the framed picture, which gathers from the up to nine pixels that looked at it. Neighbouring
// threads work on neighbouring columns.
//
// Bytes moved: forward 4 read and 8 written for each pixel, backward 8 read and 4 written. Each number is read by up to
// nine threads, once from memory and then from the cache of the multiprocessor.
//
// The ladder
// 1. Kx and Ky as two convolutions: the picture is read twice.
// 2. Both at once, here, by differences first, which lose nothing to rounding.
// In half a pixel is 2 bytes and a thread still has one: the losses that use it are computed in float32.
// A tile in shared memory would save reads from the cache, 8 for two results: those do not limit the kernel, the bytes
// that go to the memory and come from there do.
#include "common.cuh"

// x (planes, height + 2, width + 2) -> y (.., 2 channels, height, width); n counts the pixels of gx.
extern "C" __global__ void sobel_forward(const stored* x, stored* y, int channels, int height, int width, int n) {
    int i = flat_thread();
    if (i >= n) return;
    int stride = width + 2, area = height * width;
    int column = i % width, row = i / width % height, plane = i / area;
    const stored* above = x + (plane * (height + 2) + row) * stride + column;
    const stored* here = above + stride;
    const stored* below = here + stride;
    real above_left = above[0], up = above[1], above_right = above[2], left = here[0], right = here[2];
    real below_left = below[0], down = below[1], below_right = below[2];
    real gx = (above_left - above_right) + 2 * (left - right) + (below_left - below_right);
    real gy = (above_left - below_left) + 2 * (up - down) + (above_right - below_right);
    stored* place = y + (plane / channels * channels + plane) * area + i % area;  // plane of gx: n 2C + c = n C + plane
    place[0] = gx;
    place[channels * area] = gy;
}

// grad (.., 2 channels, height, width) -> grad_x (planes, height + 2, width + 2). Output (r, q) looked at the rows r to
// r + 2 and the columns q to q + 2, so pixel (row, column) was seen as place (row - r, column - q) of the kernels.
extern "C" __global__ void sobel_grad_x(const stored* grad, stored* grad_x, int channels, int height, int width,
                                        int n) {
    int i = flat_thread();
    if (i >= n) return;
    int area = height * width;
    int column = i % (width + 2), row = i / (width + 2) % (height + 2), plane = i / (width + 2) / (height + 2);
    const stored* gx = grad + (plane / channels * channels + plane) * area;
    const stored* gy = gx + channels * area;
    real sum = 0;
#pragma unroll
    for (int a = 0; a < 3; ++a) {
#pragma unroll
        for (int b = 0; b < 3; ++b) {
            int r = row - a, q = column - b;
            if (r < 0 || r >= height || q < 0 || q >= width) continue;
            int place = r * width + q;
            if (b != 1) sum += (2 - abs(a - 1)) * (1 - b) * real(gx[place]);
            if (a != 1) sum += (2 - abs(b - 1)) * (1 - a) * real(gy[place]);
        }
    }
    grad_x[i] = sum;
}
