// What a block that makes a tile of a product with patches reads. After gather.cuh.

constexpr int PIXELS = THREADS;  // of a tile: each thread fetches for one of them

// A thread's share in fetching a tile of PIXELS by TILE results: it walks over the taps and, DEPTH at a time, over the
// channels. Each such slice is fetched into registers, so that this can be under way while the slice before is
// multiplied.
template <int DEPTH, int TILE> struct Fetcher {
    static constexpr int WEIGHTS = (DEPTH * TILE + THREADS - 1) / THREADS;
    Product product;
    int group, first_output;           // of the tile
    int r, c, plane;                   // of this thread's pixel; the plane counts pictures and groups
    bool exists;                       // the last tile may go beyond the last pixel
    int i = 0, j = 0, channel = 0;     // the slice that is fetched next
    real patch[DEPTH], weights[WEIGHTS];

    __device__ explicit Fetcher(const Product& product) : product(product) {
        const int tiles = gridDim.y / product.groups, pixel = blockIdx.x * PIXELS + threadIdx.x;
        group = blockIdx.y / tiles;
        first_output = blockIdx.y % tiles * TILE;
        c = pixel % product.across.count;
        r = pixel / product.across.count % product.down.count;
        plane = pixel / (product.across.count * product.down.count) * product.groups + group;
        exists = pixel < product.pixels();
    }
    __device__ int slices() const {
        return product.down.taps * product.across.taps * ((product.channels + DEPTH - 1) / DEPTH);
    }
    // Where the result of this thread's pixel goes in the first channel of the group, or -1.
    __device__ int place() const {
        if (!exists) return -1;
        const int row = plane * product.outputs * product.height + product.down.written(r);
        return row * product.width + product.across.written(c);
    }
    // The numbers of a slice of the weight that this thread brings: row and column in a slice of DEPTH by TILE.
    __device__ int weight_row(int q) const { return (threadIdx.x + q * THREADS) / TILE; }
    __device__ int weight_column(int q) const { return (threadIdx.x + q * THREADS) % TILE; }

    __device__ void fetch(const real* x, const real* weight) {
        const int u = product.down.read(r, i), v = product.across.read(c, j);
        const int size = product.down.size * product.across.size;
        const int pixel = (plane * product.channels + channel) * size + u * product.across.size + v;
        const bool inside = exists && product.down.has(u) && product.across.has(v);
#pragma unroll
        for (int d = 0; d < DEPTH; ++d) {
            patch[d] = 0;
            if (inside && channel + d < product.channels) patch[d] = x[pixel + d * size];
        }
        const int row = group * product.kernel_h + product.down.in_kernel(i);
        const int tap = row * product.kernel_w + product.across.in_kernel(j);
#pragma unroll
        for (int q = 0; q < WEIGHTS; ++q) {
            const int d = weight_row(q), o = first_output + weight_column(q);
            weights[q] = 0;
            if (d < DEPTH && channel + d < product.channels && o < product.outputs)
                weights[q] = weight[(tap * product.channels + channel + d) * product.outputs + o];
        }
        channel += DEPTH;
        if (channel < product.channels) return;
        channel = 0;
        if (++j == product.across.taps) j = 0, ++i;
    }
};
