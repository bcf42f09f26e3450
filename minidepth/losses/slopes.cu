// The losses on slopes: the gradient losses (gradient.py) and the normal losses (normal.py). gx and gy are the Sobel
// filter as in ops/sobel.py.
//
// slopes_penalty is for those that look at one pixel at a time, and finds value and gradient in one launch. Threads: a
// block for TILE x TILE pixels, flat, that goes three times over shared memory:
//
//     (TILE + 4)^2   prediction (or its error) and target, and whether they are valid
//     (TILE + 2)^2   gx and gy of each, and how the loss of the pixel grows with those of the prediction
//     TILE^2         the gradient, which each pixel gathers from the 3x3 around it: no atomics
//
// Bytes moved: 13 a pixel (prediction, target and mask in, the gradient out), and the frames of the tiles, half as much
// again, from the cache. Some 60 operations a pixel, 100 for normals: still the memory's time.
//
// For normal:code, a whole gx (or gy) image is one vector, so there is no slope before all images have been added up:
//
//     slopes_image_sums     of each tile: p.t, p.p and t.t, of gx and of gy
//     slopes_image_cosines  the loss, and how it grows with the numbers of each image: a p + b t
//     slopes_image_grad_x   the gradient, from the tile as above: 9 bytes a pixel forward and 13 backward
//
// The ladder
// 1. As written in gradient.py, with ops/sobel.cu for the filter: 15 launches forward and 7 backward, and some 150
//    bytes a pixel; 28 and 19 for normals, 40 and 22 for normal:code.
// 2. All in one, which wins: nothing between the maps and the gradient is ever written to memory. It computes the
//    slopes of the frame twice, 1.3 times as many as there are.
#include "../ops/common.cuh"
#include "masked.cuh"

constexpr int ABSOLUTE = 0;
constexpr int LOGARITHM = 1;
constexpr int NORMAL = 2;
constexpr int DIRECTION = 3;
constexpr int TILE = 16;
constexpr int SEEN = TILE + 4;
constexpr int INNER = TILE + 2;
constexpr int SUMS = 6;  // p.t, p.p and t.t, of gx and of gy

struct Slope {
    real x, y;
};

// gx and gy at the middle of the 3x3 that begins at (r, c) of a map in shared memory. Differences come first, as they
// lose nothing to rounding.
template <class Map> __device__ __forceinline__ Slope sobel(const Map& map, int r, int c) {
    real top_left = map[r][c], top = map[r][c + 1], top_right = map[r][c + 2];
    real left = map[r + 1][c], right = map[r + 1][c + 2];
    real low_left = map[r + 2][c], low = map[r + 2][c + 1], low_right = map[r + 2][c + 2];
    return {(top_left - top_right) + 2 * (left - right) + (low_left - low_right),
            (top_left - low_left) + 2 * (top - low) + (top_right - low_right)};
}

// The adjoint of that at the same place, from how the loss grows with gx and with gy: the filter turned, minus it.
template <class Map> __device__ __forceinline__ real sobel_adjoint(const Map& by_x, const Map& by_y, int r, int c) {
    return -sobel(by_x, r, c).x - sobel(by_y, r, c).y;
}

// The SEEN x SEEN pixels that a block looks at: the prediction (less the target if `of_error`), the target, and whether
// they are valid; 0 where they are not. Outside the picture they are valid if `border` is true.
template <class Map, class Mask>
__device__ __forceinline__ void read_tile(const real* prediction, const real* target, const bool* valid, bool of_error,
                                          bool border, int height, int width, Map& p, Map& t, Mask& known) {
    const int row0 = blockIdx.y * TILE, column0 = blockIdx.x * TILE, picture = blockIdx.z * height * width;
    for (int i = threadIdx.x; i < SEEN * SEEN; i += blockDim.x) {
        int r = i / SEEN, c = i % SEEN, row = row0 + r - 2, column = column0 + c - 2;
        bool inside = row >= 0 && row < height && column >= 0 && column < width, is_known = border;
        real of_p = 0, of_t = 0;
        if (inside) {
            int place = picture + row * width + column;
            is_known = valid[place];
            if (is_known) {
                of_p = prediction[place];
                of_t = target[place];
            }
        }
        p[r][c] = of_error ? of_p - of_t : of_p;
        t[r][c] = of_t;
        known[r][c] = is_known;
    }
    __syncthreads();
}

