"""Layers with state, named as in torch.nn where the layer exists there."""

from minidepth.nn.layers import AvgPool2d as AvgPool2d
from minidepth.nn.layers import BatchNorm2d as BatchNorm2d
from minidepth.nn.layers import Conv2d as Conv2d
from minidepth.nn.layers import ConvTranspose2d as ConvTranspose2d
from minidepth.nn.layers import Identity as Identity
from minidepth.nn.layers import LeakyReLU as LeakyReLU
from minidepth.nn.layers import MaxPool2d as MaxPool2d
from minidepth.nn.layers import ReLU as ReLU
from minidepth.nn.layers import ReLU6 as ReLU6
from minidepth.nn.layers import Sigmoid as Sigmoid
from minidepth.nn.layers import Upsample as Upsample
from minidepth.nn.module import Buffer as Buffer
from minidepth.nn.module import Module as Module
from minidepth.nn.module import ModuleList as ModuleList
from minidepth.nn.module import Parameter as Parameter
from minidepth.nn.module import Sequential as Sequential
from minidepth.nn.module import watch as watch
from minidepth.nn.norm_then_act import norm_then_act as norm_then_act
