// The product of implicit_gemm_weight.cu on the tensor cores, with factors rounded to TF32, see implicit_gemm_tf32.cu.
//
// Threads: a block of 256 makes a tile of 64 by 128 numbers (16 by 256 for few channels) for one part of the pixels.
// Each of its 8 warps makes 32 by 32 (16 by 32) of it. Both tiles in shared memory have the 16 pixels of a step side by
// side, as they were fetched, and 4 numbers of room after them, so that the lanes, which read 8 rows of 4 neighbours at
// once, hit different banks. Multiply-adds for a byte read from memory: 10.7.
#include "../common.cuh"
#include "../mma_tf32.cuh"

constexpr int THREADS = 256;
constexpr int TILE_ROWS = 64;
constexpr int TILE_COLUMNS = 128;
constexpr int NARROW_TILE_ROWS = 16;
constexpr int NARROW_TILE_COLUMNS = 256;
constexpr int STEP = 16;  // pixels that are fetched at a time
constexpr int PADDING = 4;
constexpr int COLUMN_TILES = 4;  // of 8 columns, for each warp

#include "gather.cuh"
#include "weight_fetcher.cuh"

// A tile of DOWN by 8 / DOWN warps, each of which makes ROWS times 16 by 32 numbers.
template <int ROWS, int DOWN>
__device__ void tile_of_weight(const real* grad, const real* x, real* parts, const Convolution& of, int each) {
    constexpr int ACROSS = THREADS / WARP / DOWN, HEIGHT = DOWN * ROWS * 16, WIDTH = ACROSS * COLUMN_TILES * 8;
    static_assert(HEIGHT == TILE_ROWS || HEIGHT == NARROW_TILE_ROWS, "Python counts the tiles by these");
    static_assert(WIDTH == TILE_COLUMNS || WIDTH == NARROW_TILE_COLUMNS, "and by these");
    __shared__ float grads[HEIGHT][STEP + PADDING];
    __shared__ float patches[WIDTH][STEP + PADDING];
    __shared__ int4 taps[WIDTH];
    WeightFetcher<HEIGHT, WIDTH> fetcher(of, each);
    fetcher.find_taps(&taps[0]);
    __syncthreads();

    const int warp = threadIdx.x / WARP, first_row = warp / ACROSS * ROWS * 16;
    const int first_column = warp % ACROSS * COLUMN_TILES * 8;
    const int g = threadIdx.x % WARP / 4, t = threadIdx.x % 4;  // the lane's place, see mma_tf32.cuh
    float sum[ROWS][COLUMN_TILES][4] = {};
    fetcher.fetch(grad, x, &taps[0]);
    for (int step = 0; step < each; step += STEP) {
#pragma unroll
        for (int q = 0; q < fetcher.GRADS; ++q) grads[fetcher.line(q)][fetcher.lane()] = to_tf32(fetcher.grads[q]);
#pragma unroll
        for (int q = 0; q < fetcher.PATCHES; ++q)
            patches[fetcher.line(q)][fetcher.lane()] = to_tf32(fetcher.patches[q]);
        __syncthreads();
        fetcher.fetch(grad, x, &taps[0]);  // beyond the last pixel it fetches zeros
#pragma unroll
        for (int p = 0; p < STEP; p += 8) {
            float b[COLUMN_TILES][2];
#pragma unroll
            for (int tile = 0; tile < COLUMN_TILES; ++tile)
#pragma unroll
                for (int half = 0; half < 2; ++half)
                    b[tile][half] = patches[first_column + 8 * tile + g][p + 4 * half + t];
#pragma unroll
            for (int row = 0; row < ROWS; ++row) {
                float a[4];
#pragma unroll
                for (int part = 0; part < 4; ++part)
                    a[part] = grads[first_row + 16 * row + part % 2 * 8 + g][p + part / 2 * 4 + t];
#pragma unroll
                for (int tile = 0; tile < COLUMN_TILES; ++tile) mma_tf32(sum[row][tile], a, b[tile]);
            }
        }
        __syncthreads();
    }
#pragma unroll
    for (int row = 0; row < 2 * ROWS; ++row)
#pragma unroll
        for (int column = 0; column < 2 * COLUMN_TILES; ++column) {
            const int across = first_column + column / 2 * 8 + 2 * t + column % 2;
            const int place = fetcher.place(first_row + 8 * row + g, across);
            if (place >= 0) parts[place] = sum[row / 2][column / 2][row % 2 * 2 + column % 2];
        }
}

extern "C" __global__ void __launch_bounds__(256, 2)
implicit_gemm_weight_tf32(const real* grad, const real* x, real* parts, int n, int channels, int height, int width,
                          int outputs, int kernel_h, int kernel_w, int rows, int columns, int stride_h, int stride_w,
                          int padding_h, int padding_w, int dilation_h, int dilation_w, int groups, int each) {
    const Convolution of = {n, channels, height, width, outputs, kernel_h, kernel_w, rows, columns,
                            stride_h, stride_w, padding_h, padding_w, dilation_h, dilation_w, groups};
    tile_of_weight<2, 2>(grad, x, parts, of, each);
}

extern "C" __global__ void __launch_bounds__(256, 2)
implicit_gemm_weight_tf32_narrow(const real* grad, const real* x, real* parts, int n, int channels, int height,
                                 int width, int outputs, int kernel_h, int kernel_w, int rows, int columns,
                                 int stride_h, int stride_w, int padding_h, int padding_w, int dilation_h,
                                 int dilation_w, int groups, int each) {
    const Convolution of = {n, channels, height, width, outputs, kernel_h, kernel_w, rows, columns,
                            stride_h, stride_w, padding_h, padding_w, dilation_h, dilation_w, groups};
    tile_of_weight<1, 1>(grad, x, parts, of, each);
}
