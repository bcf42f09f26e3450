// SSIM, value and gradient; the formulas and the letters are in ssim.py.
//
// Threads: a block for TILE x TILE windows (or pixels, on the way back), a thread for each. The block copies what its
// windows see, (TILE + 10)^2 pixels, to shared memory; each thread then filters along the rows and, after a barrier,
// down the columns. Bytes moved for a pixel: 9 in and 12 out for the windows, 20 in and 4 out for the gradient, and the
// frames of the tiles, 1.6 times as much again, from the cache. Some 140 multiply-adds a pixel each way.
//
// The ladder
// 1. The whole 11x11 window for each pixel, from global memory: 121 reads for each of 4 maps, 121 x 4 multiply-adds.
// 2. The same from a tile in shared memory: each pixel comes from global memory 2.6 times in place of 121.
// 3. Separable, rows and then columns: 2 x 11 multiply-adds a map in place of 121. This wins.
// 4. The gradient in the same launch, without the three maps in between, would have to look at (TILE + 20)^2 pixels and
//    filter 2.6 times as many windows for each tile of it: it saves 24 bytes a pixel and costs twice the arithmetic.
//
// A window of 7 has 4 weights of 0 at its end, so that all loops have MOST steps and are unrolled. As in ssim.py, d and
// s are moved closer to 0 before they are squared; any number near their mean serves, so each block takes the mean of
// 256 pixels from all over the picture, and needs no launch before it.
#include "../ops/common.cuh"
#include "masked.cuh"

constexpr int TILE = 16;
constexpr int MOST = 11;
constexpr int SEEN = TILE + MOST - 1;

// Difference and sum of a pixel, 0 where it is not valid.
__device__ __forceinline__ void load(const real* x, const real* y, const bool* valid, int i, real& d, real& s) {
    bool known = valid[i];
    real p = known ? x[i] : real(0), t = known ? y[i] : real(0);
    d = p - t;
    s = p + t;
}

// Means of d and s over 256 pixels spread over a picture of `area`; the same in each block.
__device__ __forceinline__ void centre(const real* x, const real* y, const bool* valid, int area, real& of_d,
                                       real& of_s) {
    int step = area < 256 ? 1 : area / 256, i = threadIdx.x * step;
    real d = 0, s = 0, known = 0;
    if (i < area) {
        load(x, y, valid, i, d, s);
        known = valid[i];
    }
    known = max(block_sum(known), real(1));
    of_d = block_sum(d) / known;
    of_s = block_sum(s) / known;
}

// A Gaussian window of `size` numbers that add up to 1, and zeros up to MOST; there is a barrier before it can be read.
__device__ __forceinline__ void make_taps(real* taps, int size, real sigma) {
    if (threadIdx.x >= MOST) return;
    real total = 0, own = 0;
    for (int k = 0; k < size; ++k) {
        real away = k - real(0.5) * (size - 1), weight = exp(-away * away / (2 * sigma * sigma));
        total += weight;
        if (k == threadIdx.x) own = weight;
    }
    taps[threadIdx.x] = own / total;
}

