// How the kernels of all losses leave their sums, and how a kernel of one block puts them together: `masked_mean` in
// masked.cu for most losses, one of their own for those whose sums are other ones. To be included after common.cuh.

// Number k of the `count` sums that this block leaves: `value`, added up over its threads. They lie block by block.
__device__ __forceinline__ void leave_sum(real value, real* sums, int k, int count) {
    int block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
    value = block_sum(value);
    if (threadIdx.x == 0) sums[count * block + k] = value;
}

// The two sums of most losses: the values of the pixels, and how many pixels those were.
__device__ __forceinline__ void leave_sums(real value, real counted, real* sums) {
    leave_sum(value, sums, 0, 2);
    leave_sum(counted, sums, 1, 2);
}

// Number k of `count`, added up over the blocks of the kernel before. All threads of the only block get it.
__device__ __forceinline__ real sum_left(const real* sums, int k, int count, int blocks) {
    real total = 0;
    for (int block = threadIdx.x; block < blocks; block += blockDim.x) total += sums[count * block + k];
    return block_sum(total);
}

// What a loss makes of a mean: `factor` times it, or times sqrt(mean + inside) where `inside` is above 0; and the slope
// of that.
__device__ __forceinline__ real of_mean(real mean, real factor, real inside, real& slope) {
    slope = factor;
    if (!(inside > 0)) return factor * mean;
    real root = sqrt(mean + inside);
    slope = factor / (2 * root);
    return factor * root;
}

// The slope of |x|: the sign of x, 0 at 0, and NaN where x is NaN.
__device__ __forceinline__ real sign(real x) { return x > 0 ? 1 : x < 0 ? -1 : x; }
