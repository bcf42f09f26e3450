// The product of implicit_gemm.cu on the tensor cores: factors are rounded to TF32 (10 bits of mantissa, about 3
// decimals), sums are float. This is what PyTorch's convolutions do on a GPU unless told otherwise. Here it is off
// unless told.
//
// Threads: a block of 256 makes a tile of 256 pixels and 64 (or 16) channels, and fetches it as implicit_gemm.cu does,
// but 16 channels at a time. Each of its 8 warps makes all channels of 32 pixels, by products of 16 channels, 8 terms
// and 8 pixels. The rows of the tiles in shared memory are 8 numbers longer than needed, so that the 32 lanes, which
// read 4 rows of 8 neighbours at once, hit 32 different banks. Multiply-adds for a byte that a warp reads from shared
// memory: 5.3 (64 by 32 for 64 + 32 numbers), which keeps shared memory and tensor cores about equally busy; 32 by 32
// had 4.
//
// The ladder is told in implicit_gemm.cu; this is its top where 10 bits are enough.
#include "../common.cuh"
#include "../mma_tf32.cuh"

constexpr int THREADS = 256;  // and as many pixels in a tile
constexpr int TILE = 64;
constexpr int NARROW_TILE = 16;
constexpr int DEPTH = 16;  // channels in a slice
constexpr int PADDING = 8;
constexpr int PIXEL_TILES = 4;  // of 8 pixels, for each warp

#include "gather.cuh"
#include "pixel_fetcher.cuh"

// A tile of ROWS times 16 channels.
template <int ROWS>
__device__ void tile_of_product(const real* x, const real* weight, const real* bias, real* y, const Product& product,
                                real lowest, real highest) {
    static_assert(16 * ROWS == TILE || 16 * ROWS == NARROW_TILE, "Python counts the tiles by these");
    __shared__ float weights[2][DEPTH][16 * ROWS + PADDING];
    __shared__ float patches[2][DEPTH][PIXELS + PADDING];
    __shared__ int places[PIXELS];
    if (blockIdx.x * PIXELS >= product.pixels()) return;  // the parts of an adjoint differ in size
    Fetcher<DEPTH, 16 * ROWS> fetcher(product);
    places[threadIdx.x] = fetcher.place();
    auto store = [&](int buffer) {
#pragma unroll
        for (int d = 0; d < DEPTH; ++d) patches[buffer][d][threadIdx.x] = to_tf32(fetcher.patch[d]);
#pragma unroll
        for (int q = 0; q < fetcher.WEIGHTS; ++q)
            weights[buffer][fetcher.weight_row(q)][fetcher.weight_column(q)] = to_tf32(fetcher.weights[q]);
    };

    const int slices = fetcher.slices(), first = threadIdx.x / WARP * WARP;  // the first pixel of this warp
    const int g = threadIdx.x % WARP / 4, t = threadIdx.x % 4;               // the lane's place, see mma_tf32.cuh
    float sum[ROWS][PIXEL_TILES][4] = {};
    if (slices > 0) {
        fetcher.fetch(x, weight);
        store(0);
    }
    __syncthreads();
    for (int slice = 0; slice < slices; ++slice) {
        const bool more = slice + 1 < slices;
        if (more) fetcher.fetch(x, weight);
#pragma unroll
        for (int d = 0; d < DEPTH; d += 8) {
            float b[PIXEL_TILES][2];
#pragma unroll
            for (int tile = 0; tile < PIXEL_TILES; ++tile)
#pragma unroll
                for (int half = 0; half < 2; ++half)
                    b[tile][half] = patches[slice % 2][d + 4 * half + t][first + 8 * tile + g];
#pragma unroll
            for (int row = 0; row < ROWS; ++row) {
                float a[4];
#pragma unroll
                for (int part = 0; part < 4; ++part)
                    a[part] = weights[slice % 2][d + part / 2 * 4 + t][16 * row + part % 2 * 8 + g];
#pragma unroll
                for (int tile = 0; tile < PIXEL_TILES; ++tile) mma_tf32(sum[row][tile], a, b[tile]);
            }
        }
        if (more) store((slice + 1) % 2);
        __syncthreads();
    }
#pragma unroll
    for (int row = 0; row < 2 * ROWS; ++row) {
        const int o = fetcher.first_output + 8 * row + g;
        if (o >= product.outputs) break;
        real add = 0;
        if (bias) add = bias[fetcher.group * product.outputs + o];
#pragma unroll
        for (int column = 0; column < 2 * PIXEL_TILES; ++column) {
            const int place = places[first + column / 2 * 8 + 2 * t + column % 2];
            const real value = sum[row / 2][column / 2][row % 2 * 2 + column % 2] + add;
            if (place >= 0) y[place + o * product.height * product.width] = cut(value, lowest, highest);
        }
    }
}