// Whether the pixel in the middle of the 3x3 that begins at (r, c) of the tile is in the picture, and all 9 are valid.
template <class Mask>
__device__ __forceinline__ bool sees_valid(const Mask& known, int r, int c, int height, int width) {
    const int row0 = blockIdx.y * TILE, column0 = blockIdx.x * TILE, row = row0 + r - 1, column = column0 + c - 1;
    bool counts = row >= 0 && row < height && column >= 0 && column < width;
    for (int k = 0; k < 9; ++k) counts = counts && known[r + k / 3][c + k % 3];
    return counts;
}

// What a pixel costs, how that grows with p, and whether it counts at all. For the gradient losses p is the slope of
// the error, for the others that of the prediction, and t that of the target; `flat` is a length below which it points
// nowhere.
__device__ __forceinline__ real penalty(int kind, Slope p, Slope t, real flat, Slope& slope, bool& counts) {
    if (kind == ABSOLUTE) {
        slope = {sign(p.x), sign(p.y)};
        return abs(p.x) + abs(p.y);
    }
    if (kind == LOGARITHM) {
        real x = abs(p.x) + real(0.5), y = abs(p.y) + real(0.5);
        slope = {sign(p.x) / x, sign(p.y) / y};
        return log(x) + log(y);
    }
    real up = kind == NORMAL ? 1 : 0;  // a third dimension, so that no vector has the length 0
    real p_squared = p.x * p.x + p.y * p.y + up, t_squared = t.x * t.x + t.y * t.y + up;
    slope = {0, 0};
    counts = !(kind == DIRECTION && t_squared < flat * flat);
    if (!counts) return 0;
    if (kind == DIRECTION && p_squared < flat * flat) return 1;
    real lengths = sqrt(p_squared) * sqrt(t_squared);
    real cosine = (p.x * t.x + p.y * t.y + up) / lengths;
    slope = {cosine * p.x / p_squared - t.x / lengths, cosine * p.y / p_squared - t.y / lengths};
    return 1 - cosine;
}

// With `border` pixels outside the picture count, as zeros; else pixels that see them are left out. `slopes` may be
// null.
extern "C" __global__ __launch_bounds__(256) void slopes_penalty(
    const real* __restrict__ prediction, const real* __restrict__ target, const bool* __restrict__ valid,
    real* __restrict__ sums, real* __restrict__ slopes, int kind, bool border, real flat, int height, int width) {
    __shared__ real p[SEEN][SEEN + 1];
    __shared__ real t[SEEN][SEEN + 1];
    __shared__ bool known[SEEN][SEEN];
    __shared__ real by_x[INNER][INNER + 1];
    __shared__ real by_y[INNER][INNER + 1];
    const bool of_error = kind == ABSOLUTE || kind == LOGARITHM;
    read_tile(prediction, target, valid, of_error, border, height, width, p, t, known);
    real total = 0, counted = 0;
    for (int i = threadIdx.x; i < INNER * INNER; i += blockDim.x) {
        int r = i / INNER, c = i % INNER;
        bool counts = sees_valid(known, r, c, height, width);
        Slope slope = {0, 0};
        real value = 0;
        if (counts) value = penalty(kind, sobel(p, r, c), sobel(t, r, c), flat, slope, counts);
        by_x[r][c] = slope.x;
        by_y[r][c] = slope.y;
        bool own = r > 0 && r <= TILE && c > 0 && c <= TILE;  // the frame belongs to the blocks beside
        total += own ? value : real(0);
        counted += own && counts;
    }
    __syncthreads();
    const int r = threadIdx.x / TILE, c = threadIdx.x % TILE;
    const int row = blockIdx.y * TILE + r, column = blockIdx.x * TILE + c;
    if (slopes != nullptr && row < height && column < width)
        slopes[(blockIdx.z * height + row) * width + column] = sobel_adjoint(by_x, by_y, r, c);
    leave_sums(total, counted, sums);
}

