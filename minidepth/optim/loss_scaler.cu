// Loss scaling: is every gradient finite, and what follows from it for this step and the next; the rule is in
// loss_scaler.py.
//
// Threads: loss_scaler_look has a block for each chunk of a gradient, see multi_tensor.py; loss_scaler_decide is one
// block, and loss_scaler_cotangent one thread. Bytes moved: 4 a weight, to the 28 that Adam moves.
//
// The ladder
// 1. isfinite(gradient).all() for each gradient, brought to the CPU to decide there: hundreds of launches, and the CPU
//    waits for the whole backward pass before it can launch anything more.
// 2. Two launches and a number that stays on the GPU, which the optimiser's kernel reads. As all must be known before
//    the first weight changes, one launch alone cannot do.
// 3. Where gradients are clipped, their norm tells the same, and the first launch falls away: see clip.py.
#include "../ops/common.cuh"

constexpr int SCALE = 0;  // what is where in the scaler's state
constexpr int GOOD = 1;
constexpr int BAD = 2;
constexpr int SKIPPED = 3;

// A finite number times 0 is 0, and anything else NaN, which no sum loses: for each chunk 0, or NaN.
extern "C" __global__ __launch_bounds__(256) void loss_scaler_look(
    const long long* addresses, const int* chunks, int arrays, real* looks) {
    const int* chunk = chunks + 3 * blockIdx.x;
    const real* g = reinterpret_cast<const real*>(addresses[chunk[0]]);
    real zero = 0;
    for (int i = chunk[1] + threadIdx.x, end = chunk[2]; i < end; i += blockDim.x) {
        real gradient = g[i];
        zero += gradient * 0;
    }
    zero = block_sum(zero);
    if (threadIdx.x == 0) looks[blockIdx.x] = zero;
}

// unscale[0] = 1 / scale, or 0 where one of the n looks is not finite; and the state as it is for the next step.
extern "C" __global__ __launch_bounds__(256) void loss_scaler_decide(
    double* state, const real* looks, real* unscale, double growth, double backoff, int interval, double least,
    double most, int n) {
    real zero = 0;
    for (int i = threadIdx.x; i < n; i += blockDim.x) {
        real look = looks[i];
        zero += look * 0;
    }
    zero = block_sum(zero);
    if (threadIdx.x > 0) return;
    double scale = state[SCALE], good = state[GOOD] + 1;
    if (zero == 0) {
        unscale[0] = static_cast<real>(1 / scale);
        state[BAD] = 0;
        state[GOOD] = good < interval ? good : 0;
        if (good >= interval && scale * growth <= most) state[SCALE] = scale * growth;
    } else {
        unscale[0] = 0;
        state[BAD] = state[BAD] + 1;
        state[SKIPPED] = state[SKIPPED] + 1;
        state[GOOD] = 0;
        if (scale * backoff >= least) state[SCALE] = scale * backoff;
    }
}

// What goes into loss.backward: scale times share, or NaN where there is a loss and it is not finite.
extern "C" __global__ void loss_scaler_cotangent(const double* state, const real* loss, real* cotangent, double share) {
    real zero = 0;
    if (loss) {
        real value = loss[0];
        zero = value * 0;
    }
    cotangent[0] = static_cast<real>(state[SCALE] * share) + zero;
}
