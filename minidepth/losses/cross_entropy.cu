// Softmax cross-entropy, value and slopes; the formulas are in cross_entropy.py.
//
// Threads: one for each pixel, which walks through the K logits of it. They lie a picture apart, so neighbouring
// threads read neighbouring numbers. Bytes moved: 4 K for each walk, of which all but the first find them in the cache
// as long as 256 x K numbers fit there, 4 K to write the slopes, and 9 for label, mask and weight.
//
// The ladder
// 1. As written in cross_entropy.py: 14 launches forward and 8 backward, and some 15 times 4 K bytes a pixel.
// 2. One pass, in which a pixel's largest logit, its sum of exponentials and its slopes are found by one thread. It
//    needs no memory of its own, so any number of classes will do. Three walks are one more than an online sum of
//    exponentials takes (rescaled where a larger logit turns up), but every term of theirs is a single exp.
#include "../ops/common.cuh"
#include "masked.cuh"

// `weights` and `slopes` may be null. A label that no class has makes the loss NaN, so that it cannot go unseen.
extern "C" __global__ __launch_bounds__(256) void cross_entropy_forward(
    const real* __restrict__ logits, const int* __restrict__ labels, const bool* __restrict__ valid,
    const real* __restrict__ weights, real* __restrict__ sums, real* __restrict__ slopes, int classes, int area,
    int n) {
    const int i = flat_thread();
    real value = 0, counted = 0;
    if (i < n) {
        const int first = i / area * classes * area + i % area, end = first + classes * area;
        if (valid[i]) {
            const int label = labels[i];
            const real weight = weights != nullptr ? real(weights[i]) : real(1);
            real largest = logits[first], sum = 0;
            for (int k = first + area; k < end; k += area) {
                real logit = logits[k];
                if (largest < logit) largest = logit;
            }
#pragma unroll 1  // in double, several exp at once need more registers than there are
            for (int k = first; k < end; k += area) sum += exp(logits[k] - largest);
            const bool known = label >= 0 && label < classes;
            value = known ? weight * (log(sum) + (largest - logits[first + label * area])) : sqrt(real(-1));
            counted = 1;
            if (slopes != nullptr) {
                for (int k = first; k < end; k += area) {
                    real at_label = k == first + label * area ? 1 : 0;
                    slopes[k] = weight * (exp(logits[k] - largest) / sum - at_label);
                }
            }
        } else if (slopes != nullptr) {
            for (int k = first; k < end; k += area) slopes[k] = 0;
        }
    }
    leave_sums(value, counted, sums);
}
