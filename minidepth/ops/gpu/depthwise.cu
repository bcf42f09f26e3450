// Convolution of every channel by itself (groups = channels), the formulas of conv2d.py with a sum over taps alone.
//
// With I*J multiply-adds for each number there is nothing for a matrix product to gain, and tiles of implicit_gemm.cu
// would hold one channel of 64: it is memory that this waits for. Numbers moved: 2 each forward (read x, write y), 2
// backward to x, 2 to the weight.
//
// Threads: forward, one for STRIP outputs, one below the other. Its neighbours make the columns beside it, so that
// reads and writes of a warp lie side by side, and what the taps read again is in the cache. To x, one for each number.
// To the weight, a block for a part of the pixels of one channel, and up to TAPS taps, which all read the same number
// of grad; whoever has launched this adds up the parts in their order.
//
// The ladder: a thread for each output (conv2d.cu) spends more on finding its place, in divisions, than on its 9 taps.
// Strips find it once for four, and read each number of the weight once for four.
#include "../common.cuh"

constexpr int STRIP = 4;
constexpr int TAPS = 9;
constexpr int THREADS = 256;

extern "C" __global__ void depthwise_forward(const stored* x, const real* weight, const real* bias, stored* y, int n,
                                             int channels, int height, int width, int outputs, int kernel_h,
                                             int kernel_w, int rows, int columns, int stride_h, int stride_w,
                                             int padding_h, int padding_w, int dilation_h, int dilation_w, int groups,
                                             real lowest, real highest) {
    const int index = flat_thread(), strips = (rows + STRIP - 1) / STRIP;
    if (index >= n * channels * strips * columns) return;
    const int c = index % columns, first = index / columns % strips * STRIP, plane = index / (columns * strips);
    const int channel = plane % channels;
    real sum[STRIP] = {};
    for (int i = 0; i < kernel_h; ++i)
        for (int j = 0; j < kernel_w; ++j) {
            const int v = c * stride_w + j * dilation_w - padding_w;
            if (v < 0 || v >= width) continue;
            const real factor = weight[(channel * kernel_h + i) * kernel_w + j];
#pragma unroll
            for (int q = 0; q < STRIP; ++q) {
                const int u = (first + q) * stride_h + i * dilation_h - padding_h;
                if (u >= 0 && u < height) sum[q] += factor * static_cast<real>(x[(plane * height + u) * width + v]);
            }
        }
    real add = 0;
    if (bias) add = bias[channel];
#pragma unroll
    for (int q = 0; q < STRIP; ++q) {
        const real value = sum[q] + add;
        if (first + q < rows)
            y[(plane * rows + first + q) * columns + c] = value < lowest ? lowest : value > highest ? highest : value;
    }
}

// The number of an output that reads pixel `at` through a tap `offset` further on, or -1. A division by a STRIDE that
// the compiler knows costs next to nothing; STRIDE 0 is any other.
template <int STRIDE> __device__ __forceinline__ int reader(int at, int offset, int outputs, int stride) {
    const int step = STRIDE ? STRIDE : stride, ahead = at - offset;
    return ahead >= 0 && ahead % step == 0 && ahead / step < outputs ? ahead / step : -1;
}

template <int STRIDE>
__device__ real gathered(const stored* grad, const real* weight, int u, int v, int kernel_h, int kernel_w, int rows,
                         int columns, int stride_h, int stride_w, int padding_h, int padding_w, int dilation_h,
                         int dilation_w) {
    real sum = 0;
    for (int i = 0; i < kernel_h; ++i) {
        const int r = reader<STRIDE>(u + padding_h, i * dilation_h, rows, stride_h);
        if (r < 0) continue;
        for (int j = 0; j < kernel_w; ++j) {
            const int c = reader<STRIDE>(v + padding_w, j * dilation_w, columns, stride_w);
            if (c >= 0) sum += weight[i * kernel_w + j] * static_cast<real>(grad[r * columns + c]);
        }
    }
    return sum;
}

extern "C" __global__ void depthwise_grad_x(const stored* grad, const real* weight, const real* bias, stored* grad_x, int n,
                                            int channels, int height, int width, int outputs, int kernel_h,
                                            int kernel_w, int rows, int columns, int stride_h, int stride_w,
                                            int padding_h, int padding_w, int dilation_h, int dilation_w, int groups) {
    const int index = flat_thread();
    if (index >= n * channels * height * width) return;
    const int v = index % width, u = index / width % height, plane = index / (width * height);
    const stored* of_plane = grad + plane * rows * columns;
    const real* of_channel = weight + plane % channels * kernel_h * kernel_w;
    real sum = 0;
    if (stride_h == 1 && stride_w == 1)
        sum = gathered<1>(of_plane, of_channel, u, v, kernel_h, kernel_w, rows, columns, stride_h, stride_w, padding_h,
                          padding_w, dilation_h, dilation_w);
    else if (stride_h == 2 && stride_w == 2)
        sum = gathered<2>(of_plane, of_channel, u, v, kernel_h, kernel_w, rows, columns, stride_h, stride_w, padding_h,
                          padding_w, dilation_h, dilation_w);
    else
        sum = gathered<0>(of_plane, of_channel, u, v, kernel_h, kernel_w, rows, columns, stride_h, stride_w, padding_h,
                          padding_w, dilation_h, dilation_w);
    if (bias) sum += bias[plane % channels];
    grad_x[index] = sum;
}

extern "C" __global__ void __launch_bounds__(256)
depthwise_grad_weight(const stored* grad, const stored* x, real* parts, int n, int channels, int height, int width,
                      int outputs, int kernel_h, int kernel_w, int rows, int columns, int stride_h, int stride_w,
                      int padding_h, int padding_w, int dilation_h, int dilation_w, int groups, int each) {
    const int channel = blockIdx.x, first = blockIdx.y * TAPS, taps = kernel_h * kernel_w, pixels = n * rows * columns;
    int down[TAPS], across[TAPS];
    real sum[TAPS] = {};
#pragma unroll
    for (int t = 0; t < TAPS; ++t) {
        down[t] = (first + t) / kernel_w * dilation_h;  // beyond the last tap too: those sums are not kept
        across[t] = (first + t) % kernel_w * dilation_w;
    }
    const int end = min(pixels, (static_cast<int>(blockIdx.z) + 1) * each);
    for (int p = blockIdx.z * each + threadIdx.x; p < end; p += THREADS) {
        const int c = p % columns, r = p / columns % rows, plane = p / (columns * rows) * channels + channel;
        const int top = r * stride_h - padding_h, left = c * stride_w - padding_w;
        const real value = grad[(plane * rows + r) * columns + c];
#pragma unroll
        for (int t = 0; t < TAPS; ++t) {
            const int u = top + down[t], v = left + across[t];
            if (u < 0 || u >= height || v < 0 || v >= width) continue;
            sum[t] += value * static_cast<real>(x[(plane * height + u) * width + v]);
        }
    }
#pragma unroll
    for (int t = 0; t < TAPS; ++t) {
        const real total = block_sum(sum[t]);
        if (threadIdx.x == 0 && first + t < taps) parts[(blockIdx.z * channels + channel) * taps + first + t] = total;
    }
}
