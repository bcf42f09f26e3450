// Convolution, straight from the formulas in conv2d.py: the kernels to read first, and the first rung of the ladder.
// What runs in a network is picked in gpu/paths.py; the ladder is told in gpu/implicit_gemm.cu. The gradient of the
// bias, at the end, is the one that all ways share.
//
// Threads: one for each number of the result, along a row of the picture (of the weight for its gradient). Neighbours
// read neighbouring pixels and all the same weight. Multiply-adds for a byte read: 1/8, as both factors of every
// product come from memory, though mostly from the caches, which is why this reaches a few percent of the arithmetic of
// the card.
#include "common.cuh"

extern "C" __global__ void conv2d_forward(const stored* x, const real* weight, const real* bias, stored* y, int n,
                                          int channels, int height, int width, int outputs, int kernel_h, int kernel_w,
                                          int rows, int columns, int stride_h, int stride_w, int padding_h,
                                          int padding_w, int dilation_h, int dilation_w, int groups, real lowest,
                                          real highest) {
    int index = flat_thread();  // of y (n, outputs, rows, columns)
    if (index >= n * outputs * rows * columns) return;
    int c = index % columns, r = index / columns % rows, o = index / (columns * rows) % outputs;
    int picture = index / (columns * rows * outputs), some = channels / groups, first = o / (outputs / groups) * some;
    real sum = 0;
    for (int k = 0; k < some; ++k)
        for (int i = 0; i < kernel_h; ++i)
            for (int j = 0; j < kernel_w; ++j) {
                int u = r * stride_h + i * dilation_h - padding_h, v = c * stride_w + j * dilation_w - padding_w;
                if (u < 0 || u >= height || v < 0 || v >= width) continue;
                real value = x[((picture * channels + first + k) * height + u) * width + v];
                sum += weight[((o * some + k) * kernel_h + i) * kernel_w + j] * value;
            }
    if (bias) sum += bias[o];
    y[index] = sum < lowest ? lowest : sum > highest ? highest : sum;
}

// Each number of x collects from the outputs that have looked at it: sums in a fixed order, and no atomics.
extern "C" __global__ void conv2d_grad_x(const stored* grad, const real* weight, const real* bias, stored* grad_x, int n,
                                         int channels, int height, int width, int outputs, int kernel_h, int kernel_w,
                                         int rows, int columns, int stride_h, int stride_w, int padding_h,
                                         int padding_w, int dilation_h, int dilation_w, int groups) {
    int index = flat_thread();  // of x (n, channels, height, width)
    if (index >= n * channels * height * width) return;
    int v = index % width, u = index / width % height, channel = index / (width * height) % channels;
    int picture = index / (width * height * channels), some = channels / groups, k = channel % some;
    int first = channel / some * (outputs / groups);
    real sum = 0;
    for (int i = 0; i < kernel_h; ++i) {
        int down = u + padding_h - i * dilation_h;  // r * stride_h, if any output looks at (u, v) through this tap
        if (down < 0 || down % stride_h != 0 || down / stride_h >= rows) continue;
        for (int j = 0; j < kernel_w; ++j) {
            int across = v + padding_w - j * dilation_w;
            if (across < 0 || across % stride_w != 0 || across / stride_w >= columns) continue;
            int r = down / stride_h, c = across / stride_w;
            for (int o = first; o < first + outputs / groups; ++o) {
                real value = grad[((picture * outputs + o) * rows + r) * columns + c];
                sum += weight[((o * some + k) * kernel_h + i) * kernel_w + j] * value;
            }
        }
    }
    if (bias) sum += bias[channel];
    grad_x[index] = sum;
}

// A thread adds up all pictures and positions by itself: right, and hopelessly slow where the weight is small.
extern "C" __global__ void conv2d_grad_weight(const stored* grad, const stored* x, real* grad_weight, int n, int channels,
                                              int height, int width, int outputs, int kernel_h, int kernel_w, int rows,
                                              int columns, int stride_h, int stride_w, int padding_h, int padding_w,
                                              int dilation_h, int dilation_w, int groups) {
    int index = flat_thread(), some = channels / groups;  // of weight (outputs, channels / groups, kernel_h, kernel_w)
    if (index >= outputs * some * kernel_h * kernel_w) return;
    int j = index % kernel_w, i = index / kernel_w % kernel_h, k = index / (kernel_w * kernel_h) % some;
    int o = index / (kernel_w * kernel_h * some), channel = o / (outputs / groups) * some + k;
    real sum = 0;
    for (int picture = 0; picture < n; ++picture)
        for (int r = 0; r < rows; ++r)
            for (int c = 0; c < columns; ++c) {
                int u = r * stride_h + i * dilation_h - padding_h, v = c * stride_w + j * dilation_w - padding_w;
                if (u < 0 || u >= height || v < 0 || v >= width) continue;
                real of_grad = grad[((picture * outputs + o) * rows + r) * columns + c];
                real of_x = x[((picture * channels + channel) * height + u) * width + v];
                sum += of_grad * of_x;
            }
    grad_weight[index] = sum;
}

// One block for each part of the pixels of one picture and channel; what is left, `parts` * n numbers for each channel,
// is summed in a fixed order by who has launched this. Each number is read once, and nothing else.
extern "C" __global__ void conv2d_grad_bias(const stored* grad, real* sums, int outputs, int pixels, int parts) {
    int plane = blockIdx.x / parts, part = blockIdx.x % parts, each = (pixels + parts - 1) / parts;
    int picture = plane / outputs, o = plane % outputs;
    real sum = 0;
    for (int p = part * each + threadIdx.x; p < min(pixels, (part + 1) * each); p += blockDim.x)
        sum += static_cast<real>(grad[plane * pixels + p]);
    sum = block_sum(sum);
    if (threadIdx.x == 0) sums[(picture * parts + part) * outputs + o] = sum;
}
