// The sum of parts: y[i] = parts[0][i] + parts[1][i] + ... What is a sum over all pixels, such as the gradient of a
// weight, comes in parts, so that there are blocks enough for all of a GPU; without atomics, so that the same bits come
// out each time.
//
// Threads: COLUMNS numbers of y side by side, and below each of them up to MOST_ROWS threads that share its parts. Bytes
// moved: 4 for each number of the parts, and 4 for each of y.
//
// The ladder
// 1. A thread for each number of y. The weight of a small layer has 2304 of them and some 300 parts: on an H200 that is
//    a warp on half of the multiprocessors, each waiting for 300 reads, one after the other.
// 2. The array library's own sum over an axis. It shares out the work, but in Python it takes twice as long as a launch
//    of ours, which for small networks is what the GPU waits for.
// 3. Here 32 threads have a number, so that as many reads of it are under way. They add up in their order.
#include "../common.cuh"

constexpr int COLUMNS = 32;
constexpr int MOST_ROWS = 32;

extern "C" __global__ __launch_bounds__(1024) void sum_parts(const real* parts, real* y, int count, int n) {
    __shared__ real sums[MOST_ROWS][COLUMNS];
    int column = blockIdx.x * COLUMNS + threadIdx.x, rows = blockDim.y;
    real sum = 0;
    if (column < n) {
        for (int part = threadIdx.y; part < count; part += rows) {
            real number = parts[part * n + column];
            sum += number;
        }
    }
    sums[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.y > 0 || column >= n) return;
    for (int row = 1; row < rows; ++row) {
        real of_row = sums[row][threadIdx.x];
        sum += of_row;
    }
    y[column] = sum;
}
