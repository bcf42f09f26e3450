// The pixel weights of the first U-Net, for cross_entropy:unet; the formulas are in unet_weights.py.
//
//     unet_weights_count     of each block: the pixels of each class
//     unet_weights_classes   n / (K n_c)
//     unet_weights_runs      objects, 1: every pixel hangs on the last one of its run, a row of pixels without a gap
//     unet_weights_join      objects, 2: runs that touch one below hang together with it on one pixel, their root
//     unet_weights_objects   objects, 3: the root of a pixel is the number of its object
//     unet_weights_border    the distances to the two nearest objects, and the weight
//
// Threads: one for each pixel, all threads together neighbours. Nearly all reads are those of the distances: a pixel
// between objects looks at up to 61 x 61 numbers around it, which are in the cache because its neighbours look at them
// too; at fewer where two objects are near.
//
// Joining: every pixel hangs on itself, as a root does, or on one at a larger place. Of two pixels the smaller one is
// hung on the larger one with an atomicMax, as other threads join at the same time; if it was no root any more, what it
// had been hung on is joined with the larger one instead (Playne and Hawick, 2018). Places only grow, so it ends; and
// in whatever order it goes on, the root of an object is its last pixel: the same bits each time.
//
// The ladder
// 1. On the CPU: the labels have to come there, so every step waits, and an object 20 pixels wide takes 1 ms.
// 2. Objects as the least number of all neighbours, again and again until nothing changes: but only the CPU could ask
//    whether anything has.
// 3. Joined roots, which need no answer. Runs first: so only where they touch is anything to be joined, and few roots
//    are far away.
#include "../ops/common.cuh"
#include "masked.cuh"

__device__ __forceinline__ bool is_inside(const int* labels, const bool* valid, int i) {
    return valid[i] && labels[i] > 0;
}

extern "C" __global__ __launch_bounds__(256) void unet_weights_count(const int* __restrict__ labels,
                                                                     const bool* __restrict__ valid,
                                                                     real* __restrict__ sums, int classes, int n) {
    for (int k = 0; k < classes; ++k) {
        real counted = 0;
        for (int i = flat_thread(); i < n; i += gridDim.x * blockDim.x) counted += valid[i] && labels[i] == k;
        leave_sum(counted, sums, k, classes);
    }
}

// One block.
extern "C" __global__ __launch_bounds__(256) void unet_weights_classes(const real* __restrict__ sums,
                                                                       real* __restrict__ of_class, int classes,
                                                                       int blocks) {
    real n = 0, present = 0;
    for (int k = 0; k < classes; ++k) {
        const real counted = sum_left(sums, k, classes, blocks);
        n += counted;
        present += counted > 0;
        if (threadIdx.x == 0) of_class[k] = counted;
    }
    if (threadIdx.x == 0)
        for (int k = 0; k < classes; ++k) of_class[k] = n / (max(present, real(1)) * max(real(of_class[k]), real(1)));
}

extern "C" __global__ __launch_bounds__(256) void unet_weights_runs(const int* __restrict__ labels,
                                                                    const bool* __restrict__ valid,
                                                                    int* __restrict__ roots, int width, int n) {
    const int i = flat_thread();
    if (i >= n) return;
    if (!is_inside(labels, valid, i)) {
        roots[i] = -1;
        return;
    }
    int last = i;
    while ((last + 1) % width > 0 && is_inside(labels, valid, last + 1)) ++last;
    roots[i] = last;
}

extern "C" __global__ __launch_bounds__(256) void unet_weights_join(const int* __restrict__ labels,
                                                                    const bool* __restrict__ valid, int* roots,
                                                                    int height, int width, int n) {
    const int i = flat_thread();
    if (i >= n || i / width % height == height - 1) return;
    if (!is_inside(labels, valid, i) || !is_inside(labels, valid, i + width)) return;
    if (i % width > 0 && is_inside(labels, valid, i - 1) && is_inside(labels, valid, i + width - 1)) return;  // does it
    int one = i, other = i + width;
    while (one != other) {
        const int smaller = min(one, other), larger = max(one, other);
        const int was = atomicMax(roots + smaller, larger);
        if (was == smaller) return;
        one = was;
        other = larger;
    }
}

extern "C" __global__ __launch_bounds__(256) void unet_weights_objects(const int* __restrict__ roots,
                                                                       int* __restrict__ objects, int n) {
    const int i = flat_thread();
    if (i >= n) return;
    int root = roots[i];
    while (root >= 0 && roots[root] != root) root = roots[root];
    objects[i] = root;
}

// `reach` pixels are looked at to each side, rows from near to far. The weight is rounded to float, as on the CPU.
extern "C" __global__ __launch_bounds__(256) void unet_weights_border(
    const int* __restrict__ labels, const bool* __restrict__ valid, const int* __restrict__ objects,
    const real* __restrict__ of_class, real* __restrict__ weights, real border, real sigma, int reach, int classes,
    int height, int width, int n) {
    const int i = flat_thread();
    if (i >= n) return;
    const int label = labels[i], row = i / width % height, column = i % width, none = reach * reach + 1;
    real weight = 0;
    if (valid[i] && label >= 0 && label < classes) weight = of_class[label];
    if (valid[i] && objects[i] < 0) {
        int object = -1, nearest = none, second = none;  // squared distances
        for (int step = 0; step <= 2 * reach; ++step) {
            const int down = step % 2 ? (step + 1) / 2 : -step / 2;
            if (down * down >= second) break;
            if (row + down < 0 || row + down >= height) continue;
            for (int right = max(-reach, -column); right <= min(reach, width - 1 - column); ++right) {
                const int found = objects[i + down * width + right], squared = down * down + right * right;
                if (found < 0 || squared >= second) continue;
                if (found == object) {
                    nearest = min(nearest, squared);
                } else if (squared < nearest) {
                    second = nearest;
                    nearest = squared;
                    object = found;
                } else {
                    second = squared;
                }
            }
        }
        const real both = sqrt(real(nearest)) + sqrt(real(second));
        if (second < none) weight += border * exp(-both * both / (2 * sigma * sigma));
    }
    weights[i] = float(weight);
}
