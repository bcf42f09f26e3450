// Batch-norm with or without an activation behind it, forward and backward; the formulas are in batch_norm.py.
//
// A channel's numbers lie in N planes of H W numbers, one for each picture. Strung together they are cut into parts of
// PART numbers. A block takes one part, and thread t of it the numbers t, t + 256, t + 512, ...: neighbouring threads
// have neighbouring numbers, wherever a plane ends. In half thread t has the numbers 2t and 2t + 1, and so on by 512: the
// way to a number costs more than its bytes then, and a pack of two is one way, one load and one store where planes are
// even. No sum is left to chance: a first kernel makes one for each part, a second one adds those up in a fixed order
// with a warp for each channel, and a third one goes over the numbers again. Sums, parameters, mean and var are float.
//
//                  kernel                    reads               writes          bytes a number
//     forward      batch_norm_moments        x                   parts                  4
//                  batch_norm_statistics     parts               mean, var              0
//                  batch_norm_normalise      x                   z                      8       12 in all
//     evaluation   batch_norm_normalise      x                   z                      8
//     backward     batch_norm_sums           dL/dz, x            parts                  8
//                  batch_norm_grad_weight    parts               dL/dweight, ...        0
//                  batch_norm_grad_x         dL/dz, x            dL/dx                 12       20 in all
//
// With the activation as an operation of its own (8 bytes more forward, 12 more backward) it would be 20 and 32, and z
// would be kept for the way back beside x. Arithmetic is little, so the time is bytes / bandwidth, and three launches.
//
// The ladder
// 1. Sums of x and of x^2 in one pass: where the mean is 1000 times the deviation, their difference has no digit left.
// 2. The mean in a pass of its own, then the squares about it: right, and 4 bytes a number more.
// 3. Here a thread keeps its 16 numbers in registers, so a block goes over its part twice and reads it once. All means
//    are measured from the channel's first number, so that they are small and have digits for the deviation. 16 reads
//    under way for each thread are also more than enough to keep the memory busy, see leaky_relu.cu.
//
// In x of (N, C) a plane is one number: neighbouring threads then read numbers C apart, and each brings 32 bytes along
// for its 4. That is no layer of any network here. Planes of an odd size cost nothing but a fifth transaction for the
// 128 bytes of a warp, which finds in the cache what the neighbouring warp has read.
#include "common.cuh"

constexpr int THREADS = 256;
constexpr int PART = 4096;
constexpr int EACH = PART / THREADS;      // numbers of a thread
constexpr int STEP = THREADS * PACKED;    // from one pack of them to the next

// Leads a thread along its numbers of a channel, from one pack of them (see common.cuh) to the next one STEP further on.
struct Walk {
    int channel, total;  // how many numbers a channel has
    int left;            // how many of them lie from this thread's first one to the last one
    int place, pixel;    // of the pack's first number in x, and in its plane
    int plane, step, step_pixels, to_next_plane;

    __device__ __forceinline__ Walk(int pictures, int channels, int plane) : plane(plane) {
        total = pictures * plane;
        int parts = (total + PART - 1) / PART, first = blockIdx.x % parts * PART + threadIdx.x * PACKED;
        channel = blockIdx.x / parts;
        left = total - first;
        pixel = first % plane;
        place = (first / plane * channels + channel) * plane + pixel;
        step_pixels = STEP, step = STEP;
        if (plane <= STEP) {  // a division costs as much as the rest of a number's way
            step_pixels = STEP % plane;
            step = STEP / plane * channels * plane + step_pixels;
        }
        to_next_plane = (channels - 1) * plane;
    }
    __device__ __forceinline__ bool has(int k) const { return k / PACKED * STEP + k % PACKED < left; }
    // Where number j of the pack is: behind the first one, or where the plane ends at the beginning of the next one.
    __device__ __forceinline__ int at(int j) const { return place + j + (pixel + j < plane ? 0 : to_next_plane); }
    __device__ __forceinline__ bool in_one_piece(const stored* x) const { return plane % PACKED == 0 && in_packs(x); }
    __device__ __forceinline__ void next() {  // without a division: it would take longer than the memory does
        place += step;
        pixel += step_pixels;
        if (pixel < plane) return;
        pixel -= plane;
        place += to_next_plane;
    }
    __device__ __forceinline__ void load(const stored* x, real (&numbers)[EACH]) const {
        Walk walk = *this;
        bool in_pieces = !in_one_piece(x);
#pragma unroll
        for (int k = 0; k < EACH; k += PACKED, walk.next()) {
            packed pack = {};
            if (!in_pieces && has(k)) pack = reinterpret_cast<const packed*>(x + walk.place)[0];
            for (int j = 0; j < PACKED; ++j) {
                if (in_pieces && has(k + j)) pack.at[j] = x[walk.at(j)];
                numbers[k + j] = pack.at[j];
            }
        }
    }
    // Numbers k and those behind it in its pack.
    __device__ __forceinline__ void store(stored* y, int k, packed pack) const {
        if (in_one_piece(y)) {
            if (has(k)) reinterpret_cast<packed*>(y + place)[0] = pack;
        } else {
            for (int j = 0; j < PACKED; ++j)
                if (has(k + j)) y[at(j)] = pack.at[j];
        }
    }
};

