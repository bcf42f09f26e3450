// The product of implicit_gemm_weight.cu on the tensor cores: factors are half, or float rounded to TF32, and sums are
// float, see implicit_gemm_tensor.cu. What comes out is float, for the optimiser.
//
// Threads: a block of 256 makes numbers of the weight for 64 (or 16) outputs and for up to 36 (72) pairs of 8 channels
// and a tap: for 3x3, all taps of 32 (64) channels. It sums over one part of the pixels, a tile of 64 (32 in float) at
// a time. Of each tile it has in shared memory the gradient, ROW pixels side by side, and the region of x that the
// taps meet (region.cuh), with ROW channels of a pixel side by side: so another tap is the same rows further on, and
// the shift, which would tear pixels apart that must be read in one piece, costs nothing. The tensor cores want pixels
// side by side; halves are turned on their way to them. Each of the 8 warps makes 32 (16) outputs of 9 pairs. The next
// tile's gradient is copied (cp.async) and its region fetched meanwhile.
//
// What bounds it, for 3x3 and 64 outputs, from data sheets and not yet measured. For a multiply-add a block asks memory
// for 1/74 byte in half: 8.2 KB of gradient and 7.7 KB of x for 64 * 288 * 64. A warp asks shared memory for 1/11 byte:
// 3.3 KB for 32 * 72 * 16. So it waits for shared memory and `mma` alike, as implicit_gemm_tensor.cu does. In TF32
// both are halved, and as nothing turns floats, they are read from shared memory one by one.
#include "../common.cuh"
#include "../tensor_cores.cuh"

constexpr int THREADS = 256;
constexpr int TILE = 64;         // outputs
constexpr int NARROW_TILE = 16;
constexpr int PAIRS = 9;         // for each warp
constexpr int WARPS_ACROSS = 4;  // that share the pairs of a tile
constexpr int NARROW_WARPS_ACROSS = 8;
constexpr int CHUNKS = 8;        // of ROW pixels, in a tile of pixels
constexpr int REGION = 976;      // rows of 16 bytes: at most two pieces a thread

#include "gather.cuh"
#include "region.cuh"

constexpr int CHUNKS_OF_EIGHT = 8 / ROW;  // of ROW channels, for the 8 of a pair

