// What every .cu file of minidepth begins with.
//
// `real` is the type of the numbers that are computed with: float, or double for gradient checks. `stored` is the type
// in which layers hand each other their numbers: the same, or half (2 bytes) where `real` is float. ``real v = x[i];`` and
// ``y[i] = v;`` turn one into the other, the second rounds; sums, parameters and statistics stay `real`.
//
// A file is compiled once for each pair (-DREAL=double; -DSTORED=__half). Numbers are counted with int: an array has
// fewer than 2^31 of them, which `launch` sees to. One layout: NCHW, C-contiguous.
#ifndef MINIDEPTH_COMMON_CUH
#define MINIDEPTH_COMMON_CUH

#ifndef REAL
#define REAL float
#endif
typedef REAL real;

#ifdef STORED
#include <cuda_fp16.h>
typedef STORED stored;
#else
typedef real stored;
#endif

#ifndef INFINITY  // NVRTC, which CuPy compiles with, has no math.h
#define INFINITY __int_as_float(0x7f800000)
#endif

// Two and four neighbouring numbers that a thread reads or writes at once, at most 16 bytes an instruction. Their place
// must be a multiple of two numbers (of 16 bytes), see `aligned` in cuda/launch.py.
struct alignas(2 * sizeof(real)) real2 { real x, y; };
struct alignas(16) real4 { real x, y, z, w; };
struct alignas(2 * sizeof(stored)) stored2 { stored x, y; };
struct alignas(sizeof(stored) < 4 ? 8 : 16) stored4 { stored x, y, z, w; };

constexpr int WARP = 32;

// The number of this thread among all threads of a flat grid, see `flat` in cuda/launch.py.
__device__ __forceinline__ int flat_thread() { return blockIdx.x * blockDim.x + threadIdx.x; }

// y[i] = f(a[i]), or f(a[i], b[i]), for the numbers of this thread in a flat grid where each has `Count` of them, a
// block apart, see `each` of `flat`. It asks for all that it reads before it works on any of it: one wait, not Count.
template <int Count, class Function>
__device__ __forceinline__ void map_numbers(const real* a, real* y, int n, Function f) {
    int first = blockIdx.x * blockDim.x * Count + threadIdx.x, step = blockDim.x;
    real of_a[Count];
#pragma unroll
    for (int k = 0; k < Count; ++k)
        if (k * step < n - first) of_a[k] = a[first + k * step];
#pragma unroll
    for (int k = 0; k < Count; ++k)
        if (k * step < n - first) y[first + k * step] = f(of_a[k]);
}

template <int Count, class Function>
__device__ __forceinline__ void map_numbers(const real* a, const real* b, real* y, int n, Function f) {
    int first = blockIdx.x * blockDim.x * Count + threadIdx.x, step = blockDim.x;
    real of_a[Count], of_b[Count];
#pragma unroll
    for (int k = 0; k < Count; ++k)
        if (k * step < n - first) of_a[k] = a[first + k * step], of_b[k] = b[first + k * step];
#pragma unroll
    for (int k = 0; k < Count; ++k)
        if (k * step < n - first) y[first + k * step] = f(of_a[k], of_b[k]);
}

// Calls f(i) for the same numbers, where reads or writes are at other places than i. The compiler brings the reads of
// all to the front if no write can change what is still to be read: declare the pointers __restrict__.
template <int Count, class Function> __device__ __forceinline__ void each_number(int n, Function f) {
    int first = blockIdx.x * blockDim.x * Count + threadIdx.x, step = blockDim.x;
    if (n - first > (Count - 1) * step) {
#pragma unroll
        for (int k = 0; k < Count; ++k) f(first + k * step);
    } else {
        for (int k = 0; n - first > k * step; ++k) f(first + k * step);
    }
}

// Sums and maxima over the 32 threads of a warp, and over a block. All of its threads must take part, and all get the
// result. The order is fixed, so the same numbers give the same bits each time. T is real unless said: block_sum<double>.
// In a warp, each step adds what the lane 16, 8, 4, 2, 1 places across has; a + b = b + a, so all lanes round alike.
template <class T> __device__ __forceinline__ T warp_sum(T value) {
    for (int step = WARP / 2; step > 0; step /= 2) value += __shfl_xor_sync(0xffffffffu, value, step);
    return value;
}

template <class T> __device__ __forceinline__ T warp_max(T value) {
    for (int step = WARP / 2; step > 0; step /= 2) {
        T other = __shfl_xor_sync(0xffffffffu, value, step);
        value = value < other ? other : value;
    }
    return value;
}

// A block is a row of warps here: blockDim is (a multiple of 32, 1, 1). Each warp adds up its own, and then every warp
// adds up what the warps found, so that nobody has to hand the result round.
template <class T> __device__ __forceinline__ T block_sum(T value) {
    __shared__ T of_warp[WARP];
    int lane = threadIdx.x % WARP;
    value = warp_sum(value);
    __syncthreads();  // somebody may still be reading what the call before has left here
    if (lane == 0) of_warp[threadIdx.x / WARP] = value;
    __syncthreads();
    T found = 0;
    if (lane < blockDim.x / WARP) found = of_warp[lane];
    return warp_sum(found);
}

template <class T> __device__ __forceinline__ T block_max(T value) {
    __shared__ T of_warp[WARP];
    int lane = threadIdx.x % WARP;
    value = warp_max(value);
    __syncthreads();
    if (lane == 0) of_warp[threadIdx.x / WARP] = value;
    __syncthreads();
    T found = value;  // that of its own warp once more: it changes nothing
    if (lane < blockDim.x / WARP) found = of_warp[lane];
    return warp_max(found);
}

#endif
