"""For tests: arrays that behave as if on a GPU, and an emulator that runs the CUDA kernels on the CPU."""

from minidepth.testing.device_array import DeviceArray as DeviceArray
from minidepth.testing.device_array import emulated as emulated
from minidepth.testing.emulator import KernelError as KernelError
from minidepth.testing.emulator import checking as checking
