// Adam and AdamW: the step of all parameters in one launch; the formulas are in adam.py.
//
// Threads: a block for each chunk of a parameter, see multi_tensor.py, and its threads side by side, so that every
// transaction is full. Bytes moved: 28 a weight (read w, g, m and v; write w, m and v), 36 with amsgrad. Some 15
// operations a weight: the time is bytes / bandwidth.
//
// The ladder
// 1. As written in adam.py, an operation at a time: 14 launches for each parameter, 1400 for a network of a hundred,
//    and some 130 bytes a weight. Python needs 15 ms to launch them, whatever the GPU.
// 2. One kernel for each parameter: 28 bytes, a hundred launches. Most parameters are biases and scales, a few hundred
//    numbers, for which a GPU is awake longer than it works.
// 3. One kernel for all, which wins. What differs between parameters comes from the two tables, and from a third what
//    depends on the number of the step alone: adam_count has computed that in double, once for each parameter.
#include "unscale.cuh"

// Counts a step for each of the n parameters `which`, and writes for each two numbers that follow from the count: what
// m / (sqrt(V) + eps) is multiplied by, and that eps. Nothing happens where the step is skipped.
extern "C" __global__ void adam_count(long long* steps, const int* which, const real* unscale, real* rates, double lr,
                                      double beta1, double beta2, double eps, bool keras, int n) {
    int i = flat_thread();
    if (i >= n || unscaling(unscale) == 0) return;
    long long step = steps[which[i]] + 1;
    steps[which[i]] = step;
    double root = sqrt(1 - pow(beta2, static_cast<double>(step)));
    rates[2 * i] = static_cast<real>(lr * root / (1 - pow(beta1, static_cast<double>(step))));
    rates[2 * i + 1] = static_cast<real>(keras ? eps : eps * root);
}

// Rows of addresses: w, g, m, v, and the largest v with amsgrad.
extern "C" __global__ __launch_bounds__(256) void adam_step(
    const long long* addresses, const int* chunks, int arrays, const real* unscale, const real* rates, real shrink,
    real decay, real new_share1, real beta2, real new_share2, bool amsgrad) {
    real factor = unscaling(unscale);
    if (factor == 0) return;
    const int* chunk = chunks + 3 * blockIdx.x;
    real rate = rates[2 * chunk[0]], eps = rates[2 * chunk[0] + 1];
    const long long* address = addresses + chunk[0];
    real* w = reinterpret_cast<real*>(address[0]);
    const real* g = reinterpret_cast<const real*>(address[arrays]);
    real* m = reinterpret_cast<real*>(address[2 * arrays]);
    real* v = reinterpret_cast<real*>(address[3 * arrays]);
    real* largest = reinterpret_cast<real*>(amsgrad ? address[4 * arrays] : 0ll);
    for (int i = chunk[1] + threadIdx.x, end = chunk[2]; i < end; i += blockDim.x) {
        real weight = w[i] * shrink, gradient = g[i] * factor;  // shrink is 1 but for AdamW
        if (decay != 0) gradient += decay * weight;             // and decay 0 for it
        real mean = m[i] + new_share1 * (gradient - m[i]);
        real square = beta2 * v[i] + new_share2 * (gradient * gradient);
        m[i] = mean;
        v[i] = square;
        if (amsgrad) {
            real past = largest[i];
            square = past > square ? past : square;
            largest[i] = square;
        }
        w[i] = weight - rate * (mean / (sqrt(square) + eps));
    }
}
