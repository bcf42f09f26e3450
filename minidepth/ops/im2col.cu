// im2col and col2im; the formula is in im2col.py. With a matrix product between them they make a convolution: the
// second rung of the ladder in gpu/implicit_gemm.cu.
//
// Threads: im2col has one for each number of the patches, whose neighbours write side by side and, for stride 1, read
// side by side. col2im has one for each number of the picture: it gathers all its copies in a fixed order, where a
// thread for each copy would have to add with atomics. Bytes moved, for I*J taps and stride 1: im2col 4 (read, mostly
// from the cache) and 4 I*J (write) for each number of x; col2im the same the other way. That is why this is a rung and
// not the top: a 3x3 convolution writes and reads nine copies of its input, and does nothing else meanwhile.
#include "common.cuh"

extern "C" __global__ void im2col_forward(const real* x, real* patches, int n, int channels, int height, int width,
                                          int kernel_h, int kernel_w, int rows, int columns, int stride_h, int stride_w,
                                          int padding_h, int padding_w, int dilation_h, int dilation_w) {
    int index = flat_thread();  // of patches (n, channels, kernel_h, kernel_w, rows, columns)
    if (index >= n * channels * kernel_h * kernel_w * rows * columns) return;
    int c = index % columns, r = index / columns % rows, tap = index / (columns * rows);
    int j = tap % kernel_w, i = tap / kernel_w % kernel_h, plane = tap / (kernel_w * kernel_h);
    int u = r * stride_h + i * dilation_h - padding_h, v = c * stride_w + j * dilation_w - padding_w;
    bool inside = u >= 0 && u < height && v >= 0 && v < width;
    real value = 0;
    if (inside) value = x[(plane * height + u) * width + v];
    patches[index] = value;
}

extern "C" __global__ void im2col_adjoint(const real* patches, real* x, int n, int channels, int height, int width,
                                          int kernel_h, int kernel_w, int rows, int columns, int stride_h, int stride_w,
                                          int padding_h, int padding_w, int dilation_h, int dilation_w) {
    int index = flat_thread();  // of x (n, channels, height, width)
    if (index >= n * channels * height * width) return;
    int v = index % width, u = index / width % height, plane = index / (width * height);
    real sum = 0;
    for (int i = 0; i < kernel_h; ++i) {
        int down = u + padding_h - i * dilation_h;  // r * stride_h, if any output looks at (u, v) through this tap
        if (down < 0 || down % stride_h != 0 || down / stride_h >= rows) continue;
        for (int j = 0; j < kernel_w; ++j) {
            int across = v + padding_w - j * dilation_w;
            if (across < 0 || across % stride_w != 0 || across / stride_w >= columns) continue;
            int tap = (plane * kernel_h + i) * kernel_w + j;
            sum += patches[(tap * rows + down / stride_h) * columns + across / stride_w];
        }
    }
    x[index] = sum;
}
