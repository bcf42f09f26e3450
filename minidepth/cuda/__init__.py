"""From a Python call to a CUDA kernel: read the signatures in the .cu files, check the arguments, compile, launch.

The kernels themselves lie beside their operations: ``ops/leaky_relu.cu`` beside ``ops/leaky_relu.py``.
"""

from minidepth.cuda.launch import Grid as Grid
from minidepth.cuda.launch import aligned as aligned
from minidepth.cuda.launch import flat as flat
from minidepth.cuda.launch import launch as launch
from minidepth.cuda.launch import mapped as mapped
from minidepth.cuda.source import constant as constant
