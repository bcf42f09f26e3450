// The product of implicit_gemm.cu on the tensor cores, with sums in float. What is stored as half is multiplied as it
// is; float is rounded to TF32 (10 bits of mantissa, about 3 decimals), as PyTorch's convolutions do on a GPU unless
// told otherwise. Weights come in float and are rounded here, once, before the product: in it they can then be copied
// without passing through registers, at half the bytes, and lie in the order in which a block needs them.
//
// Threads: a block of 256 makes a tile of 256 pixels, 16 by 16 or so, and 64 (or 32, or 16) channels, of which each of
// its 8 warps makes all channels of 32 pixels. It walks over the channels that are summed, 2 ROW at a time (16 halves,
// 8 floats). For each such slice, it brings the pixels that any tap meets into shared memory (region.cuh), each with
// its channels side by side, as the tensor cores want them: 18 x 18 pixels for 3x3 taps, where implicit_gemm.cu brings
// 256 for every tap, nine times. Then it walks over the taps, three between two barriers. Meanwhile the next taps'
// weights are copied (cp.async), and the next slice's pixels are fetched, a piece a thread and tap, while that tap is
// multiplied. Where a region would not fit (strides, dilations), it is made for one row of taps, or for one tap.
//
// What bounds it, for 3x3 and 64 of 64 channels, from data sheets and not yet measured. For a multiply-add a block
// asks memory (mostly L2) for 1/82 byte in half: 18.4 KB of weights and 10.4 KB of pixels for 16 * 9 * 64 * 256; the
// emulator counts 1/85. A warp asks shared memory for 1/10.7 byte: 3 KB for 64 * 32 * 16. An H200 has 128 bytes of
// shared memory a cycle and multiprocessor, hence 1365 multiply-adds of the 2048 that its tensor cores could do, which
// is also about what `mma` is said to reach there: the rest is kept for an instruction of Hopper alone. In TF32 all of
// this is halved. nvcc 13 gives a thread 126 to 128 registers on sm_80 and sm_90, without spills, and a block has 48 KB
// of shared memory: two blocks on a multiprocessor, one of which multiplies while the other waits.
//
// The ladder is told in implicit_gemm.cu; this is its top where 10 bits are enough. Its version before, which fetched
// 256 pixels anew for every tap as implicit_gemm.cu does, read 3 times as much.
#include "../common.cuh"
#include "../tensor_cores.cuh"

constexpr int THREADS = 256;
constexpr int PIXELS = 256;  // of a tile
constexpr int TILE = 64;     // channels of a tile
constexpr int MIDDLE_TILE = 32;
constexpr int NARROW_TILE = 16;
constexpr int PIXEL_TILES = 4;  // of 8 pixels, for each warp
constexpr int REGION = 576;     // rows for ROW channels of a region
constexpr int TAPS = 3;         // whose weights are brought at a time

#include "gather.cuh"
#include "region.cuh"

// weight (groups * O, C, I, J) as (groups, tiles of outputs, slices of channels, I * J, 2 of ROW channels, outputs of a
// tile, ROW), with zeros where outputs and channels end. Outputs and channels are those of the product, which for dL/dx
// have changed places; a step of 1 for either is so many numbers of the weight.
extern "C" __global__ void implicit_gemm_tensor_weights(const real* weight, stored* laid_out, int groups, int outputs,
                                                        int channels, int taps, int output_step, int channel_step,
                                                        int tile) {
    const int chunks = (channels + 2 * ROW - 1) / (2 * ROW) * 2, tiles = (outputs + tile - 1) / tile;
    int rest = flat_thread();  // a row of 16 bytes; neighbouring threads read neighbouring taps, then what lies next
    if (rest >= groups * tiles * tile * chunks * taps) return;
    const int tap = rest % taps;
    rest /= taps;
    const bool outputs_first = output_step < channel_step;
    const int fast = outputs_first ? tiles * tile : chunks, quick = rest % fast, slow = rest / fast;
    const int slows = outputs_first ? chunks : tiles * tile, group = slow / slows;
    const int o = outputs_first ? quick : slow % slows, chunk = outputs_first ? slow % slows : quick;
    const int from = group * outputs * channels * taps + o * output_step + chunk * ROW * channel_step + tap;
    float numbers[ROW];
#pragma unroll
    for (int k = 0; k < ROW; ++k) {
        numbers[k] = 0;
        if (o < outputs && chunk * ROW + k < channels) numbers[k] = weight[from + k * channel_step];
    }
    unsigned words[4];
#pragma unroll
    for (int k = 0; k < 4; ++k) {
        if constexpr (HALF) words[k] = to_halves(numbers[2 * k], numbers[2 * k + 1]);
        else words[k] = to_tf32(numbers[k]);
    }
    const int slice = ((group * tiles + o / tile) * (chunks / 2) + chunk / 2) * taps + tap;
    put_row(laid_out + ((slice * 2 + chunk % 2) * tile + o % tile) * ROW, words);
}

