// Convolution as a matrix product whose second factor, the patches, is never written down (implicit GEMM).
//
//     y (outputs, pixels) = weight (outputs, taps * channels) times patches (taps * channels, pixels)
//
// The pixels are those of all pictures, one after the other. dL/dx is the same product with the taps turned round, see
// gather.cuh; dL/dweight is in implicit_gemm_weight.cu.
//
// Threads: a block of 256 makes a tile of y, for 256 pixels and 64 (or 16) channels. It walks over the taps and, eight
// at a time, over the channels of x. For each such slice, every thread fetches the eight numbers that its own pixel of
// the tile meets, so a warp reads 32 neighbouring pixels at once; then each makes 8 by 8 (or 4 by 4) numbers of the
// tile, from 8 + 8 numbers of shared memory for 64 multiply-adds. Meanwhile the next slice is on its way into
// registers, and from there it goes into the other one of two buffers: one barrier a slice. Multiply-adds for a byte
// read: 12.8 (64 * 256 for 64 + 256 numbers) where the direct way has 1/8.
//
// The ladder, all of it in this package, and tested:
//   1. conv2d.cu, a thread for each output: both factors of every product come from memory.
//   2. im2col.cu and a matrix product, which reads each number once for a tile. But 9 copies of x go out to memory, come
//      back, and take 9 times the memory of x.
//   3. this file: tiles as in the matrix product, gathered from x itself. The copies are made in shared memory only.
//   4. implicit_gemm_tensor.cu: on the tensor cores, with factors of 10 bits of mantissa, and each pixel brought once for
//      all taps.
// The third wins where all bits count: it has the arithmetic of rung 2 without its copies. For 64 to 64 channels, 3x3, of
// 16x32 pixels, the emulator counts 1.88 numbers read for a multiply-add in rung 1, and 0.019 here (0.25 from shared
// memory).
#include "../common.cuh"

constexpr int THREADS = 256;  // and as many pixels in a tile
constexpr int TILE = 64;
constexpr int NARROW_TILE = 16;
constexpr int DEPTH = 8;  // channels in a slice

#include "gather.cuh"
#include "pixel_fetcher.cuh"

// A tile of which each thread makes ROWS channels of COLUMNS pixels. Neighbouring threads make neighbouring pixels.
template <int ROWS, int COLUMNS>
__device__ void tile_of_product(const real* x, const real* weight, const real* bias, real* y, const Product& product,
                                real lowest, real highest) {
    constexpr int CHANNELS = ROWS * COLUMNS, APART = PIXELS / COLUMNS;
    static_assert(CHANNELS == TILE || CHANNELS == NARROW_TILE, "Python counts the tiles by these");
    __shared__ real weights[2][DEPTH][CHANNELS];
    __shared__ real patches[2][DEPTH][PIXELS];
    __shared__ int places[PIXELS];
    if (blockIdx.x * PIXELS >= product.pixels()) return;  // the parts of an adjoint differ in size
    Fetcher<DEPTH, CHANNELS> fetcher(product);
    places[threadIdx.x] = fetcher.place();
    auto store = [&](int buffer) {
#pragma unroll
        for (int d = 0; d < DEPTH; ++d) patches[buffer][d][threadIdx.x] = fetcher.patch[d];
#pragma unroll
        for (int q = 0; q < fetcher.WEIGHTS; ++q)
            if (fetcher.weight_row(q) < DEPTH)
                weights[buffer][fetcher.weight_row(q)][fetcher.weight_column(q)] = fetcher.weights[q];
    };

    const int slices = fetcher.slices(), row = threadIdx.x / APART * ROWS, column = threadIdx.x % APART;
    real sum[ROWS][COLUMNS] = {};
    if (slices > 0) {
        fetcher.fetch(x, weight);
        store(0);
    }
    __syncthreads();
    for (int slice = 0; slice < slices; ++slice) {
        const bool more = slice + 1 < slices;
        if (more) fetcher.fetch(x, weight);
#pragma unroll
        for (int d = 0; d < DEPTH; ++d) {
            real of_weight[ROWS], of_patch[COLUMNS];
#pragma unroll
            for (int a = 0; a < ROWS; ++a) of_weight[a] = weights[slice % 2][d][row + a];
#pragma unroll
            for (int b = 0; b < COLUMNS; ++b) of_patch[b] = patches[slice % 2][d][column + b * APART];
#pragma unroll
            for (int a = 0; a < ROWS; ++a)
#pragma unroll
                for (int b = 0; b < COLUMNS; ++b) sum[a][b] += of_weight[a] * of_patch[b];
        }
        if (more) store((slice + 1) % 2);
        __syncthreads();
    }
#pragma unroll
    for (int a = 0; a < ROWS; ++a) {
        const int o = fetcher.first_output + row + a;
        if (o >= product.outputs) break;
        real add = 0;
        if (bias) add = bias[fetcher.group * product.outputs + o];
#pragma unroll
        for (int b = 0; b < COLUMNS; ++b) {
            const int place = places[column + b * APART];
            if (place >= 0) y[place + o * product.height * product.width] = cut(sum[a][b] + add, lowest, highest);
        }
    }
}

