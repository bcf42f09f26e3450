// What a block that makes a tile of dL/dweight reads: STEP pixels at a time, of HEIGHT outputs of the gradient and of
// WIDTH rows of the patches, which are channels and taps in the order of the weight. After gather.cuh.

template <int HEIGHT, int WIDTH> struct WeightFetcher {
    static constexpr int LINES = THREADS / STEP, GRADS = HEIGHT / LINES, PATCHES = WIDTH / LINES;
    Convolution of;
    int channels, outputs, size;          // of one group; numbers of the weight for one output
    int group, first_row, first_column;   // of the tile
    int left, image, r, c;                // pixels left from this thread's next one on, and where that one is
    real grads[GRADS], patches[PATCHES];

    __device__ WeightFetcher(const Convolution& of, int each) : of(of) {
        channels = of.channels / of.groups;
        outputs = of.outputs / of.groups;
        size = channels * of.kernel_h * of.kernel_w;
        const int tiles = gridDim.y / of.groups, first = blockIdx.z * each + lane(), all = of.n * of.rows * of.columns;
        group = blockIdx.y / tiles;
        first_row = blockIdx.y % tiles * HEIGHT;
        first_column = blockIdx.x * WIDTH;
        left = all - first;
        c = first % of.columns;
        r = first / of.columns % of.rows;
        image = first / (of.columns * of.rows);
    }
    __device__ int lane() const { return threadIdx.x % STEP; }
    __device__ int line(int q) const { return threadIdx.x / STEP + q * LINES; }

    // For each row of the patches: its place in x, counted from the corner of a patch, and how far down and across.
    __device__ void find_taps(int4* taps) const {
        for (int line = threadIdx.x; line < WIDTH; line += THREADS) {
            const int index = first_column + line, j = index % of.kernel_w, i = index / of.kernel_w % of.kernel_h;
            const int k = index / (of.kernel_w * of.kernel_h), down = i * of.dilation_h, across = j * of.dilation_w;
            const int outside = 1 << 30;  // for rows that the weight does not have: below any picture
            const int4 tap = {(k * of.height + down) * of.width + across, index < size ? down : outside, across, 0};
            taps[line] = tap;
        }
    }
    __device__ void fetch(const real* grad, const real* x, const int4* taps) {
        const int pixels = of.rows * of.columns, plane = image * of.groups + group;
        const int pixel = plane * outputs * pixels + r * of.columns + c;
#pragma unroll
        for (int q = 0; q < GRADS; ++q) {
            const int o = first_row + line(q);
            grads[q] = 0;
            if (left > 0 && o < outputs) grads[q] = grad[pixel + o * pixels];
        }
        const int u = r * of.stride_h - of.padding_h, v = c * of.stride_w - of.padding_w;
        const int corner = (plane * channels * of.height + u) * of.width + v;
#pragma unroll
        for (int q = 0; q < PATCHES; ++q) {
            const int4 tap = taps[line(q)];
            const int row = u + tap.y, column = v + tap.z;
            patches[q] = 0;
            if (left > 0 && row >= 0 && row < of.height && column >= 0 && column < of.width)
                patches[q] = x[corner + tap.x];
        }
        left -= STEP;
        for (c += STEP; c >= of.columns; c -= of.columns)
            if (++r == of.rows) r = 0, ++image;
    }
    // Where a number of the tile goes among the parts (splits, groups * outputs, size), or -1.
    __device__ int place(int row, int column) const {
        if (first_row + row >= outputs || first_column + column >= size) return -1;
        return ((blockIdx.z * of.groups + group) * outputs + first_row + row) * size + first_column + column;
    }
};
