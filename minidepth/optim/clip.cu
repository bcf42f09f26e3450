// Gradient clipping: the norm of all gradients together, and all of them shorter where it is too long; see clip.py.
//
// Threads: clip_squares and clip_shorten have a block for each chunk of a gradient, see multi_tensor.py; clip_norm is
// one block. Bytes moved: 4 a number for the squares, and 8 more where the gradients are shortened: nothing to speak of
// beside the step of Adam.
//
// The ladder
// 1. A sum for each gradient, brought to the CPU to decide there: a hundred launches, and the CPU waits for the whole
//    backward pass before it can launch anything more.
// 2. Three launches, which wins. The factor stays on the GPU, and every block of the third looks at it by itself: where
//    the gradients are short enough there is no traffic. Sums are taken in the order of the chunks, as in clip.py, so
//    the same gradients give the same bits.
#include "../ops/common.cuh"

// The sum of the squares of each chunk.
extern "C" __global__ __launch_bounds__(256) void clip_squares(
    const long long* addresses, const int* chunks, int arrays, real* sums) {
    const int* chunk = chunks + 3 * blockIdx.x;
    const real* g = reinterpret_cast<const real*>(addresses[chunk[0]]);
    real sum = 0;
    for (int i = chunk[1] + threadIdx.x, end = chunk[2]; i < end; i += blockDim.x) {
        real gradient = g[i];
        sum += gradient * gradient;
    }
    sum = block_sum(sum);
    if (threadIdx.x == 0) sums[blockIdx.x] = sum;
}

// norm[0] is the norm, and norm[1] what the gradients are to be multiplied by where it is below 1 (or NaN). Where they
// are those of a scaled loss, the norm is that of the loss itself: state[0] is the scale, see loss_scaler.cu.
extern "C" __global__ __launch_bounds__(256) void clip_norm(
    const real* sums, real* norm, const double* state, real max_norm, int blocks) {
    double sum = 0;
    for (int block = threadIdx.x; block < blocks; block += blockDim.x) sum += sums[block];
    sum = sqrt(block_sum(sum));
    if (state) sum /= state[0];
    if (threadIdx.x == 0) {
        norm[0] = sum;
        norm[1] = max_norm / (sum + 1e-6);
    }
}

extern "C" __global__ __launch_bounds__(256) void clip_shorten(
    const long long* addresses, const int* chunks, int arrays, const real* norm) {
    real factor = norm[1];
    if (factor >= 1) return;
    const int* chunk = chunks + 3 * blockIdx.x;
    real* g = reinterpret_cast<real*>(addresses[chunk[0]]);
    for (int i = chunk[1] + threadIdx.x, end = chunk[2]; i < end; i += blockDim.x) g[i] = g[i] * factor;
}
