// The tensor cores, which multiply small matrices, one product for each warp: the only place where they are spoken to.
//
// Their factors are short: half, or TF32, which is float with 10 bits of mantissa in place of 23. Their sums are
// float. For both kinds all is said in words of 4 bytes and rows of 16 bytes, so that the kernels differ in little
// else. A word is two halves (the first in the lower bits) or one TF32; a row is 4 words, or ROW numbers. With g =
// lane / 4 and t = lane % 4, the words that a lane of the warp holds, counted along the sum, are
//
//     a (16 lines, 8 words)    a[0], a[1], a[2], a[3] are at (g, t), (g + 8, t), (g, t + 4), (g + 8, t + 4)
//     b (8 words, 8 lines)     b[0], b[1] are at (t, g), (t + 4, g)
//     sum (16, 8) numbers      sum[0], ..., sum[3] are at (g, 2 t), (g, 2 t + 1), (g + 8, 2 t), (g + 8, 2 t + 1)
//
// The sum runs over 2 ROW numbers. A tile in shared memory is ``unsigned tile[ROWS][4]``, and any 8 rows of it are an
// operand's quarter or half, see `load_matrices`.
//
// Where there are no such tensor cores, on cards before Ampere and under the emulator, the lanes hand the factors to
// each other and multiply themselves. This is slow, and says exactly what the instruction computes, but for the order
// and the rounding of its sums.
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
#define MINIDEPTH_TENSOR_CORES
#endif

constexpr bool HALF = sizeof(stored) == 2;  // else the factors are TF32
constexpr int ROW = HALF ? 8 : 4;           // numbers in 16 bytes

// --- Rounding --------------------------------------------------------------------------------------------------------

// The nearest number with 10 bits of mantissa, as a word; of two, the one further from 0.
__device__ __forceinline__ unsigned to_tf32(float x) {
#ifdef MINIDEPTH_TENSOR_CORES
    unsigned rounded;
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(rounded) : "f"(x));
    return rounded;
#else
    unsigned bits = __float_as_uint(x);
    if ((bits & 0x7f800000u) == 0x7f800000u) return bits;  // infinite, or not a number
    return (bits + 0x1000u) & 0xffffe000u;
#endif
}

// Two numbers as halves in a word, each to the nearest.
__device__ __forceinline__ unsigned to_halves(float first, float second) {
#ifdef MINIDEPTH_TENSOR_CORES
    unsigned rounded;
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(rounded) : "f"(second), "f"(first));
    return rounded;
#else
    unsigned words[1];
#ifdef STORED
    stored both[2] = {first, second};
    memcpy(words, both, 4);
#else
    words[0] = 0;  // never asked for
#endif
    return words[0];
#endif
}

// --- From memory to shared memory, and from there to the lanes -------------------------------------------------------

// Writes 16 bytes, to a place that is a multiple of 16.
template <class To> __device__ __forceinline__ void put_row(To to, const unsigned (&words)[4]) {
    const int4 four = {static_cast<int>(words[0]), static_cast<int>(words[1]), static_cast<int>(words[2]),
                       static_cast<int>(words[3])};
    *reinterpret_cast<int4*>(to) = four;
}

// Sends the 16 bytes at `from`, a multiple of 16, to a row of a tile in shared memory, or zeros where `exists` says no.
// From Ampere on they travel while the thread goes on, until `wait_for_rows`; a barrier then shows them to the others.
template <class Tile, class From>
__device__ __forceinline__ void send_row(Tile&& tile, int row, From from, bool exists) {
#ifdef MINIDEPTH_TENSOR_CORES
    const unsigned to = static_cast<unsigned>(__cvta_generic_to_shared(&tile[row][0]));
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(from), "r"(exists ? 16 : 0) : "memory");
#else
    int4 four = {0, 0, 0, 0};
    if (exists) four = *reinterpret_cast<const int4*>(from);
    *reinterpret_cast<int4*>(&tile[row][0]) = four;
#endif
}

__device__ __forceinline__ void wait_for_rows() {
#ifdef MINIDEPTH_TENSOR_CORES
    asm volatile("cp.async.wait_all;" ::: "memory");
#endif
}

// Four matrices of 8 rows each. Lane l names a row of the tile: row l % 8 of matrix l / 8. Word t of row g of matrix m
// becomes words[m]. The rows of a matrix must lie in different banks, as 8 rows in one piece do.
template <class Tile>
__device__ __forceinline__ void load_matrices(unsigned (&words)[4], const Tile& tile, int row) {
#ifdef MINIDEPTH_TENSOR_CORES
    const unsigned from = static_cast<unsigned>(__cvta_generic_to_shared(&tile[row][0]));
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(words[0]), "=r"(words[1]), "=r"(words[2]), "=r"(words[3])
                 : "r"(from)
                 : "memory");
