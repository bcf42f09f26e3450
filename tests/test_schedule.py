"""Schedules: PyTorch's one-cycle curve, the closed forms of the others, and what is no schedule."""

from __future__ import annotations

import pytest

from minidepth import schedule
from minidepth.errors import InputError

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


@pytest.mark.parametrize("text", ["", "onecycle", "Cosine", "step"])
def test_unknown_text(text: str) -> None:
    with pytest.raises(
        InputError, match="schedule .* is unknown; use constant, linear, cosine, one-cycle or step:30,60"
    ):
        schedule.build(text, 0.1, 10)


@pytest.mark.parametrize("text", ["step:", "step:30,", "step:a", "step:0", "step:30,100", "step:nan"])
def test_bad_percentages(text: str) -> None:
    with pytest.raises(InputError, match="give percentages between 0 and 100, such as step:30,60"):
        schedule.build(text, 0.1, 10)


def test_a_run_needs_a_step() -> None:
    with pytest.raises(InputError, match="the run has 0 steps"):
        schedule.build("constant", 0.1, 0)
