// What the optimisers share: the number of steps that each parameter has made. It lies on the GPU, as only there it is
// known which steps are skipped, see loss_scaler.py.
//
// Threads: one for each parameter. Bytes moved: next to nothing.
#include "unscale.cuh"

// Counts a step for each of the n parameters `which`, unless it is skipped.
extern "C" __global__ void optimizer_count(long long* steps, const int* which, const real* unscale, int n) {
    int i = flat_thread();
    if (i >= n || unscaling(unscale) == 0) return;
    steps[which[i]] = steps[which[i]] + 1;
}
