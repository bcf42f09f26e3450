"""How exactly a GPU computes: in float32, with shorter factors (``--tf32``), or in half between the layers (``--amp``).

    ==========  ==========================================  ========================================================
                what layers hand each other                 factors of a product
    ==========  ==========================================  ========================================================
    float32     float32: 4 bytes, 24 bits                   float32
    ``--tf32``  float32                                     rounded to 11 bits, for the tensor cores
    ``--amp``   float16: 2 bytes, 11 bits, 6e-8 to 65504    float16, for the tensor cores
    ==========  ==========================================  ========================================================

Everything else is float32 in all three: sums, weights and their gradients, statistics of batch-norm, losses, the
optimiser. A network in half is handed pictures in half, and its outputs go back to float32 before anybody looks at
them. Its training needs a loss scaler, see optim/loss_scaler.py.

Source: Micikevicius et al. (2018), "Mixed precision training", arXiv:1710.03740.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from minidepth.cuda.device import compute_capability
from minidepth.engine import Tensor
from minidepth.errors import InputError
from minidepth.nn import Module
from minidepth.ops import cast
from minidepth.ops.gpu import implicit_gemm

TENSOR_CORES = (8, 0)
"""The compute capability from which the tensor cores of a card (Ampere, 2020) are used, in TF32 and in half."""


def check(device: str, amp: bool, tf32: bool) -> None:
    """See that ``--amp`` and ``--tf32`` can be had on `device`, ``"cpu"`` or ``"cuda"``.

    Raises:
        InputError: one of them is asked for on the CPU, or on a card without the tensor cores for it.
    """
    for option in ["--amp"] * amp + ["--tf32"] * tf32:
        if device != "cuda":
            raise InputError(f"{option} needs --device cuda, for the tensor cores of a GPU; leave {option} out")
        if (found := compute_capability()) < TENSOR_CORES:
            raise InputError(
                f"{option} needs a GPU of compute capability {version(TENSOR_CORES)} or newer, but this one has "
                f"{version(found)}; leave {option} out"
            )


def version(capability: tuple[int, int]) -> str:
    """A compute capability as it is written: 8.0."""
    return f"{capability[0]}.{capability[1]}"


@contextmanager
def factors(tf32: bool) -> Iterator[None]:
    """Round the factors of products in float32 on a GPU to TF32, or do not, for as long as the ``with`` block runs."""
    before, implicit_gemm.tf32 = implicit_gemm.tf32, tf32
    try:
        yield
    finally:
        implicit_gemm.tf32 = before


def forward(network: Module, *pictures: Tensor, half: bool = False) -> Tensor | tuple[Tensor, ...]:
    """``network(*pictures)`` in float32, or with `half` in half precision between pictures and outputs in float32."""
    if not half:
        return network(*pictures)
    outputs = network(*(cast(picture, np.float16) for picture in pictures))
    if isinstance(outputs, tuple):
        return tuple(cast(output, np.float32) for output in outputs)
    return cast(outputs, np.float32)