// ROWS times 16 outputs for each of DOWN warps.
template <int ROWS, int DOWN>
__device__ __forceinline__ void tile_of_weight(const stored* grad, const stored* x, real* parts, const Convolution& of,
                                               int columns, int taps_down, int taps_across, int eights, int each) {
    constexpr int ACROSS = THREADS / WARP / DOWN, OUTPUTS = 16 * ROWS * DOWN, LINES = OUTPUTS + 1;  // other banks
    static_assert(OUTPUTS == TILE || OUTPUTS == NARROW_TILE, "Python counts the tiles by these");
    static_assert(ACROSS == WARPS_ACROSS || ACROSS == NARROW_WARPS_ACROSS, "and the pairs by these");
    __shared__ __align__(16) unsigned regions[2][REGION][4];
    __shared__ __align__(16) unsigned grads[2][CHUNKS * LINES][4];
    __shared__ int starts[CHUNKS];           // the row in a region of the first pixel of ROW, for the first pair
    __shared__ int further[PAIRS * ACROSS];  // how many rows further on another pair is, or -1: there is none
    const Product product = forward_product(of);
    const int all = of.kernel_h * of.kernel_w, taps = taps_down * taps_across, places = all / taps;
    const int tiles = gridDim.y / of.groups, group = blockIdx.y / tiles, first_output = blockIdx.y % tiles * OUTPUTS;
    const int place = blockIdx.x % places, first_channel = blockIdx.x / places * eights * 8;
    const Taps of_block = {place / (of.kernel_w / taps_across) * taps_down, taps_down,
                           place % (of.kernel_w / taps_across) * taps_across, taps_across};

    const int height = CHUNKS * ROW / columns, across = (of.columns + columns - 1) / columns;
    const int down = (of.rows + height - 1) / height, last = min(of.n * down * across, (int(blockIdx.z) + 1) * each);
    auto tile_at = [&](int number) {
        return Tile{number / across % down * height, height, number % across * columns, columns};
    };
    auto plane_at = [&](int number) { return number / (across * down) * of.groups + group; };
    auto fetch = [&](Piece& piece, int number, const Region& region, int turn) {
        const int size = of.height * of.width, channel = plane_at(number) * product.channels + first_channel;
        piece.fetch(x + channel * size, region, turn * THREADS + threadIdx.x, eights * CHUNKS_OF_EIGHT,
                    product.channels - first_channel, region.size());
    };
    auto send = [&](int buffer, int number) {
        const Tile tile = tile_at(number);
        const int size = of.rows * of.columns;
#pragma unroll
        for (int q = threadIdx.x; q < CHUNKS * OUTPUTS; q += THREADS) {
            const int chunk = q % CHUNKS, o = q / CHUNKS, r = tile.r + chunk * ROW / columns;
            const int c = tile.c + chunk * ROW % columns, row = chunk * LINES + o;
            const bool exists = first_output + o < product.outputs && r < of.rows && c < of.columns;
            const int from = (plane_at(number) * product.outputs + first_output + o) * size + r * of.columns + c;
            if (of.columns % ROW == 0) {
                send_row(grads[buffer], row, reinterpret_cast<const unsigned*>(grad + (exists ? from : 0)), exists);
                continue;
            }
            unsigned words[4] = {};
#pragma unroll
            for (int e = 0; e < ROW; ++e) {
                if (!exists || c + e >= of.columns) break;
                if constexpr (HALF) {
                    const unsigned bits = *reinterpret_cast<const unsigned short*>(grad + from + e);
                    words[e / 2] |= bits << e % 2 * 16;
                } else {
                    words[e] = *reinterpret_cast<const unsigned*>(grad + from + e);
                }
            }
            put_row(&grads[buffer][row][0], words);
        }
    };

    const int warp = threadIdx.x / WARP, lane = threadIdx.x % WARP, g = lane / 4, t = lane % 4, matrix = lane / 8;
    const int first = blockIdx.z * each, line = warp / ACROSS * ROWS * 16 + matrix % 2 * 8 + lane % 8;
    float sum[ROWS][PAIRS][4] = {};
    int mine = 0;  // how many rows after the first of ROW pixels the one is that this lane names
    {
        const Region region(product, tile_at(first), of_block);
        mine = HALF ? region.row(0, lane % 8) : region.row(0, t) + g / 4 * region.size();
        if (threadIdx.x < CHUNKS) {
            const int pixel = threadIdx.x * ROW;
            starts[threadIdx.x] = region.row(pixel / columns, pixel % columns) - region.row(0, 0);
        }
        for (int pair = threadIdx.x; pair < PAIRS * ACROSS; pair += THREADS) {
            const int eight = pair / taps, tap = pair % taps;
            const int before = eight * CHUNKS_OF_EIGHT * region.size();
            const int to_tap = region.further(tap / taps_across, tap % taps_across);
            further[pair] = eight < eights ? before + to_tap : -1;
        }
        send(0, first);
        for (int turn = 0; turn < 2; ++turn) {
            Piece piece;
            fetch(piece, first, region, turn);
            piece.put(regions[0]);
        }
    }
    for (int number = first; number < last; ++number) {
        const int buffer = (number - first) % 2;
        const bool more = number + 1 < last;
        const Region coming(product, tile_at(number + 1), of_block);
        wait_for_rows();
        __syncthreads();  // all see this tile, and nobody needs the one before
        if (more) send(1 - buffer, number + 1);
#pragma unroll 1
        for (int turn = 0; turn < 2; ++turn) {  // each with half of the pixels, which are two steps of the sum
            Piece piece;
            piece.row = -1;
            if (more) fetch(piece, number + 1, coming, turn);
            unsigned a[2][ROWS][4];
#pragma unroll
            for (int step = 0; step < 2; ++step)
#pragma unroll
                for (int row = 0; row < ROWS; ++row) {
                    const int chunk = turn * 4 + step * 2 + matrix / 2;
                    load_matrices(a[step][row], grads[buffer], chunk * LINES + line + row * 16);
                    if constexpr (!HALF)
                        for (int k = 0; k < 4; ++k) a[step][row][k] = to_tf32(__uint_as_float(a[step][row][k]));
                }
            int pixels[HALF ? 1 : 4];
#pragma unroll
            for (int k = 0; k < (HALF ? 1 : 4); ++k) pixels[k] = starts[turn * 4 + (HALF ? matrix : k)] + mine;
#pragma unroll
            for (int q = 0; q < PAIRS; ++q) {
                const int before = further[q * ACROSS + warp % ACROSS];
                if (before < 0) break;
                unsigned b[4];
                if constexpr (HALF) {
                    load_turned(b, regions[buffer], pixels[0] + before);
                } else {
#pragma unroll
                    for (int k = 0; k < 4; ++k) b[k] = regions[buffer][pixels[k] + before][g % 4];
                }
#pragma unroll
                for (int row = 0; row < ROWS; ++row)
#pragma unroll
                    for (int step = 0; step < 2; ++step)
                        multiply_matrices(sum[row][q], a[step][row], b[2 * step], b[2 * step + 1]);
            }
            piece.put(regions[1 - buffer]);
        }
    }
#pragma unroll
    for (int q = 0; q < PAIRS; ++q) {
        const int pair = q * ACROSS + warp % ACROSS, tap = pair % taps, k = first_channel + pair / taps * 8 + 2 * t;
        const int in_kernel = (of_block.i + tap / taps_across) * of.kernel_w + of_block.j + tap % taps_across;
#pragma unroll
        for (int row = 0; row < ROWS; ++row)
#pragma unroll
            for (int part = 0; part < 4; ++part) {
                const int o = first_output + (warp / ACROSS * ROWS + row) * 16 + part / 2 * 8 + g;
                const int channel = k + part % 2;
                const int to = (blockIdx.z * of.groups + group) * product.outputs + o;
                if (further[pair] >= 0 && o < product.outputs && channel < product.channels)
                    parts[(to * product.channels + channel) * all + in_kernel] = sum[row][q][part];
            }
    }
}