// Of each part the mean, less the channel's first number, and the sum of squares about that mean.
extern "C" __global__ void __launch_bounds__(THREADS)
    batch_norm_moments(const stored* x, real* means, real* squares, int pictures, int channels, int plane) {
    Walk walk(pictures, channels, plane);
    real numbers[EACH];
    walk.load(x, numbers);
    real origin = x[walk.channel * plane], sum = 0, square = 0;
#pragma unroll
    for (int k = 0; k < EACH; ++k)
        if (walk.has(k)) sum += numbers[k] - origin;
    int count = min(PART, walk.left + static_cast<int>(threadIdx.x) * PACKED);
    real mean = block_sum(sum) / count;
#pragma unroll
    for (int k = 0; k < EACH; ++k)
        if (walk.has(k)) square += (numbers[k] - origin - mean) * (numbers[k] - origin - mean);
    square = block_sum(square);
    if (threadIdx.x == 0) means[blockIdx.x] = mean, squares[blockIdx.x] = square;
}

// Mean and variance of each channel from those of its parts, by a warp each: the squares about the channel's mean are
// those about the part's mean and count times the square of the distance between the two.
extern "C" __global__ void __launch_bounds__(THREADS)
    batch_norm_statistics(const stored* x, const real* means, const real* squares, const real* scale, const real* shift,
                          real* mean, real* var, real* offset, real* running_mean, real* running_var, real momentum,
                          real eps, int pictures, int channels, int plane) {
    int channel = flat_thread() / WARP, lane = flat_thread() % WARP;
    if (channel >= channels) return;
    int total = pictures * plane, parts = (total + PART - 1) / PART;
    real sum = 0, square = 0;
    for (int part = lane; part < parts; part += WARP)
        sum += means[channel * parts + part] * min(PART, total - part * PART);
    real from_origin = warp_sum(sum) / total;
    for (int part = lane; part < parts; part += WARP) {
        real distance = means[channel * parts + part] - from_origin;
        square += squares[channel * parts + part] + distance * distance * min(PART, total - part * PART);
    }
    square = warp_sum(square);
    if (lane > 0) return;
    real origin = x[channel * plane], rounded = origin + from_origin, variance = square / total;
    mean[channel] = rounded;
    var[channel] = variance;
    // Where the mean is large, what rounding takes from it counts beside the deviation: the shift makes up for that.
    offset[channel] = shift[channel] + scale[channel] / sqrt(variance + eps) * (rounded - origin - from_origin);
    if (running_mean == nullptr || !(square < INFINITY)) return;  // nor where it is NaN, as it is if the mean is not finite
    running_mean[channel] += momentum * (rounded - running_mean[channel]);
    running_var[channel] += momentum * (square / (total - 1) - running_var[channel]);
}

__device__ __forceinline__ real activated(real y, real slope, real ceiling) {
    if (y < 0) return slope == 0 ? 0 : slope * y;  // minus infinity, too
    return y > ceiling ? ceiling : y;
}

