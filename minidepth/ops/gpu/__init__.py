"""What makes convolutions fast on a GPU; what is simple lies in `ops/`, beside the operation.

Each way is a .py, with the functions of `ops/conv2d.py` under the same names, and a .cu, with the kernels that it
launches. `paths` is the rule that picks one for a layer:

    pointwise       1x1: a matrix product of the picture itself
    depthwise       every channel by itself: a kernel without any product of matrices
    implicit_gemm   all others: a product with patches that exist in shared memory only
    implicit_gemm_tensor   the same on tensor cores, for half and for TF32

To read and to compare with: `direct`, the formulas as they stand, from `ops/conv2d.cu`; and `plain_forward` and so on
of `ops/conv2d.py`, which run on a GPU as they are, im2col and a matrix product.
"""
