"""Schedules: PyTorch's one-cycle curve, the closed forms of the others, and what is no schedule."""

from __future__ import annotations

import json

import numpy as np
import pytest

from minidepth import schedule
from minidepth.errors import CheckpointError, InputError

# PyTorch 2.13: OneCycleLR(SGD([p], lr=1), max_lr=3e-3, total_steps=T, pct_start=0.3, div_factor=25,
# final_div_factor=1e4, anneal_strategy="cos"), param_groups[0]["lr"] before each step, as {T: {step: rate}}.
ONE_CYCLE = {
    1: {0: 1.2e-08},
    10: {
        0: 0.00011999999999999988,
        1: 0.00156,
        2: 0.003,
        3: 0.002851453896040421,
        4: 0.0024352369618492894,
        5: 0.0018337860658088677,
        6: 0.0011662259341911321,
        7: 0.0005647750381507109,
        8: 0.00014855810395957884,
        9: 1.2e-08,
    },
    100: {
        0: 0.00011999999999999988,
        1: 0.00012844134169772217,
        15: 0.0016379600283630011,
        29: 0.003,
        30: 0.002998489605853573,
        50: 0.002381680351727196,
        75: 0.0007892058495024768,
        98: 1.5223941464273639e-06,
        99: 1.2e-08,
    },
}


@pytest.mark.parametrize("total", ONE_CYCLE)
def test_one_cycle_is_pytorchs(total: int) -> None:
    rate = schedule.build("one-cycle", 3e-3, total)
    for step, expected in ONE_CYCLE[total].items():
        assert rate(step) == pytest.approx(expected, rel=1e-9, abs=0)


def test_one_cycle_stays_at_its_end() -> None:
    rate = schedule.build("one-cycle", 3e-3, 10)
    assert rate(10) == rate(1000) == rate(9) == pytest.approx(1.2e-8)


def test_constant() -> None:
    rate = schedule.build("constant", 0.1, 5)
    assert [rate(step) for step in (0, 4, 99)] == [0.1, 0.1, 0.1]


def test_linear() -> None:
    rate = schedule.build("linear", 1.0, 4)
    assert [rate(step) for step in range(6)] == [1, 0.75, 0.5, 0.25, 0, 0]


def test_cosine() -> None:
    """The closed form of CosineAnnealingLR with T_max = 10 (same source as above)."""
    rate = schedule.build("cosine", 1.0, 10)
    expected = [1.0, 0.9755282581475768, 0.9045084971874737, 0.7938926261462366, 0.6545084971874737, 0.5]
    assert [rate(step) for step in range(6)] == pytest.approx(expected, rel=1e-12)
    assert rate(10) == rate(11) == pytest.approx(0, abs=1e-15)


def test_step_falls_once_the_share_is_done() -> None:
    rate = schedule.build("step:30,60", 1.0, 10)
    assert [rate(step) for step in range(10)] == pytest.approx([1, 1, 1, 0.1, 0.1, 0.1, 0.01, 0.01, 0.01, 0.01])
    assert schedule.build("step:50", 2.0, 3)(2) == pytest.approx(0.2)


# --- what changes between epochs --------------------------------------------------------------------------------------


def rates_of_epochs(text: str, lr: float, epochs: int, steps_per_epoch: int = 3) -> list[float]:
    """One rate an epoch, which must hold for all of it."""
    rate = schedule.build(text, lr, epochs * steps_per_epoch, steps_per_epoch)
    rates = [[rate(epoch * steps_per_epoch + step) for step in range(steps_per_epoch)] for epoch in range(epochs)]
    assert all(len(set(epoch)) == 1 for epoch in rates)
    return [epoch[0] for epoch in rates]


def test_linear_in_epochs() -> None:
    """The second network of the Keras comparison: 1e-4 (1 - epoch / 10)."""
    expected = [1e-4 * (10 - epoch) / 10 for epoch in range(10)]
    assert rates_of_epochs("linear:epochs", 1e-4, 10) == pytest.approx(expected, rel=1e-12)
    assert schedule.build("linear:epochs", 1e-4, 30, 3)(30) == 0


def test_a_tenth_every_five_epochs() -> None:
    expected = [0.01] * 5 + [1e-3] * 5 + [1e-4] * 5
    assert rates_of_epochs("step:every=5", 0.01, 15) == pytest.approx(expected, rel=1e-12)


def test_half_every_seven_epochs() -> None:
    expected = [0.8] * 7 + [0.4] * 7 + [0.2] * 6
    assert rates_of_epochs("step:every=7,factor=0.5", 0.8, 20, 1) == pytest.approx(expected, rel=1e-12)


