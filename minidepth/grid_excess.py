"""How much of a checkerboard a network leaves in its depth maps, as one number in decibels.

A 2x2 transposed convolution with stride 2 has another filter for each of its four output pixels, so it can leave a
pattern that repeats every 2 pixels. Four of them in a row leave patterns with the periods 2, 4, 8 and 16: together they
are all the frequencies j/16, j = 1 .. 8, in cycles a pixel. In a room nothing is special about these frequencies.
So compare the power there with the power just beside them.

Each row of the map is a signal, and so is each column. Rows are cut into pieces of 64 numbers, one every 32 as long as
they fit; from each piece its mean is taken away, and it is multiplied by a Hann window w (Welch's method). 16 pieces,
one below the other, make a block (some take a few more, so that none is left over). With, for k = 0 .. 32, frequency
k/64,

    L[k] = mean over all blocks of ln(mean over the pieces of the block of |DFT_k(w (x - mean))|^2 + floor)

the frequencies of the grid are k = 4, 8 .. 32, and the excess of one is, in dB,

    e[k] = 10 / ln 10 (L[k] - B[k])        B[k] = L[k-2] and L[k+2], interpolated linearly in ln k

so a smooth spectrum, k^-a for any a, has e = 0 dB. (At k = 32, the highest frequency, the two neighbours are the same.)
A Hann window spreads a pure frequency to k-1 and k+1 only, so a pattern does not reach its own neighbours. The mean of
logarithms keeps blocks with a large step of depth, which holds all frequencies, from outshouting those of smooth walls,
where one sees the pattern.

The excess of a period is the mean of e over its frequencies (16: k = 4, 12, 20, 28; 8: 8, 24; 4: 16; 2: 32) and over
rows and columns. `grid_excess` is the mean over the four periods, where one with less power than belongs there counts
as 0.

    0 dB     nothing special; single maps scatter by about 1 dB in a period
    10 dB    ten times the power that belongs there
    below 0  less than belongs there: bilinear resizing by 2 takes out the highest frequency

On a map of white noise of deviation s, a pattern a, -a, a, -a along the rows has e[32] = 10 log10(1 + 42.7 a^2 / s^2).

The floor is 1e-6 of the mean square of the map, times sum w^2: patterns below 1/7000 of the depth, 0.5 mm at 3 m, do
not count, nor does rounding, and a constant map has 0 dB. No number depends on the unit of the map. It must be the map
that the network's last layer gives: resizing it moves the grid to other frequencies.

Source: Odena, Dumoulin and Olah, Deconvolution and Checkerboard Artifacts (2016), for the effect; Welch (1967), The Use
of the Fast Fourier Transform for the Estimation of Power Spectra.
"""

from __future__ import annotations

import numpy as np

from minidepth.backend import Array

PERIODS = (2, 4, 8, 16)
"""In pixels."""
PIECE = 64
"""Numbers in a piece; maps must be at least as high and as wide."""
BESIDE = 2
"""How far the neighbours of a frequency lie from it, in steps of 1/64."""
BLOCK = 16
"""Pieces that are averaged before the logarithm is taken."""
FLOOR = 1e-6


def grid_excess(prediction: Array) -> float:
    """The excess of power on the 2^k grid of one depth map (H, W), in dB: the mean over the periods, none below 0.

    Raises:
        ValueError: no map of at least 64x64 finite numbers.
    """
    return float(np.mean([max(excess, 0.0) for excess in grid_excess_by_period(prediction).values()]))


def grid_excess_by_period(prediction: Array) -> dict[int, float]:
    """The excess of power of each of `PERIODS` in dB, of one depth map (H, W): the mean of rows and columns.

    Raises:
        ValueError: no map of at least 64x64 finite numbers.
    """
    _check(prediction)
    excess = (_excess(log_power(prediction)) + _excess(log_power(prediction.T))) / 2
    of_period: dict[int, float] = {}
    for period in PERIODS:
        first = PIECE // period  # its odd multiples repeat after `period` pixels, and after no smaller power of 2
        of_period[period] = float(np.mean(excess[first :: 2 * first]))
    return of_period


def log_power(rows: Array) -> Array:
    """L[k] of the rows of a map (H, W): (33,)."""
    x = rows.astype(np.float64)
    x /= np.abs(x).max() or 1.0  # so that no square overflows; it drops out below
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(PIECE) / PIECE)
    floor = (FLOOR * float(np.mean(x * x)) or 1.0) * float(window @ window)  # a map of zeros may have any floor
    pieces = np.lib.stride_tricks.sliding_window_view(x, PIECE, axis=1)[:, :: PIECE // 2]  # (H, pieces, PIECE)
    spectrum = np.fft.rfft((pieces - pieces.mean(axis=-1, keepdims=True)) * window)
    power = spectrum.real**2 + spectrum.imag**2
    blocks = np.array_split(power, len(power) // BLOCK)  # each at least BLOCK rows high
    return np.mean([np.log(block.mean(axis=0) + floor).mean(axis=0) for block in blocks], axis=0)


def _excess(log_power: Array) -> Array:
    """e[k] in dB at the frequencies of the grid; 0 at all others."""
    excess, first, last = np.zeros(len(log_power)), PIECE // max(PERIODS), len(log_power) - 1
    for k in range(first, last, first):
        below, above = k - BESIDE, k + BESIDE
        share = np.log(k / below) / np.log(above / below)
        excess[k] = log_power[k] - (1 - share) * log_power[below] - share * log_power[above]
    excess[last] = log_power[last] - log_power[last - BESIDE]
    return 10 / np.log(10) * excess


def _check(prediction: Array) -> None:
    if prediction.ndim != 2 or min(prediction.shape) < PIECE:
        raise ValueError(
            f"grid_excess: the map must be (H, W) with at least {PIECE} of each, but has shape {prediction.shape}"
        )
    if not np.isfinite(prediction).all():
        raise ValueError("grid_excess: the map has numbers that are not finite")
