// How the kernels of all losses leave their sums, for `masked_mean` in masked.cu to put together. To be included after
// common.cuh.

// Every thread of the block hands in what it found: the sum of the values of its pixels, and how many pixels those
// were. Block b of the grid leaves both in sums[2 b] and sums[2 b + 1].
__device__ __forceinline__ void leave_sums(real value, real counted, real* sums) {
    int block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
    value = block_sum(value);
    counted = block_sum(counted);
    if (threadIdx.x == 0) {
        sums[2 * block] = value;
        sums[2 * block + 1] = counted;
    }
}

// The slope of |x|: the sign of x, 0 at 0, and NaN where x is NaN.
__device__ __forceinline__ real sign(real x) { return x > 0 ? 1 : x < 0 ? -1 : x; }
