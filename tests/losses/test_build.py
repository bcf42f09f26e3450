"""Losses as text: sums, weights, and one clear line for each mistake."""

from __future__ import annotations

import re

import numpy as np
import pytest

from minidepth import Tensor, losses
from minidepth.errors import InputError


def batch():
    rng = np.random.default_rng(0)
    prediction, target = rng.normal(size=(2, 2, 1, 5, 6))
    return Tensor(prediction, requires_grad=True), target, rng.random(target.shape) < 0.95


def test_names():
    assert losses.names() == (
        *("mse", "l1"),
        *("gradient", "gradient:readme", "gradient:code", "gradient:hu"),
        *("normal", "normal:readme", "normal:code", "normal:hu"),
    )


@pytest.mark.parametrize("name", losses.names())
def test_each_name_is_the_function_of_that_name(name):
    function = getattr(losses, name.replace(":", "_"))
    prediction, target, valid = batch()
    assert losses.build(name)(prediction, target, valid).item() == function(prediction, target, valid).item()


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("mse+gradient+normal", [(1, "mse"), (1, "gradient"), (1, "normal")]),
        ("mse+10*gradient:code+normal:code", [(1, "mse"), (10, "gradient:code"), (1, "normal:code")]),
        (" 0.5 * l1 + 1e-3*normal:hu ", [(0.5, "l1"), (1e-3, "normal:hu")]),
        ("2.5e+1*mse+mse", [(25, "mse"), (1, "mse")]),
    ],
)
def test_sums(text, parts):
    prediction, target, valid = batch()
    loss = losses.build(text)
    total = loss(prediction, target, valid)
    singles = [losses.build(name)(prediction, target, valid).item() for _, name in parts]
    assert total.item() == pytest.approx(sum(w * single for (w, _), single in zip(parts, singles)), rel=1e-12)
    total.backward()
    from_sum, prediction.grad = prediction.grad, None
    for weight, name in parts:
        (weight * losses.build(name)(prediction, target, valid)).backward()
    np.testing.assert_allclose(from_sum, prediction.grad, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        (" mse + 10.0*gradient:code", "mse+10*gradient:code"),
        ("1*mse", "mse"),
        ("1e-3*l1", "0.001*l1"),
        ("1e+20*l1", "1e+20*l1"),
    ],
)
def test_text_is_the_same_loss_written_plainly(text, canonical):
    loss = losses.build(text)
    assert loss.text == canonical
    assert losses.build(loss.text).terms == loss.terms


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mse+gradiant", "loss 'mse+gradiant', character 5: 'gradiant' is not known (did you mean 'gradient'?)"),
        ("MSE", "character 1: 'MSE' is not known (did you mean 'mse'?); losses are"),
        ("normal:hue", "character 1: 'normal:hue' is not known (did you mean 'normal:hu'?)"),
        ("berhu", "character 1: 'berhu' is not known; losses are"),
        ("mse+", "character 5: the name of a loss is missing; losses are"),
        ("", "loss '', character 1: the name of a loss is missing; losses are"),
        ("10*", "character 1: the name of a loss is missing before '10*'"),
        ("mse++l1", "character 5: the name of a loss is missing before '+l1'"),
        ("mse, l1", "character 4: + or the end is missing before ', l1'; a sum reads mse+10*gradient"),
        ("mse*10", "character 4: + or the end is missing before '*10'"),
        ("mse l1", "character 5: + or the end is missing before 'l1'"),
        ("mse-l1", "character 4: + or the end is missing before '-l1'"),
        ("mse+0*l1", "character 5: '0' is no positive number"),
        ("-2*l1", "character 1: '-2' is no positive number"),
        ("1.2.3*l1", "character 1: '1.2.3' is no positive number"),
        ("1e999*l1", "character 1: '1e999' is no positive number"),
    ],
)
def test_mistakes_say_where_and_what_is_known(text, message):
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        losses.build(text)
    assert "\n" not in str(caught.value)
    assert "losses are mse, l1, gradient, gradient:readme," in str(caught.value)
