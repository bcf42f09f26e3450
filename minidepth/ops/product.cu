// The matrix product y = a b + bias, for every matrix of a batch; who calls it is in product.py.
//
// y is (m, n), a (m, k), b (k, n), bias (n) or null. Number (row, d) of a lies at a[row * a_row + d * a_k] and number
// (d, column) of b at b[column * b_column + d * b_k]. One of the two steps is 1: so a transposed matrix is read where
// it lies. The next matrix of a batch is a_step, b_step numbers on, or 0 where all share one.
//
// m n k multiply-adds need (m + n) k numbers of memory, once. How often they are read is the whole story, and the
// emulator counts it (tests/ops/test_product_cuda.py). In the last two columns: numbers read for one multiply-add,
// where m, n and k are multiples of the tile.
//
//     version                  reads of a and of b in memory           from memory           from shared memory
//     product_naive            m k n             n k m                 1 + 1       = 2       0
//     product_shared           m k ceil(n/16)    n k ceil(m/16)        1/16 + 1/16 = 1/8     1 + 1     = 2
//     product_registers        m k ceil(n/64)    n k ceil(m/64)        1/64 + 1/64 = 1/32    1/4 + 1/4 = 1/2
//     product_registers_8x8    m k ceil(n/128)   n k ceil(m/128)       2 / 128     = 1/64    1/8 + 1/8 = 1/4
//
// 1. product_naive: a thread for each number of y reads a row of a and a column of b. Neighbouring threads have
//    neighbouring columns, so a warp reads b in full transactions and one number of a together. But two reads for one
//    multiply-add keep the arithmetic waiting, even where all of them hit a cache.
// 2. product_shared: a block computes 16 x 16 numbers. It brings 16 x 16 of a and of b into shared memory, where each
//    is used 16 times. Cured: the waiting for memory. Now it waits for shared memory, with two reads for one
//    multiply-add.
// 3. product_registers: a block computes 64 x 64 and a thread 4 x 4 of these. Of 4 + 4 numbers from shared memory it
//    makes 16 multiply-adds, and it reads them four at a time. Cured: the waiting for shared memory. Besides, what is
//    needed next is fetched into registers before the arithmetic, so that its way is covered by that.
// 4. product_registers_8x8: 128 x 128, and a thread 8 x 8. It asks half as much of both memories and wins where there
//    are enough such blocks for all of a GPU. With smaller matrices there are not, and then 3 wins.
//
// Where even 64 x 64 makes too few blocks and k is long, as in the gradients of weights, the sum over k is cut into
// parts: each has blocks of its own, which write a y of their own, and product_add_parts adds these one after the
// other. Without atomics, so the same bits come out each time.
#include "common.cuh"

constexpr int THREADS = 256;
constexpr int SMALL = 16;   // numbers along a side of what a block computes: product_shared,
constexpr int MIDDLE = 64;  // product_registers,
constexpr int LARGE = 128;  // product_registers_8x8
constexpr int MIDDLE_DEPTH = 16;  // numbers along k that are brought at once: of each matrix four by a thread
constexpr int LARGE_DEPTH = 8;

// --- 1. One thread, one number ---------------------------------------------------------------------------------------

extern "C" __global__ void product_naive(const real* a, const real* b, const real* bias, real* y, int batches, int m,
                                         int n, int k, int a_row, int a_k, int a_step, int b_column, int b_k,
                                         int b_step) {
    int i = flat_thread();
    if (i >= batches * m * n) return;
    int column = i % n, row = i / n % m, batch = i / n / m;
    const real* left = a + batch * a_step + row * a_row;
    const real* right = b + batch * b_step + column * b_column;
    real sum = 0;
    for (int d = 0; d < k; ++d) sum += left[d * a_k] * right[d * b_k];
    if (bias) sum += bias[column];
    y[i] = sum;
}

// --- 2. Tiles in shared memory ---------------------------------------------------------------------------------------

// Which part of y a block computes. The blocks of one row of tiles follow one another, so they find a in the cache.
struct Tile { int row, column, batch, part; };

__device__ __forceinline__ Tile this_tile(int side, int batches, int m, int n) {
    int rows = (m + side - 1) / side, columns = (n + side - 1) / side, block = blockIdx.x;
    return {block / columns % rows * side, block % columns * side, block / columns / rows % batches,
            block / columns / rows / batches};
}

