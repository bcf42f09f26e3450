// The losses on slopes, value and gradient in one launch: the gradient losses (gradient.py), and the normal losses that
// look at one pixel at a time (normal.py). gx and gy are the Sobel filter as in ops/sobel.py.
//
// Threads: a block for TILE x TILE pixels, flat, that goes three times over shared memory:
//
//     (TILE + 4)^2   prediction (or its error) and target, and whether they are valid
//     (TILE + 2)^2   gx and gy of each, and how the loss of the pixel grows with those of the prediction
//     TILE^2         the gradient, which each pixel gathers from the 3x3 around it: no atomics
//
// Bytes moved: 13 a pixel (prediction, target and mask in, the gradient out), and the frames of the tiles, half as much
// again, from the cache. Some 60 operations a pixel, 100 for normals: still the memory's time.
//
// The ladder
// 1. As written in gradient.py, with ops/sobel.cu for the filter: 15 launches forward and 7 backward, and some 150
//    bytes a pixel; 28 and 19 for normals.
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
    real total = 0, counted = 0;
    for (int i = threadIdx.x; i < INNER * INNER; i += blockDim.x) {
        int r = i / INNER, c = i % INNER, row = row0 + r - 1, column = column0 + c - 1;
        bool counts = row >= 0 && row < height && column >= 0 && column < width;
        for (int k = 0; k < 9; ++k) counts = counts && known[r + k / 3][c + k % 3];
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
    const int r = threadIdx.x / TILE, c = threadIdx.x % TILE, row = row0 + r, column = column0 + c;
    if (slopes != nullptr && row < height && column < width)  // the adjoint is the filter turned: minus it
        slopes[picture + row * width + column] = -sobel(by_x, r, c).x - sobel(by_y, r, c).y;
    leave_sums(total, counted, sums);
}
