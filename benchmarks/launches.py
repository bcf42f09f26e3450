"""What Python costs in a training step on a GPU, measured without one: kernels return at once, all else is done.

    pip install cupy-cuda12x torch      # neither needs a card here; without CuPy, dry arrays stand in for its own
    python benchmarks/launches.py       # seconds

A small network's step ends when Python has launched its last kernel, so this time is to be below PyTorch's. Counted are
processor time and launches, for a step with Adam. Left out, as only a card can tell: what the driver
takes for a launch (some 2 us each), and what CuPy takes for the functions that are counted beside the launches.

PyTorch's side runs on its CPU backend, with one channel and pictures of 16x32: the same layers and as many operations,
whose arithmetic on so few numbers is little but is counted, and so is that of Adam. Left out there: launches too, and
cuDNN. Its "meta" backend would compute nothing, but does in Python what a card's does in C++, ten times as slowly.
"""

from __future__ import annotations

import importlib.util
import json
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np
from compete import add_python_for, arguments, find_competitors
from measure import RATE, Case
from results import machine, number, table, write_between_markers

CASES = (
    Case(base=16, norm=True, batch=8, height=240, width=320, steps=30),
    Case(base=64, norm=False, batch=8, height=480, width=640, steps=30),
)
QUICK = (Case(base=2, norm=True, batch=2, height=16, width=32, steps=2),)


def main() -> None:
    parser = arguments("Count launches and time Python's part of a training step.", rounds=1)
    add_python_for(parser)
    options = parser.parse_args()
    entrants = find_competitors(options.python_for, only_fast=True)
    cases, lines = QUICK if options.quick else CASES, []
    for case in cases:
        ours = in_process(sys.executable, "minidepth", case)
        lines.append([case.title(), "minidepth", *cells(ours), str(ours["launches"]), ours["functions"]])
        if "torch" in entrants.versions:
            theirs = in_process(entrants.python.get("torch", sys.executable), "torch", case)
            lines.append([case.title(), "PyTorch, CPU backend", *cells(theirs), "", ""])
    columns = ["", "", "a step, ms", "for a launch, us", "launches", "functions of CuPy beside them"]
    arrays = "CuPy's arrays" if importlib.util.find_spec("cupy") else "dry arrays, as CuPy is missing"
    text = (
        machine("numpy", others=entrants.versions.values()) + f"minidepth on {arrays}. " + NOTE + table(columns, lines)
    )
    print(text)
    if not (options.no_write or options.quick):
        write_between_markers("launches", text)


NOTE = "Processor time, the least of all steps (the machine may be busy) and in brackets the median.\n\n"


def cells(row: dict[str, Any]) -> list[str]:
    least, launches = min(row["ms"]), row.get("launches")
    each = number(1000 * least / launches) if launches else ""
    return [f"{number(least)} ({number(statistics.median(row['ms']))})", each]


def in_process(python: str, who: str, case: Case) -> dict[str, Any]:
    done = subprocess.run([python, "-W", "ignore", __file__, who, case.to_json()], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"launches: {who} failed at {case.title()}:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def times_ms(step: Callable[[], object], steps: int) -> list[float]:
    """Processor time of all threads, as PyTorch runs backward in one of its own."""
    taken_ms = []
    for _ in range(steps):
        start_s = time.process_time()
        step()
        taken_ms.append(1000 * (time.process_time() - start_s))
    return taken_ms


def minidepth_step(case: Case) -> dict[str, Any]:
    """A step of the real network at its real size: nothing is computed, so nothing is small."""
    from unet_minidepth import network

    from minidepth import Tensor
    from minidepth.cuda.launch import RUNNERS
    from minidepth.losses import mse
    from minidepth.optim import Adam

    kind, functions, context = device()
    launched: Counter[str] = Counter()
    RUNNERS[kind] = lambda kernel, real, grid, given: launched.update([kernel.name])
    with context:
        model = network(case)
        for part in (*model.parameters(), *model.buffers()):
            if part.data.dtype.kind == "f":
                part.data = kind.module.empty(part.data.shape, part.data.dtype)
        adam = Adam(model.parameters(), lr=RATE)
        image, depth_m = (kind.module.empty((case.batch, n, case.height, case.width), np.float32) for n in (3, 1))
        valid = kind.module.empty(depth_m.shape, np.bool_)

        def step() -> None:
            loss = mse(model(Tensor(image)), depth_m, valid)
            adam.zero_grad()
            loss.backward()
            adam.step()

        step()
        launched.clear()
        functions.clear()
        step()
        counts = {"launches": sum(launched.values())}
        words = ", ".join(f"{count} {name}" for name, count in functions.most_common())
        RUNNERS[kind] = lambda kernel, real, grid, given: None
        return {**counts, "functions": words or "not counted", "ms": times_ms(step, case.steps)}


def device() -> tuple[Any, Counter[str], Any]:
    """Type of the arrays, the count of functions beside the launches, and what to compute in."""
    if importlib.util.find_spec("cupy"):
        import idle_cupy

        return idle_cupy.IdleArray, idle_cupy.functions, nullcontext()
    from minidepth.cuda.dry_array import DryArray, dry_run
    from minidepth.cuda.pool_replay import PoolReplay

    return DryArray, Counter(), dry_run(PoolReplay())


def torch_step(case: Case) -> dict[str, Any]:
    """The same layers on next to no numbers."""
    import torch
    from torch.nn import functional as F  # noqa: N812 (its customary name)
    from unet_torch import UNet

    torch.set_num_threads(1)
    model = UNet(1, case.norm)
    adam = torch.optim.Adam(model.parameters(), lr=RATE)
    image, depth_m = torch.zeros(2, 3, 16, 32), torch.zeros(2, 1, 16, 32)

    def step() -> None:
        loss = F.mse_loss(model(image), depth_m)
        adam.zero_grad()
        loss.backward()
        adam.step()

    step()
    return {"ms": times_ms(step, case.steps)}


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] in ("minidepth", "torch"):
        run = minidepth_step if sys.argv[1] == "minidepth" else torch_step
        print(json.dumps(run(Case.from_json(sys.argv[2]))))
    else:
        main()
