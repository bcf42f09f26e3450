"""Training losses over the valid pixels of a depth map: one family a file, and sums of them written as text."""

from minidepth.losses.build import Loss as Loss
from minidepth.losses.build import build as build
from minidepth.losses.build import names as names
from minidepth.losses.gradient import gradient as gradient
from minidepth.losses.gradient import gradient_code as gradient_code
from minidepth.losses.gradient import gradient_hu as gradient_hu
from minidepth.losses.gradient import gradient_readme as gradient_readme
from minidepth.losses.normal import normal as normal
from minidepth.losses.normal import normal_code as normal_code
from minidepth.losses.normal import normal_hu as normal_hu
from minidepth.losses.normal import normal_readme as normal_readme
from minidepth.losses.pixel import l1 as l1
from minidepth.losses.pixel import mse as mse
