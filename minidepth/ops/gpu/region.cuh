// The part of a picture that a block of the tensor-core kernels keeps in shared memory: every pixel that some taps of a
// kernel meet from a tile of results, with ROW channels of a pixel side by side in a row of 16 bytes. It is read once
// and serves all of those taps: for another tap, a result's row is so many rows further on.
// After tensor_cores.cuh and gather.cuh.

// What a region holds of one axis: places first, first + step, ..., `count` of them.
struct Span { int first, step, count; };

// For `results` results from `result` on and `taps` taps from `tap` on. Where only every so many-th place is met, the
// ones between are left out.
__device__ __forceinline__ Span span(const Axis& axis, int result, int results, int tap, int taps) {
    const int ahead = axis.tap < 0 ? -axis.tap : axis.tap, lowest = axis.tap < 0 ? tap + taps - 1 : tap;
    const int step = taps == 1 || ahead % axis.stride == 0 ? axis.stride : 1;
    return {axis.read(result, lowest), step, ((results - 1) * axis.stride + (taps - 1) * ahead) / step + 1};
}

// A tile of rows by columns results from (r, c) on, and taps_down by taps_across taps from (i, j) on.
struct Tile { int r, rows, c, columns; };
struct Taps { int i, down, j, across; };

struct Region {
    const Axis &of_rows, &of_columns;
    Span down, across;
    Taps taps;
    bool in_pairs;    // whether two neighbouring columns can be read at once
    int lead, pitch;  // columns before across.first, so that pairs begin at even places; all columns, an even number

    __device__ Region(const Product& product, const Tile& tile, const Taps& taps)
        : of_rows(product.down), of_columns(product.across), down(span(of_rows, tile.r, tile.rows, taps.i, taps.down)),
          across(span(of_columns, tile.c, tile.columns, taps.j, taps.across)), taps(taps) {
        const bool neighbours = across.step == 1 && of_columns.size % 2 == 0;
        lead = neighbours && taps.across > 1 ? across.first & 1 : 0;
        in_pairs = neighbours && ((across.first - lead) & 1) == 0;
        pitch = (lead + across.count + 1) / 2 * 2;
    }
    __device__ int size() const { return down.count * pitch; }
    // The row of result (r, c), counted from the tile's first, for the tap with the lowest place.
    __device__ int row(int r, int c) const {
        return r * (of_rows.stride / down.step) * pitch + c * (of_columns.stride / across.step) + lead;
    }
    // How many rows further on the region's tap (i, j) is.
    __device__ int further(int i, int j) const {
        const int from_i = of_rows.tap < 0 ? i - taps.down + 1 : i;
        const int from_j = of_columns.tap < 0 ? j - taps.across + 1 : j;
        return from_i * of_rows.tap / down.step * pitch + from_j * of_columns.tap / across.step;
    }
};

// ROW channels of two neighbouring columns, on their way from memory to a region.
struct Piece {
    unsigned words[8];  // of half: both columns of a channel in one word; of float: in two words
    int row;            // where they go, or -1: nothing to bring

    // Piece number `task` of the region of a picture whose first channel is at x, for `chunks` times ROW channels, of
    // which `channels` are there. In the tile, each ROW channels have a region, `apart` rows after the one before.
    __device__ __forceinline__ void fetch(const stored* x, const Region& region, int task, int chunks, int channels,
                                          int apart) {
        const int across = region.pitch / 2, each = region.down.count * across, chunk = task / each;
        const int r = task % each / across, c = task % across * 2, step = region.across.step;
        row = chunk < chunks ? chunk * apart + r * region.pitch + c : -1;
        if (row < 0) return;
        const int u = region.down.first + r * region.down.step, v = region.across.first + (c - region.lead) * step;
        const bool left = region.of_rows.has(u) && region.of_columns.has(v);
        const bool right = region.of_rows.has(u) && region.of_columns.has(v + step);
        const int size = region.of_rows.size * region.of_columns.size;
        const int place = chunk * ROW * size + u * region.of_columns.size + v;
#pragma unroll
        for (int k = 0; k < ROW; ++k) {
            const int at = place + k * size;
            const bool there = chunk * ROW + k < channels;
            if constexpr (HALF) {
                words[k] = 0;
                if (region.in_pairs) {
                    if (there && left) words[k] = *reinterpret_cast<const unsigned*>(x + at);
                } else {
                    if (there && left) words[k] = *reinterpret_cast<const unsigned short*>(x + at);
                    if (there && right) words[k] |= *reinterpret_cast<const unsigned short*>(x + at + step) << 16;
                }
            } else {
                words[2 * k] = words[2 * k + 1] = 0;
                if (there && left) words[2 * k] = *reinterpret_cast<const unsigned*>(x + at);
                if (there && right) words[2 * k + 1] = *reinterpret_cast<const unsigned*>(x + at + step);
            }
        }
    }

    template <class Shared> __device__ __forceinline__ void put(Shared&& tile) const {
        if (row < 0) return;
        unsigned left[4], right[4];
#pragma unroll
        for (int k = 0; k < 4; ++k) {
            if constexpr (HALF) {
                left[k] = (words[2 * k] & 0xffffu) | words[2 * k + 1] << 16;
                right[k] = words[2 * k] >> 16 | (words[2 * k + 1] & 0xffff0000u);
            } else {
                left[k] = to_tf32(__uint_as_float(words[2 * k]));
                right[k] = to_tf32(__uint_as_float(words[2 * k + 1]));
            }
        }
        put_row(&tile[row][0], left);
        put_row(&tile[row + 1][0], right);
    }
};
