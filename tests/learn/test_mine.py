"""The network on the learner's own functions."""

from __future__ import annotations

import pytest

from minidepth import cli
from minidepth.learn import mine_commands
from minidepth.learn.library import lessons


@pytest.fixture
def work(tmp_path, monkeypatch):
    """A work folder with lesson 4 done."""
    monkeypatch.setenv("MINIDEPTH_WORK", str(tmp_path))
    (tmp_path / "04_convolution.py").write_text(lessons()[4].text, encoding="utf-8")
    return tmp_path


def test_the_network_trains_on_the_learners_convolution(work, capsys, monkeypatch):
    monkeypatch.setattr(mine_commands, "BUDGET_S", 0.0)  # one step
    assert cli.main(["mine", "on", "4.2", "4.3", "4.4"]) == 0
    assert "4.3: on; Conv2d waits for 4.4\n4.4: on; Conv2d is yours now\n" in capsys.readouterr().out
    assert cli.main(["mine", "train"]) == 0
    out = capsys.readouterr().out
    assert "yours: Conv2d (4.2, 4.3, 4.4)\n" in out
    assert "yours: 13 of the network's 39 layer calls, 100% of its multiply-adds" in out


def test_what_does_not_pass_is_refused(work, capsys):
    path = work / "04_convolution.py"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("(window * w[o]).sum()", "(window * w[o]).mean()"), encoding="utf-8")
    assert cli.main(["mine", "on", "4.2"]) == 2
    assert "4.2 (forward) does not pass, so the network does not get it: minidepth check 4.2" in capsys.readouterr().err
    path.write_text(text, encoding="utf-8")
    assert cli.main(["mine", "on", "4.2", "4.3", "4.4"]) == 0
    path.write_text(text.replace("+= g[n", "-= g[n"), encoding="utf-8")  # spoilt after it was turned on
    assert cli.main(["mine", "train"]) == 2
    assert "4.3 (the gradient of the picture) does not pass" in capsys.readouterr().err


def test_what_is_no_part_of_the_network(work, capsys):
    assert cli.main(["mine", "on", "4.1"]) == 2
    assert "4.1 is no part of the network; these are: " in capsys.readouterr().err
    assert cli.main(["mine", "train"]) == 2
    assert "no part of the network is yours yet" in capsys.readouterr().err


def test_off_takes_it_back(work, capsys):
    cli.main(["mine", "on", "4.2", "4.3", "4.4"])
    assert cli.main(["mine", "off"]) == 0
    assert "4.2: off\n4.3: off\n4.4: off\n" in capsys.readouterr().out
    assert cli.main(["mine", "train"]) == 2
