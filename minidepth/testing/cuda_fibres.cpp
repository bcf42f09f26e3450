// CUDA's threads on one core of a CPU.
//
// Every CUDA thread is a fibre, a stack of its own that gives the core back at a barrier. A block runs warp by warp: the
// lanes of a warp in turn, each until it ends or waits. Lanes go on once all that their mask names wait for one another,
// a block once all of its threads wait; threads that have returned are waited for by nobody. A fault is what on a GPU
// would hang or give any number: lanes that wait for what never comes, a barrier that some threads pass and others do
// not, a shuffle from a lane that takes no part.
// Blocks run one after the other, so what one block wrote is seen by the next: on a GPU nothing promises that.
#include "cuda_fibres.h"
#include <csetjmp>
#include <memory>
#include <ucontext.h>
#include <vector>

namespace emulator {

uint3 threadIdx, blockIdx;
dim3 blockDim, gridDim;
int current = 0;
unsigned block_number = 0, epoch = 0, warp_epochs[MAX_THREADS / LANES];

enum State { RUNNING, AT_WARP, AT_BLOCK, DONE };

constexpr int STACK_BYTES = 128 << 10;

struct Fault { std::string text; };


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

static std::vector<Fibre> fibres(MAX_THREADS);
static jmp_buf scheduler;
static int threads = 0;
static void (*body)(void*);
static void* body_arguments;
static std::string fault;

static std::string where() {
    char text[160];
    snprintf(text, sizeof text, "block (%u, %u, %u) thread (%u, %u, %u): ", blockIdx.x, blockIdx.y, blockIdx.z,
             threadIdx.x, threadIdx.y, threadIdx.z);
    return text;
}

void fail(const std::string& text) { throw Fault{where() + text}; }

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

void wait_for_block(const char* file, int line) {
    Fibre& fibre = fibres[current];
    fibre.what = "__syncthreads", fibre.file = file, fibre.line = line;
    wait(AT_BLOCK);
}

static void wait_for_lanes(const char* what, unsigned mask, int source) {
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
        if (!(one.mask >> from & 1) || fibres[first + from].state == DONE) fibre.source = -2;
        else memcpy(fibre.taken, fibres[first + from].given, sizeof fibre.taken);
    }
    // A shuffle orders no reads and writes of memory, and a part of the warp is no barrier for all of it.
    if (one.source == -1 && whole_warp) warp_epochs[first / LANES]++;
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

int run(Launch* given, void (*kernel)(void*), void* arguments) {
    Launch& launch = *given;
    body = kernel;
    body_arguments = arguments;
    fault.clear();
    gridDim = {launch.blocks[0], launch.blocks[1], launch.blocks[2]};
    blockDim = {launch.threads[0], launch.threads[1], launch.threads[2]};
    for (blockIdx.z = 0; blockIdx.z < gridDim.z && fault.empty(); ++blockIdx.z)
        for (blockIdx.y = 0; blockIdx.y < gridDim.y && fault.empty(); ++blockIdx.y)
            for (blockIdx.x = 0; blockIdx.x < gridDim.x && fault.empty(); ++blockIdx.x) run_block();
    snprintf(launch.message, launch.message_bytes, "%s", fault.c_str());
    return fault.empty() ? 0 : 1;
}

void wait_for_lanes(const char* what, unsigned mask) { wait_for_lanes(what, mask, -1); }

// Each lane lays its value down, and once all have, takes up that of lane `source`.
void shuffle(const char* what, unsigned mask, void* value, int bytes, int source) {
    Fibre& fibre = fibres[current];
    memcpy(fibre.given, value, bytes);
    wait_for_lanes(what, mask, source);
    if (fibre.source < 0)
        fail(std::string(what) + " takes the number of lane " + std::to_string(source) +
             ", which is not there: it has returned, or the mask or the block does not have it");
    memcpy(value, fibre.taken, bytes);
}

}  // namespace emulator