// Each window that is complete: 1 - S into the sums; and `slopes` (3, N, rows, columns): how 1 - S grows with the means
// of d and s together, with that of d^2, and with that of s^2. `slopes` may be null.
extern "C" __global__ __launch_bounds__(256) void ssim_windows(
    const real* __restrict__ x, const real* __restrict__ y, const bool* __restrict__ valid, real* __restrict__ sums,
    real* __restrict__ slopes, int height, int width, int size, real sigma, real c1, real c2) {
    __shared__ real taps[MOST];
    __shared__ real d[SEEN][SEEN];
    __shared__ real s[SEEN][SEEN];
    __shared__ bool complete[SEEN][SEEN];
    __shared__ real along[4][SEEN][TILE];  // d, s, d^2, s^2 filtered along the rows
    __shared__ bool complete_row[SEEN][TILE];
    const int rows = height - size + 1, columns = width - size + 1, area = height * width;
    const int row0 = blockIdx.y * TILE, column0 = blockIdx.x * TILE;
    x += blockIdx.z * area;
    y += blockIdx.z * area;
    valid += blockIdx.z * area;
    real of_d, of_s;
    centre(x, y, valid, area, of_d, of_s);
    make_taps(taps, size, sigma);
    for (int i = threadIdx.x; i < SEEN * SEEN; i += blockDim.x) {
        int r = i / SEEN, c = i % SEEN, row = row0 + r, column = column0 + c;
        real difference = 0, sum = 0;
        bool known = row < height && column < width;
        if (known) {
            load(x, y, valid, row * width + column, difference, sum);
            known = valid[row * width + column];
        }
        d[r][c] = difference - of_d;
        s[r][c] = sum - of_s;
        complete[r][c] = known;
    }
    __syncthreads();
    for (int i = threadIdx.x; i < SEEN * TILE; i += blockDim.x) {
        int r = i / TILE, c = i % TILE;
        real mean_d = 0, mean_s = 0, square_d = 0, square_s = 0;
        bool all = true;
#pragma unroll
        for (int k = 0; k < MOST; ++k) {
            real tap = taps[k], one_d = d[r][c + k], one_s = s[r][c + k];
            mean_d += tap * one_d;
            mean_s += tap * one_s;
            square_d += tap * (one_d * one_d);
            square_s += tap * (one_s * one_s);
            all = all && (k >= size || complete[r][c + k]);
        }
        along[0][r][c] = mean_d;
        along[1][r][c] = mean_s;
        along[2][r][c] = square_d;
        along[3][r][c] = square_s;
        complete_row[r][c] = all;
    }
    __syncthreads();
    const int r = threadIdx.x / TILE, c = threadIdx.x % TILE;
    real mean_d = 0, mean_s = 0, square_d = 0, square_s = 0;
    bool counts = true;
#pragma unroll
    for (int k = 0; k < MOST; ++k) {
        real tap = taps[k];
        mean_d += tap * along[0][r + k][c];
        mean_s += tap * along[1][r + k][c];
        square_d += tap * along[2][r + k][c];
        square_s += tap * along[3][r + k][c];
        counts = counts && (k >= size || complete_row[r + k][c]);
    }
    real var_d = square_d - mean_d * mean_d, var_s = square_s - mean_s * mean_s;
    var_d = var_d < 0 ? real(0) : var_d;  // by rounding; a NaN stays one
    var_s = var_s < 0 ? real(0) : var_s;
    real mu_d = mean_d + of_d, mu_s = mean_s + of_s;
    real light = real(0.5) * (mu_d * mu_d + mu_s * mu_s) + c1, contrast = real(0.5) * (var_d + var_s) + c2;
    real a = mu_d * mu_d / light, b = var_d / contrast;
    const int row = row0 + r, column = column0 + c;
    const bool inside = row < rows && column < columns;
    counts = counts && inside;
    if (slopes != nullptr && inside) {
        real slope = (1 - a) / contrast, by_d = slope * (1 - real(0.5) * b), by_s = slope * (real(-0.5) * b);
        real by_mean = (1 - b) / light * (mu_d * (2 - a) - a * mu_s) - 2 * (mean_d * by_d + mean_s * by_s);
        real* place = slopes + (blockIdx.z * rows + row) * columns + column;
        const int map = gridDim.z * rows * columns;
        place[0] = counts ? by_mean : real(0);
        place[map] = counts ? by_d : real(0);
        place[2 * map] = counts ? by_s : real(0);
    }
    leave_sums(counts ? a + b - a * b : real(0), counts, sums);
}

// The gradient: each pixel gathers from the windows that see it. A pixel changes d and s alike.
extern "C" __global__ __launch_bounds__(256) void ssim_grad_x(
    const real* __restrict__ x, const real* __restrict__ y, const bool* __restrict__ valid,
    const real* __restrict__ slopes, const real* __restrict__ share, real* __restrict__ grad_x, int height, int width,
    int size, real sigma) {
    __shared__ real taps[MOST];
    __shared__ real slope[3][SEEN][SEEN];
    __shared__ real along[3][SEEN][TILE];
    const int rows = height - size + 1, columns = width - size + 1, area = height * width;
    const int row0 = blockIdx.y * TILE, column0 = blockIdx.x * TILE;
    x += blockIdx.z * area;
    y += blockIdx.z * area;
    valid += blockIdx.z * area;
    real of_d, of_s;
    centre(x, y, valid, area, of_d, of_s);
    make_taps(taps, size, sigma);
    for (int i = threadIdx.x; i < 3 * SEEN * SEEN; i += blockDim.x) {
        int map = i / (SEEN * SEEN), r = i / SEEN % SEEN, c = i % SEEN;
        int row = row0 + r - (size - 1), column = column0 + c - (size - 1);
        real value = 0;
        if (row >= 0 && row < rows && column >= 0 && column < columns)
            value = slopes[((map * gridDim.z + blockIdx.z) * rows + row) * columns + column];
        slope[map][r][c] = value;
    }
    __syncthreads();
    for (int i = threadIdx.x; i < 3 * SEEN * TILE; i += blockDim.x) {
        int map = i / (SEEN * TILE), r = i / TILE % SEEN, c = i % TILE;
        real sum = 0;
#pragma unroll
        for (int k = 0; k < MOST; ++k) sum += taps[k] * slope[map][r][c + k];
        along[map][r][c] = sum;
    }
    __syncthreads();
    const int r = threadIdx.x / TILE, c = threadIdx.x % TILE, row = row0 + r, column = column0 + c;
    if (row >= height || column >= width) return;
    real by_mean = 0, by_d = 0, by_s = 0, d, s;
#pragma unroll
    for (int k = 0; k < MOST; ++k) {
        real tap = taps[k];
        by_mean += tap * along[0][r + k][c];
        by_d += tap * along[1][r + k][c];
        by_s += tap * along[2][r + k][c];
    }
    const int i = row * width + column;
    load(x, y, valid, i, d, s);
    grad_x[blockIdx.z * area + i] = share[0] * (by_mean + 2 * ((d - of_d) * by_d + (s - of_s) * by_s));
}
