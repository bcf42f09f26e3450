"""Weights that others have trained: read without their frameworks, loaded into our networks by name."""

from __future__ import annotations

from minidepth.pretrained.load import Report as Report
from minidepth.pretrained.load import load_weights as load_weights
from minidepth.pretrained.read import read_weights as read_weights