extern "C" __global__ void product_shared(const real* a, const real* b, const real* bias, real* y, int batches, int m,
                                          int n, int k, int a_row, int a_k, int a_step, int b_column, int b_k,
                                          int b_step) {
    __shared__ real left[SMALL][SMALL + 1];  // (row, d); one more, so that a column lies in 16 different banks
    __shared__ real right[SMALL][SMALL + 1];  // (d, column)
    Tile tile = this_tile(SMALL, batches, m, n);
    int fast = threadIdx.x % SMALL, slow = threadIdx.x / SMALL;
    // Neighbouring threads bring neighbouring numbers, whichever way the matrix lies.
    int bring_row = a_k == 1 ? slow : fast, bring_d = a_k == 1 ? fast : slow;
    int bring_column = b_column == 1 ? fast : slow, bring_e = b_column == 1 ? slow : fast;
    const real* a_from = a + tile.batch * a_step + (tile.row + bring_row) * a_row;
    const real* b_from = b + tile.batch * b_step + (tile.column + bring_column) * b_column;
    real sum = 0;
    for (int first = 0; first < k; first += SMALL) {
        real from_a = 0, from_b = 0;
        if (tile.row + bring_row < m && first + bring_d < k) from_a = a_from[(first + bring_d) * a_k];
        if (tile.column + bring_column < n && first + bring_e < k) from_b = b_from[(first + bring_e) * b_k];
        left[bring_row][bring_d] = from_a;
        right[bring_e][bring_column] = from_b;
        __syncthreads();
        for (int d = 0; d < SMALL; ++d) sum += left[slow][d] * right[d][fast];
        __syncthreads();  // before the next tiles are written over these
    }
    int row = tile.row + slow, column = tile.column + fast;
    if (row >= m || column >= n) return;
    if (bias) sum += bias[column];
    y[(tile.batch * m + row) * n + column] = sum;
}

// --- 3. and 4. Tiles in registers ------------------------------------------------------------------------------------

// A panel is what a block brings of one matrix at once: DEPTH numbers along k of SIDE lines, which are rows of a or
// columns of b. It lies in shared memory as (d, line). Each thread brings four numbers that are neighbours in memory:
// along k, or of neighbouring lines where the matrix lies so.
template <int SIDE, int DEPTH> struct Panel {
    const real* matrix;     // at the first line of this block
    int line_step, k_step;  // one of them is 1
    int lines, k_end;       // how many lines and numbers along k there are, counted from `matrix`
    bool along_k, wide;     // wide: four numbers in one read, as every line begins at a multiple of 16 bytes
    int line, d;            // the place in the panel of the four that this thread brings

    __device__ __forceinline__ Panel(const real* from, int line_step, int k_step, int lines, int k_end)
        : matrix(from), line_step(line_step), k_step(k_step), lines(lines), k_end(k_end), along_k(k_step == 1),
          wide((along_k ? line_step : k_step) % 4 == 0) {
        line = along_k ? threadIdx.x / (DEPTH / 4) : threadIdx.x % (SIDE / 4) * 4;
        d = along_k ? threadIdx.x % (DEPTH / 4) * 4 : threadIdx.x / (SIDE / 4);
    }

    // The four numbers from `first` on, 0 where the matrix has ended.
    __device__ __forceinline__ real4 fetch(int first) const {
        const real* from = matrix + line * line_step + (first + d) * k_step;
        real4 four = {0, 0, 0, 0};
        if (line >= lines || first + d >= k_end) return four;
        if (wide) return *reinterpret_cast<const real4*>(from);
        int left = along_k ? k_end - first - d : lines - line;
        four.x = from[0];
        if (left > 1) four.y = from[1];
        if (left > 2) four.z = from[2];
        if (left > 3) four.w = from[3];
        return four;
    }

    template <class Shared> __device__ __forceinline__ void put(Shared& panel, real4 four) const {
        if (!along_k) {
            *reinterpret_cast<real4*>(&panel[d][line]) = four;
            return;
        }
        panel[d][line] = four.x;
        panel[d + 1][line] = four.y;
        panel[d + 2][line] = four.z;
        panel[d + 3][line] = four.w;
    }
};

