"""One 3x3 convolution, forward and backward: minidepth, PyTorch, DeZero and Chainer by turns, a process for each.

    python benchmarks/conv.py --python-for chainer=/path/to/bin/python --python-for dezero=/path/to/bin/python

Forward is y alone; forward and backward is y and the gradients in x, weight and bias for a given dL/dy. All get the
same numbers, and the run ends with an error if what they compute differs. A cell has the median time over the rounds
with its range, and how many times as long that is as minidepth's. benchmarks/step.py says how to get the competitors.
"""

from __future__ import annotations

import json
import statistics

from compete import COMPETITORS, OURS, Competitor, Rows, add_python_for, arguments, find_competitors
from results import machine, median_and_range, table, write_between_markers

CONVOLUTIONS = ((16, 4, 240, 320), (64, 2, 240, 320), (256, 2, 60, 80))  # channels in and out, N, H, W
QUICK = ((16, 1, 60, 80), (64, 1, 30, 40))
QUANTITIES = {"forward_ms": "forward", "both_ms": "forward and backward"}


def main() -> None:
    parser = arguments("Time minidepth against PyTorch, DeZero and Chainer on single convolutions.", rounds=5)
    add_python_for(parser)
    options = parser.parse_args()
    entrants = find_competitors(options.python_for)
    rounds = 1 if options.quick else options.rounds
    lines = []
    for shape in QUICK if options.quick else CONVOLUTIONS:
        rows = entrants.by_turns(lambda competitor, shape=shape: command(competitor, shape), rounds, name(shape))
        lines += [[name(shape), title, *cells(rows, key)] for key, title in QUANTITIES.items()]
    header = ["3x3, padding 1", "ms", *(competitor.title for competitor in COMPETITORS)]
    text = machine("numpy", others=entrants.versions.values()) + table(header, lines) + entrants.note()
    print(text)
    if not (options.no_write or options.quick):
        write_between_markers("conv", text)


def command(competitor: Competitor, shape: tuple[int, int, int, int]) -> list[str]:
    sizes = dict(zip(("channels", "batch", "height", "width"), shape), times=3 if competitor.slow else 15)
    return ["conv_one.py", json.dumps(sizes), competitor.package, competitor.argument]


def name(shape: tuple[int, int, int, int]) -> str:
    channels, batch, height, width = shape
    return f"{channels} to {channels}, {batch}x{height}x{width}"


def cells(rows: Rows, key: str) -> list[str]:
    """For each competitor its time, and that over minidepth's."""
    ours = statistics.median(row[key] for row in rows[OURS.title])
    texts = []
    for competitor in COMPETITORS:
        values = [row[key] for row in rows.get(competitor.title, [])]
        times = "" if competitor is OURS or not values else f", **{statistics.median(values) / ours:.2f}x**"
        texts.append(median_and_range(values) + times if values else "absent")
    return texts


if __name__ == "__main__":
    main()