// Walks over the slices of channels and, in each, over the regions that its taps need, and over the taps of a region.
struct Walk {
    int slices, slice = 0, region = 0;  // region counts them all
    Taps taps;

    __device__ Walk(const Product& product, const Tile& tile) : slices((product.channels + 2 * ROW - 1) / (2 * ROW)) {
        const Taps all = {0, product.down.taps, 0, product.across.taps}, row = {0, 1, 0, product.across.taps};
        taps = fits(product, tile, all) ? all : fits(product, tile, row) ? row : Taps{0, 1, 0, 1};
        if (product.down.taps * product.across.taps == 0) slices = 0;  // an output that no tap meets
    }
    // Whether there is room, and a thread enough with one piece for each tap.
    __device__ static bool fits(const Product& product, const Tile& tile, const Taps& taps) {
        const int size = Region(product, tile, taps).size();
        return size <= REGION && size <= THREADS * taps.down * taps.across;
    }
    __device__ bool more() const { return slice < slices; }
    __device__ void next(const Product& product) {
        ++region;
        taps.j += taps.across;
        if (taps.j < product.across.taps) return;
        taps.j = 0;
        taps.i += taps.down;
        if (taps.i < product.down.taps) return;
        taps.i = 0;
        ++slice;
    }
};

// Which tile of the result a block makes. Blocks that follow one another make all channels of the same pixels, and then
// the other parts of dL/dx there: they find the pixels, and the lines that they write to in turns, in the cache.
struct Place {
    int outputs, part, picture;  // the tile of outputs
    Tile pixels;

    __device__ Place(const Product& product, int tiles, int parts, int columns) {
        const int rows = PIXELS / columns, across = (product.across.count + columns - 1) / columns;
        const int down = (product.down.count + rows - 1) / rows, rest = blockIdx.x / (tiles * parts);
        outputs = blockIdx.x % tiles;
        pixels = {rest / across % down * rows, rows, rest % across * columns, columns};
        picture = rest / (across * down);
    }
};

// Writes what a lane has of ROWS times 16 channels of 4 tiles of 8 pixels, which begin at result (r, c).
template <int ROWS>
__device__ __forceinline__ void write_results(float (&sum)[ROWS][PIXEL_TILES][4], const Product& product,
                                              const real* bias, stored* y, int plane, int first_output,
                                              const Tile& tile, real lowest, real highest) {
    const int g = threadIdx.x % WARP / 4, first = threadIdx.x / WARP * 32 + threadIdx.x % 4 * 8;
    const int r = tile.r + first / tile.columns, c = tile.c + first % tile.columns;
    const int count = r < product.down.count ? product.across.count - c : 0, size = product.height * product.width;
    const int before = plane * product.outputs * size;
    const int place = before + product.down.written(r) * product.width + product.across.written(c);
    const bool in_one = product.across.step == 1 && product.width % ROW == 0 && count >= 8;
#pragma unroll
    for (int row = 0; row < 2 * ROWS; ++row) {
        const int o = first_output + 8 * row + g;
        real add = 0;
        if (bias && o < product.outputs) add = bias[plane % product.groups * product.outputs + o];
        unsigned even[4], odd[4];  // of half, even has both
#pragma unroll
        for (int n = 0; n < 4; ++n) {
            const real left = cut(sum[row / 2][n][row % 2 * 2] + add, lowest, highest);
            const real right = cut(sum[row / 2][n][row % 2 * 2 + 1] + add, lowest, highest);
            even[n] = HALF ? to_halves(left, right) : __float_as_uint(left);
            odd[n] = __float_as_uint(right);
        }
        turn_in_quad(even);  // from two pixels of each of 4 tiles to the 8 pixels of one
        if constexpr (!HALF) turn_in_quad(odd);
        if (o >= product.outputs) continue;
        if (HALF && in_one) {
            put_row(y + place + o * size, even);
        } else if (in_one) {
            const unsigned low[4] = {even[0], odd[0], even[1], odd[1]}, high[4] = {even[2], odd[2], even[3], odd[3]};
            put_row(y + place + o * size, low);
            put_row(y + place + o * size + ROW, high);
        } else {
#pragma unroll
            for (int e = 0; e < 8; ++e) {
                if (e >= count) break;
                const int at = place + o * size + e * product.across.step;
                if constexpr (HALF) reinterpret_cast<unsigned short*>(y)[at] = even[e / 2] >> e % 2 * 16;
                else y[at] = __uint_as_float(e % 2 ? odd[e / 2] : even[e / 2]);
            }
        }
    }
}