// A thread computes EACH x EACH numbers of y, in groups of 4 x 4 that lie SPAN apart: so the 16 threads of a row read
// 64 neighbouring numbers of a panel, without bank conflicts.
template <int SIDE, int DEPTH, int EACH>
__device__ __forceinline__ void product_of_tiles(const real* a, const real* b, const real* bias, real* y, int batches,
                                                 int m, int n, int k, int a_row, int a_k, int a_step, int b_column,
                                                 int b_k, int b_step, int part_k) {
    constexpr int SPAN = SIDE / (EACH / 4);
    __shared__ __align__(16) real left[DEPTH][SIDE + 4];  // four more: fewer bank conflicts where numbers are put
    __shared__ __align__(16) real right[DEPTH][SIDE + 4];
    Tile tile = this_tile(SIDE, batches, m, n);
    int first = tile.part * part_k, end = min(k, first + part_k);
    Panel<SIDE, DEPTH> of_a(a + tile.batch * a_step + tile.row * a_row, a_row, a_k, m - tile.row, end);
    Panel<SIDE, DEPTH> of_b(b + tile.batch * b_step + tile.column * b_column, b_column, b_k, n - tile.column, end);
    int down = threadIdx.x / 16 * 4, across = threadIdx.x % 16 * 4;

    real sum[EACH][EACH] = {};
    real4 next_a = of_a.fetch(first), next_b = of_b.fetch(first);
    for (; first < end; first += DEPTH) {
        of_a.put(left, next_a);
        of_b.put(right, next_b);
        __syncthreads();
        next_a = of_a.fetch(first + DEPTH);  // arrives while the arithmetic runs
        next_b = of_b.fetch(first + DEPTH);
#pragma unroll
        for (int d = 0; d < DEPTH; ++d) {
            real4 rows[EACH / 4], columns[EACH / 4];
#pragma unroll
            for (int g = 0; g < EACH / 4; ++g) {
                rows[g] = *reinterpret_cast<const real4*>(&left[d][g * SPAN + down]);
                columns[g] = *reinterpret_cast<const real4*>(&right[d][g * SPAN + across]);
            }
#pragma unroll
            for (int i = 0; i < EACH; ++i) {
                real4 four = rows[i / 4];
                real factor = i % 4 == 0 ? four.x : i % 4 == 1 ? four.y : i % 4 == 2 ? four.z : four.w;
#pragma unroll
                for (int g = 0; g < EACH / 4; ++g) {
                    sum[i][g * 4] += factor * columns[g].x;
                    sum[i][g * 4 + 1] += factor * columns[g].y;
                    sum[i][g * 4 + 2] += factor * columns[g].z;
                    sum[i][g * 4 + 3] += factor * columns[g].w;
                }
            }
        }
        __syncthreads();
    }

    real* out = y + (tile.part * batches + tile.batch) * m * n;
#pragma unroll
    for (int i = 0; i < EACH; ++i) {
        int row = tile.row + i / 4 * SPAN + down + i % 4;
#pragma unroll
        for (int g = 0; g < EACH / 4; ++g) {
            int column = tile.column + g * SPAN + across;
            if (row >= m || column >= n) continue;
#pragma unroll
            for (int j = 0; j < 4; ++j)
                if (bias && column + j < n) sum[i][g * 4 + j] += bias[column + j];
            if (n % 4 == 0) {
                real4 four = {sum[i][g * 4], sum[i][g * 4 + 1], sum[i][g * 4 + 2], sum[i][g * 4 + 3]};
                *reinterpret_cast<real4*>(&out[row * n + column]) = four;
            } else {
#pragma unroll
                for (int j = 0; j < 4; ++j)
                    if (column + j < n) out[row * n + column + j] = sum[i][g * 4 + j];
            }
        }
    }
}

// part_k: how many numbers along k a block adds up, a multiple of MIDDLE_DEPTH. Where that is less than k, there are
// more blocks for the other parts, y has room for all parts (part, batch, m, n), and there is no bias.
extern "C" __global__ void __launch_bounds__(THREADS)
product_registers(const real* a, const real* b, const real* bias, real* y, int batches, int m, int n, int k, int a_row,
                  int a_k, int a_step, int b_column, int b_k, int b_step, int part_k) {
    product_of_tiles<MIDDLE, MIDDLE_DEPTH, 4>(a, b, bias, y, batches, m, n, k, a_row, a_k, a_step, b_column, b_k,
                                              b_step, part_k);
}

extern "C" __global__ void __launch_bounds__(THREADS)
product_registers_8x8(const real* a, const real* b, const real* bias, real* y, int batches, int m, int n, int k,
                      int a_row, int a_k, int a_step, int b_column, int b_k, int b_step, int part_k) {
    product_of_tiles<LARGE, LARGE_DEPTH, 8>(a, b, bias, y, batches, m, n, k, a_row, a_k, a_step, b_column, b_k, b_step,
                                            part_k);
}

// y (batch, m, n) = the sum of the parts (part, batch, m, n), one after the other, plus bias (n) or null.
extern "C" __global__ void product_add_parts(const real* from, const real* bias, real* y, int parts, int count, int n) {
    int i = flat_thread();
    if (i >= count) return;
    real sum = 0;
    for (int part = 0; part < parts; ++part) sum += from[part * count + i];
    if (bias) sum += bias[i % n];
    y[i] = sum;
}
