// CUDA on one core of a CPU: what a .cu file needs so that g++ can compile it. How threads, barriers and shuffles work is
// in cuda_fibres.cpp, which is compiled once and not with every file.
//
// With CHECKED, pointers and shared arrays are classes that look at every access, see cuda_checks.h.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>
#include <math.h>

using std::abs, std::ceil, std::exp, std::floor, std::fmax, std::fmin, std::log, std::pow, std::sqrt, std::tanh;
using std::isfinite, std::isinf, std::isnan;

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __restrict__
#define __align__(bytes) __attribute__((aligned(bytes)))
#ifndef CHECKED
#define __shared__ static
#endif

struct uint3 { unsigned x, y, z; };
struct int2 { int x, y; };
struct float2 { float x, y; };
struct alignas(16) float4 { float x, y, z, w; };
struct alignas(16) int4 { int x, y, z, w; };
typedef uint3 dim3;

inline float2 make_float2(float x, float y) { return {x, y}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
inline int min(int a, int b) { return b < a ? b : a; }
inline int max(int a, int b) { return a < b ? b : a; }
inline float min(float a, float b) { return fminf(a, b); }
inline float max(float a, float b) { return fmaxf(a, b); }
inline double min(double a, double b) { return fmin(a, b); }
inline double max(double a, double b) { return fmax(a, b); }
inline float rsqrtf(float x) { return 1 / sqrtf(x); }
inline double rsqrt(double x) { return 1 / std::sqrt(x); }
inline float rsqrt(float x) { return 1 / sqrtf(x); }
inline float __expf(float x) { return expf(x); }
inline float __fdividef(float a, float b) { return a / b; }
inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
    return static_cast<unsigned long long>((static_cast<unsigned __int128>(a) * b) >> 64);
}
inline int __float_as_int(float x) { int bits; memcpy(&bits, &x, 4); return bits; }
inline unsigned __float_as_uint(float x) { unsigned bits; memcpy(&bits, &x, 4); return bits; }
inline float __uint_as_float(unsigned bits) { float x; memcpy(&x, &bits, 4); return x; }
#include "cuda_fp16.h"

// What Python hands in: an array argument as one of these, a number as its address.
struct Array {
    void* data;
    int64_t count;
    int32_t item_bytes;
    const char* name;
    int64_t reads, writes;  // counted when CHECKED
};
struct Launch {
    uint32_t blocks[3], threads[3];
    int64_t shared_reads, shared_writes;
    char* message;
    int32_t message_bytes, addressed_count;
    Array* addressed;  // arrays that are found by their addresses, when CHECKED
};

namespace emulator {

constexpr int LANES = 32, MAX_THREADS = 1024;

extern uint3 threadIdx, blockIdx;
extern dim3 blockDim, gridDim;
extern int current;  // the thread that runs, counted in its block

int run(Launch* launch, void (*body)(void*), void* arguments);
template <class Body> int run(Launch* launch, Body& call) {
    return run(launch, [](void* given) { (*static_cast<Body*>(given))(); }, &call);
}
void wait_for_block(const char* file, int line);
void wait_for_lanes(const char* what, unsigned mask);
void shuffle(const char* what, unsigned mask, void* value, int bytes, int source);

inline int lane() { return current % LANES; }

}  // namespace emulator

using emulator::threadIdx, emulator::blockIdx, emulator::blockDim, emulator::gridDim;
static const int warpSize = 32;

#define __syncthreads() emulator::wait_for_block(__FILE__, __LINE__)
inline void __syncwarp(unsigned mask = ~0u) { emulator::wait_for_lanes("__syncwarp", mask); }

template <class T> T emulated_shuffle(const char* what, unsigned mask, T value, int source) {
    static_assert(sizeof(T) <= 16, "a shuffle moves at most 16 bytes");
    emulator::shuffle(what, mask, &value, sizeof(T), source);
    return value;
}
template <class T> T __shfl_sync(unsigned mask, T value, int source, int width = 32) {
    return emulated_shuffle("__shfl_sync", mask, value, emulator::lane() / width * width + (source & (width - 1)));
}
template <class T> T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32) {
    const int lane = emulator::lane(), source = lane + static_cast<int>(delta);
    return emulated_shuffle("__shfl_down_sync", mask, value, source / width == lane / width ? source : lane);
}
template <class T> T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32) {
    const int lane = emulator::lane(), source = lane - static_cast<int>(delta);
    return emulated_shuffle("__shfl_up_sync", mask, value, source >= lane / width * width ? source : lane);
}
// Lanes of an earlier part of the warp may be read, those of a later one not: then the lane gets its own.
template <class T> T __shfl_xor_sync(unsigned mask, T value, int bits, int width = 32) {
    const int lane = emulator::lane(), source = lane ^ bits;
    return emulated_shuffle("__shfl_xor_sync", mask, value, source / width <= lane / width ? source : lane);
}

#ifdef CHECKED
#include "cuda_checks.h"
#else
template <class T> T argument(void* given) { return *static_cast<T*>(given); }
template <class T> T* array_argument(void* given) { return static_cast<T*>(static_cast<Array*>(given)->data); }
template <class T> T atomicAdd(T* place, T value) { T old = *place; *place += value; return old; }
template <class T> T atomicMax(T* place, T value) { T old = *place; if (old < value) *place = value; return old; }
template <class T> T __ldg(const T* place) { return *place; }
#endif
