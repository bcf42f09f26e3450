"""An epoch of the training of nyu.py in minidepth and in PyTorch by turns, a process for each.

    pip install torch    # the CPU build
    python benchmarks/nyu_time.py --data nyu_csv_320x240    # minutes on 2 free cores; --quick shows that it runs

Everyone trains on the first frames of epoch 0, 200 unless --frames says otherwise, and the time is scaled up to the
whole epoch. Network, loss, Adam and one-cycle schedule are each framework's own, with its defaults. minidepth's loader
and augmentation feed all, on two threads that share the cores with the training (about 50 ms of one core a batch; the
table shows only what training had to wait for).

The first weights are the same, and so must be the loss of a fixed guess, its derivative and the first losses of the
training; the later ones are driven apart by rounding, so of all together the mean. Other work ends the run with an
error. Who takes the same steps reaches the same accuracy up to that rounding, so the ratio of the times is that of the
training to the same accuracy.
"""

from __future__ import annotations

import statistics

from compete import COMPETITORS, OURS, Competitor, Rows, arguments, find_competitors
from nyu import SETTINGS
from nyu_epoch import WARM_UP_STEPS
from results import machine, median_and_range, table, write_between_markers
from step import ratios

from minidepth.data import open_dataset
from minidepth.errors import InputError

QUICK_FRAMES = 16
TOLERANCES = {"loss_of_guess": 1e-5, "first_loss": 3e-5, "mean_loss": 1e-3}
"""Relative. Rounding grows from step to step, as Adam's first are as long for a gradient of 1e-9 as for one of 1."""


def main() -> None:
    parser = arguments("Time an epoch of the NYU training against PyTorch.", rounds=3)
    parser.add_argument("--data", required=True, metavar="PATH", help="data set to train on, as --train of nyu.py")
    parser.add_argument("--frames", type=int, default=200, help="frames to time in each process (default 200)")
    options = parser.parse_args()
    if options.frames < SETTINGS["batch"] or options.rounds < 1:
        parser.error(f"--frames must be at least a batch of {SETTINGS['batch']}, --rounds at least 1")
    try:
        total = len(open_dataset(options.data))
    except InputError as error:
        parser.error(f"--data {error}")
    frames, rounds = (QUICK_FRAMES, 1) if options.quick else (options.frames, options.rounds)
    entrants = find_competitors([], only_fast=True)

    def command(competitor: Competitor) -> list[str]:
        return [f"nyu_{competitor.package}.py", options.data, str(frames), competitor.argument]

    rows = entrants.by_turns(command, rounds, f"NYU training, {frames} frames")
    check_same_losses(rows)
    text = machine("numpy", others=entrants.versions.values()) + explanation(rows, total, rounds)
    text += epoch_table(rows) + entrants.note()
    print(text)
    if not (options.no_write or options.quick):
        write_between_markers("nyu-time", text)


def check_same_losses(rows: Rows) -> None:
    """End the run where losses differ by more than rounding explains."""
    for key, tolerance in TOLERANCES.items():
        ours = rows[OURS.title][0][key]
        for title, measured in rows.items():
            for row in measured:
                if not abs(row[key] - ours) <= tolerance * abs(ours):
                    raise SystemExit(f"{title}: {key} is {row[key]}, minidepth's {ours}; that is not the same work")


def explanation(rows: Rows, frames: int, rounds: int) -> str:
    """What was run, and what the figures are."""
    height, width = SETTINGS["size"]
    row = rows[OURS.title][0]
    steps, epoch_steps, batch = row["steps"], row["epoch_steps"], SETTINGS["batch"]
    return (
        f"U-Net base {SETTINGS['base_channels']}, batch {batch}, {height}x{width}, {SETTINGS['loss']}; "
        f"{rounds} round{'s' * (rounds > 1)}, in brackets their range. Timed were {steps} steps after {WARM_UP_STEPS} "
        f"that warm up, scaled up to the {epoch_steps} of an epoch of {frames} frames ({frames - epoch_steps * batch} "
        f"are left over). minidepth's loader feeds all. The last loss is that of step {WARM_UP_STEPS + steps}; the "
        f"mean is over all steps.\n\n"
    )


def epoch_table(rows: Rows) -> str:
    header = ["", "an epoch, s", "ratio to the better PyTorch", "waiting for data", "first loss", "last", "mean"]
    lines = []
    for competitor in COMPETITORS:
        measured = rows.get(competitor.title)
        if measured:
            ratio = ratios(rows, "epoch_s").get(competitor.title)
            lines.append(
                [
                    competitor.title,
                    median_and_range([row["epoch_s"] for row in measured]),
                    "" if ratio is None else f"{ratio:.2f}",
                    f"{statistics.median(row['wait_share'] for row in measured):.1%}",
                    *(f"{measured[0][key]:.4f}" for key in ("first_loss", "last_loss", "mean_loss")),
                ]
            )
    return table(header, lines)


if __name__ == "__main__":
    main()
