"""Gradient checks of every operation, every loss and a small U-Net, each in several settings: `minidepth gradcheck`."""

from minidepth.gradient_table.table import rows as rows
from minidepth.gradient_table.table import run as run
