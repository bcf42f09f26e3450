// Losses that look at one pixel at a time: mse, rmse, rmse:logits, l1, l1:hu, berhu, bce, bce:probabilities. The
// formulas are in pixel.py, berhu.py and bce.py.
//
// Threads: each one takes a pixel in so many, all threads together neighbours; at most 1024 blocks, which fill the
// largest GPU. Bytes moved: 13 a pixel forward (read prediction, target and the byte of the mask, write the slope), and
// 8 backward, which is a plain product of the slope and a number.
//
// The ladder
// 1. As written in pixel.py, an operation at a time: 10 launches forward and 7 backward for mse, most of which read and
//    write whole maps, some 100 bytes a pixel; and Python needs 10 us for a launch, which is longer than the GPU does.
// 2. Value and slope in one pass. An invalid pixel is never looked at: what stands there may be NaN.
// 3. berhu must know the largest error first, a pass of its own. Its kernel leaves the largest of each block, and every
//    block of the next one looks through these few numbers itself: cheaper than a launch for it.
#include "../ops/common.cuh"
#include "masked.cuh"

constexpr int SQUARE = 0;
constexpr int ABSOLUTE = 1;
constexpr int LOGARITHM = 2;
constexpr int BERHU = 3;
constexpr int LOGITS = 4;
constexpr int PROBABILITIES = 5;
constexpr int SQUARE_OF_LOGITS = 6;

// What a pixel with prediction p and target t costs, and its slope dB/dp; c is the bound of berhu.
__device__ __forceinline__ real penalty(int kind, real p, real t, real c, real& slope) {
    real e = p - t, size = abs(e);
    switch (kind) {
        case SQUARE:
            slope = 2 * e;
            return e * e;
        case SQUARE_OF_LOGITS: {
            real probability = 1 / (1 + exp(-p)), off = probability - t;
            slope = 2 * off * probability * (1 - probability);
            return off * off;
        }
        case ABSOLUTE:
            slope = sign(e);
            return size;
        case LOGARITHM:
            slope = sign(e) / (size + real(0.5));
            return log(size + real(0.5));
        case BERHU: {
            real divisor = c > 0 ? c : real(1);
            bool is_small = size <= c;
            slope = is_small ? sign(e) : e / divisor;
            return is_small ? size : (e * e / divisor + c) / 2;
        }
        case LOGITS:
            slope = 1 / (1 + exp(-p)) - t;
            return (p > 0 ? p : real(0)) - p * t + log1p(exp(-abs(p)));
        case PROBABILITIES:
        default: {
            const real low = real(1e-7), high = real(1 - 1e-7);
            real held = p < low ? low : p > high ? high : p;  // a NaN stays one
            slope = held == p ? (1 - t) / (1 - p) - t / p : real(0);
            return -(t * log(held) + (1 - t) * log(1 - held));
        }
    }
}

// `largest` is what pixel_largest left, for berhu alone; `slope` may be null.
extern "C" __global__ __launch_bounds__(256) void pixel_penalty(
    const real* __restrict__ prediction, const real* __restrict__ target, const bool* __restrict__ valid,
    const real* __restrict__ largest, real* __restrict__ sums, real* __restrict__ slopes, int kind, int n) {
    real c = 0;
    if (kind == BERHU) {
        for (int block = threadIdx.x; block < gridDim.x; block += blockDim.x) c = max(c, real(largest[block]));
        c = real(0.2) * block_max(c);
    }
    real total = 0, counted = 0;
    for (int i = flat_thread(); i < n; i += gridDim.x * blockDim.x) {
        real slope = 0;
        if (valid[i]) {
            total += penalty(kind, prediction[i], target[i], c, slope);
            counted += 1;
        }
        if (slopes != nullptr) slopes[i] = slope;
    }
    leave_sums(total, counted, sums);
}

// The largest error of the pixels of each block, on the grid of pixel_penalty.
extern "C" __global__ __launch_bounds__(256) void pixel_largest(
    const real* __restrict__ prediction, const real* __restrict__ target, const bool* __restrict__ valid,
    real* __restrict__ largest, int n) {
    real found = 0;
    for (int i = flat_thread(); i < n; i += gridDim.x * blockDim.x)
        if (valid[i]) found = max(found, real(abs(prediction[i] - target[i])));
    found = block_max(found);
    if (threadIdx.x == 0) largest[blockIdx.x] = found;
}
