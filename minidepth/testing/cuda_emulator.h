// CUDA on one core of a CPU: what a .cu file needs so that g++ can compile it and run its kernels.
//
// Every CUDA thread is a fibre, a stack of its own that gives the core back at a barrier. A block runs warp by warp: the
// lanes of a warp in turn, each until it ends or waits. Lanes go on once all that their mask names wait for one another,
// a block once all of its threads wait; threads that have returned are waited for by nobody. A fault is what on a GPU
// would hang or give any number: lanes that wait for what never comes, a barrier that some threads pass and others do
// not, a shuffle from a lane that takes no part.
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
    // What it waits for. AT_BLOCK: where in the source; AT_WARP: which lanes, and in a shuffle what it gives and from whom
    // it takes.
    const char* what = "";
    const char* file = "";
    int line = 0;
    unsigned mask = 0;
    int source = -1;
    alignas(16) char given[16], taken[16];
};

struct Warp { unsigned epoch = 0; };  // how often all lanes of the warp have met in a __syncwarp()

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

inline void wait_for_block(const char* file, int line) {
    Fibre& fibre = fibres[current];
    fibre.what = "__syncthreads", fibre.file = file, fibre.line = line;
    wait(AT_BLOCK);
}

inline void wait_for_lanes(const char* what, unsigned mask, int source = -1) {
    Fibre& fibre = fibres[current];
    if (!(mask >> lane() & 1)) fail(std::string(what) + " has a mask without the lane that calls it");
    fibre.what = what, fibre.mask = mask, fibre.source = source;
    wait(AT_WARP);
}

// Lets the lanes go on that wait for the same as lane t, once all of them have come. Whether they have.
static bool release_lanes(int t) {
    const int first = t / LANES * LANES, last = min(first + LANES, threads);
    const Fibre& one = fibres[t];
    bool whole_warp = true;
    for (int other = first; other < last; ++other) {
        const Fibre& fibre = fibres[other];
        if (fibre.state == DONE) continue;
        if (!(one.mask >> (other - first) & 1)) {
            whole_warp = false;
            continue;
        }
        if (fibre.state != AT_WARP) return false;
        if (fibre.mask != one.mask || strcmp(fibre.what, one.what) != 0) {
            current = t, threadIdx = one.thread;
            fault = where() + one.what + " waits for lane " + std::to_string(other - first) + " of its warp, which waits "
                    "in " + fibre.what + (fibre.mask == one.mask ? "" : " with another mask");
            return false;
        }
    }
    for (int other = first; other < last; ++other) {
        Fibre& fibre = fibres[other];
        if (fibre.state != AT_WARP || !(one.mask >> (other - first) & 1)) continue;
        const int from = fibre.source;
        if (from < 0) continue;
        if (!(one.mask >> from & 1) || first + from >= threads || fibres[first + from].state == DONE) fibre.source = -2;
        else memcpy(fibre.taken, fibres[first + from].given, sizeof fibre.taken);
    }
    // A shuffle orders no reads and writes of memory, and a part of the warp is no barrier for all of it.
    if (one.source == -1 && whole_warp) warps[first / LANES].epoch++;
    const unsigned mask = one.mask;
    for (int other = first; other < last; ++other)
        if (fibres[other].state == AT_WARP && mask >> (other - first) & 1) fibres[other].state = RUNNING;
    return true;
}

// Run the lanes of a warp until each is done or waits for what the warp alone cannot give. Whether anything moved.
static bool run_warp(int first) {
    bool moved = false;
    const int last = min(first + LANES, threads);
    for (;;) {
        for (int t = first; t < last && fault.empty(); ++t)
            if (fibres[t].state == RUNNING) resume(t), moved = true;
        bool released = false;
        for (int t = first; t < last && fault.empty(); ++t)
            if (fibres[t].state == AT_WARP) released |= release_lanes(t);
        if (!released || !fault.empty()) return moved;
        moved = true;
    }
}

// All threads that have not returned wait at a barrier of the block: the same one?
static void release_block() {
    int one = -1;
    for (int t = 0; t < threads; ++t) {
        Fibre& fibre = fibres[t];
        if (fibre.state != AT_BLOCK) continue;
        if (one < 0) one = t;
        const Fibre& other = fibres[one];
        if (fibre.line != other.line || strcmp(fibre.file, other.file) != 0) {
            current = t, threadIdx = fibre.thread;
            fault = where() + "waits at the __syncthreads of " + fibre.file + " line " + std::to_string(fibre.line) +
                    ", and thread " + std::to_string(one) + " at that of " + other.file + " line " +
                    std::to_string(other.line);
            return;
        }
    }
    ++epoch;
    for (int t = 0; t < threads; ++t)
        if (fibres[t].state == AT_BLOCK) fibres[t].state = RUNNING;
}

// No thread can go on.
static std::string hang() {
    int at_block = 0, lanes = -1;
    for (int t = 0; t < threads; ++t) {
        at_block += fibres[t].state == AT_BLOCK;
        if (fibres[t].state == AT_WARP && lanes < 0) lanes = t;
    }
    current = lanes, threadIdx = fibres[lanes].thread;
    return where() + "hangs in " + fibres[lanes].what + ", as " + std::to_string(at_block) + " of " +
           std::to_string(threads) + " threads wait at __syncthreads";
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
            }
    threads = number;
    for (;;) {
        bool moved = false;
        for (int first = 0; first < threads && fault.empty(); first += LANES) moved |= run_warp(first);
        if (!fault.empty()) break;
        int done = 0, at_block = 0;
        for (int t = 0; t < threads; ++t) done += fibres[t].state == DONE, at_block += fibres[t].state == AT_BLOCK;
        if (done == threads) return;
        if (done + at_block == threads) release_block();
        else if (!moved) fault = hang();
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

#define __syncthreads() emulator::wait_for_block(__FILE__, __LINE__)
inline void __syncwarp(unsigned mask = ~0u) { emulator::wait_for_lanes("__syncwarp", mask); }

// Each lane lays its value down, and once all have, takes up that of lane `source`.
template <class T> T emulated_shuffle(const char* what, unsigned mask, T value, int source) {
    static_assert(sizeof(T) <= 16, "a shuffle moves at most 16 bytes");
    auto& fibre = emulator::fibres[emulator::current];
    memcpy(fibre.given, &value, sizeof(T));
    emulator::wait_for_lanes(what, mask, source);
    if (fibre.source < 0)
        emulator::fail(std::string(what) + " takes the number of lane " + std::to_string(source) +
                       ", which is not there: it has returned, or the mask or the block does not have it");
    memcpy(&value, fibre.taken, sizeof(T));
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