#else
    const int lane = threadIdx.x % 32;  // blocks are rows of warps
    for (int m = 0; m < 4; ++m) {
        const int named = __shfl_sync(0xffffffffu, row, 8 * m + lane / 4);
        words[m] = tile[named][lane % 4];
    }
#endif
}

// The same for matrices of halves that lie turned: row k of a matrix holds the k-th numbers of 8 lines. words[m]
// becomes the numbers 2 t and 2 t + 1 of line g.
template <class Tile>
__device__ __forceinline__ void load_turned(unsigned (&words)[4], const Tile& tile, int row) {
#ifdef MINIDEPTH_TENSOR_CORES
    const unsigned from = static_cast<unsigned>(__cvta_generic_to_shared(&tile[row][0]));
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(words[0]), "=r"(words[1]), "=r"(words[2]), "=r"(words[3])
                 : "r"(from)
                 : "memory");
#else
    const int lane = threadIdx.x % 32, g = lane / 4, t = lane % 4, shift = g % 2 * 16;
    for (int m = 0; m < 4; ++m) {
        const int first = __shfl_sync(0xffffffffu, row, 8 * m + 2 * t);
        const int second = __shfl_sync(0xffffffffu, row, 8 * m + 2 * t + 1);
        const unsigned left = tile[first][g / 2], right = tile[second][g / 2];
        words[m] = (left >> shift & 0xffffu) | right >> shift << 16;
    }
#endif
}

// --- The product -----------------------------------------------------------------------------------------------------

// The sum of the products of two words' numbers.
__device__ __forceinline__ float product_of_words(unsigned a, unsigned b) {
#ifdef STORED
    stored of_a[2], of_b[2];
    memcpy(of_a, &a, 4);
    memcpy(of_b, &b, 4);
    return static_cast<float>(of_a[0]) * static_cast<float>(of_b[0]) +
           static_cast<float>(of_a[1]) * static_cast<float>(of_b[1]);
#else
    return __uint_as_float(a) * __uint_as_float(b);
#endif
}

// What lane `from` of the warp hands in.
template <int COUNT> struct Words { unsigned word[COUNT]; };

template <int COUNT> __device__ __forceinline__ Words<COUNT> words_of(Words<COUNT> words, int from) {
#ifdef __CUDACC__
    for (int k = 0; k < COUNT; ++k) words.word[k] = __shfl_sync(0xffffffffu, words.word[k], from);
    return words;
#else
    return __shfl_sync(0xffffffffu, words, from);  // the emulator hands over 16 bytes at once
#endif
}

// sum += a b. All lanes of the warp take part.
__device__ __forceinline__ void multiply_matrices(float (&sum)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
#ifdef MINIDEPTH_TENSOR_CORES
    if constexpr (HALF)
        asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
            "{%0, %1, %2, %3};"
            : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
            : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
    else
        asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
            "{%0, %1, %2, %3};"
            : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
            : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
#else
    const int lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
    for (int other = 0; other < 4; ++other) {
        const Words<4> lines = words_of(Words<4>{{a[0], a[1], a[2], a[3]}}, 4 * g + other);  // g and g + 8 of a
        const Words<2> left = words_of(Words<2>{{b0, b1}}, 4 * (2 * t) + other);             // line 2 t of b
        const Words<2> right = words_of(Words<2>{{b0, b1}}, 4 * (2 * t + 1) + other);        // line 2 t + 1
        for (int half = 0; half < 2; ++half) {
            sum[0] += product_of_words(lines.word[2 * half], left.word[half]);
            sum[1] += product_of_words(lines.word[2 * half], right.word[half]);
            sum[2] += product_of_words(lines.word[2 * half + 1], left.word[half]);
            sum[3] += product_of_words(lines.word[2 * half + 1], right.word[half]);
        }
    }
#endif
}

// words[j] of lane t in its quad of four lanes changes places with words[t] of lane j.
__device__ __forceinline__ void turn_in_quad(unsigned (&words)[4]) {
#pragma unroll
    for (int step = 1; step < 4; step *= 2)
#pragma unroll
        for (int j = 0; j < 4; ++j) {
            if (j & step) continue;
            const bool upper = threadIdx.x & step;
            const unsigned got = __shfl_xor_sync(0xffffffffu, upper ? words[j] : words[j + step], step);
            if (upper) words[j] = got;
            else words[j + step] = got;
        }
}
