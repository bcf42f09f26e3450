// The losses on the steps from pixel to pixel, value and gradient in one launch: edges, smoothness and
// smoothness:keras; the formulas are in edges.py.
//
// Threads: one for each pixel of a picture, which looks at the steps to its four neighbours: all four for its gradient,
// those to the right and downwards for the sum. Bytes moved: 13 a pixel (9 without a target), and 4 for each channel of
// the picture; the neighbours come from the cache, as the threads beside read them too. So each step is looked at from
// both sides, which costs a few operations and saves any exchange.
//
// The ladder
// 1. As written in edges.py: some 35 launches forward and backward, and 200 bytes a pixel.
// 2. One pass. A tile in shared memory would take the place of the cache, and save nothing: each number is read 5
//    times.
#include "../ops/common.cuh"
#include "masked.cuh"

// One number of the map whose steps count: the error, or the prediction where there is no target.
__device__ __forceinline__ real height_at(const real* prediction, const real* target, int i) {
    real p = prediction[i];
    if (target == nullptr) return p;
    real t = target[i];
    return p - t;
}

// The weight of the step between pixels i and j of the picture: less where it has an edge.
__device__ __forceinline__ real step_weight(const real* image, int i, int j, int channels, int area) {
    real change = 0;
    for (int k = 0; k < channels; ++k) {
        real one = image[i + k * area], other = image[j + k * area];
        change += abs(other - one);
    }
    return exp(-change / channels);
}

// `target`, `image` (N, channels, H, W) and `slopes` may be null. `weights` has a factor for steps to the side and one
// for steps downwards, or is null for 1 and 1. A block has pixels of one picture.
extern "C" __global__ __launch_bounds__(256) void edges_steps(
    const real* __restrict__ prediction, const real* __restrict__ target, const bool* __restrict__ valid,
    const real* __restrict__ image, const real* __restrict__ weights, real* __restrict__ sums,
    real* __restrict__ slopes, int channels, int height, int width) {
    const int i = flat_thread(), area = height * width, row = i / width, column = i % width;
    const int picture = blockIdx.y * area;
    real total = 0, counted = 0, slope = 0;
    if (i < area && valid[picture + i]) {
        const real here = height_at(prediction, target, picture + i);
        for (int way = 0; way < 4; ++way) {  // to the right, downwards, to the left, upwards
            const bool forward = way < 2, down = way % 2 == 1;
            const int other = i + (forward ? 1 : -1) * (down ? width : 1);
            const int place = down ? row : column, last = (down ? height : width) - 1;
            if (place == (forward ? last : 0) || !valid[picture + other]) continue;
            real step = height_at(prediction, target, picture + other) - here, weight = 1;
            if (image != nullptr) weight = step_weight(image + blockIdx.y * channels * area, i, other, channels, area);
            if (weights != nullptr) weight *= weights[down];
            if (forward) total += weight * abs(step);
            slope -= weight * sign(step);
        }
        counted = 1;
    }
    if (slopes != nullptr && i < area) slopes[picture + i] = slope;
    leave_sums(total, counted, sums);
}
