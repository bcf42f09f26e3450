import numpy as np
import pytest

from minidepth.data import split_blocks
from minidepth.errors import InputError


def test_every_frame_is_on_one_side_and_the_share_is_kept():
    for n in (2, 3, 10, 41, 62, 100, 795):
        for fraction in (0.01, 0.1, 0.37, 0.5, 0.8):
            if max(1, round(n * fraction)) == n:
                continue
            train, val = split_blocks(n, fraction, seed=n)
            assert sorted([*train, *val]) == list(range(n))
            assert len(val) == max(1, round(n * fraction))
            assert (np.diff(train) > 0).all() and (np.diff(val) > 0).all()


def test_validation_lies_in_blocks_all_over_the_data():
    _, val = split_blocks(795, 0.1, seed=0)
    starts = 1 + (np.diff(val) > 1).sum()
    assert len(val) == 80 and starts == 4  # 80 frames in 4 blocks of 20
    assert [((val >= 795 * k // 4) & (val < 795 * (k + 1) // 4)).sum() for k in range(4)] == [20] * 4


def test_the_seed_decides():
    same = [split_blocks(100, 0.2, 3)[1].tolist() for _ in range(2)]
    assert same[0] == same[1] != split_blocks(100, 0.2, 4)[1].tolist()


def test_no_validation():
    train, val = split_blocks(5, 0, 0)
    assert train.tolist() == [0, 1, 2, 3, 4] and val.size == 0


def test_shares_that_cannot_be():
    for fraction in (-0.1, 1, 1.5, float("nan")):
        with pytest.raises(InputError, match="must be at least 0 and below 1"):
            split_blocks(10, fraction, 0)
    with pytest.raises(InputError, match="leaves none to train on"):
        split_blocks(10, 0.96, 0)
