"""Optimisers by name, with options as text: ``adam``, ``adam:amsgrad``, ``sgd:momentum=0.99,nesterov``.

    sgd        momentum=0.9, nesterov                           (sgd:momentum=0 is without)
    adam       beta1=0.9, beta2=0.999, eps=1e-8, amsgrad, keras
    adamw      the same
    rmsprop    alpha=0.99, momentum=0, eps=1e-8, keras

The numbers are what holds where nothing is said; ``keras`` makes eps 1e-7 and alpha 0.9, and uses the formula of Keras.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from minidepth import named_options
from minidepth.errors import InputError
from minidepth.nn import Parameter
from minidepth.optim.adam import Adam, AdamW
from minidepth.optim.optimizer import Optimizer
from minidepth.optim.rmsprop import RMSprop
from minidepth.optim.sgd import SGD

OF_ADAM: named_options.Kinds = {"beta1": float, "beta2": float, "eps": float, "amsgrad": bool, "keras": bool}
OPTIMIZERS: dict[str, tuple[type[Any], named_options.Kinds]] = {
    "adam": (Adam, OF_ADAM),
    "adamw": (AdamW, OF_ADAM),
    "sgd": (SGD, {"momentum": float, "nesterov": bool}),
    "rmsprop": (RMSprop, {"alpha": float, "momentum": float, "eps": float, "keras": bool}),
}


def build(text: str, params: Iterable[Parameter], lr: float, weight_decay: float = 0.0) -> Optimizer:
    """The optimiser described by `text` (see the top of this file).

    Raises:
        InputError: there is no such optimiser or option, or it cannot take these numbers.
    """
    name, options = named_options.parse("optimizer", text, {name: kinds for name, (_, kinds) in OPTIMIZERS.items()})
    if name == "sgd":
        options = {"momentum": 0.9, **options}
    if "beta1" in options or "beta2" in options:
        options["betas"] = options.pop("beta1", 0.9), options.pop("beta2", 0.999)
    try:
        optimizer: Optimizer = OPTIMIZERS[name][0](params, lr, weight_decay=weight_decay, **options)
    except ValueError as error:
        raise InputError(str(error)) from None
    return optimizer
