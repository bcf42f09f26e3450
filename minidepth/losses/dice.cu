// The dice losses; the formulas are in dice.py.
//
//     dice_overlap    of each block: sum p t, and sum p + t
//     dice_end        the loss, and the two numbers from which the slope of each pixel follows: dL/dp = a t + b
//     dice_grad_x     that, times dp/dz where the prediction z is logits
//
// Threads: each one takes a pixel in so many, all threads together neighbours; at most 1024 blocks. Bytes moved: 9 a
// pixel forward (prediction, target, the byte of the mask) and 13 backward.
//
// The ladder
// 1. As written in dice.py: 14 launches forward and 12 backward, most of them over whole maps.
// 2. Three launches. No pixel has a slope before all have been added up, so forward cannot leave it behind as in
//    pixel.cu; p is computed twice, which is quicker than writing it.
#include "../ops/common.cuh"
#include "masked.cuh"

// What a number of the prediction means, from 0 to 1.
__device__ __forceinline__ real probability(real z, bool logits) { return logits ? 1 / (1 + exp(-z)) : z; }

extern "C" __global__ __launch_bounds__(256) void dice_overlap(
    const real* __restrict__ prediction, const real* __restrict__ target, const bool* __restrict__ valid,
    real* __restrict__ sums, bool logits, int n) {
    real overlap = 0, both = 0;
    for (int i = flat_thread(); i < n; i += gridDim.x * blockDim.x) {
        if (!valid[i]) continue;
        real p = probability(prediction[i], logits), t = target[i];
        overlap += p * t;
        both += p + t;
    }
    leave_sums(overlap, both, sums);
}

// One block.
extern "C" __global__ __launch_bounds__(256) void dice_end(const real* __restrict__ sums, real* __restrict__ value,
                                                           real* __restrict__ line, real smooth, int blocks) {
    const real overlap = sum_left(sums, 0, 2, blocks), both = sum_left(sums, 1, 2, blocks) + smooth;
    if (threadIdx.x == 0) {
        const real share = (2 * overlap + smooth) / both;
        value[0] = 1 - share;
        line[0] = -2 / both;
        line[1] = share / both;
    }
}

extern "C" __global__ __launch_bounds__(256) void dice_grad_x(
    const real* __restrict__ grad, const real* __restrict__ prediction, const real* __restrict__ target,
    const bool* __restrict__ valid, const real* __restrict__ line, real* __restrict__ grad_x, bool logits, int n) {
    const real a = grad[0] * line[0], b = grad[0] * line[1];
    each_number<4>(n, [&](int i) {
        real z = prediction[i], t = target[i], slope = 0;
        if (valid[i]) {
            real p = probability(z, logits);
            slope = a * t + b;
            if (logits) slope *= p * (1 - p);
        }
        grad_x[i] = slope;
    });
}
