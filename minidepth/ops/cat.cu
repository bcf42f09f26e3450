// Concatenation; the formula is in cat.py. Backward hands out views and needs no kernel.
//
// Threads: one for every four numbers of one part, which lie a block apart, so that neighbouring threads copy
// neighbouring numbers. A launch for each part: what concatenates two layers of a network takes two.
//
// Bytes moved: 8 a number, 4 read and 4 written. The time is bytes / bandwidth.
//
// The ladder
// 1. One launch for all parts: every thread looks up the part that its number comes from, in a table that has to be
//    sent to the GPU first, and that costs more than the launches that are saved.
// 2. One launch for each part, a number a thread.
// 3. Four numbers a thread, whose reads are all asked for before the first is used, see leaky_relu.cu. This one is here.
// 4. Two halves are copied as if they were one float, where every slice has an even number of them; cat.py does that.
#include "common.cuh"

// Along the axis, a slice of y has y_slice numbers, of which those of this part begin at `begin` and are x_slice many.
extern "C" __global__ void cat_forward(const stored* __restrict__ x, stored* __restrict__ y, int x_slice, int y_slice,
                                       int begin, int n) {
    each_number<4>(n, [&](int i) { y[i / x_slice * y_slice + begin + i % x_slice] = x[i]; });
}
