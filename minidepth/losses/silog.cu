// The scale-invariant losses silog:eigen and silog:bts; the formulas are in silog.py.
//
//     silog_moments    of each block: how many pixels count, the mean of d = ln p - ln t, the sum of (d - mean)^2
//     silog_end        the same of all, the loss, and the two numbers from which the slope of each pixel follows:
//                      dL/dd = steep (d - middle)
//     silog_grad_x     dL/dp = dL/dd / p
//
// Threads: each one takes a pixel in so many, all threads together neighbours; at most 1024 blocks. Bytes moved: 9 a
// pixel forward (prediction, target, the byte of the mask), once more from the cache, and 13 backward. A logarithm is
// some 20 instructions, so taking it again is as quick as reading it would be, and needs no memory.
//
// The ladder
// 1. As written in silog.py: 34 launches forward and 22 backward (38 and 26 with a root), most of them over whole maps.
// 2. One pass that leaves sums of d and of d^2: the variance is then the small difference of two large numbers, which
//    in float32 has no digit left where all predictions are wrong by much the same factor, and may be below 0.
// 3. Each block takes the squares off its own mean, which it knows after its first pass, and the end adds how far the
//    means of the blocks lie apart (Chan, Golub and LeVeque, 1979). It wins: no difference of large numbers, no
//    launch more.
#include "../ops/common.cuh"
#include "masked.cuh"

// Whether a pixel counts; a NaN in the target does, so that it is seen.
__device__ __forceinline__ bool is_known(bool valid, real t) { return valid && !(t <= 0); }

// d of one pixel; a prediction below `least` counts as `least`, and a NaN stays one.
__device__ __forceinline__ real log_ratio(real p, real t, real least) { return log(p < least ? least : p) - log(t); }

extern "C" __global__ __launch_bounds__(256) void silog_moments(
    const real* __restrict__ prediction, const real* __restrict__ target, const bool* __restrict__ valid,
    real* __restrict__ moments, real least, int n) {
    const int step = gridDim.x * blockDim.x;
    real total = 0, counted = 0;
    for (int i = flat_thread(); i < n; i += step) {
        real t = target[i];
        if (!is_known(valid[i], t)) continue;
        total += log_ratio(prediction[i], t, least);
        counted += 1;
    }
    const real of_block = block_sum(counted), mean = block_sum(total) / max(of_block, real(1));
    real squares = 0;
    for (int i = flat_thread(); i < n; i += step) {
        real t = target[i];
        if (!is_known(valid[i], t)) continue;
        real off = log_ratio(prediction[i], t, least) - mean;
        squares += off * off;
    }
    squares = block_sum(squares);
    if (threadIdx.x == 0) {
        moments[3 * blockIdx.x] = of_block;
        moments[3 * blockIdx.x + 1] = mean;
        moments[3 * blockIdx.x + 2] = squares;
    }
}

// One block. The loss is made of variance + share mean^2, see `of_mean`.
extern "C" __global__ __launch_bounds__(256) void silog_end(const real* __restrict__ moments, real* __restrict__ value,
                                                            real* __restrict__ line, real share, real factor,
                                                            real inside, int blocks) {
    real counted = 0, total = 0, squares = 0;
    for (int block = threadIdx.x; block < blocks; block += blockDim.x) {
        counted += moments[3 * block];
        total += moments[3 * block] * moments[3 * block + 1];
    }
    counted = block_sum(counted);
    const real n = max(counted, real(1)), mean = block_sum(total) / n;
    for (int block = threadIdx.x; block < blocks; block += blockDim.x) {
        real off = moments[3 * block + 1] - mean;
        squares += moments[3 * block + 2] + moments[3 * block] * off * off;
    }
    squares = block_sum(squares);
    if (threadIdx.x == 0) {
        real slope;
        const real found = of_mean(squares / n + share * mean * mean, factor, inside, slope);
        value[0] = counted > 0 ? found : real(0);
        line[0] = 2 * slope / n;
        line[1] = (1 - share) * mean;
    }
}

extern "C" __global__ __launch_bounds__(256) void silog_grad_x(
    const real* __restrict__ grad, const real* __restrict__ prediction, const real* __restrict__ target,
    const bool* __restrict__ valid, const real* __restrict__ line, real* __restrict__ grad_x, real least, int n) {
    const real steep = grad[0] * line[0], middle = line[1];
    each_number<4>(n, [&](int i) {
        real p = prediction[i], t = target[i], slope = 0;
        if (is_known(valid[i], t) && !(p < least)) slope = steep * (log_ratio(p, t, least) - middle) / p;
        grad_x[i] = slope;
    });
}
