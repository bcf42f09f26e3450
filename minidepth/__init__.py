"""minidepth: a small autograd engine in NumPy, and the U-Net it trains to see depth."""

from minidepth import ops as ops
from minidepth.engine import Tensor as Tensor
from minidepth.engine import no_grad as no_grad
from minidepth.gradient_check import gradcheck as gradcheck

__version__ = "0.1.0"