extern "C" __global__ void __launch_bounds__(256, 2)
implicit_gemm_tf32_forward(const real* x, const real* weight, const real* bias, real* y, int n, int channels,
                           int height, int width, int outputs, int kernel_h, int kernel_w, int rows, int columns,
                           int stride_h, int stride_w, int padding_h, int padding_w, int dilation_h, int dilation_w,
                           int groups, real lowest, real highest) {
    const Convolution of = {n, channels, height, width, outputs, kernel_h, kernel_w, rows, columns,
                            stride_h, stride_w, padding_h, padding_w, dilation_h, dilation_w, groups};
    tile_of_product<4>(x, weight, bias, y, forward_product(of), lowest, highest);
}

extern "C" __global__ void __launch_bounds__(256, 2)
implicit_gemm_tf32_forward_narrow(const real* x, const real* weight, const real* bias, real* y, int n, int channels,
                                  int height, int width, int outputs, int kernel_h, int kernel_w, int rows,
                                  int columns, int stride_h, int stride_w, int padding_h, int padding_w,
                                  int dilation_h, int dilation_w, int groups, real lowest, real highest) {
    const Convolution of = {n, channels, height, width, outputs, kernel_h, kernel_w, rows, columns,
                            stride_h, stride_w, padding_h, padding_w, dilation_h, dilation_w, groups};
    tile_of_product<1>(x, weight, bias, y, forward_product(of), lowest, highest);
}

extern "C" __global__ void __launch_bounds__(256, 2)
implicit_gemm_tf32_grad_x(const real* grad, const real* weight, const real* bias, real* grad_x, int n, int channels,
                          int height, int width, int outputs, int kernel_h, int kernel_w, int rows, int columns,
                          int stride_h, int stride_w, int padding_h, int padding_w, int dilation_h, int dilation_w,
                          int groups, real lowest, real highest) {
    const Convolution of = {n, channels, height, width, outputs, kernel_h, kernel_w, rows, columns,
                            stride_h, stride_w, padding_h, padding_w, dilation_h, dilation_w, groups};
    tile_of_product<4>(grad, weight, bias, grad_x, adjoint_product(of, blockIdx.z), lowest, highest);
}

extern "C" __global__ void __launch_bounds__(256, 2)
implicit_gemm_tf32_grad_x_narrow(const real* grad, const real* weight, const real* bias, real* grad_x, int n,
                                 int channels, int height, int width, int outputs, int kernel_h, int kernel_w,
                                 int rows, int columns, int stride_h, int stride_w, int padding_h, int padding_w,
                                 int dilation_h, int dilation_w, int groups, real lowest, real highest) {
    const Convolution of = {n, channels, height, width, outputs, kernel_h, kernel_w, rows, columns,
                            stride_h, stride_w, padding_h, padding_w, dilation_h, dilation_w, groups};
    tile_of_product<1>(grad, weight, bias, grad_x, adjoint_product(of, blockIdx.z), lowest, highest);
}