// Zeros outside the picture count, here and below.
extern "C" __global__ __launch_bounds__(256) void slopes_image_sums(
    const real* __restrict__ prediction, const real* __restrict__ target, const bool* __restrict__ valid,
    real* __restrict__ sums, int height, int width) {
    __shared__ real p[SEEN][SEEN + 1];
    __shared__ real t[SEEN][SEEN + 1];
    __shared__ bool known[SEEN][SEEN];
    read_tile(prediction, target, valid, false, true, height, width, p, t, known);
    const int r = threadIdx.x / TILE + 1, c = threadIdx.x % TILE + 1;
    Slope of_p = {0, 0}, of_t = {0, 0};
    if (sees_valid(known, r, c, height, width)) {
        of_p = sobel(p, r, c);
        of_t = sobel(t, r, c);
    }
    leave_sum(of_p.x * of_t.x, sums, 0, SUMS);
    leave_sum(of_p.x * of_p.x, sums, 1, SUMS);
    leave_sum(of_t.x * of_t.x, sums, 2, SUMS);
    leave_sum(of_p.y * of_t.y, sums, 3, SUMS);
    leave_sum(of_p.y * of_p.y, sums, 4, SUMS);
    leave_sum(of_t.y * of_t.y, sums, 5, SUMS);
}

// One block, each warp of which takes an image in so many: gx of the first picture, gy of it, gx of the next. Images
// whose target is shorter than `flat` are left out; where only the prediction is, the cosine is 0. `lines` are a and b
// of each image, still to be multiplied by `share`.
extern "C" __global__ __launch_bounds__(256) void slopes_image_cosines(
    const real* __restrict__ sums, real* __restrict__ value, real* __restrict__ share, real* __restrict__ lines,
    real flat, int images, int tiles) {
    real total = 0, counted = 0;
    for (int image = threadIdx.x / WARP; image < images; image += blockDim.x / WARP) {
        const int first = image / 2 * tiles * SUMS + image % 2 * 3, lane = threadIdx.x % WARP;
        real dot = 0, p_squared = 0, t_squared = 0;
        for (int tile = lane; tile < tiles; tile += WARP) {
            dot += sums[first + tile * SUMS];
            p_squared += sums[first + tile * SUMS + 1];
            t_squared += sums[first + tile * SUMS + 2];
        }
        dot = warp_sum(dot);
        p_squared = warp_sum(p_squared);
        t_squared = warp_sum(t_squared);
        if (lane > 0) continue;
        const bool counts = !(t_squared < flat * flat), defined = counts && !(p_squared < flat * flat);
        const real lengths = sqrt(p_squared) * sqrt(t_squared), cosine = defined ? dot / lengths : real(0);
        lines[2 * image] = defined ? cosine / p_squared : real(0);
        lines[2 * image + 1] = defined ? -1 / lengths : real(0);
        total += counts ? 1 - cosine : real(0);
        counted += counts;
    }
    total = block_sum(total);
    counted = block_sum(counted);
    if (threadIdx.x == 0) {
        value[0] = total / max(counted, real(1));
        share[0] = 1 / max(counted, real(1));
    }
}

extern "C" __global__ __launch_bounds__(256) void slopes_image_grad_x(
    const real* __restrict__ grad, const real* __restrict__ prediction, const real* __restrict__ target,
    const bool* __restrict__ valid, const real* __restrict__ share, const real* __restrict__ lines,
    real* __restrict__ grad_x, int height, int width) {
    __shared__ real p[SEEN][SEEN + 1];
    __shared__ real t[SEEN][SEEN + 1];
    __shared__ bool known[SEEN][SEEN];
    __shared__ real by_x[INNER][INNER + 1];
    __shared__ real by_y[INNER][INNER + 1];
    read_tile(prediction, target, valid, false, true, height, width, p, t, known);
    const int image = 2 * blockIdx.z;
    const real a_x = lines[2 * image], b_x = lines[2 * image + 1];
    const real a_y = lines[2 * image + 2], b_y = lines[2 * image + 3];
    for (int i = threadIdx.x; i < INNER * INNER; i += blockDim.x) {
        int r = i / INNER, c = i % INNER;
        Slope of_p = {0, 0}, of_t = {0, 0};
        if (sees_valid(known, r, c, height, width)) {
            of_p = sobel(p, r, c);
            of_t = sobel(t, r, c);
        }
        by_x[r][c] = a_x * of_p.x + b_x * of_t.x;
        by_y[r][c] = a_y * of_p.y + b_y * of_t.y;
    }
    __syncthreads();
    const int r = threadIdx.x / TILE, c = threadIdx.x % TILE;
    const int row = blockIdx.y * TILE + r, column = blockIdx.x * TILE + c;
    if (row < height && column < width)
        grad_x[(blockIdx.z * height + row) * width + column] = grad[0] * share[0] * sobel_adjoint(by_x, by_y, r, c);
}