extern "C" __global__ void __launch_bounds__(THREADS)
    batch_norm_normalise(const stored* x, const real* mean, const real* var, const real* scale, const real* shift,
                         stored* z, real eps, real slope, real ceiling, int pictures, int channels, int plane) {
    Walk walk(pictures, channels, plane);
    real numbers[EACH];
    walk.load(x, numbers);
    real middle = mean[walk.channel], offset = shift[walk.channel];
    real factor = scale[walk.channel] / sqrt(var[walk.channel] + eps);
#pragma unroll
    for (int k = 0; k < EACH; k += PACKED, walk.next()) {
        packed of_z;
        for (int j = 0; j < PACKED; ++j)
            of_z.at[j] = activated((numbers[k + j] - middle) * factor + offset, slope, ceiling);
        walk.store(z, k, of_z);
    }
}

// dL/dy from dL/dz: y is computed anew to see on which side of 0 and of the ceiling it was.
__device__ __forceinline__ real through(real grad, real y, real slope, real ceiling) {
    if (y > 0) return y < ceiling ? grad : 0;
    return slope * grad;
}

// Of each part, the sums of dL/dy and of dL/dy (x - mean).
extern "C" __global__ void __launch_bounds__(THREADS)
    batch_norm_sums(const stored* grad, const stored* x, const real* mean, const real* var, const real* scale,
                    const real* shift, real* sums, real* products, real eps, real slope, real ceiling, int pictures,
                    int channels, int plane) {
    Walk walk(pictures, channels, plane);
    real numbers[EACH], grads[EACH];
    walk.load(x, numbers);
    walk.load(grad, grads);
    real middle = mean[walk.channel], offset = shift[walk.channel];
    real factor = scale[walk.channel] / sqrt(var[walk.channel] + eps);
    real sum = 0, product = 0;
#pragma unroll
    for (int k = 0; k < EACH; ++k) {
        if (!walk.has(k)) break;
        real centred = numbers[k] - middle;
        real g = through(grads[k], centred * factor + offset, slope, ceiling);
        sum += g;
        product += g * centred;
    }
    sum = block_sum(sum);
    product = block_sum(product);
    if (threadIdx.x == 0) sums[blockIdx.x] = sum, products[blockIdx.x] = product;
}

// dL/dbias and dL/dweight of each channel from the sums of its parts, by a warp each.
extern "C" __global__ void __launch_bounds__(THREADS)
    batch_norm_grad_weight(const real* sums, const real* products, const real* var, real* grad_scale, real* grad_shift,
                           real eps, int pictures, int channels, int plane) {
    int channel = flat_thread() / WARP, lane = flat_thread() % WARP;
    if (channel >= channels) return;
    int parts = (pictures * plane + PART - 1) / PART;
    real sum = 0, product = 0;
    for (int part = lane; part < parts; part += WARP) {
        sum += sums[channel * parts + part];
        product += products[channel * parts + part];
    }
    sum = warp_sum(sum);
    product = warp_sum(product);
    if (lane > 0) return;
    grad_shift[channel] = sum;
    grad_scale[channel] = product / sqrt(var[channel] + eps);
}

extern "C" __global__ void __launch_bounds__(THREADS)
    batch_norm_grad_x(const stored* grad, const stored* x, const real* mean, const real* var, const real* scale,
                      const real* shift, const real* grad_scale, const real* grad_shift, stored* grad_x, real eps,
                      real slope, real ceiling, bool training, int pictures, int channels, int plane) {
    Walk walk(pictures, channels, plane);
    real numbers[EACH], grads[EACH];
    walk.load(x, numbers);
    walk.load(grad, grads);
    real middle = mean[walk.channel], offset = shift[walk.channel];
    real inverse_std = 1 / sqrt(var[walk.channel] + eps), factor = scale[walk.channel] * inverse_std;
    real mean_g = training ? grad_shift[walk.channel] / walk.total : 0;
    real mean_gx = training ? grad_scale[walk.channel] / walk.total * inverse_std : 0;
#pragma unroll
    for (int k = 0; k < EACH; k += PACKED, walk.next()) {
        if (!walk.has(k)) break;
        packed of_x;
        for (int j = 0; j < PACKED; ++j) {
            real centred = numbers[k + j] - middle;
            real g = through(grads[k + j], centred * factor + offset, slope, ceiling);
            of_x.at[j] = factor * (g - mean_g - centred * mean_gx);
        }
        walk.store(grad_x, k, of_x);
    }
}
