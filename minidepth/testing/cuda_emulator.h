// CUDA on one core of a CPU: what a .cu file needs so that g++ can compile it and run its kernels.
//
// Every CUDA thread is a fibre, a stack of its own that gives the core back at a barrier. A block runs warp by warp: the
// lanes of a warp in turn, each until it ends or waits; where all of a warp wait for one another the warp goes on, where
// all of the block do the block goes on, and where neither can, the kernel would hang on a GPU, and that is a fault.
// Blocks run one after the other, so what one block wrote is seen by the next: on a GPU nothing promises that.
//
// With CHECKED, pointers and shared arrays are classes that look at every access, see cuda_checks.h.
#pragma once
#include <csetjmp>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <math.h>
#include <cmath>
#include <memory>
#include <string>
#include <ucontext.h>
#include <vector>

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

static uint3 threadIdx, blockIdx;
static dim3 blockDim, gridDim;
static const int warpSize = 32;

// What Python hands in: an array argument as one of these, a number as its address.
struct Array {
    void* data;
    int64_t count;
    int32_t item_bytes;
    const char* name;
    int64_t reads, writes;  // counted when CHECKED
};
struct Launch { uint32_t blocks[3], threads[3]; int64_t shared_reads, shared_writes; char* message; int32_t message_bytes;
                int32_t addressed_count; Array* addressed; };  // arrays that are found by their addresses, when CHECKED

struct Fault { std::string text; };

namespace emulator {

enum State { RUNNING, AT_WARP, AT_BLOCK, DONE };

constexpr int LANES = 32, MAX_THREADS = 1024, STACK_BYTES = 128 << 10;

struct Fibre {
    ucontext_t context;
    jmp_buf jump;
    std::unique_ptr<char[]> stack;
    uint3 thread;
    State state = DONE;
    bool started = false;
    unsigned shuffles = 0;
};

struct Warp {
    alignas(16) char slots[2][LANES][16];  // what lanes hand to each other; two, so that a fast lane disturbs nobody
    unsigned epoch = 0;                    // how often the warp has waited for its lanes
};

static std::vector<Fibre> fibres(MAX_THREADS);
static std::vector<Warp> warps(MAX_THREADS / LANES);
static jmp_buf scheduler;
static int current = 0, threads = 0;
static unsigned block_number = 0;  // of all blocks that ever ran
static unsigned epoch = 0;         // grows with every block and every barrier of a block
static void (*body)(void*);
static void* body_arguments;
static std::string fault;

inline int lane() { return current % LANES; }
inline Warp& warp() { return warps[current / LANES]; }

inline std::string where() {
    char text[160];
    snprintf(text, sizeof text, "block (%u, %u, %u) thread (%u, %u, %u): ", blockIdx.x, blockIdx.y, blockIdx.z,
             threadIdx.x, threadIdx.y, threadIdx.z);
    return text;
}

[[noreturn]] inline void fail(const std::string& text) { throw Fault{where() + text}; }

static void fibre_main() {
    for (;;) {  // one fibre runs many threads, one after the other
        try {
            body(body_arguments);
        } catch (const Fault& found) {
            if (fault.empty()) fault = found.text;
        }
        fibres[current].state = DONE;
        if (_setjmp(fibres[current].jump) == 0) _longjmp(scheduler, 1);
    }
}

static void __attribute__((noinline)) resume(int number) {
    current = number;
    Fibre& fibre = fibres[number];
    threadIdx = fibre.thread;
    fibre.state = RUNNING;
    if (_setjmp(scheduler) != 0) return;
    if (fibre.started) _longjmp(fibre.jump, 1);
    fibre.started = true;
    if (!fibre.stack) fibre.stack.reset(new char[STACK_BYTES]);
    getcontext(&fibre.context);
    fibre.context.uc_stack.ss_sp = fibre.stack.get();
    fibre.context.uc_stack.ss_size = STACK_BYTES;
    fibre.context.uc_link = nullptr;
    makecontext(&fibre.context, fibre_main, 0);
    setcontext(&fibre.context);
}

static void __attribute__((noinline)) wait(State state) {
    fibres[current].state = state;
    if (_setjmp(fibres[current].jump) == 0) _longjmp(scheduler, 1);
}

// Run the lanes of a warp until each is done or waits for the block. Whether anything moved.
static bool run_warp(int first) {
    bool moved = false;
    const int last = min(first + LANES, threads);
    for (;;) {
        bool ran = false, waits = false;
        for (int t = first; t < last; ++t) {
            if (fibres[t].state != RUNNING) continue;
            resume(t);
            ran = true;
            if (!fault.empty()) return true;
        }
        moved |= ran;
        bool all = true;  // all lanes that still run wait for one another
        for (int t = first; t < last; ++t) {
            waits |= fibres[t].state == AT_WARP;
            all &= fibres[t].state == AT_WARP || fibres[t].state == DONE;
        }
        if (!waits || !all) return moved;
        warps[first / LANES].epoch++;
        for (int t = first; t < last; ++t)
            if (fibres[t].state == AT_WARP) fibres[t].state = RUNNING;
        moved = true;
    }
}

static void run_block() {
    ++block_number;
    ++epoch;
    int number = 0;
    for (unsigned z = 0; z < blockDim.z; ++z)
        for (unsigned y = 0; y < blockDim.y; ++y)
            for (unsigned x = 0; x < blockDim.x; ++x, ++number) {
                fibres[number].thread = {x, y, z};
                fibres[number].state = RUNNING;
                fibres[number].shuffles = 0;
            }
    threads = number;
    for (;;) {
        bool moved = false;
        for (int first = 0; first < threads && fault.empty(); first += LANES) moved |= run_warp(first);
        if (!fault.empty()) break;
        int done = 0, at_block = 0;
        for (int t = 0; t < threads; ++t) done += fibres[t].state == DONE, at_block += fibres[t].state == AT_BLOCK;
        if (done == threads) return;
        if (done + at_block == threads) {
            ++epoch;
            for (int t = 0; t < threads; ++t)
                if (fibres[t].state == AT_BLOCK) fibres[t].state = RUNNING;
        } else if (!moved) {
            char text[160];
            snprintf(text, sizeof text, "block (%u, %u, %u) hangs: %d of %d threads wait at __syncthreads, the others "
                     "at a barrier of their warp", blockIdx.x, blockIdx.y, blockIdx.z, at_block, threads);
            fault = text;
        }
        if (!fault.empty()) break;
    }
    for (int t = 0; t < threads; ++t)  // stopped half-way: those stacks cannot be used again
        if (fibres[t].state != DONE) fibres[t].started = false, fibres[t].state = DONE;
}

template <class Body> int run(Launch& launch, Body& kernel) {
    body = [](void* call) { (*static_cast<Body*>(call))(); };
    body_arguments = &kernel;
    fault.clear();
    gridDim = {launch.blocks[0], launch.blocks[1], launch.blocks[2]};
    blockDim = {launch.threads[0], launch.threads[1], launch.threads[2]};
    for (blockIdx.z = 0; blockIdx.z < gridDim.z && fault.empty(); ++blockIdx.z)
        for (blockIdx.y = 0; blockIdx.y < gridDim.y && fault.empty(); ++blockIdx.y)
            for (blockIdx.x = 0; blockIdx.x < gridDim.x && fault.empty(); ++blockIdx.x) run_block();
    snprintf(launch.message, launch.message_bytes, "%s", fault.c_str());
    return fault.empty() ? 0 : 1;
}

}  // namespace emulator

