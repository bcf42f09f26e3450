// The losses on the steps from pixel to pixel, value and gradient in one launch: edges, smoothness and
// smoothness:keras, which needs two more launches first for its two weights; the formulas are in edges.py.
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

// The sums over which smoothness:keras makes its weights: the steps of the target to the right, those downwards, and
// the valid pixels. Grid as above.
extern "C" __global__ __launch_bounds__(256) void edges_of_target(const real* __restrict__ target,
                                                                  const bool* __restrict__ valid,
                                                                  real* __restrict__ sums, int height, int width) {
    const int i = flat_thread(), area = height * width, picture = blockIdx.y * area;
    real across = 0, down = 0, counted = 0;
    if (i < area && valid[picture + i]) {
        real here = target[picture + i];
        if (i % width + 1 < width && valid[picture + i + 1]) across = abs(target[picture + i + 1] - here);
        if (i + width < area && valid[picture + i + width]) down = abs(target[picture + i + width] - here);
        counted = 1;
    }
    leave_sum(across, sums, 0, 3);
    leave_sum(down, sums, 1, 3);
    leave_sum(counted, sums, 2, 3);
}

// One block.
extern "C" __global__ __launch_bounds__(256) void edges_weights(const real* __restrict__ sums,
                                                                real* __restrict__ weights, int blocks) {
    const real across = sum_left(sums, 0, 3, blocks), down = sum_left(sums, 1, 3, blocks);
    const real n = max(sum_left(sums, 2, 3, blocks), real(1));
    if (threadIdx.x == 0) {
        weights[0] = exp(across / n);
        weights[1] = exp(down / n);
    }
}
