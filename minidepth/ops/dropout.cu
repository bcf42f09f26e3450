// Dropout: which numbers are kept, and what becomes of the others; the formulas are in dropout.py.
//
// dropout_mask, threads: one for every eight numbers, a block of the generator Philox4x64-10. That turns a counter and
// a key into four random words of 64 bits by ten rounds of multiplying, and a word gives two numbers. Nothing is handed
// from thread to thread, and the numbers are those of np.random.Philox on a CPU. Bytes moved: 1 a number. It computes
// more than it moves: about 20 multiplications of 32 bits a number.
//
// dropout_masked, threads: one for each number. Bytes moved: 9 a number (read x and keep, write y), in half 5, backward
// too.
//
// The ladder: (1) a mask made on the CPU and brought over: about 1 ms for 100,000 numbers, and the GPU waits. (2) What
// is here. Both kernels in one would save 1 byte of 10, that of reading the mask, but backward needs the second one
// alone.
#include "common.cuh"

constexpr int EACH = 8;
constexpr int ROUNDS = 10;

typedef unsigned long long word;

// What NumPy's Philox makes of its counter and key.
struct Block { word of[4]; };

__device__ __forceinline__ Block philox(word counter, word key_0, word key_1) {
    Block x = {{counter, 0, 0, 0}};
    for (int round = 0; round < ROUNDS; ++round) {
        word a = x.of[0], b = x.of[2];
        x = {{__umul64hi(0xCA5A826395121157ull, b) ^ x.of[1] ^ key_0, 0xCA5A826395121157ull * b,
              __umul64hi(0xD2E7470EE14C6C93ull, a) ^ x.of[3] ^ key_1, 0xD2E7470EE14C6C93ull * a}};
        key_0 += 0x9E3779B97F4A7C15ull;
        key_1 += 0xBB67AE8584CAA73Bull;
    }
    return x;
}

// keep[k]: whether random number k, from 0 to 1, is at least p. A number has the upper 24 bits of half a word, so it is
// exact in float; NumPy gives out the lower half first, and its counter begins at 1.
extern "C" __global__ void dropout_mask(bool* keep, float p, long long key_0, long long key_1, int n) {
    int thread = flat_thread();
    if (thread >= (n + EACH - 1) / EACH) return;
    Block block = philox(thread + 1, key_0, key_1);
#pragma unroll
    for (int i = 0; i < EACH; ++i) {
        unsigned int half = block.of[i / 2] >> (i % 2 * 32);
        if (thread * EACH + i < n) keep[thread * EACH + i] = (half >> 8) * (1.0f / (1 << 24)) >= p;
    }
}

extern "C" __global__ void dropout_masked(const stored* x, const bool* keep, stored* y, real factor, int n) {
    int i = flat_thread();
    if (i < n) y[i] = real(x[i]) * keep[i] * factor;
}
