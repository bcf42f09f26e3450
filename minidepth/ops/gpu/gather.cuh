// A product of a matrix of weights with patches that are gathered from a picture on the fly: which numbers it reads,
// and where its results go. For the files that compute it, implicit_gemm.cu and implicit_gemm_tensor.cu.
//
// A convolution and its adjoint differ in little more than the Axis. In the adjoint, with stride s, the pixels u =
// part, part + s, ... are met by the same taps of the kernel, every so many-th, and read neighbouring outputs. So dL/dx
// of a convolution of any stride is s plain convolutions of stride 1 along an axis, one for each part, and no thread
// multiplies by zeros that stand between pixels.

struct Axis {
    int count, first, step;         // result q of `count` is pixel first + q step of what is written
    int size, stride, tap, offset;  // through tap t it reads pixel q stride + t tap + offset, if that is in [0, size)
    int taps, tap_first, tap_step;  // tap t of `taps` is number tap_first + t tap_step in the kernel

    __device__ int written(int q) const { return first + q * step; }
    __device__ int read(int q, int t) const { return q * stride + t * tap + offset; }
    __device__ bool has(int pixel) const { return pixel >= 0 && pixel < size; }
    __device__ int in_kernel(int t) const { return tap_first + t * tap_step; }
};

__device__ __forceinline__ Axis forward_axis(int size, int results, int kernel, int stride, int padding, int dilation) {
    return {results, 0, 1, size, stride, dilation, -padding, kernel, 0, 1};
}

__device__ __forceinline__ Axis adjoint_axis(int part, int size, int results, int kernel, int stride, int padding,
                                             int dilation) {
    int taps = 0, first = 0, step = 0;
    for (int i = kernel - 1; i >= 0; --i) {
        if ((part + padding - i * dilation) % stride != 0) continue;
        step = first - i;
        first = i;
        ++taps;
    }
    int count = (size - part + stride - 1) / stride, offset = (part + padding - first * dilation) / stride;
    return {count, part, stride, results, 1, -(step * dilation / stride), offset, taps, first, step};
}

// The sizes of a convolution, as all kernels take them.
struct Convolution {
    int n, channels, height, width, outputs, kernel_h, kernel_w, rows, columns;
    int stride_h, stride_w, padding_h, padding_w, dilation_h, dilation_w, groups;
};

// A product that reads `channels` and writes `outputs` in each group. The weight lies as (groups, taps, channels,
// outputs).
struct Product {
    Axis down, across;
    int n, channels, outputs, groups, kernel_h, kernel_w, height, width;  // height and width of what is written
    __device__ int pixels() const { return n * down.count * across.count; }
};

__device__ __forceinline__ Product forward_product(const Convolution& of) {
    return {forward_axis(of.height, of.rows, of.kernel_h, of.stride_h, of.padding_h, of.dilation_h),
            forward_axis(of.width, of.columns, of.kernel_w, of.stride_w, of.padding_w, of.dilation_w),
            of.n, of.channels / of.groups, of.outputs / of.groups, of.groups, of.kernel_h, of.kernel_w, of.rows,
            of.columns};
}

// Part number `part` of stride_h * stride_w.
__device__ __forceinline__ Product adjoint_product(const Convolution& of, int part) {
    const int down = part / of.stride_w, across = part % of.stride_w;
    return {adjoint_axis(down, of.height, of.rows, of.kernel_h, of.stride_h, of.padding_h, of.dilation_h),
            adjoint_axis(across, of.width, of.columns, of.kernel_w, of.stride_w, of.padding_w, of.dilation_w),
            of.n, of.outputs / of.groups, of.channels / of.groups, of.groups, of.kernel_h, of.kernel_w, of.height,
            of.width};
}

__device__ __forceinline__ real cut(real value, real lowest, real highest) {
    return value < lowest ? lowest : value > highest ? highest : value;
}
