// What every .cu file of minidepth begins with.
//
// `real` is the type of the numbers that are computed with: float, or double for gradient checks. A file is compiled
// once for each (-DREAL=double). Numbers are counted with int: an array has fewer than 2^31 of them, which `launch` sees
// to. One layout: NCHW, C-contiguous.
#ifndef MINIDEPTH_COMMON_CUH
#define MINIDEPTH_COMMON_CUH

#ifndef REAL
#define REAL float
#endif
typedef REAL real;

constexpr int WARP = 32;

// The number of this thread among all threads of a flat grid, see `flat` in cuda/launch.py.
__device__ __forceinline__ int flat_thread() { return blockIdx.x * blockDim.x + threadIdx.x; }

#endif