extern "C" __global__ void __launch_bounds__(256)
implicit_gemm_forward(const real* x, const real* weight, const real* bias, real* y, int n, int channels, int height,
                      int width, int outputs, int kernel_h, int kernel_w, int rows, int columns, int stride_h,
                      int stride_w, int padding_h, int padding_w, int dilation_h, int dilation_w, int groups,
                      real lowest, real highest) {
    const Convolution of = {n, channels, height, width, outputs, kernel_h, kernel_w, rows, columns,
                            stride_h, stride_w, padding_h, padding_w, dilation_h, dilation_w, groups};
    tile_of_product<8, 8>(x, weight, bias, y, forward_product(of), lowest, highest);
}

extern "C" __global__ void __launch_bounds__(256)
implicit_gemm_forward_narrow(const real* x, const real* weight, const real* bias, real* y, int n, int channels,
                             int height, int width, int outputs, int kernel_h, int kernel_w, int rows, int columns,
                             int stride_h, int stride_w, int padding_h, int padding_w, int dilation_h, int dilation_w,
                             int groups, real lowest, real highest) {
    const Convolution of = {n, channels, height, width, outputs, kernel_h, kernel_w, rows, columns,
                            stride_h, stride_w, padding_h, padding_w, dilation_h, dilation_w, groups};
    tile_of_product<4, 4>(x, weight, bias, y, forward_product(of), lowest, highest);
}

extern "C" __global__ void __launch_bounds__(256)
implicit_gemm_grad_x(const real* grad, const real* weight, const real* bias, real* grad_x, int n, int channels,
                     int height, int width, int outputs, int kernel_h, int kernel_w, int rows, int columns,
                     int stride_h, int stride_w, int padding_h, int padding_w, int dilation_h, int dilation_w,
                     int groups, real lowest, real highest) {
    const Convolution of = {n, channels, height, width, outputs, kernel_h, kernel_w, rows, columns,
                            stride_h, stride_w, padding_h, padding_w, dilation_h, dilation_w, groups};
    tile_of_product<8, 8>(grad, weight, bias, grad_x, adjoint_product(of, blockIdx.z), lowest, highest);
}

extern "C" __global__ void __launch_bounds__(256)
implicit_gemm_grad_x_narrow(const real* grad, const real* weight, const real* bias, real* grad_x, int n, int channels,
                            int height, int width, int outputs, int kernel_h, int kernel_w, int rows, int columns,
                            int stride_h, int stride_w, int padding_h, int padding_w, int dilation_h, int dilation_w,
                            int groups, real lowest, real highest) {
    const Convolution of = {n, channels, height, width, outputs, kernel_h, kernel_w, rows, columns,
                            stride_h, stride_w, padding_h, padding_w, dilation_h, dilation_w, groups};
    tile_of_product<4, 4>(grad, weight, bias, grad_x, adjoint_product(of, blockIdx.z), lowest, highest);
}
