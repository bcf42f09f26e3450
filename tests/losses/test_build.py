"""Losses as text: sums, weights, and one clear line for each mistake."""

from __future__ import annotations

import re

import numpy as np
import pytest
from loss_batches import batch as batch_for
from loss_batches import picture

from minidepth import Tensor, losses
from minidepth.errors import InputError


def batch(name="mse"):
    prediction, target, valid = batch_for(name)
    return Tensor(prediction, requires_grad=True), target, valid


def two_outputs():
    """Predictions, targets and masks of a network with a mask (logits) and a depth (0 to 1)."""
    mask, depth = batch("bce"), batch("bce:probabilities")
    return [{"mask": of_mask, "depth": of_depth} for of_mask, of_depth in zip(mask, depth)]


def test_names():
    assert losses.names() == (
        *("mse", "l1", "l1:hu", "rmse", "rmse:logits", "berhu", "silog:eigen", "silog:bts"),
        *("gradient", "gradient:readme", "gradient:code", "gradient:hu"),
        *("normal", "normal:readme", "normal:code", "normal:hu"),
        *("edges", "smoothness", "smoothness:keras"),
        *("ssim", "ssim:logits", "ssim:densedepth", "ssim:002", "ssim:000b", "ssim:004"),
        *("bce", "bce:probabilities", "dice", "dice:probabilities", "dice:milesial"),
        *("cross_entropy", "cross_entropy:unet"),
    )


@pytest.mark.parametrize("name", losses.names())
def test_each_name_is_the_function_of_that_name(name):
    function = getattr(losses, name.replace(":", "_"))
    arguments = [*batch(name), *([picture()] if name == "smoothness" else [])]
    assert losses.build(name)(*arguments).item() == function(*arguments).item()


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
        (" mask . bce+2*depth.rmse", "mask.bce+2*depth.rmse"),
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
        ("huber", "character 1: 'huber' is not known (did you mean 'berhu'?); losses are"),
        ("qqq", "character 1: 'qqq' is not known; losses are"),
        ("mask.bce+2*depth.rmsse", "character 18: 'rmsse' is not known (did you mean 'rmse'?)"),
        ("mask.+mse", "character 1: 'mask' is not known"),
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
    assert "losses are mse, l1, l1:hu, rmse," in str(caught.value)


def test_several_outputs():
    predictions, targets, valids = two_outputs()
    loss = losses.build("mask.bce+2*depth.rmse+0.5*depth.edges")
    assert loss.outputs == ("mask", "depth")
    total = loss(predictions, targets, valids)
    singles = [
        losses.bce(predictions["mask"], targets["mask"], valids["mask"]).item(),
        losses.rmse(predictions["depth"], targets["depth"], valids["depth"]).item(),
        losses.edges(predictions["depth"], targets["depth"], valids["depth"]).item(),
    ]
    assert total.item() == pytest.approx(singles[0] + 2 * singles[1] + 0.5 * singles[2], rel=1e-12)
    total.backward()
    assert all(prediction.grad.any() for prediction in predictions.values())


def test_one_mask_may_serve_all_outputs():
    predictions, targets, valids = two_outputs()
    loss, everywhere = losses.build("mask.bce+depth.l1"), np.ones_like(valids["mask"])
    both = loss(predictions, targets, {"mask": everywhere, "depth": everywhere})
    assert loss(predictions, targets, everywhere).item() == both.item()


def test_a_single_output_needs_no_name():
    prediction, target, valid = batch()
    loss = losses.build("l1")
    assert loss.outputs == ()
    named = loss({"depth": prediction}, {"depth": target}, {"depth": valid})
    assert named.item() == loss(prediction, target, valid).item()
    assert losses.build("depth.l1")({"depth": prediction}, {"depth": target}, valid).item() == named.item()


def test_the_picture_is_handed_on():
    prediction, target, valid = batch()
    loss, image = losses.build("l1+smoothness"), picture()
    assert loss.needs_image and not losses.build("l1").needs_image
    expected = losses.l1(prediction, target, valid).item() + losses.smoothness(prediction, target, valid, image).item()
    assert loss(prediction, target, valid, image=image).item() == pytest.approx(expected, rel=1e-12)
    with pytest.raises(ValueError, match=r"loss 'l1\+smoothness': smoothness looks at the picture; pass image="):
        loss(prediction, target, valid)


@pytest.mark.parametrize(
    ("text", "outputs", "message"),
    [
        (
            "mask.bce+dept.l1",
            ("mask", "depth"),
            "character 10: the network has no output 'dept' (did you mean 'depth'?)",
        ),
        ("mask.bce", ("depth",), "character 1: the network has no output 'mask'; its outputs are depth"),
        ("bce", ("mask", "depth"), "character 1: 'bce' names no output of mask, depth, and there are several"),
        ("mask.bce+2*l1", None, "character 12: 'l1' names no output, and there are several"),
        ("l1+mask.bce", None, "character 4: 'mask' is named here, but the terms before name no output"),
    ],
)
def test_outputs_that_do_not_fit_are_found_in_the_text(text, outputs, message):
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        losses.build(text, outputs)
    assert str(caught.value).startswith(f"loss {text!r}, ") and "\n" not in str(caught.value)


def test_outputs_that_fit():
    assert losses.build("mask.bce+depth.l1", ("mask", "depth")).text == "mask.bce+depth.l1"
    assert losses.build("depth.l1", ("depth",)).outputs == ("depth",)
    assert losses.build("l1", ("depth",)).outputs == ()


def test_outputs_that_are_not_given():
    predictions, targets, valids = two_outputs()
    with pytest.raises(ValueError, match="loss 'labels.mse': no prediction is called 'labels'; there is mask, depth"):
        losses.build("labels.mse")(predictions, targets, valids)
    with pytest.raises(ValueError, match="loss 'mse': mse names none of the outputs; there is mask, depth"):
        losses.build("mse")(predictions, targets, valids)
    with pytest.raises(ValueError, match="loss 'mask.mse': the target has no names, so none is 'mask'; pass a dict"):
        losses.build("mask.mse")(predictions, targets["mask"], valids)


@pytest.mark.parametrize("system", losses.PUBLISHED)
def test_published_systems_are_sums_that_can_be_computed(system):
    text = losses.PUBLISHED[system]
    loss = losses.build(text, ("mask", "depth") if "mask." in text else ("depth",))
    assert loss.text == text
    arguments = two_outputs() if loss.outputs else batch(loss.terms[0].name)
    assert np.isfinite(loss(*arguments).item())
