"""Labels and masks: what the loss sees, how outputs read, guesses, boards, files."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from minidepth import losses, targets
from minidepth.data import Batch, Sample
from minidepth.engine import Tensor
from minidepth.errors import InputError
from minidepth.nn import Module

LABELS = np.array([[0, 1, 2], [2, 2, 1]], np.uint8)
MASK = np.array([[0, 0.25, 1], [1, 0.75, 0]], np.float32)
VALID = np.array([[True, True, True], [True, True, False]])


def sample(**fields):
    return Sample(np.zeros((2, 3, 3), np.uint8), np.full((2, 3), 5, np.float32), VALID, **fields)


def batch(**fields):
    maps = {name: field[None, None] for name, field in fields.items()}
    return Batch(np.zeros((1, 3, 2, 3), np.float32), np.full((1, 1, 2, 3), 5, np.float32), VALID[None, None], **maps)


class Says(Module):
    """A network that says what it was made with."""

    def __init__(self, *outputs):
        self.said = outputs

    def forward(self, x):
        return tuple(Tensor(output) for output in self.said) if len(self.said) > 1 else Tensor(self.said[0])


def logits_of(labels, classes=3):
    return 10 * np.eye(classes, dtype=np.float32)[labels].transpose(2, 0, 1)[None]


def stored(path):
    with Image.open(path) as picture:
        return np.asarray(picture)


def test_labels_read_as_the_class_with_the_largest_logit():
    task = targets.build("labels", classes=3)
    said = logits_of(LABELS)
    outputs = task.run(Says(said), batch(labels=LABELS))
    np.testing.assert_array_equal(task.read([said], (2, 3))["labels"][0], LABELS)
    assert task.loss(losses.build("cross_entropy"), outputs, batch(labels=LABELS)).item() < 1e-3
    board = targets.TaskBoard(task, {"labels": 2.0})
    board.add({"labels": LABELS}, sample(labels=LABELS))
    scores = board.scores()
    assert scores["labels"]["network"]["pooled"] == {"accuracy": 1.0, "mean_iou": 1.0}
    assert scores["labels"]["guess"]["pooled"]["accuracy"] == pytest.approx(3 / 5)  # of five valid pixels
    assert task.error(scores) == 0
    assert "always class 2" in targets.Labels.table(scores["labels"])


def test_the_guess_for_labels_is_the_most_frequent_valid_class():
    assert targets.build("labels", classes=3).guesses([sample(labels=LABELS)]) == {"labels": 2.0}


def test_a_mask_reads_as_a_probability():
    task = targets.build("mask")
    said = np.log(MASK.clip(1e-4, 0.9999) / (1 - MASK.clip(1e-4, 0.9999)))[None, None]
    read = task.read([said], (2, 3))["mask"][0]
    np.testing.assert_allclose(read, MASK, atol=2e-4)
    assert task.guesses([sample(mask=MASK)])["mask"] == pytest.approx((0 + 0.25 + 1 + 1 + 0.75) / 5)
    board = targets.TaskBoard(task, {"mask": 0.6})
    board.add({"mask": read}, sample(mask=MASK))
    scores = board.scores()
    assert scores["mask"]["network"]["pooled"]["iou"] == 1
    assert scores["mask"]["guess"]["pooled"]["iou"] == pytest.approx(3 / 5)
    assert "always 60.0%" in targets.Mask.table(scores["mask"])


def test_two_outputs_go_through_the_loss_by_name_and_depth_through_a_sigmoid():
    task = targets.build("mask+depth", "unit", 10.0)
    mask_said, depth_said = np.full((1, 1, 2, 3), 0.3, np.float32), np.full((1, 1, 2, 3), -0.4, np.float32)
    given = batch(mask=MASK)
    outputs = task.run(Says(mask_said, depth_said), given)
    value = task.loss(losses.build("mask.bce+2*depth.l1", task.names), outputs, given).item()
    share = 1 / (1 + np.exp(0.4))
    bce = np.mean((np.log1p(np.exp(0.3)) - 0.3 * MASK)[VALID])
    assert value == pytest.approx(bce + 2 * abs(share - 0.5), rel=1e-5)
    read = task.read([mask_said, depth_said], (2, 3))
    assert read["depth"] == pytest.approx(10 * share, rel=1e-5)
    board = targets.TaskBoard(task, {"mask": 0.5, "depth": 4.0})
    board.add({name: values[0] for name, values in read.items()}, sample(mask=MASK))
    scores = board.scores()
    parts = [target.error(scores[target.name]) for target in task.targets]
    of_guess = [1 - scores["mask"]["guess"]["pooled"]["iou_soft"], 1.0]
    assert task.error(scores) == pytest.approx((parts[0] / of_guess[0] + parts[1] / of_guess[1]) / 2)


def test_files_of_a_prediction(tmp_path):
    image = np.zeros((2, 3, 3), np.uint8)
    side = targets.Labels(3).save(tmp_path, "a", image, LABELS)
    np.testing.assert_array_equal(stored(tmp_path / "a_labels.png"), LABELS)
    other = targets.Mask().save(tmp_path, "a", image, MASK)
    np.testing.assert_array_equal(stored(tmp_path / "a_mask.png"), np.rint(MASK * 255))
    assert side.stat().st_size and other.stat().st_size and side != other


def test_drawn_samples_say_how_good_they_are(tmp_path):
    targets.Labels(3).draw_samples(tmp_path / "l.png", [sample(labels=LABELS)], [LABELS])
    targets.Mask().draw_samples(tmp_path / "m.png", [sample(mask=MASK)], [MASK])
    for name in ("l.png", "m.png"):
        with Image.open(tmp_path / name) as picture:
            assert picture.size[0] > 500


@pytest.mark.parametrize(
    ("task", "options", "said", "text"),
    [
        ("labels", {"classes": 3}, [np.zeros((1, 2, 2, 3), np.float32)], "3 classes, but the network gives 2"),
        ("mask", {}, [np.zeros((1, 1, 2, 3), np.float32)] * 2, "mask has 1 targets, but the network has 2 outputs"),
        ("labels", {"classes": 3}, [np.zeros((1, 3, 2, 3), np.float32)], "the data have no labels"),
        ("mask", {}, [np.zeros((1, 1, 2, 3), np.float32)], "the data have no masks"),
    ],
)
def test_what_does_not_fit_together(task, options, said, text):
    made = targets.build(task, **options)
    with pytest.raises(InputError, match=text):
        made.loss(losses.build("mse"), made.run(Says(*said), batch()), batch())


def test_a_network_of_two_inputs_needs_a_background():
    network = Says(np.zeros((1, 1, 2, 3), np.float32))
    type(network).inputs = ("background", "image")
    try:
        with pytest.raises(InputError, match="takes background and image; the data have no background"):
            targets.build("mask").run(network, batch(mask=MASK))
    finally:
        del type(network).inputs


@pytest.mark.parametrize("classes", [0, 1, 257])
def test_classes_out_of_range(classes):
    with pytest.raises(InputError, match=f"{classes} classes; there must be 2 to 256"):
        targets.build("labels", classes=classes)
