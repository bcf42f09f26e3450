// How the kernels of the optimisers hear of a loss scaler, see loss_scaler.py: by the number that all gradients are to be
// multiplied by. It is 0 where a step is skipped, and without a scaler (a null pointer) it is 1.
#include "../ops/common.cuh"

__device__ __forceinline__ real unscaling(const real* unscale) {
    real factor = 1;
    if (unscale) factor = unscale[0];
    return factor;
}
