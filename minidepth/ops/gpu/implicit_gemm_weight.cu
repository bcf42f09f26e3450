// The gradient of a convolution's weight as a matrix product with patches that are never written down:
//
//     dL/dweight (outputs, channels * taps) = grad (outputs, pixels) times patches (channels * taps, pixels) transposed
//
// The sum runs over the pixels of all pictures, which are many, where the result is small: few tiles for so many
// blocks. So the pixels are cut into `splits` parts, each block sums over one of them, and whoever has launched this
// adds up the parts in their order. Atomics would need no memory for the parts, but would add in another order each
// time.
//
// Threads: a block of 256 makes a tile of 64 by 128 numbers (16 by 256 for few channels) of one part. It takes 16
// pixels at a time, neighbours in both factors, so a half warp reads 64 bytes in one piece; each thread makes 8 by 4 (4
// by 4) numbers from 8 + 4 of shared memory for 32 multiply-adds. The next pixels are on their way into registers
// meanwhile. The tiles in shared memory have one or two columns too many, so that the threads that write one below the
// other hit different banks. Multiply-adds for a byte read: 10.7 (64 * 128 for 64 + 128 numbers). For the ladder, see
// implicit_gemm.cu.
#include "../common.cuh"

constexpr int THREADS = 256;
constexpr int TILE_ROWS = 64;
constexpr int TILE_COLUMNS = 128;
constexpr int NARROW_TILE_ROWS = 16;
constexpr int NARROW_TILE_COLUMNS = 256;
constexpr int STEP = 16;  // pixels that are fetched at a time

#include "gather.cuh"
#include "weight_fetcher.cuh"

// A tile of which each thread makes ROWS by COLUMNS numbers; ACROSS threads share a row of it.
template <int ROWS, int COLUMNS, int ACROSS>
__device__ void tile_of_weight(const real* grad, const real* x, real* parts, const Convolution& of, int each) {
    constexpr int HEIGHT = ROWS * (THREADS / ACROSS), WIDTH = COLUMNS * ACROSS;
    static_assert(HEIGHT == TILE_ROWS || HEIGHT == NARROW_TILE_ROWS, "Python counts the tiles by these");
    static_assert(WIDTH == TILE_COLUMNS || WIDTH == NARROW_TILE_COLUMNS, "and by these");
    __shared__ real grads[STEP][HEIGHT + 2];
    __shared__ real patches[STEP][WIDTH + 2];
    __shared__ int4 taps[WIDTH];
    WeightFetcher<HEIGHT, WIDTH> fetcher(of, each);
    fetcher.find_taps(&taps[0]);
    __syncthreads();

    const int row = threadIdx.x / ACROSS * ROWS, column = threadIdx.x % ACROSS;
    real sum[ROWS][COLUMNS] = {};
    fetcher.fetch(grad, x, &taps[0]);
    for (int step = 0; step < each; step += STEP) {
#pragma unroll
        for (int q = 0; q < fetcher.GRADS; ++q) grads[fetcher.lane()][fetcher.line(q)] = fetcher.grads[q];
#pragma unroll
        for (int q = 0; q < fetcher.PATCHES; ++q) patches[fetcher.lane()][fetcher.line(q)] = fetcher.patches[q];
        __syncthreads();
        fetcher.fetch(grad, x, &taps[0]);  // beyond the last pixel it fetches zeros
#pragma unroll
        for (int p = 0; p < STEP; ++p) {
            real of_grad[ROWS], of_patch[COLUMNS];
#pragma unroll
            for (int a = 0; a < ROWS; ++a) of_grad[a] = grads[p][row + a];
#pragma unroll
            for (int b = 0; b < COLUMNS; ++b) of_patch[b] = patches[p][column + b * ACROSS];
#pragma unroll
            for (int a = 0; a < ROWS; ++a)
#pragma unroll
                for (int b = 0; b < COLUMNS; ++b) sum[a][b] += of_grad[a] * of_patch[b];
        }
        __syncthreads();
    }
#pragma unroll
    for (int a = 0; a < ROWS; ++a)
#pragma unroll
        for (int b = 0; b < COLUMNS; ++b) {
            const int place = fetcher.place(row + a, column + b * ACROSS);
            if (place >= 0) parts[place] = sum[a][b];
        }
}

extern "C" __global__ void __launch_bounds__(256)
implicit_gemm_weight(const real* grad, const real* x, real* parts, int n, int channels, int height, int width,
                     int outputs, int kernel_h, int kernel_w, int rows, int columns, int stride_h, int stride_w,
                     int padding_h, int padding_w, int dilation_h, int dilation_w, int groups, int each) {
    const Convolution of = {n, channels, height, width, outputs, kernel_h, kernel_w, rows, columns,
                            stride_h, stride_w, padding_h, padding_w, dilation_h, dilation_w, groups};
    tile_of_weight<8, 4, 32>(grad, x, parts, of, each);
}

extern "C" __global__ void __launch_bounds__(256)
implicit_gemm_weight_narrow(const real* grad, const real* x, real* parts, int n, int channels, int height, int width,
                            int outputs, int kernel_h, int kernel_w, int rows, int columns, int stride_h,
                            int stride_w, int padding_h, int padding_w, int dilation_h, int dilation_w, int groups,
                            int each) {
    const Convolution of = {n, channels, height, width, outputs, kernel_h, kernel_w, rows, columns,
                            stride_h, stride_w, padding_h, padding_w, dilation_h, dilation_w, groups};
    tile_of_weight<4, 4, 64>(grad, x, parts, of, each);
}