def test_schedules_of_epochs_need_the_length_of_one() -> None:
    for text in ("linear:epochs", "step:every=5"):
        with pytest.raises(ValueError, match=f"schedule '{text}' changes between epochs: give steps_per_epoch"):
            schedule.build(text, 0.1, 10)


# --- plateau ----------------------------------------------------------------------------------------------------------


def plateau(metrics: list[float], text: str = "plateau:factor=0.5,patience=1") -> list[float]:
    """The rate after each epoch."""
    rate = schedule.build(text, 1.0, 100)
    assert rate(0) == rate(99) == 1
    rates = []
    for metric in metrics:
        before = rate(0)
        assert rate.observe(metric) == (rate(0) < before)
        rates.append(rate(7))
    return rates


def test_plateau_by_hand() -> None:
    assert plateau([5, 4, 4.1, 4.2, 4.3, 3.9, 3.9, 3.9]) == [1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.25]
    assert plateau([4, 3.9997, 3.9997]) == [1, 1, 0.5]  # better by less than a hundredth of a per cent
    assert plateau([4, 3.9995]) == [1, 1]
    assert plateau([1, 1], "plateau:patience=0") == [1, 0.1]
    assert plateau([1] * 12, "plateau") == pytest.approx([1] * 11 + [0.1])


def test_a_metric_that_is_no_number_is_not_better() -> None:
    nan = float("nan")
    assert plateau([nan, nan, 3, nan, nan]) == [1, 0.5, 0.5, 0.5, 0.25]


@pytest.mark.parametrize("factor, patience", [(0.1, 10), (0.5, 2), (0.3, 0)])
def test_plateau_is_pytorchs(factor: float, patience: int) -> None:
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=factor, patience=patience)
    ours = schedule.build(f"plateau:factor={factor},patience={patience}", 1.0, 1)
    metrics = 1 + np.random.default_rng(0).random(60) * 0.9 ** np.arange(60)
    for metric in metrics:
        theirs.step(metric)
        ours.observe(float(metric))
        assert ours(0) == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-9, abs=1e-8)  # torch stops at 1e-8
    assert ours(0) < 1


def test_plateau_goes_on_where_it_stopped() -> None:
    metrics = [3.0, 2.7, 2.7, 2.71, 2.6, 2.65, 2.62, 0.1 + 0.2, 0.3, 0.3]
    for stop in range(len(metrics)):
        through, resumed = schedule.Plateau(0.3, 0.7, 1), schedule.Plateau(0.3, 0.7, 1)
        for metric in metrics[:stop]:
            through.observe(metric)
        resumed.load_state_dict(json.loads(json.dumps(through.state_dict())))
        for metric in metrics[stop:]:
            assert through.observe(metric) == resumed.observe(metric)
            assert through.state_dict() == resumed.state_dict()


def test_plateau_refuses_another_state() -> None:
    with pytest.raises(CheckpointError, match="needs lr, best and bad_epochs, not lr, momentum"):
        schedule.Plateau(0.1).load_state_dict({"lr": 1.0, "momentum": 0.9})


# --- mistakes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "onecycle", "Cosine", "zigzag"])
def test_unknown_text(text: str) -> None:
    with pytest.raises(
        InputError, match="schedule .* is unknown.*; use constant, linear, cosine, one-cycle, step or plateau"
    ):
        schedule.build(text, 0.1, 10)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("step", "every must be at least 1 epoch"),
        ("step:every=0", "every must be at least 1 epoch"),
        ("step:every=2.5", "'every=2.5' must read every=N"),
        ("step:every=5,factor=1", "factor lie between 0 and 1"),
        ("step:evry=5", r"'evry' is not known \(did you mean 'every'\?\); step takes every=N, factor=X"),
        ("cosine:epochs", "'epochs' is not known; cosine takes no options"),
        ("linear:epochs=3", "'epochs=3' must read epochs"),
        ("plateau:factor=2", r"factor \(2\) must lie between 0 and 1"),
        ("plateau:patience=-1", r"patience \(-1\) be 0 or more"),
        ("one_cycle", "did you mean 'one-cycle'"),
    ],
)
def test_bad_options(text: str, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        schedule.build(text, 0.1, 10, 5)


@pytest.mark.parametrize("text", ["step:", "step:30,", "step:a", "step:-5", "step:0", "step:30,100", "step:nan"])
def test_bad_percentages(text: str) -> None:
    with pytest.raises(InputError, match="give per cent of the run, such as step:30,60, or epochs: step:every=5"):
        schedule.build(text, 0.1, 10)


def test_a_run_needs_a_step() -> None:
    with pytest.raises(InputError, match="the run has 0 steps"):
        schedule.build("constant", 0.1, 0)
