// Stochastic gradient descent, with and without momentum: the step of all parameters in one launch; the formulas are in
// sgd.py.
//
// Threads: as in adam.cu. Bytes moved: 12 a weight (read w and g, write w), 20 with momentum. The ladder is that of
// adam.cu: from 5 launches for each parameter to one for all.
#include "unscale.cuh"

// Rows of addresses: w, g, and b where there is momentum.
extern "C" __global__ __launch_bounds__(256) void sgd_step(
    const long long* addresses, const int* chunks, int arrays, const real* unscale, real lr, real decay, real momentum,
    bool nesterov) {
    real factor = unscaling(unscale);
    if (factor == 0) return;
    const int* chunk = chunks + 3 * blockIdx.x;
    const long long* address = addresses + chunk[0];
    real* w = reinterpret_cast<real*>(address[0]);
    const real* g = reinterpret_cast<const real*>(address[arrays]);
    real* b = reinterpret_cast<real*>(momentum != 0 ? address[2 * arrays] : 0ll);
    for (int i = chunk[1] + threadIdx.x, end = chunk[2]; i < end; i += blockDim.x) {
        real weight = w[i], gradient = g[i] * factor;
        if (decay != 0) gradient += decay * weight;
        real change = gradient;
        if (momentum != 0) {
            real buffer = momentum * b[i] + gradient;
            b[i] = buffer;
            change = nesterov ? gradient + momentum * buffer : buffer;
        }
        w[i] = weight - lr * change;
    }
}