// A tile of ROWS times 16 channels and of PIXELS / columns by `columns` pixels, columns being 8, 16 or 32.
template <int ROWS>
__device__ __forceinline__ void tile_of_product(const stored* x, const stored* weights, const real* bias, stored* y,
                                                const Convolution& of, int adjoint, int columns, real lowest,
                                                real highest) {
    constexpr int CHANNELS = 16 * ROWS;
    static_assert(CHANNELS == TILE || CHANNELS == MIDDLE_TILE || CHANNELS == NARROW_TILE, "Python counts by these");
    __shared__ __align__(16) unsigned regions[2][2 * REGION][4];
    __shared__ __align__(16) unsigned factors[2][TAPS * 2 * CHANNELS][4];
    const int tiles = ((adjoint ? of.channels : of.outputs) / of.groups + CHANNELS - 1) / CHANNELS;
    const int parts = adjoint ? of.stride_h * of.stride_w : 1, part = blockIdx.x / tiles % parts;
    const Product product = adjoint ? adjoint_product(of, part) : forward_product(of);
    const Place place(product, tiles, parts, columns);
    if (place.picture >= product.n) return;  // the parts of an adjoint differ in size
    const int group = blockIdx.y, plane = place.picture * product.groups + group;
    const stored* pixels = x + plane * product.channels * product.down.size * product.across.size;
    Walk walk(product, place.pixels);
    const stored* of_tile = weights + (group * tiles + place.outputs) * walk.slices * product.kernel_h *
                                          product.kernel_w * 2 * CHANNELS * ROW;

    // The pieces of a region, as many as there are threads at a time.
    auto fetch = [&](Piece& piece, const Walk& at, const Region& region, int number) {
        const int channel = at.slice * 2 * ROW, size = product.down.size * product.across.size;
        const int task = number * THREADS + threadIdx.x;
        piece.fetch(pixels + channel * size, region, task, 2, product.channels - channel, REGION);
    };
    // The weights of TAPS taps of a region from `first` on.
    auto send = [&](int buffer, const Walk& at, int first) {
#pragma unroll
        for (int row = threadIdx.x; row < TAPS * 2 * CHANNELS; row += THREADS) {
            const int tap = first + row / (2 * CHANNELS), i = at.taps.i + tap / at.taps.across;
            const int j = at.taps.j + tap % at.taps.across;
            if (tap >= at.taps.down * at.taps.across) break;
            const int in_kernel = product.down.in_kernel(i) * product.kernel_w + product.across.in_kernel(j);
            const int before = at.slice * product.kernel_h * product.kernel_w + in_kernel;
            send_row(factors[buffer], row, of_tile + (before * 2 * CHANNELS + row % (2 * CHANNELS)) * ROW, true);
        }
    };

    const int lane = threadIdx.x % WARP, matrix = lane / 8;
    const bool busy = place.pixels.r + threadIdx.x / WARP * 32 / columns < product.down.count;  // else all are below y
    float sum[ROWS][PIXEL_TILES][4] = {};
    if (walk.more()) {
        const Region region(product, place.pixels, walk.taps);
        for (int number = 0; number * THREADS < region.size(); ++number) {
            Piece piece;
            fetch(piece, walk, region, number);
            piece.put(regions[0]);
        }
        send(0, walk, 0);
    }
    for (int step = 0; walk.more();) {
        Walk next = walk;
        next.next(product);
        const Region region(product, place.pixels, walk.taps), coming(product, place.pixels, next.taps);
        int pixel_rows[PIXEL_TILES / 2];  // which this lane names, of two tiles of pixels each
#pragma unroll
        for (int n = 0; n < PIXEL_TILES / 2; ++n) {
            const int pixel = threadIdx.x / WARP * 32 + n * 16 + matrix / 2 * 8 + lane % 8;
            pixel_rows[n] = matrix % 2 * REGION + region.row(pixel / columns, pixel % columns);
        }
        int i = 0, j = 0;
        const int taps = walk.taps.down * walk.taps.across;
        for (int first = 0; first < taps; first += TAPS, ++step) {
            wait_for_rows();
            __syncthreads();  // all see this step's weights and pixels, and nobody needs those of the step before
            if (first + TAPS < taps) send((step + 1) % 2, walk, first + TAPS);
            else if (next.more()) send((step + 1) % 2, next, 0);
#pragma unroll
            for (int tap = 0; tap < TAPS; ++tap) {
                if (first + tap >= taps) break;
                Piece piece;
                piece.row = -1;
                if (next.more()) fetch(piece, next, coming, first + tap);
                const int further = region.further(i, j);
                unsigned b[PIXEL_TILES / 2][4];
#pragma unroll
                for (int n = 0; n < PIXEL_TILES / 2 && busy; ++n)
                    load_matrices(b[n], regions[walk.region % 2], pixel_rows[n] + further);
#pragma unroll
                for (int row = 0; row < ROWS && busy; ++row) {
                    unsigned a[4];
                    const int line = (tap * 2 + matrix / 2) * CHANNELS + 16 * row + matrix % 2 * 8 + lane % 8;
                    load_matrices(a, factors[step % 2], line);
#pragma unroll
                    for (int n = 0; n < PIXEL_TILES; ++n)
                        multiply_matrices(sum[row][n], a, b[n / 2][n % 2 * 2], b[n / 2][n % 2 * 2 + 1]);
                }
                piece.put(regions[next.region % 2]);
                if (++j == walk.taps.across) j = 0, ++i;
            }
        }
        walk = next;
    }
    write_results<ROWS>(sum, product, bias, y, plane, place.outputs * CHANNELS, place.pixels, lowest, highest);
}

