"""minidepth: a small autograd engine in NumPy, and the U-Net it trains to see depth.

The public names, and no code. Read on in this order: engine.py, ops/leaky_relu.py, ops/conv2d.py, nn/module.py,
models/unet.py, losses/, optim/, train.py.
"""

from minidepth import data as data
from minidepth import losses as losses
from minidepth import metrics as metrics
from minidepth import models as models
from minidepth import nn as nn
from minidepth import ops as ops
from minidepth import optim as optim
from minidepth.engine import Tensor as Tensor
from minidepth.engine import no_grad as no_grad
from minidepth.gradient_check import gradcheck as gradcheck
from minidepth.ops.cpu.pool import release_memory as release_memory
from minidepth.ops.cpu.pool import set_pool_limit as set_pool_limit
from minidepth.ops.cpu.threads import get_num_threads as get_num_threads
from minidepth.ops.cpu.threads import set_num_threads as set_num_threads

__version__ = "0.1.0"