inline void __syncthreads() { emulator::wait(emulator::AT_BLOCK); }
inline void __syncwarp(unsigned = ~0u) { emulator::wait(emulator::AT_WARP); }

// Each lane lays its value down, and once all have, takes up that of lane `source`.
template <class T> T emulated_shuffle(T value, int source) {
    static_assert(sizeof(T) <= 16, "a shuffle moves at most 16 bytes");
    auto& slots = emulator::warp().slots[emulator::fibres[emulator::current].shuffles++ % 2];
    memcpy(slots[emulator::lane()], &value, sizeof(T));
    emulator::wait(emulator::AT_WARP);
    const int other = emulator::current - emulator::lane() + source;
    if (other >= emulator::threads) emulator::fail("a shuffle reads a lane that the block does not have");
    memcpy(&value, slots[source], sizeof(T));
    return value;
}
template <class T> T __shfl_sync(unsigned, T value, int source, int width = 32) {
    const int lane = emulator::lane();
    return emulated_shuffle(value, lane / width * width + source % width);
}
template <class T> T __shfl_down_sync(unsigned, T value, unsigned delta, int width = 32) {
    const int lane = emulator::lane(), source = lane + static_cast<int>(delta);
    return emulated_shuffle(value, source / width == lane / width ? source : lane);
}
template <class T> T __shfl_up_sync(unsigned, T value, unsigned delta, int width = 32) {
    const int lane = emulator::lane(), source = lane - static_cast<int>(delta);
    return emulated_shuffle(value, source >= lane / width * width ? source : lane);
}
template <class T> T __shfl_xor_sync(unsigned, T value, int mask, int = 32) {
    return emulated_shuffle(value, emulator::lane() ^ mask);
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
