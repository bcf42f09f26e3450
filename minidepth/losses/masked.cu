// The end of most fused losses: from the sums that the blocks of its kernel have left to a mean over the n pixels that
// count.
//
//     value = f(1/n sum of all values)        share = f' / n        f(x) = factor x  or  factor sqrt(x + inside)
//
// Threads: one block, whose threads add up every 256th of the pairs and then each other's sums. Bytes moved: 8 a block
// of the kernel before, so next to nothing. It is a kernel of its own because nobody may add up what other blocks have
// written before all of them are through, and the next launch is the one place where that is certain.
//
// The ladder
// 1. One atomicAdd a block on one number, in the kernel before: no second launch, but the order of the additions, and
//    with it the last bits of the loss, would differ from run to run.
// 2. Sums in a fixed order here, which wins: the same bits each time, for 2 us. That n is found here, too, and stays on
//    the GPU, is why no loss ever waits for a number.
#include "../ops/common.cuh"
#include "masked.cuh"

extern "C" __global__ __launch_bounds__(256) void masked_mean(const real* sums, real* value, real* share, real factor,
                                                              real inside, int blocks) {
    const real total = sum_left(sums, 0, 2, blocks), counted = sum_left(sums, 1, 2, blocks);
    if (threadIdx.x == 0) {
        const real n = max(counted, real(1));
        real slope;
        const real found = of_mean(total / n, factor, inside, slope);
        value[0] = counted > 0 ? found : real(0);
        share[0] = slope / n;
    }
}
