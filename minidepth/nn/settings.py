"""What layers do alike with their settings: read a pair of sizes, and show what is unusual."""

from __future__ import annotations

from minidepth.nn.module import Module

Pair = int | tuple[int, int]


def pair(value: Pair) -> tuple[int, int]:
    """``3`` means ``(3, 3)``: height and width."""
    return (value, value) if isinstance(value, int) else value


_USUAL = {
    "kernel_size": None,
    "stride": (1, 1),
    "padding": (0, 0),
    "output_padding": (0, 0),
    "dilation": (1, 1),
    "groups": 1,
    "bias": True,
    "size": None,
    "scale_factor": None,
    "mode": None,
    "align_corners": None,
}


def settings(layer: Module) -> str:
    """``kernel_size=(3, 3), padding=(1, 1)``: the layer's settings, without what is as usual."""
    values = {name: getattr(layer, name, usual) for name, usual in _USUAL.items()}
    values["bias"] = values["bias"] is not None
    return ", ".join(f"{name}={values[name]!r}" for name, usual in _USUAL.items() if values[name] != usual)
