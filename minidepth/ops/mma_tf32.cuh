// The tensor cores' product of small matrices, one for each warp: the only place where they are spoken to.
//
// Their factors are TF32: float with 10 bits of mantissa in place of 23. Their sums are float. Each lane of the warp
// holds a few numbers of every matrix. With g = lane / 4 and t = lane % 4:
//
//     a (16, 8)       a[0], a[1], a[2], a[3] are at (g, t), (g + 8, t), (g, t + 4), (g + 8, t + 4)
//     b (8, 8)        b[0], b[1] are at (t, g), (t + 4, g)
//     sum (16, 8)     sum[0], ..., sum[3] are at (g, 2 t), (g, 2 t + 1), (g + 8, 2 t), (g + 8, 2 t + 1)
//
// Where there are no such tensor cores, on cards before Ampere and under the emulator, the lanes hand the factors to
// each other and multiply themselves. This is slow, and says exactly what the instruction computes, but for the order
// and the rounding of its sums.
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
#define MINIDEPTH_TENSOR_CORES
#endif

// The nearest number with 10 bits of mantissa; of two, the one further from 0.
__device__ __forceinline__ float to_tf32(float x) {
#ifdef MINIDEPTH_TENSOR_CORES
    unsigned rounded;
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(rounded) : "f"(x));
    return __uint_as_float(rounded);
#else
    unsigned bits = __float_as_uint(x);
    if ((bits & 0x7f800000u) == 0x7f800000u) return x;  // infinite, or not a number
    return __uint_as_float((bits + 0x1000u) & 0xffffe000u);
#endif
}

// sum += a b, where a and b hold what `to_tf32` has given. All lanes of the warp take part.
__device__ __forceinline__ void mma_tf32(float (&sum)[4], const float (&a)[4], const float (&b)[2]) {
#ifdef MINIDEPTH_TENSOR_CORES
    asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
        : "r"(__float_as_uint(a[0])), "r"(__float_as_uint(a[1])), "r"(__float_as_uint(a[2])),
          "r"(__float_as_uint(a[3])), "r"(__float_as_uint(b[0])), "r"(__float_as_uint(b[1])));
#else
    const unsigned all = 0xffffffffu;
    const int lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;  // blocks are rows of warps
#pragma unroll 1
    for (int k = 0; k < 8; ++k) {
        const int half = k / 4, other = k % 4;
        const float upper = __shfl_sync(all, a[2 * half], 4 * g + other);           // a (g, k)
        const float lower = __shfl_sync(all, a[2 * half + 1], 4 * g + other);       // a (g + 8, k)
        const float left = __shfl_sync(all, b[half], 4 * (2 * t) + other);          // b (k, 2 t)
        const float right = __shfl_sync(all, b[half], 4 * (2 * t + 1) + other);     // b (k, 2 t + 1)
        sum[0] += upper * left;
        sum[1] += upper * right;
        sum[2] += lower * left;
        sum[3] += lower * right;
    }
#endif
}