// taps_down, taps_across: how many taps a block takes, all or one in each direction; eights: of how many times 8
// channels; each: how many tiles of pixels.
extern "C" __global__ void __launch_bounds__(256, 2)
implicit_gemm_weight_tensor(const stored* grad, const stored* x, real* parts, int n, int channels, int height,
                            int width, int outputs, int kernel_h, int kernel_w, int rows, int columns, int stride_h,
                            int stride_w, int padding_h, int padding_w, int dilation_h, int dilation_w, int groups,
                            int tile_columns, int taps_down, int taps_across, int eights, int each) {
    const Convolution of = {n, channels, height, width, outputs, kernel_h, kernel_w, rows, columns,
                            stride_h, stride_w, padding_h, padding_w, dilation_h, dilation_w, groups};
    tile_of_weight<2, 2>(grad, x, parts, of, tile_columns, taps_down, taps_across, eights, each);
}

extern "C" __global__ void __launch_bounds__(256, 2)
implicit_gemm_weight_tensor_narrow(const stored* grad, const stored* x, real* parts, int n, int channels, int height,
                                   int width, int outputs, int kernel_h, int kernel_w, int rows, int columns,
                                   int stride_h, int stride_w, int padding_h, int padding_w, int dilation_h,
                                   int dilation_w, int groups, int tile_columns, int taps_down, int taps_across,
                                   int eights, int each) {
    const Convolution of = {n, channels, height, width, outputs, kernel_h, kernel_w, rows, columns,
                            stride_h, stride_w, padding_h, padding_w, dilation_h, dilation_w, groups};
    tile_of_weight<1, 1>(grad, x, parts, of, tile_columns, taps_down, taps_across, eights, each);
}
