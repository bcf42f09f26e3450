"""Optimisers: from gradients to new weights. One file each, with its formula; optimizer.py is what they share."""

from minidepth.optim.adam import Adam as Adam
from minidepth.optim.adam import AdamW as AdamW
from minidepth.optim.build import build as build
from minidepth.optim.clip import clip_grad_norm_ as clip_grad_norm_
from minidepth.optim.loss_scaler import LossScaler as LossScaler
from minidepth.optim.loss_scaler import guard as guard
from minidepth.optim.optimizer import Optimizer as Optimizer
from minidepth.optim.rmsprop import RMSprop as RMSprop
from minidepth.optim.sgd import SGD as SGD
