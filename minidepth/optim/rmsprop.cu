// RMSprop: the step of all parameters in one launch; the formulas are in rmsprop.py.
//
// Threads: as in adam.cu. Bytes moved: 20 a weight (read w, g and v, write w and v), 28 with momentum. The ladder is
// that of adam.cu: from 8 launches for each parameter to one for all.
#include "unscale.cuh"

// Rows of addresses: w, g, v, and b where there is momentum.
extern "C" __global__ __launch_bounds__(256) void rmsprop_step(
    const long long* addresses, const int* chunks, int arrays, const real* unscale, real lr, real decay, real alpha,
    real new_share, real eps, real momentum, bool keras) {
    real factor = unscaling(unscale);
    if (factor == 0) return;
    const int* chunk = chunks + 3 * blockIdx.x;
    const long long* address = addresses + chunk[0];
    real* w = reinterpret_cast<real*>(address[0]);
    const real* g = reinterpret_cast<const real*>(address[arrays]);
    real* v = reinterpret_cast<real*>(address[2 * arrays]);
    real* b = reinterpret_cast<real*>(momentum != 0 ? address[3 * arrays] : 0ll);
    for (int i = chunk[1] + threadIdx.x, end = chunk[2]; i < end; i += blockDim.x) {
        real weight = w[i], gradient = g[i] * factor;
        if (decay != 0) gradient += decay * weight;
        real square = alpha * v[i] + new_share * (gradient * gradient);
        v[i] = square;
        real change = keras ? lr * (gradient / sqrt(square + eps)) : gradient / (sqrt(square) + eps);
        if (momentum != 0) {
            change += momentum * b[i];
            b[i] = change;
        }
        w[i] = weight - (keras ? change : lr * change);
    }
}
