"""Optimisers written as text: what is made, and what is said about a mistake."""

from __future__ import annotations

import pytest

from minidepth import optim
from minidepth.errors import InputError
from minidepth.nn import Parameter


def make(text: str, lr: float = 0.5) -> optim.Optimizer:
    return optim.build(text, [Parameter([1.0])], lr, weight_decay=0.25)


@pytest.mark.parametrize(
    ("text", "kind", "attributes"),
    [
        ("adam", optim.Adam, {"betas": (0.9, 0.999), "eps": 1e-8, "keras": False}),
        ("adam:keras", optim.Adam, {"eps": 1e-7, "keras": True}),
        ("adam:amsgrad,eps=1e-3", optim.Adam, {"eps": 1e-3, "sums": ("exp_avg", "exp_avg_sq", "max_exp_avg_sq")}),
        ("adam:beta1=0.5", optim.Adam, {"betas": (0.5, 0.999), "sums": ("exp_avg", "exp_avg_sq")}),
        ("adamw:beta2=0.99", optim.AdamW, {"betas": (0.9, 0.99)}),
        ("sgd", optim.SGD, {"momentum": 0.9, "nesterov": False}),
        ("sgd:momentum=0.99,nesterov", optim.SGD, {"momentum": 0.99, "nesterov": True}),
        ("sgd:momentum=0", optim.SGD, {"momentum": 0, "sums": ()}),
        ("rmsprop", optim.RMSprop, {"alpha": 0.99, "eps": 1e-8, "momentum": 0, "keras": False}),
        ("rmsprop:momentum=0.999", optim.RMSprop, {"momentum": 0.999, "sums": ("square_avg", "momentum_buffer")}),
        ("rmsprop:keras", optim.RMSprop, {"alpha": 0.9, "eps": 1e-7, "keras": True}),
        ("rmsprop:keras,alpha=0.95", optim.RMSprop, {"alpha": 0.95, "eps": 1e-7}),
    ],
)
def test_what_the_text_makes(text: str, kind: type, attributes: dict) -> None:
    made = make(text)
    assert type(made) is kind and made.lr == 0.5 and made.weight_decay == 0.25
    assert {name: getattr(made, name) for name in attributes} == attributes


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("lion", r"optimizer 'lion' is unknown; use adam, adamw, sgd or rmsprop$"),
        ("rmsprob:keras", r"optimizer 'rmsprob:keras' is unknown \(did you mean 'rmsprop'\?\); use adam"),
        ("Adam", r"'Adam' is unknown \(did you mean 'adam'\?\)"),
        ("", "optimizer '' is unknown; use"),
        (
            "adam:amsgrd",
            r"'adam:amsgrd': 'amsgrd' is not known \(did you mean 'amsgrad'\?\); "
            r"adam takes beta1=X, beta2=X, eps=X, amsgrad, keras$",
        ),
        ("sgd:", "'' is not known; sgd takes momentum=X, nesterov"),
        ("sgd:momentum", "'momentum' must read momentum=X"),
        ("sgd:momentum=", "'momentum=' must read momentum=X"),
        ("sgd:momentum=fast", "'momentum=fast' must read momentum=X"),
        ("sgd:momentum=nan", "'momentum=nan' must read momentum=X"),
        ("sgd:nesterov=1", "'nesterov=1' must read nesterov"),
        ("sgd:nesterov,nesterov", "nesterov is given twice"),
        ("sgd:momentum=1", r"SGD: momentum is 1.0; it must lie in \[0, 1\)"),
        ("sgd:momentum=0,nesterov", "above 0 for nesterov"),
        ("adam:beta2=1", r"Adam: betas \(0.9, 1.0\) must lie in"),
    ],
)
def test_mistakes(text: str, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        make(text)


def test_bad_rate() -> None:
    with pytest.raises(InputError, match="lr"):
        make("adam", -0.5)
