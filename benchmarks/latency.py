"""One picture through MobileNet, the published one and the pruned one: minidepth and PyTorch by turns.

    pip install torch                # the CPU build
    python benchmarks/latency.py     # 2 minutes on 2 cores; --quick shows in a few seconds that it runs

How long does somebody wait for the depth of a picture? Both frameworks are asked in evaluation mode, for a batch of
one, first with the network as it is, then with its batch-norms folded into the convolutions: by `minidepth.inference`
as in ``minidepth predict``, and by `torch.nn.utils.fuse_conv_bn_eval`.

One round starts each competitor once; a process warms up, takes the picture many times and gives the median. All have
the same weights and pictures, and the run ends with an error if they do not see the same depth. Printed and written to
RESULTS.md: the median over the rounds with the range, and the ratio to the better of PyTorch's two memory formats.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from compete import COMPETITORS, Competitor, Rows, arguments, find_competitors
from results import machine, median_and_range, table, write_between_markers
from step import ratios


@dataclass(frozen=True)
class Case:
    """A network of `minidepth.models` and a picture to take `times` times."""

    name: str
    size: tuple[int, int]
    times: int

    def title(self) -> str:
        return f"{self.name}, one picture of {self.size[0]}x{self.size[1]}"


CASES = (Case("mobilenet", (224, 224), 60), Case("mobilenet_pruned", (224, 224), 60))
QUICK = (Case("mobilenet_pruned", (64, 96), 3),)
QUANTITIES = {"plain_ms": "as it is, ms", "folded_ms": "folded, ms"}


def main() -> None:
    parser = arguments("Time one picture through MobileNet in minidepth and in PyTorch.", rounds=7)
    options = parser.parse_args()
    entrants = find_competitors([], only_fast=True)
    rounds = 1 if options.quick else options.rounds
    text = machine("numpy", others=entrants.versions.values())
    text += '"Ratio" is to the better of PyTorch\'s two memory formats; in brackets the range over the rounds.\n\n'
    for case in QUICK if options.quick else CASES:
        rows = entrants.by_turns(lambda competitor, case=case: command(competitor, case), rounds, case.title())
        text += case_table(case, rows, rounds)
    text += entrants.note()
    print(text)
    if not (options.no_write or options.quick):
        write_between_markers("latency", text)


def command(competitor: Competitor, case: Case) -> list[str]:
    return [f"mobilenet_{competitor.package}.py", json.dumps(asdict(case)), competitor.argument]


def case_table(case: Case, rows: Rows, rounds: int) -> str:
    header = [""]
    for title in QUANTITIES.values():
        header += [title, "ratio"]
    lines = []
    for competitor in [competitor for competitor in COMPETITORS if not competitor.slow]:
        cells = [competitor.title]
        for key in QUANTITIES:
            values = [row[key] for row in rows.get(competitor.title, [])]
            ratio = ratios(rows, key).get(competitor.title)
            cells += [median_and_range(values) if values else "absent", "" if ratio is None else f"{ratio:.2f}"]
        lines.append(cells)
    return f"### {case.title()}, {rounds} round{'s' * (rounds > 1)}\n\n" + table(header, lines)


if __name__ == "__main__":
    main()
