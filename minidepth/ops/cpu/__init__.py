"""What makes the NumPy kernels fast on a CPU. Each idea is a file of its own; the plain kernels stay in `ops/`.

What all share: `threads` (tiles on all cores), `blas` (one thread for each product meanwhile), `pool` (memory that is
used again), `channels`, `elementwise` and `tiles` (how the work is cut).

Ways to compute a convolution, and `paths`, the rule that picks one for a layer:

    pointwise       1x1: a matrix product of the picture itself
    patch_gemm      kernel = stride, as in the 2x2 up-convolution: patches that do not overlap
    row_gemm        a product for each row, from 3 copies of it instead of 9: few channels, long rows
    row_winograd    the same with half of the multiplications: some 32 to 64 channels
    winograd        a quarter of the multiplications, for more work around them: many channels
    depthwise       every channel by itself: several output rows at once, as a product with a banded matrix
    spread_gemm     the products first, then each tap's share to its place: few outputs of many inputs
    tile_gemm       im2col in tiles: strides, dilations, groups, few pixels with many channels

`minidepth bench conv` shows them side by side. Others: `double_size` and `repeat_2x2`
(bilinear and nearest enlargement by 2), `unpool_2x2`, `product` (of matrices), `activation` (behind a batch-norm).
"""
