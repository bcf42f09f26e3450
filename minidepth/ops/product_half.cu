// The matrix product of product.cu for half: its last version on the tensor cores, with sums in float.
//
// A block of 256 threads makes 128 x 128 numbers of y, of which each of its 8 warps makes 64 x 32. It takes 32 numbers
// along k at a time: these travel straight to shared memory (cp.async), 16 bytes at a time, while the ones before are
// multiplied. A matrix may lie either way. Where neighbours in memory are neighbours along k, they lie in shared
// memory as the tensor cores want them; where they are neighbouring lines, they are turned on their way to the tensor
// cores. Rows of shared memory lie one more apart than needed, so that 8 of them hit different banks.
//
// What bounds it, from data sheets and not yet measured: for a multiply-add 1/64 byte from memory (or L2) and 1/10.7
// byte from shared memory, as in gpu/implicit_gemm_tensor.cu; so large matrices wait for shared memory and `mma`
// alike.
#include "common.cuh"
#include "tensor_cores.cuh"

constexpr int THREADS = 256;
constexpr int TILE = 128;
constexpr int CHUNKS = 4;  // of ROW numbers along k, which are brought at once
constexpr int DEPTH = CHUNKS * ROW;
constexpr int LINES = TILE + 1;          // rows of shared memory for a chunk along k,
constexpr int ACROSS = TILE / ROW + 1;   // and for one k, where lines lie side by side
constexpr int ROWS = DEPTH * ACROSS > CHUNKS * LINES ? DEPTH * ACROSS : CHUNKS * LINES;

// TILE lines of a matrix, which are rows of a or columns of b, from the first line of the tile on.
struct Panel {
    const stored* matrix;
    int line_step, k_step;  // one of them is 1
    int lines, k_end;       // that there are

    __device__ bool along_k() const { return k_step == 1; }

    // Brings DEPTH numbers along k from `first` on.
    template <class Shared> __device__ __forceinline__ void bring(Shared&& tile, int first) const {
        const bool wide = (along_k() ? line_step : k_step) % ROW == 0;  // then each ends so, too
        for (int q = threadIdx.x; q < TILE * CHUNKS; q += THREADS) {
            const int line = along_k() ? q / CHUNKS : q % (TILE / ROW) * ROW;
            const int d = along_k() ? q % CHUNKS * ROW : q / (TILE / ROW), k = first + d;
            const int row = along_k() ? d / ROW * LINES + line : d * ACROSS + line / ROW;
            const int from = line * line_step + k * k_step, step_line = along_k() ? 0 : 1, step_k = along_k() ? 1 : 0;
            const bool exists = line < lines && k < k_end;
            if (wide) {
                send_row(tile, row, reinterpret_cast<const unsigned*>(matrix + (exists ? from : 0)), exists);
                continue;
            }
            unsigned words[4] = {};
#pragma unroll
            for (int e = 0; e < ROW; ++e) {
                if (line + e * step_line >= lines || k + e * step_k >= k_end) break;
                const unsigned bits = *reinterpret_cast<const unsigned short*>(matrix + from + e);
                words[e / 2 % 4] |= bits << e % 2 * 16;
            }
            put_row(&tile[row][0], words);
        }
    }
    // Four matrices of 8 lines by 8 along k; each lane says where the one begins that it names a row of.
    template <class Shared>
    __device__ __forceinline__ void load(unsigned (&words)[4], const Shared& tile, int line, int d) const {
        const int lane = threadIdx.x % 8;
        if (along_k()) load_matrices(words, tile, d / 8 * LINES + line + lane);
        else load_turned(words, tile, (d + lane) * ACROSS + line / 8);
    }
};

// Arguments as in product.cu. The result goes to y, or in float to `sums` (part, batch, m, n), without bias.
extern "C" __global__ void __launch_bounds__(256, 2)
product_half(const stored* a, const stored* b, const real* bias, stored* y, real* sums, int batches, int m, int n,
             int k, int a_row, int a_k, int a_step, int b_column, int b_k, int b_step, int part_k) {
    __shared__ __align__(16) unsigned left[2][ROWS][4];
    __shared__ __align__(16) unsigned right[2][ROWS][4];
    const int down = (m + TILE - 1) / TILE, across = (n + TILE - 1) / TILE, place = blockIdx.x / (down * across);
    const int first_row = blockIdx.x / across % down * TILE, first_column = blockIdx.x % across * TILE;
    const int batch = place % batches, first = place / batches * part_k, end = min(k, first + part_k);
    const Panel of_a = {a + (batch * a_step + first_row * a_row), a_row, a_k, m - first_row, end};
    const Panel of_b = {b + (batch * b_step + first_column * b_column), b_column, b_k, n - first_column, end};
    const int warp = threadIdx.x / WARP, lane = threadIdx.x % WARP, matrix = lane / 8;
    const int row = warp / 4 * 64, column = warp % 4 * 32;  // of this warp in the tile
    float sum[4][4][4] = {};
    of_a.bring(left[0], first);
    of_b.bring(right[0], first);
    for (int d = first, buffer = 0; d < end; d += DEPTH, buffer = 1 - buffer) {
        wait_for_rows();
        __syncthreads();
        if (d + DEPTH < end) {
            of_a.bring(left[1 - buffer], d + DEPTH);
            of_b.bring(right[1 - buffer], d + DEPTH);
        }
#pragma unroll
        for (int step = 0; step < DEPTH; step += 16) {
            unsigned columns[2][4];
#pragma unroll
            for (int c = 0; c < 2; ++c)
                of_b.load(columns[c], right[buffer], column + 16 * c + matrix / 2 * 8, step + matrix % 2 * 8);
#pragma unroll
            for (int r = 0; r < 4; ++r) {
                unsigned rows[4];
                of_a.load(rows, left[buffer], row + 16 * r + matrix % 2 * 8, step + matrix / 2 * 8);
#pragma unroll
                for (int c = 0; c < 4; ++c)
                    multiply_matrices(sum[r][c], rows, columns[c / 2][c % 2 * 2], columns[c / 2][c % 2 * 2 + 1]);
            }
        }
    }
#pragma unroll
    for (int r = 0; r < 8; ++r)
#pragma unroll
        for (int c = 0; c < 4; ++c)
#pragma unroll
            for (int e = 0; e < 2; ++e) {
                const int i = first_row + row + 8 * r + lane / 4, j = first_column + column + 8 * c + lane % 4 * 2 + e;
                if (i >= m || j >= n) continue;
                real value = sum[r / 2][c][r % 2 * 2 + e];
                const int to = (place * m + i) * n + j;
                if (sums) {
                    sums[to] = value;
                    continue;
                }
                if (bias) value += bias[j];
                y[to] = value;
            }
}
