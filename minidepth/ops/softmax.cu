// softmax and log_softmax along one dimension, forward and backward; the formulas are in softmax.py.
//
// An array is (outer, n, inner) here. The n numbers that belong together are called a row; they lie `inner` apart. The
// same arithmetic has two mappings to threads:
//
//   rows       a block for each row. Its threads share the numbers, and block_max and block_sum bring together what
//              they found. For rows that lie in one piece (inner = 1), or of which there are few.
//   columns    a thread for each row, on its own. For rows whose numbers lie apart, as the classes of a pixel in NCHW:
//              neighbouring threads have neighbouring pixels, so a warp reads in full transactions, and no barrier is
//              needed. For many short rows too: the cache keeps what a warp brings in one step for the next steps.
//
// Bytes moved: 8 a number forward (read x, write y), 12 backward (read grad and y, write grad_x). A row is read three
// times forward and twice backward, but the second and third time a cache has it, unless it is very long.
//
// The ladder: (1) a thread for each row, wherever its numbers lie: right, but of a long row in one piece the threads of
// a warp read numbers n apart, and each such read moves 32 bytes for 4. (2) A block for each row, which adds up in
// shared memory as a tree: full transactions, but a barrier at each level of the tree. (3) What is here: a warp adds up
// in its registers first, by shuffles, so that a sum costs two barriers with any number of threads. Its order depends
// on the shape alone, so the same bits come out each time.
#include "common.cuh"

// Number i of a row is row[i * inner]. A team of threads computes it: a block, or one thread alone.
template <bool BLOCK>
__device__ __forceinline__ void forward(const stored* row, stored* out, int n, int inner, bool logarithm) {
    int first = BLOCK ? threadIdx.x : 0, step = BLOCK ? blockDim.x : 1;
    real largest = row[0];
    for (int i = first; i < n; i += step) largest = max(largest, real(row[i * inner]));
    if (BLOCK) largest = block_max(largest);
    real sum = 0;
    for (int i = first; i < n; i += step) sum += exp(real(row[i * inner]) - largest);
    if (BLOCK) sum = block_sum(sum);
    real log_sum = log(sum);
    for (int i = first; i < n; i += step) {
        real shifted = real(row[i * inner]) - largest;
        out[i * inner] = logarithm ? shifted - log_sum : exp(shifted) / sum;
    }
}

// softmax: y (g - sum g y)      log_softmax: g - exp(y) sum g
template <bool BLOCK>
__device__ __forceinline__ void grad_x(const stored* grad, const stored* y, stored* out, int n, int inner,
                                       bool logarithm) {
    int first = BLOCK ? threadIdx.x : 0, step = BLOCK ? blockDim.x : 1;
    real sum = 0;
    for (int i = first; i < n; i += step) {
        real g = grad[i * inner];
        if (!logarithm) g *= real(y[i * inner]);
        sum += g;
    }
    if (BLOCK) sum = block_sum(sum);
    for (int i = first; i < n; i += step) {
        real g = grad[i * inner], value = y[i * inner];
        out[i * inner] = logarithm ? g - exp(value) * sum : value * (g - sum);
    }
}

// Where row number `row` begins.
__device__ __forceinline__ int row_start(int row, int n, int inner) { return row / inner * n * inner + row % inner; }

extern "C" __global__ void softmax_forward_rows(const stored* x, stored* y, int n, int inner, bool logarithm) {
    int start = row_start(blockIdx.x, n, inner);
    forward<true>(x + start, y + start, n, inner, logarithm);
}

extern "C" __global__ void softmax_forward_columns(const stored* x, stored* y, int rows, int n, int inner,
                                                   bool logarithm) {
    if (flat_thread() >= rows) return;
    int start = row_start(flat_thread(), n, inner);
    forward<false>(x + start, y + start, n, inner, logarithm);
}

extern "C" __global__ void softmax_grad_x_rows(const stored* grad, const stored* y, stored* out, int n, int inner,
                                               bool logarithm) {
    int start = row_start(blockIdx.x, n, inner);
    grad_x<true>(grad + start, y + start, out + start, n, inner, logarithm);
}

extern "C" __global__ void softmax_grad_x_columns(const stored* grad, const stored* y, stored* out, int rows, int n,
                                                  int inner, bool logarithm) {
    if (flat_thread() >= rows) return;
    int start = row_start(flat_thread(), n, inner);
    grad_x<false>(grad + start, y + start, out + start, n, inner, logarithm);
}
