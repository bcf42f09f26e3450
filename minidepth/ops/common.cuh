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
#define __CUDA_NO_HALF_OPERATORS__  // nothing is computed in half by accident: x[i] + x[j] does not compile
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

// What a thread reads or writes at once: one number, in half two neighbours, so that as many bytes are under way as in
// float. In half an array may begin in the middle of 4 bytes.
constexpr int PACKED = sizeof(real) / sizeof(stored) == 2 ? 2 : 1;
struct alignas(PACKED * sizeof(stored)) packed { stored at[PACKED]; };
__device__ __forceinline__ bool in_packs(const stored* x) { return PACKED == 1 || size_t(x) % sizeof(packed) == 0; }

// y[i] = f(a[i]), or f(a[i], b[i]), for the numbers of this thread in a grid where each has `Count` packs of them, a block
// apart, see `mapped` in cuda/launch.py. It asks for all that it reads before it works on any of it: one wait, not Count.
template <int Count, class Function>
__device__ __forceinline__ void map_numbers(const stored* a, stored* y, int n, Function f) {
    int first = (blockIdx.x * blockDim.x * Count + threadIdx.x) * PACKED, step = blockDim.x * PACKED;
    if (n - first >= (Count - 1) * step + PACKED && in_packs(a) && in_packs(y)) {
        packed of_a[Count];
#pragma unroll
        for (int k = 0; k < Count; ++k) of_a[k] = reinterpret_cast<const packed*>(a + first + k * step)[0];
#pragma unroll
        for (int k = 0; k < Count; ++k) {
            packed of_y;
            for (int j = 0; j < PACKED; ++j) of_y.at[j] = f(of_a[k].at[j]);
            reinterpret_cast<packed*>(y + first + k * step)[0] = of_y;
        }
    } else {
        for (int k = 0; k < Count * PACKED; ++k) {
            int i = k / PACKED * step + k % PACKED;
            if (i < n - first) y[first + i] = f(a[first + i]);
        }
    }
}

template <int Count, class Function>
__device__ __forceinline__ void map_numbers(const stored* a, const stored* b, stored* y, int n, Function f) {
    int first = (blockIdx.x * blockDim.x * Count + threadIdx.x) * PACKED, step = blockDim.x * PACKED;
    if (n - first >= (Count - 1) * step + PACKED && in_packs(a) && in_packs(b) && in_packs(y)) {
        packed of_a[Count], of_b[Count];
#pragma unroll
        for (int k = 0; k < Count; ++k) {
            of_a[k] = reinterpret_cast<const packed*>(a + first + k * step)[0];
            of_b[k] = reinterpret_cast<const packed*>(b + first + k * step)[0];
        }
#pragma unroll
        for (int k = 0; k < Count; ++k) {
            packed of_y;
            for (int j = 0; j < PACKED; ++j) of_y.at[j] = f(of_a[k].at[j], of_b[k].at[j]);
            reinterpret_cast<packed*>(y + first + k * step)[0] = of_y;
        }
    } else {
        for (int k = 0; k < Count * PACKED; ++k) {
            int i = k / PACKED * step + k % PACKED;
            if (i < n - first) y[first + i] = f(a[first + i], b[first + i]);
        }
    }
}

// Calls f(i) for `Count` numbers a block apart, see `flat`, where reads or writes are at other places than i. The compiler
// brings the reads of all to the front if no write can change what is still to be read: declare the pointers __restrict__.
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