extern "C" __global__ void __launch_bounds__(256, 2)
implicit_gemm_tensor(const stored* x, const stored* weights, const real* bias, stored* y, int n, int channels,
                     int height, int width, int outputs, int kernel_h, int kernel_w, int rows, int columns,
                     int stride_h, int stride_w, int padding_h, int padding_w, int dilation_h, int dilation_w,
                     int groups, int adjoint, int tile_columns, real lowest, real highest) {
    const Convolution of = {n, channels, height, width, outputs, kernel_h, kernel_w, rows, columns,
                            stride_h, stride_w, padding_h, padding_w, dilation_h, dilation_w, groups};
    tile_of_product<4>(x, weights, bias, y, of, adjoint, tile_columns, lowest, highest);
}

extern "C" __global__ void __launch_bounds__(256, 2)
implicit_gemm_tensor_middle(const stored* x, const stored* weights, const real* bias, stored* y, int n, int channels,
                            int height, int width, int outputs, int kernel_h, int kernel_w, int rows, int columns,
                            int stride_h, int stride_w, int padding_h, int padding_w, int dilation_h, int dilation_w,
                            int groups, int adjoint, int tile_columns, real lowest, real highest) {
    const Convolution of = {n, channels, height, width, outputs, kernel_h, kernel_w, rows, columns,
                            stride_h, stride_w, padding_h, padding_w, dilation_h, dilation_w, groups};
    tile_of_product<2>(x, weights, bias, y, of, adjoint, tile_columns, lowest, highest);
}

extern "C" __global__ void __launch_bounds__(256, 2)
implicit_gemm_tensor_narrow(const stored* x, const stored* weights, const real* bias, stored* y, int n, int channels,
                            int height, int width, int outputs, int kernel_h, int kernel_w, int rows, int columns,
                            int stride_h, int stride_w, int padding_h, int padding_w, int dilation_h, int dilation_w,
                            int groups, int adjoint, int tile_columns, real lowest, real highest) {
    const Convolution of = {n, channels, height, width, outputs, kernel_h, kernel_w, rows, columns,
                            stride_h, stride_w, padding_h, padding_w, dilation_h, dilation_w, groups};
    tile_of_product<1>(x, weights, bias, y, of, adjoint, tile_columns, lowest, highest);
}
