"""Layers with state, named as in torch.nn where the layer exists there."""

from minidepth.nn.activations import LeakyReLU as LeakyReLU
from minidepth.nn.activations import ReLU as ReLU
from minidepth.nn.activations import ReLU6 as ReLU6
from minidepth.nn.activations import Sigmoid as Sigmoid
from minidepth.nn.activations import Softmax as Softmax
from minidepth.nn.activations import Tanh as Tanh
from minidepth.nn.dropout import Dropout as Dropout
from minidepth.nn.layers import BatchNorm2d as BatchNorm2d
from minidepth.nn.layers import Conv2d as Conv2d
from minidepth.nn.layers import ConvTranspose2d as ConvTranspose2d
from minidepth.nn.layers import Identity as Identity
from minidepth.nn.layers import Linear as Linear
from minidepth.nn.module import Buffer as Buffer
from minidepth.nn.module import Module as Module
from minidepth.nn.module import ModuleList as ModuleList
from minidepth.nn.module import Parameter as Parameter
from minidepth.nn.module import Sequential as Sequential
from minidepth.nn.module import watch as watch
from minidepth.nn.norm_then_act import norm_then_act as norm_then_act
from minidepth.nn.pools import AvgPool2d as AvgPool2d
from minidepth.nn.pools import MaxPool2d as MaxPool2d
from minidepth.nn.resize import Upsample as Upsample
from minidepth.nn.resize import ZeroPad2d as ZeroPad2d
